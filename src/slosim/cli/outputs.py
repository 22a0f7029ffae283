"""Where the outputs of a command go: to the terminal, to files, to folders; whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.forms import (
    CSV,
    FORMS,
    FORMS_OF_RUNS,
    HTML,
    JSON,
    JUNIT,
    MARKDOWN,
    OPENSLO,
    PARQUET,
    TRACE,
    Told,
)
from slosim.cli.options import Quiet
from slosim.cli.terminal import is_stdout, print_out, print_text, require_one_stdout
from slosim.errors import UserError
from slosim.files import is_special, require_folder, require_other, require_writable, write_whole

if TYPE_CHECKING:
    from slosim.report import Report
    from slosim.report.differences import NamedReport


@dataclass(frozen=True)
class Outputs:
    """Where a report goes."""

    json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Write all numbers as JSON, for `slosim report` and --baseline; - is stdout.",
            show_default=False,
        ),
    ] = None
    html: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            help="Write the report as one HTML file to send around; - is stdout.",
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
            help="Tell what changes from this report of --json: in the text, --html and --markdown.",
            show_default=False,
        ),
    ] = None
    junit: Annotated[
        Path | None,
        typer.Option(
            "--junit",
            metavar="FILE",
            help="Write the objectives as JUnit XML, test cases for CI servers; - is stdout.",
            show_default=False,
        ),
    ] = None
    openslo: Annotated[
        Path | None,
        typer.Option(
            "--openslo",
            metavar="FILE",
            help="Write the objectives as OpenSLO v1 documents; - is stdout.",
            show_default=False,
        ),
    ] = None
    trace: Annotated[
        Path | None,
        typer.Option(
            "--trace",
            metavar="FILE",
            help="Follow some messages: all that became of them, for https://ui.perfetto.dev; - is stdout.",
            show_default=False,
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help=(
                "Save all of the above but the trace here, with the resolved scenario, series and histograms"
                " (Parquet too where duckdb is installed). Pictures take longer: see --charts."
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
            help="Save all series and histograms here, as CSV and Parquet (pip install 'slosim\\[parquet]').",
            show_default=False,
        ),
    ] = None
    quiet: Quiet = False

    def files(self) -> Iterator[tuple[Path, str]]:
        """(path, its name in FORMS) of every file that is asked for, stdout aside."""
        from slosim.outputs.tables import has_parquet

        for name, path in self._single():
            if not is_stdout(path):
                yield path, name
        if self.tables is not None:
            for name in (*CSV, *PARQUET):
                yield self.tables / name, name
        if self.out is not None:
            for name in FORMS:
                if name != TRACE and (name not in PARQUET or has_parquet()):
                    yield self.out / name, name

    def printed(self) -> list[str]:
        """Names in FORMS of what goes to stdout instead of the text."""
        return [name for name, path in self._single() if is_stdout(path)]

    def _single(self) -> Iterator[tuple[str, Path]]:
        """Name in FORMS and path of each output that has an option of its own."""
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
        """Refuse places that cannot be written to, are wanted twice, or hold the input itself, before time is
        spent; and a baseline that is none.
        """
        from slosim.outputs.tables import PARQUET_NEEDS, has_parquet

        require_one_stdout(*(path for _, path in self._single()))
        if self.tables is not None and not has_parquet():
            raise UserError(f"--tables: {PARQUET_NEEDS}; --out saves CSV without it")
        for folder in (self.out, self.charts, self.tables):
            if folder is not None:
                require_folder(folder)
        places: dict[str, str] = {}
        for path, name in self.files():
            require_other(path, f"the {what} itself", input_file)
            if self.baseline is not None:
                require_other(path, "the baseline itself", self.baseline)
            require_writable(path)
            if places.setdefault(os.path.realpath(path), name) != name and not is_special(path):
                raise UserError(f"cannot write {path}: two outputs are to go there; give each its own file")
        _ = self.compared_with

    @cached_property
    def compared_with(self) -> NamedReport | None:
        """The report that --baseline names."""
        if self.baseline is None:
            return None
        from slosim.cli.saved import made_of, read_report
        from slosim.report.differences import NamedReport, differences_of

        data = read_report(self.baseline).data
        with made_of(self.baseline):
            differences_of(data, data)  # what cannot be compared with itself is refused before the run
        return NamedReport(self.baseline.name, data)

    def deliver(self, report: Report, source: str | None, shield: bool = False) -> None:
        """Print and save a report. It is printed even when it cannot be saved; `source` as in `to_text`.

        shield  as for `print_text`
        """
        told = Told(source, self.compared_with)
        printed = self.printed()
        if printed:
            print_out(str(FORMS[printed[0]](report, told)))
        elif not self.quiet:
            print_text(partial(report.to_text, **told._asdict()), shield)
        made: dict[str, str | bytes] = {}
        for path, name in self.files():
            if name not in made:
                made[name] = FORMS[name](report, told)
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
            print_out(FORMS_OF_RUNS[printed[0]](runs))
        elif not self.quiet:
            from slosim.report.text_differences import text_of_runs

            print_text(partial(text_of_runs, runs))
        for path, name in self.files():
            write_whole(path, FORMS_OF_RUNS[name](runs))

    def _draw(self, report: Report, folder: Path) -> None:
        """Each picture is whole as soon as it is there; a dozen take two seconds."""
        from slosim.outputs.pictures import FORMATS

        if not self.quiet and sys.stderr.isatty():
            exits.complain(f"Drawing {len(report.charts)} charts ...")
        for picture in report.charts.values():
            for ending in FORMATS:
                picture.save(folder / f"{picture.name}{ending}")
