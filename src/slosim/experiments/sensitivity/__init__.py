"""One cause at a time: what a little more of it does."""
