"""Files that appear whole or not at all, and how JSON is laid out in them."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from slosim.errors import UserError


def json_text(data: Any) -> str:
    """JSON with one line per innermost object or list; ends with a newline."""
    return _written(data, 0) + "\n"


def require_writable(path: Path) -> None:
    """Fail now rather than after the run: the folder of `path` must exist and take a new file."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {folder}")
    if _is_special(path):
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: the folder {folder} is not writable")


def require_folder(folder: Path) -> None:
    """Make a folder for outputs, or fail now rather than after the run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"the folder {folder} is not writable")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file by renaming a finished one over it; devices and pipes are written to as they are.

    A symbolic link stays, and the file it points to is replaced.
    """
    written = content.encode() if isinstance(content, str) else content
    try:
        if _is_special(path):
            path.write_bytes(written)
        else:
            _write_and_rename(Path(os.path.realpath(path)), written)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _written(value: Any, depth: int) -> str:
    """JSON with a line per innermost object or list, and an object of numbers such as an EST on one line."""
    if isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):
        opening, closing = "{", "}"
        items = [f"{_encoded(key)}: {_written(item, depth + 1)}" for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        opening, closing = "[", "]"
        items = [_written(item, depth + 1) for item in value]
    else:
        return _encoded(value)
    inner = ",\n".join(" " * (depth + 1) + item for item in items)
    return f"{opening}\n{inner}\n{' ' * depth}{closing}"


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _write_and_rename(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, _permissions(path))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _permissions(path: Path) -> int:
    """Those of the file that is replaced, else what a new file gets here."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
