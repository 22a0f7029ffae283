"""The page of a comparison: objectives side by side, a forest of changes, where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slosim.experiments.compare import text
from slosim.experiments.page import Content, Section, table_of
from slosim.experiments.text import Said
from slosim.html import marks
from slosim.html.charts import SECONDS_LABEL, Chart
from slosim.html.marks import NOTHING_LEFT, Scale
from slosim.html.series import Columns
from slosim.measure.changes import is_told_as_ratio
from slosim.report.amounts import amount, change_of, points, signed, with_interval
from slosim.report.layout import clean
from slosim.report.units import plural, three_digits

COLOURS = {
    "better": "good",
    "worse": "bad",
    "changed": "c0",
    "unclear": "soft",
    "same": "soft",
    "undefined": "soft",
}
"""Of effects."""
TOLD = {"": "name", "before": "before text", "after": "after text", "change": "change", "this is": "kind"}
AID = "A dot is the change, the line its 95% interval; a line that crosses 0 is no clear change."
FACTORS = " Half and double are equally far from 0."


def legend_of(effects: Sequence[str]) -> list[tuple[str, str]]:
    """The effects that occur, as one where they look alike."""
    found: dict[str, list[str]] = {}
    for effect in COLOURS:
        if effect in effects:
            found.setdefault(COLOURS[effect], []).append(effect)
    return [(name, " or ".join(words)) for name, words in found.items()]


def content_of(data: dict[str, Any]) -> Content:
    sections = [_objectives(data), _latency(data), *_where_time_went(data), _others(data)]
    before, after = data["before"], data["after"]
    return Content(
        kind="Comparison of two variants on identical work",
        name=clean(before["name"]),
        verdict=after["verdict"],
        headline=text.headline(data),
        sections=[one for one in sections if one is not None],
        note=text.note(data),
        made=[("digest before", before["digest"]), ("digest after", after["digest"])],
    )


def _objectives(data: dict[str, Any]) -> Section | None:
    rows = text.objectives_with_changes(data)
    if not rows:
        return None
    tiles = [
        {
            "name": clean(one["name"]),
            "was": one["before"],
            "verdict": one["after"],
            "measured": amount(its["after"]["value"], "ratio"),
            "lines": [
                f"{amount(its['before']['value'], 'ratio')} before; target {text.targets(one)}",
                f"{points(its['difference'])} points: {its['effect']}",
            ],
        }
        for one, its in rows
    ]
    return Section(
        "objectives",
        "Objectives",
        "The share that keeps each promise, before and after, with the 95% interval of the difference.",
        tiles=tiles,
        charts=_forests("objectives-changes", "Changes of objectives", [its for _, its in rows]),
    )


def _latency(data: dict[str, Any]) -> Section | None:
    rows = text.latencies(data)
    if not rows:
        return None
    return Section(
        "latency", "Latency", "Of completed instances.",
        charts=_forests("latency-changes", "Changes of latency", rows),
        table=table_of(text.changes_columns(rows), "latency", "effect"),
    )  # fmt: skip


def _others(data: dict[str, Any]) -> Section | None:
    rest = text.others(data)
    if not rest:
        return None
    clear = [one for one in rest if text.is_clear(one)]
    its_rest = text.unclear_others(rest) if clear else text.nothing_else(rest)
    table = table_of(text.changes_columns(rest), "number", "effect")
    return Section(
        "others",
        "Services, lag and cost",
        said=[Said(its_rest.removesuffix(".") + ".")] if its_rest else [],
        charts=_forests("others-changes", "Changes of services, lag and cost", clear),
        folded=[(f"All {plural(len(rest), 'number')}, with what pairing is worth", table)],
    )


def _forests(key: str, title: str, changes: list[dict[str, Any]]) -> list[Chart]:
    """Relative changes, and changes in points, each on an axis of its own."""
    relative = [
        one
        for one in changes
        if is_told_as_ratio(one["unit"], one["ratio"]["value"])
        and all(1 + bound > NOTHING_LEFT for bound in one["ratio"].values() if bound is not None)
    ]
    in_points = [one for one in changes if one["unit"] == "ratio" and one["difference"]["value"] is not None]
    found = []
    for its, name, what, of in (
        (relative, "ratio", "relative change", ""),
        (in_points, "difference", "change in percentage points", "-points"),
    ):
        if its:
            rows = _rows(its, name)
            scale = (marks.points_scale if of else marks.ratio_scale)(rows, what)
            aid = AID + ("" if of else FACTORS)
            found.append(
                marks.intervals(
                    key + of,
                    title + (", in points" if of and relative else ""),
                    rows,
                    scale,
                    COLOURS,
                    TOLD,
                    table_of(text.changes_columns(its), "number", "effect"),
                    legend=legend_of(rows["kind"]),
                    aid=aid,
                )
            )
    return found


def _rows(changes: list[dict[str, Any]], name: str) -> Columns:
    return {
        "name": [clean(one["name"]) for one in changes],
        **marks.estimates(changes, name),
        "before text": [with_interval(one["before"], one["unit"]) for one in changes],
        "after text": [with_interval(one["after"], one["unit"]) for one in changes],
        "change": [change_of(one) for one in changes],
        "pairing": ["" if one["pairing"] is None else f"{three_digits(one['pairing'])}x" for one in changes],
    }


def _where_time_went(data: dict[str, Any]) -> list[Section]:
    found = []
    for number, (flow, its) in enumerate(data["where_time_goes_s"].items()):
        moved = text.moved_parts(its)
        if moved:
            table = table_of(text.parts_columns(moved))
            charts = [
                _parts(f"time-{number}-{place}", title, [pair[place] for pair in moved], table)
                for place, title in enumerate(("Mean of all", "Slowest 1%"))
            ]
            found.append(
                Section(
                    f"time-{number}",
                    f"Where the time went: {clean(flow)}",
                    "The parts of the latency that change most: the ring is before, the dot after.",
                    charts=charts,
                    is_grid=True,
                    table=table,
                )
            )
    return found


def _parts(key: str, title: str, parts: list[dict[str, Any]], table: Any) -> Chart:
    rows: Columns = {
        "name": [clean(one["name"]) for one in parts],
        "before": [one["before"]["value"] for one in parts],
        "after": [one["after"]["value"] for one in parts],
        "kind": [one["effect"] for one in parts],
        "before text": [with_interval(one["before"], "s") for one in parts],
        "after text": [with_interval(one["after"], "s") for one in parts],
        "change": [signed(one["difference"], "s") for one in parts],
    }
    low, high = marks.spread([*marks.bounds_of(rows, "before", "after"), 0.0], 0.04)
    scale = Scale("linear", (low, high), SECONDS_LABEL, "", 0.0)
    return marks.before_and_after(key, title, rows, scale, COLOURS, TOLD, table, legend_of(rows["kind"]))
