"""Charts that pages of experiments share: rows with intervals, a map of cells, a line along an axis.

Rows come as columns, with texts for the pointer beside what is drawn; colours are classes of the style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from slosim.html.charts import SECONDS_LABEL, Chart, Table, colour, finished, told
from slosim.html.series import Columns

ROW_PIXELS = 26
ROW_GAP = 0.25
"""Between rows, as a share of a row."""
AXIS_PIXELS = 46
NAME_LIMIT = {"expr": "containerSize()[0] < 560 ? 118 : 300"}
"""Pixels that names beside a chart may take."""
LETTER_PIXELS = 6.5
TILTED_PIXELS = 110
"""The length of names below a chart that has no room for them side by side."""
CELL_PIXELS = 34
CELLS_PIXELS = 1_000
"""The most that the cells of a map are high together, as long as each has 4 pixels."""
ABOVE = {
    "titleAngle": 0,
    "titleAlign": "left",
    "titleBaseline": "bottom",
    "titleX": 0,
    "titleY": -5,
    "labelOverlap": True,
}
"""The title of the vertical axis lies above the map: it may be longer than that is high."""
LINE_PIXELS = 13
"""A cell that is lower has no text."""
CELL_OF_TEXT_PIXELS = 58
"""A cell that is narrower shows its mark alone."""
RATIO_LABEL = "datum.value == 1 ? '0%' : format(datum.value - 1, '+,.3~%')"
POINTS_LABEL = "datum.value == 0 ? '0' : format(100 * datum.value, '+,.4~f')"
SHARE_LABEL = "format(datum.value, '.5~%')"
NUMBER_LABEL = "format(datum.value, ',.4~g')"
CLOCK_LABEL = (
    "datum.value >= 3600 ? format(datum.value / 3600, '~g') + 'h' : datum.value >= 60 ?"
    " format(datum.value / 60, '~g') + 'm' : format(datum.value, '~g') + 's'"
)
CLOCK_TICKS = (*(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30), *(60 * m for m in (1, 2, 5, 10, 20, 30)),
               *(3600 * h for h in (1, 2, 5, 10, 24, 48)))  # fmt: skip
LABELS = {"s": SECONDS_LABEL, "ratio": SHARE_LABEL}
"""How values of a unit are written on an axis; others as numbers."""
HOVER = {"name": "hover", "select": {"type": "point", "on": "pointerover", "clear": "pointerout"}}
"""The mark under the pointer."""
NOTHING_LEFT = 1e-6
"""A factor below this has no place on a logarithmic axis."""


class Scale(NamedTuple):
    """An axis of values.

    kind    linear, log or symlog
    domain  what it shows
    label   how Vega writes a value
    base    where nothing changes; None: there is no such place
    place   from a value to its place, as Vega calculates it from `datum[...]`
    ticks   empty: Vega chooses
    """

    kind: str
    domain: tuple[float, float]
    label: str
    title: str
    base: float | None = None
    place: str = "{}"
    ticks: Sequence[float] = ()

    @property
    def encoding(self) -> dict[str, Any]:
        scale: dict[str, Any] = {"type": self.kind, "domain": list(self.domain), "nice": False}
        scale |= {"linear": {"zero": False}, "symlog": {"constant": 0.2}}.get(self.kind, {})
        axis: dict[str, Any] = {"labelExpr": self.label, "title": self.title, "labelOverlap": True}
        axis |= {"values": list(self.ticks)} if self.ticks else {"tickCount": {"expr": "width / 70"}}
        return {"type": "quantitative", "scale": scale, "axis": axis}


# ---- scales ------------------------------------------------------------------------------------------------


def bounds_of(rows: Columns, *fields: str) -> list[float]:
    """All values of some columns."""
    return [value for name in fields for value in rows[name] if value is not None]


def spread(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """From the least to the largest value, and a share of that on both sides."""
    low, high = min(values), max(values)
    room = share * ((high - low) or abs(high) or 1.0)
    return low - room, high + room


def spread_log(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """The same for a logarithmic axis; values above 0."""
    low, high = spread([math.log(value) for value in values], share)
    return math.exp(low), math.exp(high)


def ratio_scale(rows: Columns, title: str) -> Scale:
    """Relative changes by their factor, logarithmic: half and double are equally far from no change."""
    factors = [max(1 + value, NOTHING_LEFT) for value in bounds_of(rows, "value", "low", "high")]
    low, high = spread_log([*factors, 1.0])
    return Scale("log", (low, high), RATIO_LABEL, title, 1.0, "1 + {}", factor_ticks(low, high))


def factor_ticks(low: float, high: float) -> list[float]:
    """Places between two factors on a logarithmic axis: even percentages if they are near each other."""
    if high / low >= 2.5:
        return decades(low, high)
    step = 10.0 ** math.floor(math.log10((high - low) / 2))
    step *= next(by for by in (1, 2, 5, 10) if (high - low) / (step * by) <= 6)
    places = (round(1 + step * number, 9) for number in range(-60, 61))
    return [place for place in places if low <= place <= high]


def decades(low: float, high: float) -> list[float]:
    """1, 2, 5, 10 … between two places; of many decades only 1, 10, 100 …"""
    steps = (1, 2, 5) if high / low < 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    places = (float(f"{by}e{power}") for power in powers for by in steps)
    return [place for place in places if low <= place <= high]


def points_scale(rows: Columns, title: str) -> Scale:
    """Changes of shares, in points."""
    values = bounds_of(rows, "value", "low", "high")
    return Scale("linear", spread([*values, 0.0]), POINTS_LABEL, title, 0.0)


# ---- rows with intervals -----------------------------------------------------------------------------------


def names(rows: Columns) -> dict[str, Any]:
    """The vertical axis of rows, in their order."""
    return {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": list(rows["name"]), "paddingInner": ROW_GAP, "paddingOuter": ROW_GAP / 2},
        "axis": {"title": None, "labelLimit": NAME_LIMIT, "domain": False, "ticks": False, "grid": False},
    }


def height_of(rows: Columns) -> int:
    """Of a chart of rows, in pixels."""
    return AXIS_PIXELS + ROW_PIXELS * len(rows["name"])


def estimates(changes: Sequence[dict[str, Any]], name: str) -> Columns:
    """The columns value, low, high and kind (the effect); name: `ratio` or `difference`."""
    found: Columns = {bound: [one[name][bound] for one in changes] for bound in ("value", "low", "high")}
    return found | {"kind": [one["effect"] for one in changes]}


def kinds(colours: Mapping[str, str], field_name: str = "kind") -> dict[str, Any]:
    """Colours by the words of a column."""
    return {
        "field": field_name,
        "type": "nominal",
        "scale": {"domain": list(colours), "range": [colour(name) for name in colours.values()]},
        "legend": None,
    }


def base_rule(scale: Scale) -> list[dict[str, Any]]:
    """A line where nothing changes."""
    if scale.base is None:
        return []
    return [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": colour("soft"), "strokeDash": [3, 3]},
            "encoding": {
                "x": {"datum": scale.base, "type": "quantitative"},
                "y": {"value": 0},
                "y2": {"value": "height"},
            },
        }
    ]


def while_hovered(opacity: float, otherwise: float) -> dict[str, Any]:
    return {"condition": {"param": "hover", "empty": False, "value": opacity}, "value": otherwise}


def hover_rows(fields: Mapping[str, str]) -> dict[str, Any]:
    """The whole row answers to the pointer, up to the next one."""
    return {
        "mark": {"type": "rect", "color": colour("ink"), "height": {"band": 1 / (1 - ROW_GAP)}},
        "params": [HOVER],
        "encoding": {
            "x": {"value": 0},
            "x2": {"value": "width"},
            "fillOpacity": while_hovered(0.07, 0),
            "tooltip": told(dict(fields)),
        },
    }


def intervals(
    key: str,
    title: str,
    rows: Columns,
    scale: Scale,
    colours: Mapping[str, str],
    fields: Mapping[str, str],
    table: Table,
    *,
    with_bars: bool = False,
    legend: Sequence[tuple[str, str]] = (),
    aid: str = "",
) -> Chart:
    """A row for each value: a dot with its interval, and a bar from where nothing changes.

    rows     name, value, low, high (None: none), kind, and those of `fields`
    colours  {kind: colour}
    fields   {words: column} for the pointer
    """
    at = [
        {"calculate": scale.place.format(f"datum.{name}"), "as": f"{name}_at"}
        for name in ("value", "low", "high")
    ]
    place = {"field": "value_at", **scale.encoding}
    layers: list[dict[str, Any]] = base_rule(scale)
    if with_bars:
        layers.append(
            {
                "mark": {"type": "bar", "opacity": 0.45},
                "encoding": {"x": place, "x2": {"datum": scale.base}, "color": kinds(colours)},
            }
        )
    layers += [
        {
            "transform": [{"filter": "datum.low !== null"}],
            "mark": {"type": "rule", "strokeWidth": 2.5, "clip": True},
            "encoding": {
                "x": {"field": "low_at", **scale.encoding},
                "x2": {"field": "high_at"},
                "color": kinds(colours),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1, "clip": True},
            "encoding": {"x": place, "color": kinds(colours)},
        },
        hover_rows(fields),
    ]
    spec = {
        "data": {"name": "rows"},
        "transform": at,
        "encoding": {"y": names(rows)},
        "layer": layers,
    }
    return Chart(key, title, finished(spec, height_of(rows)), {"rows": rows}, table, "", list(legend), aid)


def before_and_after(
    key: str,
    title: str,
    rows: Columns,
    scale: Scale,
    colours: Mapping[str, str],
    fields: Mapping[str, str],
    table: Table,
    legend: Sequence[tuple[str, str]],
) -> Chart:
    """A row for each value: a ring where it was, a dot where it is; rows: name, before, after, kind …"""
    before, after = ({"field": name, **scale.encoding} for name in ("before", "after"))
    layers = [
        {
            "mark": {"type": "rule", "strokeWidth": 2, "opacity": 0.6},
            "encoding": {"x": before, "x2": {"field": "after"}, "color": kinds(colours)},
        },
        {
            "mark": {"type": "point", "size": 60, "strokeWidth": 2, "opacity": 1, "filled": False},
            "encoding": {"x": before, "stroke": {"value": colour("soft")}},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": after, "color": kinds(colours)},
        },
        hover_rows(fields),
    ]
    spec = {"data": {"name": "rows"}, "encoding": {"y": names(rows)}, "layer": layers}
    return Chart(key, title, finished(spec, height_of(rows)), {"rows": rows}, table, "", list(legend))


# ---- cells -------------------------------------------------------------------------------------------------


class Grid(NamedTuple):
    """Two axes of texts: the columns and the rows of a map, with their titles."""

    across: Sequence[str]
    down: Sequence[str]
    across_title: str = ""
    down_title: str = ""

    def encoding(self, axis: str, **more: Any) -> dict[str, Any]:
        values = self.across if axis == "x" else self.down
        longest = LETTER_PIXELS * max(map(len, values), default=0)
        look: dict[str, Any] = {"domain": False, "ticks": False, "grid": False, "labelLimit": NAME_LIMIT}
        if axis == "x":
            tight = f"bandwidth('x') < {longest:.0f}"
            look |= {
                "labelAngle": {"expr": f"{tight} ? -45 : 0"},
                "labelAlign": {"expr": f"{tight} ? 'right' : 'center'"},
                "labelBaseline": {"expr": f"{tight} ? 'middle' : 'top'"},
                "labelLimit": {"expr": f"{tight} ? {TILTED_PIXELS} : bandwidth('x')"},
                "title": self.across_title or None,
            }
        else:
            look |= {"title": f"{self.down_title} ↓" if self.down_title else None, **ABOVE}
        scale = {"domain": list(values), "paddingInner": 0, "paddingOuter": 0}
        return {"field": axis, "type": "ordinal", "sort": None, "scale": scale, "axis": look, **more}

    @property
    def height(self) -> int:
        longest = LETTER_PIXELS * max(map(len, self.across), default=0)
        cell = max(4.0, min(CELL_PIXELS, CELLS_PIXELS / max(1, len(self.down))))
        above = LINE_PIXELS + 5 if self.down_title else 0
        return round(cell * len(self.down) + above + AXIS_PIXELS + min(0.7 * TILTED_PIXELS, longest))


def cells(
    key: str,
    title: str,
    grid: Grid,
    rows: Columns,
    colours: Mapping[str, str],
    fields: Mapping[str, str],
    table: Table,
    *,
    texts: Mapping[str, str] | None = None,
    edge_between: Callable[[int, int], bool] | None = None,
    legend: Sequence[tuple[str, str]] = (),
    aid: str = "",
    params: Sequence[dict[str, Any]] = (),
    filters: Sequence[str] = (),
) -> Chart:
    """A map: a cell for each pair of values.

    rows          x, y, kind, text, mark (shown where there is no room for the text), and those of `fields`
    colours       {kind: colour of the cell}
    texts         {kind: colour of its text}; None: that of all text
    edge_between  whether a line is drawn between two neighbouring rows, given their places in `rows`
    params        further parameters, and the `filters` that use them
    """
    data: dict[str, Columns] = {"rows": rows}
    x, y = grid.encoding("x"), grid.encoding("y")
    low, narrow = f"bandwidth('y') < {LINE_PIXELS}", f"bandwidth('x') < {CELL_OF_TEXT_PIXELS}"
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rect", "stroke": colour("paper"), "strokeWidth": 1},
            "params": [HOVER],
            "encoding": {
                "x": x,
                "y": y,
                "fill": kinds(colours),
                "fillOpacity": while_hovered(0.75, 1),
                "tooltip": told(dict(fields)),
            },
        },
        {
            "mark": {
                "type": "text",
                "fontSize": 11.5,
                "limit": {"expr": "bandwidth('x') - 6"},
                "tooltip": None,
            },
            "encoding": {
                "x": x,
                "y": y,
                "text": {"value": {"expr": f"{low} ? '' : {narrow} ? datum.mark : datum.text"}},
                "color": kinds(texts) if texts else {"value": colour("ink")},
            },
        },
    ]
    if edge_between is not None:
        edges = _edges(grid, rows, edge_between)
        layers += [layer for name, layer in _edge_layers(grid) if edges[name]["x"]]
        data |= {name: columns for name, columns in edges.items() if columns["x"]}
    for layer in layers[:2]:
        layer["mark"]["aria"] = False  # the table below is for those who cannot see it
    spec: dict[str, Any] = {"data": {"name": "rows"}, "layer": layers}
    if params:
        spec |= {"params": list(params), "transform": [{"filter": one} for one in filters]}
    return Chart(key, title, finished(spec, grid.height), data, table, "", list(legend), aid)


def _edges(grid: Grid, rows: Columns, is_edge: Callable[[int, int], bool]) -> dict[str, Columns]:
    """Cells with a line to the right of them, and with one below."""
    at = {place: row for row, place in enumerate(zip(rows["x"], rows["y"], strict=True))}
    found: dict[str, Columns] = {"right": {"x": [], "y": []}, "below": {"x": [], "y": []}}
    for i, x in enumerate(grid.across):
        for j, y in enumerate(grid.down):
            for name, a, b in (("right", i + 1, j), ("below", i, j + 1)):
                if a < len(grid.across) and b < len(grid.down):
                    here, there = at.get((x, y)), at.get((grid.across[a], grid.down[b]))
                    if here is not None and there is not None and is_edge(here, there):
                        found[name]["x"].append(x)
                        found[name]["y"].append(y)
    return found


def _edge_layers(grid: Grid) -> list[tuple[str, dict[str, Any]]]:
    mark = {"type": "rule", "color": colour("ink"), "strokeWidth": 3, "strokeCap": "round", "tooltip": None}
    right = {
        "x": grid.encoding("x", bandPosition=1),
        "y": grid.encoding("y", bandPosition=0),
        "y2": {"field": "y", "bandPosition": 1},
    }
    below = {
        "y": grid.encoding("y", bandPosition=1),
        "x": grid.encoding("x", bandPosition=0),
        "x2": {"field": "x", "bandPosition": 1},
    }
    return [
        (name, {"data": {"name": name}, "mark": mark, "encoding": encoding})
        for name, encoding in (("right", right), ("below", below))
    ]


# ---- a line along an axis ----------------------------------------------------------------------------------


def line(
    key: str,
    title: str,
    values: Sequence[str],
    rows: Columns,
    label: str,
    colours: Mapping[str, str],
    fields: Mapping[str, str],
    table: Table,
    *,
    axis_title: str,
    target: float | None = None,
    legend: Sequence[tuple[str, str]] = (),
    aid: str = "",
    params: Sequence[dict[str, Any]] = (),
    filters: Sequence[str] = (),
) -> Chart:
    """A number along an axis of texts, with intervals; rows: x, value, low, high, kind …; target: a line."""
    grid = Grid(values, [], axis_title)
    scale: dict[str, Any] = {"zero": False}
    if not params:
        scale |= {"domain": list(spread([*_known(rows), *([] if target is None else [target])], 0.08))}
        scale["nice"] = False
    y = {
        "type": "quantitative",
        "scale": scale,
        "axis": {"title": None, "labelExpr": label, "minExtent": 48, "tickCount": 5},
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "line", "color": colour("c0"), "strokeWidth": 1.5},
            "encoding": {"y": {"field": "value", **y}},
        },
        {
            "transform": [{"filter": "datum.low !== null"}],
            "mark": {"type": "rule", "strokeWidth": 2.5},
            "encoding": {"y": {"field": "low", **y}, "y2": {"field": "high"}, "color": kinds(colours)},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"y": {"field": "value", **y}, "color": kinds(colours)},
        },
        {
            "mark": {"type": "rect", "color": colour("ink")},
            "params": [HOVER],
            "encoding": {
                "y": {"value": 0},
                "y2": {"value": "height"},
                "fillOpacity": while_hovered(0.06, 0),
                "tooltip": told(dict(fields)),
            },
        },
    ]
    if target is not None:
        rule = {"type": "rule", "color": colour("alert"), "strokeDash": [6, 4], "strokeWidth": 1.5}
        layers.insert(
            0,
            {
                "data": {"values": [{}]},
                "mark": rule,
                "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"datum": target, **y}},
            },
        )
    spec: dict[str, Any] = {
        "data": {"name": "rows"},
        "transform": [{"filter": one} for one in filters],
        "encoding": {"x": grid.encoding("x")},
        "layer": layers,
    }
    if params:
        spec["params"] = list(params)
    return Chart(key, title, finished(spec, 240), {"rows": rows}, table, "", list(legend), aid)


def _known(rows: Columns) -> list[float]:
    return bounds_of(rows, "value", "low", "high") or [0.0]
