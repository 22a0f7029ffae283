"""The page of a sweep: maps over two axes with the border of what is met, or lines along one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from slosim.experiments.page import ROWS_MOST, Content, Section, table_of
from slosim.experiments.sweep import text
from slosim.experiments.sweep.sweep import verdict_on
from slosim.experiments.text import Said
from slosim.experiments.vary import Axis
from slosim.html import marks
from slosim.html.charts import Chart, Table
from slosim.html.marks import Grid
from slosim.html.series import Columns
from slosim.report.amounts import amount, change_of, points, with_interval
from slosim.report.layout import clean
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.report.units import exact_share, plural

MISSING = "missing"
VERDICTS = {MET: "good", MISSED: "bad", UNDECIDED: "unsure", MISSING: "soft", "": "c0"}
PAPERS = {MET: "good-paper", MISSED: "bad-paper", UNDECIDED: "unsure-paper", MISSING: "card", "": "card"}
"""Behind a verdict."""
SHADES = {str(number): f"shade{number}" for number in range(len(text.SHADES))} | {MISSING: "card"}
SLICES_MOST = 12
CELLS_MOST = 8_000
"""Of all maps of numbers, and of the chart that shows any number: beyond, a page is too heavy to send."""
BORDER = "The thick line is the border of what is met."
EVERY = "every objective"


class Measure(NamedTuple):
    """A number of each variant. better: lower, higher, or nothing; target: of an objective."""

    title: str
    unit: str
    better: str
    value: Callable[[dict[str, Any]], dict[str, Any] | None]
    verdict: Callable[[dict[str, Any]], str | None]
    change: Callable[[dict[str, Any]], str]
    target: float | None = None


def content_of(data: dict[str, Any]) -> Content:
    axes = text.axes_of(data)
    return Content(
        kind="Sweep: every combination of some values",
        name=clean(data["scenario"]["name"]),
        verdict="",
        headline=text.headline(data),
        sections=[one for one in _sections(data, axes) if one is not None],
        note=text.note(data, has_maps=False),  # a shade that is worse is darker on paper only
        made=[("scenario digest", data["scenario"]["digest"])],
    )


def _sections(data: dict[str, Any], axes: Sequence[Axis]) -> list[Section | None]:
    if len(axes) == 1:
        numbers = _lines(data, axes[0])
    else:
        numbers = _maps(data, axes) if len(axes) == 2 else None
    return [
        _verdicts(data, axes) if data["base"]["objectives"] else None,
        numbers,
        _any_number(data, axes),
        _variants(data),
    ]


# ---- what is measured --------------------------------------------------------------------------------------


def _objective(row: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in row["objectives"] if one["name"] == name), None)


def _objectives(data: dict[str, Any]) -> list[Measure]:
    def measure(one: dict[str, Any]) -> Measure:
        name = one["name"]

        def change(row: dict[str, Any]) -> str:
            its = _objective(row, name)
            return f"{points(its['difference'])} points" if its and "difference" in its else ""

        return Measure(
            clean(name),
            "ratio",
            "higher",
            lambda row: (_objective(row, name) or {}).get("sli_ratio"),
            lambda row: verdict_on(row, name),
            change,
            one["target_ratio"],
        )

    return [measure(one) for one in data["base"]["objectives"]]


def _quantities(described: Sequence[dict[str, Any]]) -> list[Measure]:
    def measure(one: dict[str, Any]) -> Measure:
        def change(row: dict[str, Any]) -> str:
            its = row["quantities"].get(one["key"])
            return change_of({"unit": one["unit"], **its}) if its else ""

        return Measure(
            clean(one["name"]),
            one["unit"],
            one["better"],
            lambda row: row["quantities"].get(one["key"]),
            lambda row: None,
            change,
        )

    return [measure(one) for one in described]


# ---- the border --------------------------------------------------------------------------------------------


def binding(row: dict[str, Any]) -> dict[str, Any] | None:
    """The objective of a variant that burns its budget fastest; a target of 100% has no rate, and comes first
    where it is not met.
    """

    def rate(one: dict[str, Any]) -> float:
        burn = one["burn_rate"]["value"]
        return burn if burn is not None else math.inf if one["verdict"] == MISSED else -math.inf

    return max(row["objectives"], key=rate, default=None)


def _verdicts(data: dict[str, Any], axes: Sequence[Axis]) -> Section:
    """Verdicts of all variants, a map for each slice of what is more than two axes."""
    flips = [Said(one) for one in text.flips(data)]
    if len(axes) == 1:
        return Section("verdicts", "Where objectives flip", said=flips)
    slices = _slices(data, axes)
    charts = [
        _verdict_map(f"verdicts-{number}", title, rows, axes)
        for number, (title, rows) in enumerate(slices[:SLICES_MOST])
    ]
    more = len(slices) - len(charts)
    return Section(
        "verdicts",
        "Where everything is met",
        f"Each cell names the objective that burns its error budget fastest. {BORDER}",
        said=[*flips, *([Said(f"{plural(more, 'more slice')}: see any number below.")] if more else [])],
        charts=charts,
        is_grid=len(charts) > 1,
    )


def _slices(data: dict[str, Any], axes: Sequence[Axis]) -> list[tuple[str, list[dict[str, Any]]]]:
    """(values of all axes but the last two, their rows)."""
    size = len(axes[-2].values) * len(axes[-1].values)
    others = axes[:-2]
    return [
        (
            ", ".join(
                f"{text.label(axis.path)}={clean(value)}"
                for axis, value in zip(others, rows[0]["values"], strict=False)
            )
            or "Every objective",
            rows,
        )
        for rows in (data["rows"][start : start + size] for start in range(0, len(data["rows"]), size))
    ]


def _grid(axes: Sequence[Axis]) -> Grid:
    down, across = axes[-2:]
    return Grid(
        [clean(value) for value in across.values],
        [clean(value) for value in down.values],
        text.label(across.path),
        text.label(down.path),
    )


def _places(rows: Sequence[dict[str, Any]], axes: Sequence[Axis]) -> Columns:
    names = [text.label(axis.path) for axis in axes]
    return {
        "x": [clean(row["values"][-1]) for row in rows],
        "y": [clean(row["values"][-2]) for row in rows],
        "variant": [
            ", ".join(f"{name}={clean(value)}" for name, value in zip(names, row["values"], strict=True))
            for row in rows
        ],
    }


def _verdict_map(key: str, title: str, rows: Sequence[dict[str, Any]], axes: Sequence[Axis]) -> Chart:
    verdicts = [row["verdict"] or MISSING for row in rows]
    hardest = [binding(row) for row in rows]
    its_marks = [text.MARKS.get(one, "-") for one in verdicts]
    names = ["" if one is None else clean(one["name"]) for one in hardest]
    columns: Columns = {
        **_places(rows, axes),
        "kind": verdicts,
        "mark": its_marks,
        "text": [f"{mark} {name}" for mark, name in zip(its_marks, names, strict=True)],
        "objective": names,
        "share": ["" if one is None else with_interval(one["sli_ratio"], "ratio") for one in hardest],
        "target": ["" if one is None else exact_share(one["target_ratio"]) for one in hardest],
    }
    return marks.cells(
        key,
        title,
        _grid(axes),
        columns,
        PAPERS,
        {"variant": "variant", EVERY: "kind", "hardest": "objective", "share": "share", "target": "target"},
        _table(axes, columns, {EVERY: "kind", "hardest": "objective", "share": "share"}),
        texts=VERDICTS,
        edge_between=_border(verdicts),
        legend=verdict_legend(verdicts),
    )


def _border(verdicts: Sequence[str]) -> Callable[[int, int], bool]:
    def is_edge(one: int, other: int) -> bool:
        return MISSING not in (verdicts[one], verdicts[other]) and (verdicts[one] == MET) != (
            verdicts[other] == MET
        )

    return is_edge


def verdict_legend(verdicts: Sequence[str]) -> list[tuple[str, str]]:
    """Those that occur, with their marks."""
    return [(PAPERS[one], f"{text.MARKS[one]} {one}") for one in (MET, UNDECIDED, MISSED) if one in verdicts]


def _table(axes: Sequence[Axis], columns: Columns, shown: dict[str, str]) -> Table:
    headings = [text.label(axis.path) for axis in axes[-2:]]
    cells = [columns["y"], columns["x"], *(columns[name] for name in shown.values())]
    rows = [[str(cell) for cell in row] for row in zip(*cells, strict=True)]
    return Table([*headings, *shown], rows[:ROWS_MOST])


# ---- maps of numbers ---------------------------------------------------------------------------------------


def _maps(data: dict[str, Any], axes: Sequence[Axis]) -> Section:
    measures = [*_objectives(data), *_quantities(text.quantities_shown(data))]
    shown = measures[: max(1, CELLS_MOST // max(1, len(data["rows"])))]
    more = len(measures) - len(shown)
    return Section(
        "numbers",
        "Each number",
        "The stronger the colour the worse, from the best to the worst of each map. ✓ met, ✗ missed,"
        f" ? undecided. {BORDER}",
        said=[Said(f"Of so many variants {more} more maps are not drawn; --csv has them.")] if more else [],
        charts=[_map(f"map-{number}", one, data["rows"], axes) for number, one in enumerate(shown)],
        is_grid=True,
    )


def _shades(one: Measure, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Classes of shades, as in the text: darker is worse, or where neither side is good larger."""
    values = [(one.value(row) or {"value": None})["value"] for row in rows]
    places = text.shades_of(values, higher=one.better == "higher", logarithmic=one.unit == "s")
    return [MISSING if place is None else str(place) for place in places]


