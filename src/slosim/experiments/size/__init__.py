"""The cheapest configuration that keeps every promise."""
