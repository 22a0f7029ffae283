"""The whole grid of some values."""