def _numbers(one: Measure, rows: Sequence[dict[str, Any]]) -> Columns:
    """What is drawn and told of a number of each variant."""
    estimates = [one.value(row) for row in rows]
    verdicts = [one.verdict(row) for row in rows]
    amounts = [
        (amount(its["value"], one.unit) if its else MISSING if not row["finished"] else "–")
        for its, row in zip(estimates, rows, strict=True)
    ]
    its_marks = [text.MARKS.get(verdict, "") for verdict in verdicts]
    return {
        "kind": _shades(one, rows),
        "mark": its_marks,
        "text": [f"{value} {mark}".strip() for value, mark in zip(amounts, its_marks, strict=True)],
        "told": [with_interval(its, one.unit) if its else MISSING for its in estimates],
        "verdict": [verdict or "" for verdict in verdicts],
        "change": [one.change(row) for row in rows],
    }


def _map(key: str, one: Measure, rows: Sequence[dict[str, Any]], axes: Sequence[Axis]) -> Chart:
    columns = {**_places(rows, axes), **_numbers(one, rows)}
    has_verdicts = one.target is not None
    told = {one.title: "told", **({"verdict": "verdict"} if has_verdicts else {})}
    return marks.cells(
        key,
        f"{one.title}, target {exact_share(one.target)}" if one.target is not None else one.title,
        _grid(axes),
        columns,
        SHADES,
        {"variant": "variant", **told, "against as written": "change"},
        _table(axes, columns, {**told, "against as written": "change"}),
        edge_between=_border([word or MISSING for word in columns["verdict"]]) if has_verdicts else None,
        legend=[("shade0", "best"), ("shade4", "worst"), ("edge", "border of what is met")],
    )


