"""Loads the kernel with its cache folder set. Import it only to run something: it imports the compiler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from slosim.engine.cache import KERNEL, MECHANISMS, compiling


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


def _target() -> str:
    """What the compiled code is for: another interpreter, compiler or processor needs its own."""
    interpreter, processor = sys.implementation.cache_tag, get_host_cpu_name()
    return f"{interpreter} {numba.__version__} {processor} {get_host_cpu_features().flatten()}"


@contextmanager
def _compiled(part: str) -> Iterator[None]:
    """Compile what is imported inside, or load it from the cache."""
    before = numba.config.CACHE_DIR
    with compiling(_target(), part) as (folder, is_cached):
        numba.config.CACHE_DIR = str(folder)
        try:
            yield
            compile_all(is_cached)
        finally:
            numba.config.CACHE_DIR = before


@cache
def mechanisms() -> ModuleType:
    """The engine's mechanisms, which only some scenarios need (engine/mechanisms/loop.py)."""
    with _compiled(MECHANISMS):
        from slosim.engine.mechanisms import loop
    return loop


with _hidden("scipy.linalg"):
    import numba
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    from slosim.engine.jit import compile_all

    with _compiled(KERNEL):
        from slosim.engine.kernel import advance, finish, prepare

__all__ = ["advance", "finish", "mechanisms", "prepare"]
