"""Where compiled code is kept: a folder per user and installation, so no edit meets stale code."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

KERNEL, MECHANISMS = "kernel", "mechanisms"
"""The parts of the compiled code; a file of this name says that all of the part is in the folder."""


def cache_root() -> Path:
    """Where compiled code may be kept: SLOSIM_CACHE_DIR, XDG_CACHE_HOME/slosim, ~/.cache/slosim or, where
    that cannot be written to, a folder of the user's among the temporary files.
    """
    own = os.environ.get("SLOSIM_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        root = (Path(base) if base else Path.home() / ".cache") / "slosim"
        root.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a home that cannot be written to, or none, as in many containers
        return _temporary_root()
    return root if os.access(root, os.W_OK) else _temporary_root()


def _temporary_root() -> Path:
    """A folder among the temporary files that nobody else can write to: what is in it gets executed."""
    root = Path(tempfile.gettempdir()) / f"slosim-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        what = f"{root} is open to others; set SLOSIM_CACHE_DIR to a folder of your own"
        raise PermissionError(what)
    return root


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
