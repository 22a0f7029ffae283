"""What is printed, as the terminal, a pipe or a log of GitHub's wants it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from slosim.cli import exits
from slosim.errors import UserError
from slosim.files import require_writable, write_whole

WIDTH_MAX = 120  # longer lines are harder to read than to scroll past


def is_stdout(path: Path | None) -> bool:
    """Whether a place for an output is `-`, which is stdout."""
    return str(path) == "-"


def require_one_stdout(*places: Path | None) -> None:
    """Refuse two outputs in one stream."""
    if sum(map(is_stdout, places)) > 1:
        raise UserError("only one output can go to stdout: give a file instead of - to the others")


def print_out(text: str) -> None:
    """Print to stdout. A reader who leaves early (`| head`) changes neither the outcome nor the exit code."""
    try:
        print(text.removesuffix("\n"), flush=True)
    except BrokenPipeError:
        exits.forget_stdout()


def print_or_write(text: str, path: Path | None) -> None:
    """Print to stdout, or write the file that is asked for instead."""
    if path is None or is_stdout(path):
        print_out(text)
    else:
        require_writable(path)
        write_whole(path, text)


def print_text(to_text: Callable[..., str], shield: bool = False) -> None:
    """What `to_text(width=…, colour=…)` writes, as wide and as colourful as the terminal allows.

    shield  whether whoever reads stdout obeys commands in it, and must not obey what is in the text
    """
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
        text = to_text(width=width, colour=wants_colour())
    else:
        text = to_text(colour=bool(os.environ.get("FORCE_COLOR")))
    print_out(shielded(text) if shield else text)


def shielded(text: str) -> str:
    """The text as a reader of workflow commands may see it."""
    from slosim.outputs import annotations

    return annotations.shielded(text)


def wants_colour() -> bool:
    """Whether a terminal shows colour: not with NO_COLOR, not where it is dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
