"""Where compiled code is kept: a folder per user and installation, so no edit meets stale code."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from slosim.files import cache_root

KERNEL, MECHANISMS = "kernel", "mechanisms"
"""The parts of the compiled code; a file of this name says that all of the part is in the folder."""


@cache
def cache_folder() -> Path:
    """Folder of this version's compiled code: named by everything the compiler sees.

    The compiler asks where a source file is and when it changed, too: an installation of the same version
    elsewhere, or a file written anew, is new to it.
    """
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("compile", "engine", "measure"):
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(f"{source} {source.stat().st_mtime_ns}".encode())
            digest.update(source.read_bytes())
    for switch in ("NUMBA_BOUNDSCHECK", "NUMBA_OPT", "NUMBA_DISABLE_JIT"):
        digest.update(f"{switch}={os.environ.get(switch, '')};".encode())
    return cache_root() / digest.hexdigest()[:16]


def is_compiled(part: str = KERNEL) -> bool:
    """Is a part of the compiled code of this version on disk? Does not import the compiler."""
    is_switched_off = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    return is_switched_off or any(cache_folder().glob(f"*/{part}"))


@contextmanager
def compiling(target: str, part: str) -> Iterator[tuple[Path, bool]]:
    """Hold the folder of what is compiled for while compiling; yields it, and whether the part is there.

    Functions call each other by symbol, so code of different compilations must not meet: another process
    waits, and what an interrupted compilation left is thrown away.
    """
    folder = cache_folder() / hashlib.sha256(target.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_cached = (folder / part).exists()
        if part == KERNEL and not is_cached:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, is_cached
        (folder / part).touch()