# ---- lines along one axis ----------------------------------------------------------------------------------


def _lines(data: dict[str, Any], axis: Axis) -> Section:
    measures = [*_objectives(data), *_quantities(text.quantities_shown(data))]
    return Section(
        "numbers",
        f"Along {text.label(axis.path)}",
        "Dots are values, bars their 95% intervals; dashed: the target.",
        charts=[_line(f"line-{number}", one, data["rows"], axis) for number, one in enumerate(measures)],
        is_grid=True,
    )


def _points(one: Measure, rows: Sequence[dict[str, Any]]) -> Columns:
    nothing = {"value": None, "low": None, "high": None}
    estimates = [one.value(row) or nothing for row in rows]
    numbers = _numbers(one, rows)
    return {
        "x": [clean(row["values"][0]) for row in rows],
        **{name: [its[name] for its in estimates] for name in nothing},
        **{name: numbers[name] for name in ("told", "verdict", "change")},
        "kind": numbers["verdict"],
    }


def _line(key: str, one: Measure, rows: Sequence[dict[str, Any]], axis: Axis) -> Chart:
    columns = _points(one, rows)
    along = text.label(axis.path)
    told = {one.title: "told", **({"verdict": "verdict"} if one.target is not None else {})}
    its = [columns[name] for name in ("x", *told.values(), "change")]
    return marks.line(
        key,
        f"{one.title}, target {exact_share(one.target)}" if one.target is not None else one.title,
        [clean(value) for value in axis.values],
        columns,
        marks.LABELS.get(one.unit, marks.NUMBER_LABEL),
        VERDICTS,
        {along: "x", **told, "against as written": "change"},
        Table([along, *told, "against as written"], [list(row) for row in zip(*its, strict=True)]),
        axis_title=along,
        target=one.target,
        legend=[(VERDICTS[word], word) for word in (MET, UNDECIDED, MISSED) if word in columns["kind"]],
    )


