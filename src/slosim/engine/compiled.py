"""Loads the kernel with its cache folder set. Import it only to run something: it imports the compiler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from slosim.engine.cache import cache_folder, compiling


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Numba looks for SciPy's linear algebra on import: a quarter of a second for what we never use."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


with _hidden("scipy.linalg"):
    import numba

    _before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        from slosim.engine.jit import compile_all
        from slosim.engine.kernel import advance, finish, prepare

        with compiling() as is_cached:
            compile_all(is_cached)
    finally:
        numba.config.CACHE_DIR = _before

__all__ = ["advance", "finish", "prepare"]
