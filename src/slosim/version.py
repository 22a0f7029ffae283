"""The version of this package: printed by `slosim --version` and written into every report."""

__version__ = "0.1.0"