# ---- any number --------------------------------------------------------------------------------------------


def _any_number(data: dict[str, Any], axes: Sequence[Axis]) -> Section | None:
    """One chart for all numbers: which one, and which slice, is chosen on the page."""
    rows = data["rows"]
    measures = [*_objectives(data), *_quantities(data["quantities"])]
    if not rows or not measures or len(measures) * len(rows) > CELLS_MOST:
        return None
    columns = _columns_of_any(measures, rows, axes)
    slices = [
        _chosen(f"axis{n}", text.label(axis.path), [clean(value) for value in axis.values])
        for n, axis in enumerate(axes[:-2])
    ]
    options: dict[str, Any] = {
        "params": [_chosen("number", "number", [one.title for one in measures]), *slices],
        "filters": [
            "datum.number === chosen_number",
            *(f"datum.axis{n} === chosen_axis{n}" for n in range(len(slices))),
        ],
    }
    chart = (_any_line if len(axes) == 1 else _any_map)(columns, axes, measures, options)
    return Section("any-number", "Any number", "Choose what the chart shows.", charts=[chart])


def _columns_of_any(
    measures: Sequence[Measure], rows: Sequence[dict[str, Any]], axes: Sequence[Axis]
) -> Columns:
    """The rows of each measure, one after the other, with its name and the values of the axes of slices."""
    columns: Columns = {}
    for one in measures:
        if len(axes) == 1:
            its = _points(one, rows)
        else:
            its = _places(rows, axes) | _numbers(one, rows)
            for n in range(len(axes) - 2):
                its[f"axis{n}"] = [clean(row["values"][n]) for row in rows]
        for name, values in {"number": [one.title] * len(rows), **its}.items():
            columns.setdefault(name, []).extend(values)
    return columns


TOLD_OF_ANY = {"": "number", "value": "told", "verdict": "verdict", "against as written": "change"}


def _any_line(
    columns: Columns, axes: Sequence[Axis], measures: Sequence[Measure], options: dict[str, Any]
) -> Chart:
    along = text.label(axes[0].path)
    return marks.line(
        "any",
        "Any number",
        [clean(value) for value in axes[0].values],
        columns,
        _label_of(measures),
        VERDICTS,
        {along: "x", **TOLD_OF_ANY},
        _table_of_any(columns, "x"),
        axis_title=along,
        **options,
    )


def _any_map(
    columns: Columns, axes: Sequence[Axis], measures: Sequence[Measure], options: dict[str, Any]
) -> Chart:
    return marks.cells(
        "any",
        "Any number",
        _grid(axes),
        columns,
        SHADES,
        {"variant": "variant", **TOLD_OF_ANY},
        _table_of_any(columns, "variant"),
        legend=[("shade0", "best, or least"), ("shade4", "worst, or most")],
        **options,
    )


def _table_of_any(columns: Columns, variant: str) -> Table:
    cells = zip(columns["number"], columns[variant], columns["told"], strict=True)
    return Table(["number", "variant", "value"], [list(row) for row in cells][:ROWS_MOST])


def _label_of(measures: Sequence[Measure]) -> str:
    """How values of the chosen number are written."""
    label = marks.NUMBER_LABEL
    for unit, its_label in marks.LABELS.items():
        its = json.dumps([one.title for one in measures if one.unit == unit])
        label = f"indexof({its}, chosen_number) >= 0 ? ({its_label}) : ({label})"
    return label


def _chosen(name: str, what: str, values: Sequence[str]) -> dict[str, Any]:
    """A parameter that people choose from a list."""
    return {
        "name": f"chosen_{name}",
        "value": values[0],
        "bind": {"input": "select", "options": list(values), "name": f"{what} "},
    }


def _variants(data: dict[str, Any]) -> Section:
    more = len(data["rows"]) - ROWS_MOST
    said = [Said(f"The first {ROWS_MOST:,}; {more:,} more are in the files.")] if more > 0 else []
    return Section(
        "variants",
        "All variants",
        "✓ met, ✗ missed, ? undecided.",
        said=said,
        table=table_of(text.variants_columns(data, ROWS_MOST), "verdict"),
    )
