"""Writing what a run found: to the terminal, to a file, to a folder. Files appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
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
    from slosim.report.differences import NamedReport

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
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown",
            metavar="FILE",
            help="Write the report as Markdown for a pull request; - is stdout.",
            show_default=False,
        ),
    ] = None
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="REPORT.json",
            help="Tell what changes from this report, which --json saved.",
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
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="Follow some messages and write what became of them, for https://ui.perfetto.dev.",
            show_default=False,
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

    def files(self) -> Iterator[tuple[Path, str]]:
        """(path, its name in MAKERS) of every file that is asked for, stdout aside."""
        for name, path in self._single():
            if not _is_stdout(path):
                yield path, name
        if self.tables is not None:
            for name in (*CSV, *PARQUET):
                yield self.tables / name, name
        if self.out is not None:
            for name in MAKERS:
                if name != TRACE and (name not in PARQUET or has_parquet()):
                    yield self.out / name, name

    def printed(self) -> list[str]:
        """Names in MAKERS of what goes to stdout instead of the text."""
        return [name for name, path in self._single() if _is_stdout(path)]

    def _single(self) -> Iterator[tuple[str, Path]]:
        """Name in MAKERS and path of each output that has an option of its own."""
        for name, path in (
            (JSON, self.json),
            (HTML, self.html),
            (MARKDOWN, self.markdown),
            (JUNIT, self.junit),
            (OPENSLO, self.openslo),
            (TRACE, self.trace),
        ):
            if path is not None:
                yield name, path

    def require(self, input_file: Path, what: str) -> None:
        """Refuse places that cannot be written to, or hold the input itself, before time is spent; and a
        baseline that is none.
        """
        if len(self.printed()) > 1:
            raise UserError("only one output can go to stdout: give a file instead of - to the others")
        if self.tables is not None and not has_parquet():
            raise UserError(f"--tables: {PARQUET_NEEDS}; --out saves CSV without it")
        for folder in (self.out, self.charts, self.tables):
            if folder is not None:
                require_folder(folder)
        for path, _ in self.files():
            if path.exists() and path.samefile(input_file):
                raise UserError(f"cannot write {path}: it is the {what} itself")
            require_writable(path)
        _ = self.compared_with

    @cached_property
    def compared_with(self) -> NamedReport | None:
        """The report that --baseline names."""
        if self.baseline is None:
            return None
        from slosim.cli.saved import read_report
        from slosim.report.differences import NamedReport

        return NamedReport(self.baseline.name, read_report(self.baseline).data)

    def deliver(self, report: Report, source: str | None, shield: bool = False) -> None:
        """Print and save a report. It is printed even when it cannot be saved; `source` as in `to_text`.

        shield  as for `print_text`
        """
        makers = _makers(self.compared_with)
        printed = self.printed()
        if printed:
            print_out(str(makers[printed[0]](report, source)))
        elif not self.quiet:
            print_text(partial(report.to_text, source=source, baseline=self.compared_with), shield)
        made: dict[str, str | bytes] = {}
        for path, name in self.files():
            if name not in made:
                made[name] = makers[name](report, source)
            write_whole(path, made[name])
        if self.charts is not None:
            self._draw(report, self.charts)

    def require_runs(self, input_files: Sequence[Path]) -> None:
        """Refuse what is made of one report alone, and places that cannot be written to."""
        for field in fields(self):
            if field.name not in ("html", "markdown", "quiet") and getattr(self, field.name):
                raise UserError(
                    f"--{field.name} is for one report: several are compared as text, --html or --markdown"
                )
        for path in input_files:
            self.require(path, "input")

    def deliver_runs(self, runs: Sequence[NamedReport]) -> None:
        """Print and save what changes from the first report to each of the others."""
        printed = self.printed()
        if printed:
            print_out(MAKERS_OF_RUNS[printed[0]](runs))
        elif not self.quiet:
            print_text(partial(_text_of_runs, runs))
        for path, name in self.files():
            write_whole(path, MAKERS_OF_RUNS[name](runs))

    def _draw(self, report: Report, folder: Path) -> None:
        """Each picture is whole as soon as it is there; a dozen take two seconds."""
        from slosim.outputs.pictures import FORMATS

        if not self.quiet and sys.stderr.isatty():
            exits.complain(f"Drawing {len(report.charts)} charts ...")
        for picture in report.charts.values():
            for ending in FORMATS:
                picture.save(folder / f"{picture.name}{ending}")


def _is_stdout(path: Path) -> bool:
    return str(path) == "-"


# ---- what is made of a report ------------------------------------------------------------------------------


def _json(report: Report, source: str | None) -> str:
    return report.to_json()


def _text(report: Report, source: str | None, baseline: NamedReport | None = None) -> str:
    return report.to_text(source=source, baseline=baseline).removesuffix("\n") + "\n"


def _html(report: Report, source: str | None) -> str:
    return report.to_html(source)


def _markdown(report: Report, source: str | None, baseline: NamedReport | None = None) -> str:
    from slosim.outputs.markdown import markdown_of

    return markdown_of(report.data, source, baseline)


def _junit(report: Report, source: str | None) -> str:
    from slosim.outputs.junit import junit_of

    return junit_of(report.data)


def _openslo(report: Report, source: str | None) -> str:
    from slosim.outputs.openslo import openslo_of

    return openslo_of(report.data["scenario"]["resolved"])


def _trace(report: Report, source: str | None) -> str:
    from slosim.outputs.trace import trace_of

    return trace_of(report.data)


def _scenario(report: Report, source: str | None) -> str:
    return yaml_text(report.data["scenario"]["resolved"])


def _csv(table_of: Callable[[dict[str, Any]], Table]) -> Maker:
    return lambda report, source: table_of(report.data).to_csv()


def _parquet(table_of: Callable[[dict[str, Any]], Table]) -> Maker:
    return lambda report, source: table_of(report.data).to_parquet()


Maker = Callable[["Report", str | None], str | bytes]
JSON, TEXT, HTML, MARKDOWN = "report.json", "report.txt", "report.html", "report.md"
JUNIT, OPENSLO, TRACE = "junit.xml", "openslo.yaml", "trace.json"
CSV = {"series.csv": _csv(series_of), "histograms.csv": _csv(histograms_of)}
PARQUET = {"series.parquet": _parquet(series_of), "histograms.parquet": _parquet(histograms_of)}
MAKERS: dict[str, Maker] = {
    JSON: _json,
    TEXT: _text,
    HTML: _html,
    MARKDOWN: _markdown,
    JUNIT: _junit,
    OPENSLO: _openslo,
    "scenario.yaml": _scenario,
    **CSV,
    **PARQUET,
    TRACE: _trace,
}
"""What a file holds, by its name in a folder of outputs."""


def _makers(baseline: NamedReport | None) -> dict[str, Maker]:
    """The same, where some tell what changes from a baseline."""
    if baseline is None:
        return MAKERS
    telling = {TEXT: partial(_text, baseline=baseline), MARKDOWN: partial(_markdown, baseline=baseline)}
    return {**MAKERS, **telling}


def _text_of_runs(runs: Sequence[NamedReport], width: int = 100, colour: bool = False) -> str:
    from slosim.report.text_differences import text_of_runs

    return text_of_runs(runs, width, colour)


def _html_of_runs(runs: Sequence[NamedReport]) -> str:
    from slosim.html.runs import html_of_runs

    return html_of_runs(runs)


def _markdown_of_runs(runs: Sequence[NamedReport]) -> str:
    from slosim.outputs.markdown import markdown_of_runs

    return markdown_of_runs(runs)


MAKERS_OF_RUNS = {HTML: _html_of_runs, MARKDOWN: _markdown_of_runs}
"""What is made of several reports."""


# ---- the terminal ------------------------------------------------------------------------------------------


def print_out(text: str) -> None:
    """Print to stdout. A reader who leaves early (`| head`) changes neither the outcome nor the exit code."""
    try:
        print(text.removesuffix("\n"), flush=True)
    except BrokenPipeError:
        exits.forget_stdout()


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
