"""`python -m slosim` is the command line."""

from slosim.cli import main

main()
