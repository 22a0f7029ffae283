"""Where compiled code is kept: what the compiler would not recognise never shares a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import slosim
from slosim import files
from slosim.engine import cache

PRINT = "from slosim.engine.cache import cache_folder; print(cache_folder())"


def folder_of(site: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(site), "SLOSIM_CACHE_DIR": "cache"}
    command = [sys.executable, "-c", PRINT]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_each_installation_and_each_edit_has_a_cache_folder_of_its_own(tmp_path: Path):
    sites = [tmp_path / "one", tmp_path / "two"]
    for site in sites:
        shutil.copytree(Path(slosim.__file__).parent, site / "slosim")
    first, second = map(folder_of, sites)
    assert folder_of(sites[0]) == first != second

    source = sites[0] / "slosim" / "engine" / "kernel.py"
    text, written_s = source.read_bytes(), source.stat().st_mtime
    os.utime(source, (written_s + 1, written_s + 1))
    written_anew = folder_of(sites[0])
    source.write_bytes(text + b"\n")
    os.utime(source, (written_s, written_s))
    assert len({first, written_anew, folder_of(sites[0])}) == 3


def test_a_home_that_cannot_be_written_to_is_no_obstacle(monkeypatch, tmp_path):
    """As in many containers: compiled code goes to a folder of the user's own among the temporary files."""
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.delenv("SLOSIM_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(file / "cache"))
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    root = files.cache_root()
    assert root.parent == tmp_path
    assert root.stat().st_mode & 0o077 == 0
    root.chmod(0o777)
    with pytest.raises(PermissionError, match="SLOSIM_CACHE_DIR"):
        files.cache_root()


def test_each_way_of_compiling_has_a_cache_folder_of_its_own(monkeypatch):
    folders = set()
    for switch in ("", "NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"):
        monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
        monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
        if switch:
            monkeypatch.setenv(switch, "1")
        folders.add(cache.cache_folder.__wrapped__())
    assert len(folders) == 3
