"""Writing what a run found: to the terminal, to a file, to a folder. Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.options import Quiet
from slosim.errors import UserError
from slosim.files import require_folder, require_writable, write_whole, yaml_text

if TYPE_CHECKING:
    from slosim.report import Report

WIDTH_MAX = 120  # longer lines are harder to read than to scroll past


@dataclass(frozen=True)
class Outputs:
    """Where a report goes."""

    json: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", help="Write the report as JSON; - is stdout.", show_default=False
        ),
    ] = None
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report as one HTML file to send around.",
            show_default=False,
        ),
    ] = None
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit",
            metavar="FILE",
            help="Write the objectives as JUnit XML, test cases for CI servers.",
            show_default=False,
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Save every output here: reports, resolved scenario, series, histograms.",
        ),
    ] = None
    quiet: Quiet = False

    @property
    def json_to_stdout(self) -> bool:
        return self.json is not None and str(self.json) == "-"

    def files(self) -> Iterator[tuple[Path, str]]:
        """(path, its name in MAKERS) of every file that is asked for, stdout aside."""
        for name, path in ((JSON, self.json), (HTML, self.html), (JUNIT, self.junit)):
            if path is not None and str(path) != "-":
                yield path, name
        if self.out is not None:
            for name in MAKERS:
                yield self.out / name, name

    def require(self, input_file: Path, what: str) -> None:
        """Refuse places that cannot be written to, or hold the input itself, before time is spent."""
        if self.out is not None:
            require_folder(self.out)
        for path, _ in self.files():
            if path.exists() and path.samefile(input_file):
                raise UserError(f"cannot write {path}: it is the {what} itself")
            require_writable(path)

    def deliver(self, report: Report, source: str | None) -> None:
        """Print and save a report. It is printed even when it cannot be saved; `source` as in `to_text`."""
        if self.json_to_stdout:
            print_out(report.to_json())
        elif not self.quiet:
            print_text(partial(report.to_text, source=source))
        made: dict[str, str | bytes] = {}
        for path, name in self.files():
            if name not in made:
                made[name] = MAKERS[name](report, source)
            write_whole(path, made[name])


# ---- what is made of a report ------------------------------------------------------------------------------


def _json(report: Report, source: str | None) -> str:
    return report.to_json()


def _text(report: Report, source: str | None) -> str:
    return report.to_text(source=source).removesuffix("\n") + "\n"


def _html(report: Report, source: str | None) -> str:
    from slosim.html.report import html_of

    return html_of(report.data, source)


def _junit(report: Report, source: str | None) -> str:
    from slosim.outputs.junit import junit_of

    return junit_of(report.data)


def _scenario(report: Report, source: str | None) -> str:
    return yaml_text(report.data["scenario"]["resolved"])


def _series(report: Report, source: str | None) -> str:
    from slosim.outputs.tables import series_of

    return series_of(report.data).to_csv()


def _histograms(report: Report, source: str | None) -> str:
    from slosim.outputs.tables import histograms_of

    return histograms_of(report.data).to_csv()


JSON, HTML, JUNIT = "report.json", "report.html", "junit.xml"
MAKERS: dict[str, Callable[[Report, str | None], str | bytes]] = {
    JSON: _json,
    "report.txt": _text,
    HTML: _html,
    JUNIT: _junit,
    "scenario.yaml": _scenario,
    "series.csv": _series,
    "histograms.csv": _histograms,
}
"""What a file of a folder of outputs holds, by its name there."""


# ---- the terminal ------------------------------------------------------------------------------------------


def print_out(text: str) -> None:
    """Print to stdout. A reader who leaves early (`| head`) changes neither the outcome nor the exit code."""
    try:
        print(text.removesuffix("\n"), flush=True)
    except BrokenPipeError:
        exits.forget_stdout()


def print_text(to_text: Callable[..., str]) -> None:
    """What `to_text(width=…, colour=…)` writes, as wide and as colourful as the terminal allows."""
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
        print_out(to_text(width=width, colour=wants_colour()))
    else:
        print_out(to_text(colour=bool(os.environ.get("FORCE_COLOR"))))


def wants_colour() -> bool:
    """Whether a terminal shows colour: not with NO_COLOR, not where it is dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
