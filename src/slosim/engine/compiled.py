"""Loads the kernel with its cache folder set. Import it only when something is to be run: it imports the compiler."""

from __future__ import annotations

import numba

from slosim.engine.cache import cache_folder, compiling

_before = numba.config.CACHE_DIR
numba.config.CACHE_DIR = str(cache_folder())
try:
    from slosim.engine.jit import compile_all
    from slosim.engine.kernel import advance, finish, prepare

    with compiling():
        compile_all()
finally:
    numba.config.CACHE_DIR = _before

__all__ = ["advance", "finish", "prepare"]
