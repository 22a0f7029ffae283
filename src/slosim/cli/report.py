"""`slosim report`: show again what was saved, without simulating."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.experiment import show_again
from slosim.cli.grouped import grouped
from slosim.cli.outputs import Outputs
from slosim.cli.saved import read_saved
from slosim.errors import UserError


@grouped
def report(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="What --json saved, or an experiment.", show_default=False),
    ],
    outputs: Outputs,
) -> None:
    """Print a saved report, or make a page or other files of it, without simulating again.

    Exit codes:
    0 done, whatever its verdict
    2 a file is none of this version's, or the command line is wrong
    1 a fault of slosim
    """
    from slosim.outputs.trace import sample_in
    from slosim.report import Report

    saved = [read_saved(path) for path in files]
    for path in files:
        outputs.require(path, "input")
    if len(saved) > 1:
        raise UserError("several files: not yet")
    if isinstance(saved[0], Report):
        if outputs.trace is not None:
            sample_in(saved[0].data)
        outputs.deliver(saved[0], None)
    else:
        show_again(saved[0], outputs, files[0])
