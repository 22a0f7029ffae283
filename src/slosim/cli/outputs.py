"""Writing what a run found: to the terminal, to a file, to a folder. Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slosim.cli import exits
from slosim.cli.options import Quiet
from slosim.errors import UserError
from slosim.files import require_folder, require_writable, write_whole, yaml_text
from slosim.outputs.tables import PARQUET_NEEDS, Table, has_parquet, histograms_of, series_of

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
    openslo: Annotated[
        Path | None,
        typer.Option(
            "--openslo", metavar="FILE", help="Write the objectives as OpenSLO v1.", show_default=False
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help=(
                "Save every output here: reports, resolved scenario, series, histograms; as Parquet too where"
                " duckdb is installed. Charts as pictures take longer: see --charts."
            ),
            show_default=False,
        ),
    ] = None
    charts: Annotated[
        Path | None,
        typer.Option(
            "--charts",
            metavar="FOLDER",
            help="Save every chart and the drawing of the system here, as SVG and PNG.",
            show_default=False,
        ),
    ] = None
    tables: Annotated[
        Path | None,
        typer.Option(
            "--tables",
            metavar="FOLDER",
            help="Save all series and histograms here, as CSV and Parquet (pip install 'slosim[parquet]').",
            show_default=False,
        ),
    ] = None
    quiet: Quiet = False

    @property
    def json_to_stdout(self) -> bool:
        return self.json is not None and str(self.json) == "-"

    def files(self) -> Iterator[tuple[Path, str]]:
        """(path, its name in MAKERS) of every file that is asked for, stdout aside."""
        for name, path in (
            (JSON, self.json),
            (HTML, self.html),
            (JUNIT, self.junit),
            (OPENSLO, self.openslo),
        ):
            if path is not None and str(path) != "-":
                yield path, name
        if self.tables is not None:
            for name in (*CSV, *PARQUET):
                yield self.tables / name, name
        if self.out is not None:
            for name in MAKERS:
                if name not in PARQUET or has_parquet():
                    yield self.out / name, name

    def require(self, input_file: Path, what: str) -> None:
        """Refuse places that cannot be written to, or hold the input itself, before time is spent."""
        if self.tables is not None and not has_parquet():
            raise UserError(f"--tables: {PARQUET_NEEDS}; --out saves CSV without it")
        for folder in (self.out, self.charts, self.tables):
            if folder is not None:
                require_folder(folder)
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
        if self.charts is not None:
            self._draw(report, self.charts)

    def _draw(self, report: Report, folder: Path) -> None:
        """Each picture is whole as soon as it is there; a dozen take two seconds."""
        from slosim.outputs.pictures import FORMATS

        if not self.quiet and sys.stderr.isatty():
            exits.complain(f"Drawing {len(report.charts)} charts ...")
        for picture in report.charts.values():
            for ending in FORMATS:
                picture.save(folder / f"{picture.name}{ending}")


# ---- what is made of a report ------------------------------------------------------------------------------


def _json(report: Report, source: str | None) -> str:
    return report.to_json()


def _text(report: Report, source: str | None) -> str:
    return report.to_text(source=source).removesuffix("\n") + "\n"


def _html(report: Report, source: str | None) -> str:
    return report.to_html(source)


def _junit(report: Report, source: str | None) -> str:
    from slosim.outputs.junit import junit_of

    return junit_of(report.data)


def _openslo(report: Report, source: str | None) -> str:
    from slosim.outputs.openslo import openslo_of

    return openslo_of(report.data["scenario"]["resolved"])


def _scenario(report: Report, source: str | None) -> str:
    return yaml_text(report.data["scenario"]["resolved"])


def _csv(table_of: Callable[[dict[str, Any]], Table]) -> Maker:
    return lambda report, source: table_of(report.data).to_csv()


def _parquet(table_of: Callable[[dict[str, Any]], Table]) -> Maker:
    return lambda report, source: table_of(report.data).to_parquet()


Maker = Callable[["Report", str | None], str | bytes]
JSON, HTML, JUNIT, OPENSLO = "report.json", "report.html", "junit.xml", "openslo.yaml"
CSV = {"series.csv": _csv(series_of), "histograms.csv": _csv(histograms_of)}
PARQUET = {"series.parquet": _parquet(series_of), "histograms.parquet": _parquet(histograms_of)}
MAKERS: dict[str, Maker] = {
    JSON: _json,
    "report.txt": _text,
    HTML: _html,
    JUNIT: _junit,
    OPENSLO: _openslo,
    "scenario.yaml": _scenario,
    **CSV,
    **PARQUET,
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
