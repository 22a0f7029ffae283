"""What breaks a system first."""
