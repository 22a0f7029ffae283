"""The page of a sensitivity analysis: a tornado of what moves the p99 most, and one of objectives."""

from __future__ import annotations

from typing import Any

from slosim.experiments.compare.page import COLOURS, legend_of
from slosim.experiments.page import Content, Section, table_of
from slosim.experiments.sensitivity import text
from slosim.experiments.sensitivity.sensitivity import moved_flow, moved_objective
from slosim.html import marks
from slosim.html.charts import Chart
from slosim.html.series import Columns
from slosim.report.amounts import points, relative, two_digits
from slosim.report.layout import clean

AID = (
    "A bar is the change of {what} that moves most, the line its 95% interval. What moves nothing clearly has"
    " no bar."
)


def content_of(data: dict[str, Any]) -> Content:
    sections = [_section(data, number, key) for number, key in enumerate(text.NOTES)]
    found = [one for one in sections if one is not None]
    if found:
        found[-1].said = text.not_varied(data)
    return Content(
        kind="Sensitivity: what matters most",
        name=clean(data["scenario"]["name"]),
        verdict=data["base"]["verdict"],
        headline=text.headline(data),
        sections=found,
        note=text.note(data),
        made=[("scenario digest", data["scenario"]["digest"])],
    )


def _section(data: dict[str, Any], number: int, key: str) -> Section | None:
    rows = text.of_section(data, key)
    if not rows:
        return None
    heading = text.heading(data, key)
    table = table_of(text.variations_columns(data, key), "cause", "flips")
    charts = [
        _p99(f"p99-{number}", rows, table),
        _objective(f"objective-{number}", rows, table),
    ]
    return Section(
        f"section-{number}",
        heading[0].upper() + heading[1:],
        text.NOTES[key][0].upper() + text.NOTES[key][1:] + ".",
        charts=[chart for chart in charts if chart is not None],
        is_grid=True,
        table=table,
    )


def _p99(key: str, rows: list[dict[str, Any]], table: Any) -> Chart | None:
    moved = [(one, its) for one in rows if (its := moved_flow(one)) is not None]
    if not moved:
        return None
    columns: Columns = {
        "name": [clean(one["name"]) for one, _ in moved],
        **marks.estimates([its for _, (_, its) in moved], "ratio"),
        "step": [f"{one['from']} → {one['to']}" for one, _ in moved],
        "flow": [text.flow_name(flow) for _, (flow, _) in moved],
        "change": [relative(its["ratio"], two_digits) for _, (_, its) in moved],
    }
    scale = marks.ratio_scale(columns, "relative change of the p99")
    fields = {"": "name", "step": "step", "flow": "flow", "p99": "change", "this is": "kind"}
    return marks.intervals(
        key, "The p99", columns, scale, COLOURS, fields, table,
        with_bars=True, legend=legend_of(columns["kind"]), aid=AID.format(what="the flow's p99"),
    )  # fmt: skip


def _objective(key: str, rows: list[dict[str, Any]], table: Any) -> Chart | None:
    moved = [(one, its) for one in rows if (its := moved_objective(one)) is not None]
    if not moved:
        return None
    columns: Columns = {
        "name": [clean(one["name"]) for one, _ in moved],
        **marks.estimates([its for _, its in moved], "difference"),
        "step": [f"{one['from']} → {one['to']}" for one, _ in moved],
        "objective": [clean(its["name"]) for _, its in moved],
        "change": [points(its["difference"], two_digits) for _, its in moved],
        "verdict": [f"{its['before']} → {its['verdict']}" for _, its in moved],
    }
    scale = marks.points_scale(columns, "change in percentage points")
    fields = {
        "": "name",
        "step": "step",
        "objective": "objective",
        "points": "change",
        "verdict": "verdict",
        "this is": "kind",
    }
    return marks.intervals(
        key, "The objective that is moved most", columns, scale, COLOURS, fields, table,
        with_bars=True, legend=legend_of(columns["kind"]), aid=AID.format(what="the objective"),
    )  # fmt: skip
