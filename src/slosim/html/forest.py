"""A forest plot: relative changes with their intervals, one below the other, coloured by effect."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slosim.html.charts import Chart, Table, brush, colour, finished, told, window, x_axis
from slosim.html.series import Columns
from slosim.report.amounts import amount, change_of
from slosim.report.differences import clear_changes, is_of_objective

ROWS_MOST = 30
ROW_PIXELS = 34
COLOURS = {"better": "good", "worse": "bad", "changed": "c0", "unclear": "c7"}
LEAST, MOST = math.log(0.01), math.log(100.0)
"""Of what is shown, as logarithms: what falls further, or to nothing, is told at the edge."""
NARROWEST = math.log(1.02)
TICKS = (
    *(0.0, 1.0, -0.5, 9.0, -0.9, 99.0, -0.99, 3.0, -0.75, 30.0, 0.5, -0.3, 0.2, -0.2, 0.1, -0.1),
    *(0.05, -0.05, 0.02, -0.02, 0.01, -0.01, 0.005, -0.005),
)
"""Those that matter most first."""
TICKS_APART = 0.11
"""Of the axis, the least between two."""
LABEL = "(datum.value > 1e-9 ? '+' : '') + format(round(1e4 * (exp(datum.value) - 1)) / 100, '~g') + '%'"


def forest_chart(key: str, title: str, differences: dict[str, Any]) -> Chart | None:
    """Clear changes, and those of objectives and latencies even where they are unclear; None without any."""
    shown = _shown(differences)
    if not shown:
        return None
    rows: Columns = {name: [] for name in ("row", "name", "change", "low", "high", "effect", *TOLD.values())}
    for number, one in enumerate(shown):
        ratio = one["ratio"]
        value = _logarithm(ratio["value"])
        rows["row"].append(number)
        rows["name"].append(one["name"])
        rows["change"].append(value)
        rows["low"].append(value if ratio["low"] is None else _logarithm(ratio["low"]))
        rows["high"].append(value if ratio["high"] is None else _logarithm(ratio["high"]))
        rows["effect"].append(one["effect"])
        rows["before"].append(amount(one["before"]["value"], one["unit"]))
        rows["after"].append(amount(one["after"]["value"], one["unit"]))
        rows["by"].append(change_of(one))
    least, most = _edges(rows)
    effects = [effect for effect in COLOURS if effect in rows["effect"]]
    spec = finished(_spec(least, most, effects), ROW_PIXELS * len(shown) + 24)
    legend = [(COLOURS[effect], effect) for effect in effects]
    return Chart(key, title, spec, {"rows": rows}, table_of_changes(shown), "", legend)


def table_of_changes(changes: Sequence[dict[str, Any]]) -> Table:
    return Table(
        ["number", "before", "after", "change [95%]", "effect"],
        [
            [
                one["name"],
                amount(one["before"]["value"], one["unit"]),
                amount(one["after"]["value"], one["unit"]),
                change_of(one),
                one["effect"],
            ]
            for one in changes
        ],
    )


TOLD = {"number": "name", "before": "before", "after": "after", "change": "by", "effect": "effect"}


def _shown(differences: dict[str, Any]) -> list[dict[str, Any]]:
    """Those with a ratio: clear ones, the largest first, then unclear ones of objectives and latencies."""
    clear = clear_changes(differences)
    unclear = [
        one
        for one in differences["changes"]
        if one["effect"] == "unclear" and (is_of_objective(one) or ".latency_s." in one["key"])
    ]
    return [one for one in (*clear, *unclear) if one["ratio"]["value"] is not None][:ROWS_MOST]


def _logarithm(ratio: float) -> float:
    return LEAST if ratio <= -1 else min(max(math.log1p(ratio), LEAST), MOST)


def _edges(rows: Columns) -> tuple[float, float]:
    """What the axis shows: all intervals, with some room, and 0."""
    least = min(0.0, *rows["low"])
    most = max(0.0, *rows["high"])
    room = max(NARROWEST, 0.06 * (most - least))
    return least - room, most + room


def _ticks(least: float, most: float) -> list[float]:
    kept: list[float] = []
    for tick in map(math.log1p, TICKS):
        if least <= tick <= most and all(abs(tick - other) > TICKS_APART * (most - least) for other in kept):
            kept.append(tick)
    return sorted(kept)


def _spec(least: float, most: float, effects: list[str]) -> dict[str, Any]:
    coloured = {
        "field": "effect",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": effects, "range": [colour(COLOURS[effect]) for effect in effects]},
    }
    axis = {"values": _ticks(least, most), "labelExpr": LABEL, "title": None, "grid": True}
    axis["labelOverlap"] = "greedy"
    row = {"field": "row", "type": "ordinal", "axis": None}

    def at(name: str) -> dict[str, Any]:
        return x_axis(name, "quantitative", axis)

    return {
        "data": {"name": "rows"},
        "params": window(least, most),
        "layer": [
            {
                "data": {"values": [{"change": 0}]},
                "mark": {"type": "rule", "color": colour("soft"), "opacity": 0.6, "clip": True},
                "encoding": {"x": at("change")},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 3, "clip": True, "yOffset": 6},
                "encoding": {"x": at("low"), "x2": {"field": "high"}, "y": row, "color": coloured},
            },
            {
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": 60,
                    "clip": True,
                    "yOffset": 6,
                    "opacity": 1,
                },
                "params": [brush()],
                "encoding": {"x": at("change"), "y": row, "color": coloured},
            },
            {
                "mark": {
                    "type": "text",
                    "align": "left",
                    "dy": -7,
                    "fontSize": 11.5,
                    "color": colour("ink"),
                    "limit": {"expr": "width"},
                },
                "encoding": {"x": {"value": 0}, "y": row, "text": {"field": "name"}},
            },
            {
                "mark": {"type": "bar", "color": "transparent", "height": {"band": 1}},
                "encoding": {
                    "x": {"value": 0},
                    "x2": {"value": "width"},
                    "y": row,
                    "tooltip": told(TOLD),
                },
            },
        ],
    }
