"""`slosim report`: show again what was saved, or what changes between several, without simulating."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.experiment import show_again
from slosim.cli.grouped import grouped
from slosim.cli.outputs import Outputs
from slosim.cli.saved import made_of, read_report, read_saved, run_names
from slosim.errors import UserError

RUNS_MOST = 8


@grouped
def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="What --json saved: a report, several to compare, or an experiment.",
            show_default=False,
        ),
    ],
    outputs: Outputs,
) -> None:
    """Print a saved report, or make a page or other files of it, without simulating again.

    Several reports: what changes from the first to each of the others, as text, --html or --markdown.

    An experiment: its text, --html, or --json without its runs.

    Exit codes:
    0 done, whatever its verdict
    2 a file is none of this version's, or the command line is wrong
    1 a fault of slosim
    """
    if len(files) > 1:
        _compare(files, outputs)
        return
    from slosim.outputs.trace import sample_in
    from slosim.report import Report

    saved = read_saved(files[0])
    outputs.require(files[0], "input")
    if not isinstance(saved, Report):
        with made_of(files[0]):
            show_again(saved, outputs, files[0])
        return
    with made_of(files[0]):
        if outputs.trace is not None:
            sample_in(saved.data)
        outputs.deliver(saved, None)


def _compare(files: Sequence[Path], outputs: Outputs) -> None:
    """What changes from the first report to each of the others."""
    outputs.require_runs(files)
    if len(files) > RUNS_MOST:
        raise UserError(f"{len(files)} files: at most {RUNS_MOST} runs are compared, each in its colour")
    reports = [read_report(path).data for path in files]
    names = run_names(files, [data["scenario"]["name"] for data in reports])
    from slosim.report.differences import NamedReport

    with made_of(*files):
        outputs.deliver_runs([NamedReport(*one) for one in zip(names, reports, strict=True)])
