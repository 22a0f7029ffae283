"""What all charts have in common: Vega-Lite specifications as plain dicts, rows, and a table for those who
cannot see them.

Nothing of the user's is in a specification but names, which are text; rows are kept apart and are put in by
the page's script, or by `outputs.pictures`. `{"theme": "name"}` stands for a colour of the style sheet.
Horizontal axes are `from` to `to`, parameters that the script sets when someone zooms; charts of one `group`
move together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from slosim.html.series import Columns

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the language of a specification; nothing is loaded from there."""
COLOURS = 8
"""Colours of the palette."""
RUN_COLOURS = (0, 1, 3, 6, 4, 5, 2, 7)
"""The order in which runs take them."""
DIGITS = 6
"""Digits that a place on a chart has; what is told at a place is text, made from the whole number."""
TIMES = {"t_s": "t", "until_s": "until"}
"""Columns in seconds, and their names in milliseconds in specifications."""
SECONDS_LABEL = (
    "datum.value >= 1 ? format(datum.value, ',~g') + ' s' : datum.value >= 1e-3 ?"
    " format(datum.value * 1e3, '~g') + ' ms' :"
    " datum.value > 0 ? format(datum.value * 1e6, '~g') + ' µs' : '0'"
)


@dataclass
class Table:
    """The table of a chart, or one of its own: texts, the first column names the row; words: columns that are
    read rather than compared.
    """

    headings: list[str]
    rows: list[list[str]]
    words: Sequence[int] = ()


@dataclass
class Chart:
    """One chart.

    what    what it shows, where its title only says of what: the heading above it does
    group   charts that zoom together; empty: this one alone
    rows    {name of the data in the specification: columns}
    legend  [(class of the style sheet, text)]
    aid     how to read it, in a sentence
    """

    key: str
    title: str
    spec: dict[str, Any]
    rows: dict[str, Columns]
    table: Table
    group: str = ""
    legend: list[tuple[str, str]] = field(default_factory=list)
    aid: str = ""
    what: str = ""

    @property
    def whole_title(self) -> str:
        """For where no heading stands above it: `Backlog: payments → payment`."""
        return f"{self.what}: {self.title}" if self.what else self.title


def colour(name: str) -> dict:
    return {"theme": name}


SHOWN_WHEN_NEAR = {
    "condition": {"param": "hover", "empty": False, "value": colour("ink")},
    "value": "transparent",
}


def area_mark(field_name: str, name: str, zero: bool = False) -> dict:
    its = {
        "mark": {"type": "area", "color": colour(name), "opacity": 0.25, "clip": True},
        "encoding": {"y": {"field": field_name}},
    }
    if zero:
        its["encoding"]["y2"] = {"datum": 0}
    return its


def line_mark(field_name: str, name: str, interpolate: str = "linear") -> dict:
    mark = {
        "type": "line",
        "color": colour(name),
        "strokeWidth": 1.5,
        "clip": True,
        "interpolate": interpolate,
    }
    return {"mark": mark, "encoding": {"y": {"field": field_name}}}


def filled_line(field_name: str, name: str, zero: bool = False) -> list[dict]:
    """A line and the area below it, or between it and zero."""
    return [area_mark(field_name, name, zero), line_mark(field_name, name)]


def palette(number: int) -> str:
    """The class of the style sheet of the colour of a line."""
    return f"c{number % COLOURS}"


def run_colour(number: int) -> str:
    """The same of a run among others: neighbours are easy to tell apart."""
    return palette(RUN_COLOURS[number % COLOURS])


def run_mark(number: int, interpolate: str = "linear") -> dict:
    """The line of a run over the column `s`. The first one is broad, so that others show on top of it."""
    its = line_mark("s", run_colour(number), interpolate)
    if number == 0:
        its["mark"] |= {"strokeWidth": 4, "opacity": 0.45}
    return {"data": {"name": f"run {number}"}, **its}


def window(start: float, end: float) -> list[dict]:
    """The part of the horizontal axis that is shown."""
    return [{"name": "from", "value": start}, {"name": "to", "value": end}]


def x_axis(field_name: str, kind: str, axis: dict) -> dict:
    scale = {"domainMin": {"expr": "from"}, "domainMax": {"expr": "to"}, "nice": False}
    if kind == "temporal":
        scale["type"] = "utc"
    return {
        "field": field_name,
        "type": kind,
        "scale": scale,
        "axis": {"grid": False, "minExtent": 20, **axis},
    }


def ruler(*fields: str) -> dict:
    """Selects what is nearest to the pointer."""
    encodings = ["x"] if len(fields) == 1 else ["x", "y"]
    select = {
        "type": "point",
        "on": "pointermove",
        "clear": "pointerout",
        "nearest": True,
        "encodings": encodings,
    }
    return {"name": "hover", "select": select}


TAKEN = (
    "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__", "__proto__",
    "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString",
    "valueOf", "image", "title",
)  # fmt: skip
"""Words that mean something else as keys of what is hovered over, or of Vega's tables."""
APART = "\u200b"
"""A space without width, which makes another word of one that is taken."""


def as_key(words: str) -> str:
    """The words as they may be a key, looking the same."""
    return words + APART if words in TAKEN else words


def told(fields: dict[str, str]) -> dict:
    """What hovering tells: {words: field}. The nearest mark is found through a cell around it
    (`datum.datum`), which Vega-Lite 6.4 forgets when it writes this expression itself.
    """
    its = ", ".join(
        f"{json.dumps(as_key(words))}: (datum.datum || datum)[{json.dumps(field)}]"
        for words, field in fields.items()
    )
    return {"value": {"expr": f"{{{its}}}"}}


def brush() -> dict:
    """A part of the horizontal axis that is marked by dragging; the script zooms to it."""
    return {
        "name": "brush",
        "select": {"type": "interval", "encodings": ["x"], "zoom": False, "translate": False},
    }


def finished(spec: dict, height: int) -> dict:
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        **spec,
    }


def drawn(rows: dict[str, Columns]) -> dict[str, Columns]:
    """Rows as specifications name them: times `t` and `until` in milliseconds, as axes of time want them, and
    other numbers with as many digits as show.
    """
    return {name: dict(_drawn(*column) for column in columns.items()) for name, columns in rows.items()}


def _drawn(name: str, values: list) -> tuple[str, list]:
    if name in TIMES:
        return TIMES[name], [1e3 * value for value in values]
    return name, [float(f"{one:.{DIGITS}g}") if isinstance(one, float) else one for one in values]


def as_json(charts: Sequence[Chart]) -> str:
    """Specifications and rows for the page's script: JSON without any character that could end the script."""
    content = {one.key: {"spec": one.spec, "rows": drawn(one.rows), "group": one.group} for one in charts}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
