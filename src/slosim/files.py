"""Files that appear whole or not at all, and how JSON and YAML are laid out in them."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from slosim.errors import UserError

WORDS_WITH_A_MEANING = (
    "null",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
)  # to one version of YAML or another
LIKE_A_NUMBER = re.compile(
    r"[\d_]*\.?[\d_]*(e[-+]?\d+)?|0[xob][\da-f_]+|\.(inf|nan)|\d{4}-\d\d?-\d\d?.*", re.IGNORECASE
)
"""Text that YAML reads as a number or a date unless it is quoted."""
FLOW_MAX = 90  # longer mappings and lists of a resolved scenario are broken into lines


def json_text(data: Any) -> str:
    """JSON with one line per innermost object or list; ends with a newline."""
    return _written(data, 0) + "\n"


def yaml_text(resolved: dict[str, Any]) -> str:
    """A resolved scenario as YAML that loads again to the same scenario."""
    return "\n".join(_yaml_lines(resolved, "")) + "\n"


def require_writable(path: Path) -> None:
    """Fail now rather than after the run: the folder of `path` must exist and take a new file."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: there is no folder {folder}")
    if is_special(path):
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: the folder {folder} is not writable")


def require_other(path: Path, what: str, *others: Path) -> None:
    """Refuse a place that is one of some other files, whatever links lead there; `what` says which."""
    for other in others:
        is_same = os.path.realpath(path) == os.path.realpath(other)  # which takes loops of links, too
        if is_same or (path.exists() and other.exists() and path.samefile(other)):
            raise UserError(f"cannot write {path}: it is {what}")


def require_folder(folder: Path) -> None:
    """Make a folder for outputs, or fail now rather than after the run."""
    if str(folder) == "-":
        raise UserError("- is stdout, and several files are written here: name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"cannot make the folder {folder}: it is a file") from None
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
        if is_special(path):
            path.write_bytes(written)
        else:
            _write_and_rename(Path(os.path.realpath(path)), written)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def cache_root() -> Path:
    """Where what takes long to make may be kept: SLOSIM_CACHE_DIR, XDG_CACHE_HOME/slosim, ~/.cache/slosim or,
    where that cannot be written to, a folder of the user's among the temporary files.
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


def is_special(path: Path) -> bool:
    """Whether a path is a device, a pipe or a folder, which nothing can be renamed over."""
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


def _yaml_lines(value: dict[str, Any] | list[Any], indent: str) -> Iterator[str]:
    """Block style for what is nested, one line for what is flat; JSON's quoting is YAML's."""
    if isinstance(value, list):
        for item in value:
            yield f"{indent}- {_yaml_flow(item)}"
        return
    for key, inner in value.items():
        if isinstance(inner, dict | list) and inner and not _is_flat(inner):
            yield f"{indent}{_yaml_scalar(key)}:"
            yield from _yaml_lines(cast("dict[str, Any] | list[Any]", inner), indent + "  ")
        else:
            yield f"{indent}{_yaml_scalar(key)}: {_yaml_flow(inner)}"


def _is_flat(value: Any) -> bool:
    """Whether a value reads well on one line: it holds scalars only, or lists of them."""
    if isinstance(value, dict):
        nested = any(isinstance(item, dict | list) for item in cast("dict[str, Any]", value).values())
    else:
        nested = any(isinstance(item, dict) for item in cast("list[Any]", value))
    return not nested and len(_yaml_flow(value)) <= FLOW_MAX


def _yaml_flow(value: Any) -> str:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return (
            "{" + ", ".join(f"{_yaml_scalar(key)}: {_yaml_flow(item)}" for key, item in fields.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_yaml_flow(item) for item in cast("list[Any]", value)) + "]"
    return _yaml_scalar(value)


def _yaml_scalar(value: Any) -> str:
    """A number, true or false as it is, a plain word as it is, any other text in JSON's quotes."""
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = (
        value != ""
        and (value[0].isalnum() or value[0] in "./")
        and all(letter.isalnum() or letter in "_-./% " for letter in value)
        and value == value.strip()
        and value.lower() not in WORDS_WITH_A_MEANING
        and not LIKE_A_NUMBER.fullmatch(value)
    )
    return value if is_plain else _yaml_quoted(value)


def _yaml_quoted(text: str) -> str:
    """In JSON's quotes, with what does not print escaped: YAML refuses some of it as it is."""
    return "".join(
        letter
        if letter.isprintable()
        else f"\\u{ord(letter):04x}"
        if ord(letter) < 65536
        else f"\\U{ord(letter):08x}"
        for letter in json.dumps(text, ensure_ascii=False)
    )
