"""Two variants on identical work."""
