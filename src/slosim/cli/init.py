"""`slosim init`: a commented file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.terminal import print_out
from slosim.errors import UserError
from slosim.files import require_writable, write_whole


def init(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")] = Path(
        "scenario.yaml"
    ),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")] = False,
) -> None:
    """Write a small commented scenario to start from."""
    if target.exists() and not force:
        raise UserError(f"{target} exists; --force overwrites it")
    require_writable(target)
    write_whole(target, starter())
    print_out(f"wrote {target}; next: slosim run {target}")


def starter() -> str:
    """The text of the starter file."""
    return (Path(__file__).parent / "starter.yaml").read_text(encoding="utf-8")
