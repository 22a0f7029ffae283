"""Where compiled code is kept: what the compiler would not recognise never shares a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import slosim

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
