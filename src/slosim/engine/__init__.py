"""Program and seed to Measurements: the compiled kernel, the loop around it, and the reference engine."""

from slosim.engine.cache import is_compiled

__all__ = ["is_compiled"]
