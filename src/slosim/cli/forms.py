"""What a report is written as: a maker for each form, by the name of its file in a folder of outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from slosim.files import yaml_text

if TYPE_CHECKING:
    from slosim.outputs.tables import Table
    from slosim.report import Report
    from slosim.report.differences import NamedReport


class Told(NamedTuple):
    """What some forms tell beside the report.

    source    the scenario file as of `Report.to_text`
    baseline  the report that this one is compared with
    """

    source: str | None = None
    baseline: NamedReport | None = None


Maker = Callable[["Report", Told], str | bytes]


def _json(report: Report, told: Told) -> str:
    return report.to_json()


def _text(report: Report, told: Told) -> str:
    return report.to_text(source=told.source, baseline=told.baseline).removesuffix("\n") + "\n"


def _html(report: Report, told: Told) -> str:
    return report.to_html(told.source, told.baseline)


def _markdown(report: Report, told: Told) -> str:
    from slosim.outputs.markdown import markdown_of

    return markdown_of(report.data, told.source, told.baseline)


def _junit(report: Report, told: Told) -> str:
    from slosim.outputs.junit import junit_of

    return junit_of(report.data)


def _openslo(report: Report, told: Told) -> str:
    from slosim.outputs.openslo import openslo_of

    return openslo_of(report.data["scenario"]["resolved"])


def _trace(report: Report, told: Told) -> str:
    from slosim.outputs.trace import trace_of

    return trace_of(report.data)


def _scenario(report: Report, told: Told) -> str:
    return yaml_text(report.data["scenario"]["resolved"])


def _table(report: Report, of: str) -> Table:
    from slosim.outputs.tables import histograms_of, series_of

    return {"series": series_of, "histograms": histograms_of}[of](report.data)


def _csv(of: str) -> Maker:
    return lambda report, told: _table(report, of).to_csv()


def _parquet(of: str) -> Maker:
    return lambda report, told: _table(report, of).to_parquet()


JSON, TEXT, HTML, MARKDOWN = "report.json", "report.txt", "report.html", "report.md"
JUNIT, OPENSLO, TRACE = "junit.xml", "openslo.yaml", "trace.json"
CSV = {f"{of}.csv": _csv(of) for of in ("series", "histograms")}
PARQUET = {f"{of}.parquet": _parquet(of) for of in ("series", "histograms")}
FORMS: dict[str, Maker] = {
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


# ---- several reports ---------------------------------------------------------------------------------------


def _html_of_runs(runs: Sequence[NamedReport]) -> str:
    from slosim.html.runs import html_of_runs

    return html_of_runs(runs)


def _markdown_of_runs(runs: Sequence[NamedReport]) -> str:
    from slosim.outputs.markdown import markdown_of_runs

    return markdown_of_runs(runs)


FORMS_OF_RUNS = {HTML: _html_of_runs, MARKDOWN: _markdown_of_runs}
