"""Charts of the page, and its drawing of the system, as SVG and PNG: without a browser and without network.

They are the page's own specifications and drawing on white paper in its light colours, with the title and the
legend inside that the page shows around them. The font is one that vl-convert carries. So an SVG has the same
bytes on any machine; a PNG may differ in the shades of its letters where another edition of it is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache, cached_property
from html import escape
from itertools import count
from pathlib import Path
from typing import Any

from slosim.errors import UserError
from slosim.files import write_whole
from slosim.html.bundle import VEGA_LITE
from slosim.html.charts import SHOWN_WHEN_NEAR, Chart, as_key, drawn
from slosim.html.drawing import drawing
from slosim.html.graph import graph_of
from slosim.html.page import asset
from slosim.html.report import charts_of, ran

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The first is the one that vl-convert carries; Arial, where an SVG is shown, has letters as wide."""
PLOT_WIDTH = 640
LETTER_WIDTH, SIGN_WIDTH = 5.7, 26
"""Of legends: pixels of a usual letter, and of what is around a text."""
NAMED = {"edge": "ink"}
"""The colour of a class of the style sheet that is not called like it."""
SHADED, SHADE = ("fault", "warmup"), 0.45
"""What legends show with this opacity."""
SCALE = 2
"""Pixels of a PNG for each of the picture: sharp on screens of today and on paper."""
SCALE_MAX = 10
NAME_LETTERS = 60
FORMATS = (".svg", ".png")
SYSTEM = "system"


class Picture:
    """A picture that shows itself in notebooks.

    name   of its file, without folder and ending
    title  what it shows, in words
    """

    def __init__(self, name: str, title: str) -> None:
        self.name = name
        self.title = title

    def to_svg(self) -> str:
        return self._svg

    def to_png(self, scale: float = SCALE) -> bytes:
        """`scale`: pixels of the file for each of the picture, at most 10. UserError: it is out of range."""
        if not 0 < scale <= SCALE_MAX:
            raise UserError(f"scale: expected a number above 0, at most {SCALE_MAX}, got {scale}")
        import vl_convert

        return vl_convert.svg_to_png(self._svg, scale=scale)

    def save(self, path: str | Path) -> None:
        """Write it, as SVG or PNG by the ending of the name."""
        match Path(path).suffix.lower():
            case ".svg":
                write_whole(Path(path), self._svg)
            case ".png":
                write_whole(Path(path), self.to_png())
            case other:
                raise UserError(f"cannot write {path}: pictures are {' or '.join(FORMATS)}, not {other!r}")

    @cached_property
    def _svg(self) -> str:
        raise NotImplementedError

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """For notebooks, with the size at which it is shown."""
        width, height = size_of(self._svg)
        return self.to_png(), {"width": width, "height": height}

    def __repr__(self) -> str:
        return f"Picture({self.name!r}, {self.title!r})"


class ChartPicture(Picture):
    """A chart of the page; `subtitle`: of which run."""

    def __init__(self, name: str, chart: Chart, subtitle: str) -> None:
        super().__init__(name, chart.whole_title)
        self._chart, self._subtitle = chart, subtitle

    @cached_property
    def _svg(self) -> str:
        import vl_convert

        its = _specification(self._chart, self._subtitle)
        svg = vl_convert.vegalite_to_svg(its, vl_version=VEGA_LITE, allowed_base_urls=[])
        return _named(_renumbered(svg, self.name), self.title)


class SystemPicture(Picture):
    """The drawing of the system, with the rules of the style sheet that it uses."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(SYSTEM, f"The system: {data['scenario']['name']}")
        self._data = data

    @cached_property
    def _svg(self) -> str:
        text = str(drawing(graph_of(self._data)))
        width, height = size_of(text)
        opening, rest = text.split(">", 1)
        alone = f'<svg xmlns="http://www.w3.org/2000/svg" font-family="{FONT}"'
        opening = opening.replace("<svg", alone, 1)
        paper = f'<rect width="{width}" height="{height}" fill="{colours()["paper"]}"/>'
        return f"{opening}><style>{_rules_of_drawings()}</style>{paper}{rest}"


class Pictures(Mapping[str, Picture]):
    """Pictures by name, in the order of the page; each is made when it is first looked at."""

    def __init__(self, pictures: list[Picture]) -> None:
        self._pictures = {picture.name: picture for picture in pictures}

    def __getitem__(self, name: str) -> Picture:
        try:
            return self._pictures[name]
        except KeyError:
            raise KeyError(self._unknown(name)) from None

    def _unknown(self, name: str) -> str:
        near = get_close_matches(str(name), self._pictures, 1, 0.3)
        advice = f"; did you mean {near[0]!r}?" if near else ""
        return f"no chart {name!r} here; there is {', '.join(self._pictures)}{advice}"

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures)

    def __len__(self) -> int:
        return len(self._pictures)

    def __repr__(self) -> str:
        return f"Pictures({', '.join(self._pictures)})"


def pictures_of(data: dict[str, Any]) -> Pictures:
    """All pictures of a report: the system, then the charts of its page."""
    subtitle = f"{data['scenario']['name']}: {ran(data)}"
    return Pictures([SystemPicture(data), *_drawn(charts_of(data).every, subtitle)])


def pictures_of_charts(charts: Iterable[Chart], subtitle: str) -> Pictures:
    """Of the charts of any page; `subtitle`: of which run."""
    return Pictures(list(_drawn(charts, subtitle)))


def _drawn(charts: Iterable[Chart], subtitle: str) -> Iterator[Picture]:
    """The pictures of charts, by names that differ."""
    names = {SYSTEM}
    for chart in charts:
        name = _unlike(_name_of(chart), names)
        names.add(name)
        yield ChartPicture(name, chart, subtitle)


def size_of(svg: str) -> tuple[int, int]:
    """(width, height) in pixels, as its first tag says."""
    tag = svg[: svg.index(">")]
    found = dict(re.findall(r' (width|height)="([\d.]+)"', tag))
    return round(float(found["width"])), round(float(found["height"]))


@cache
def colours() -> dict[str, str]:
    """{name: colour} of the light theme, from the page's style sheet."""
    return dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{6})\b", asset("style.css").split("}", 1)[0]))


# ---- names -------------------------------------------------------------------------------------------------


def _name_of(chart: Chart) -> str:
    """`lag-payments-payment`: the kind of chart, and of what, for file systems and to be typed."""
    kind = re.sub(r"-\d+$", "", chart.key)
    words = re.findall(r"\w+", chart.title.casefold()) if kind != chart.key else []
    return "-".join([kind, *words])[:NAME_LETTERS].strip("-")


def _unlike(name: str, others: set[str]) -> str:
    """The name, with a number if there is one like it."""
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in others else next(one for one in numbered if one not in others)


# ---- charts ------------------------------------------------------------------------------------------------


def _specification(chart: Chart, subtitle: str) -> dict[str, Any]:
    """The whole specification of a picture: rows and colours put in, without what only the pointer shows."""
    marks = [layer for layer in chart.spec["layer"] if _color_of(layer) != SHOWN_WHEN_NEAR]
    spec = _coloured(chart.spec | {"layer": marks})
    return spec | {
        "width": PLOT_WIDTH,
        "autosize": "pad",
        "padding": 10,
        "background": colours()["paper"],
        "title": {"text": chart.whole_title, "subtitle": subtitle},
        "layer": [*spec["layer"], *([_legend(chart)] if chart.legend else [])],
        "resolve": {"scale": {"color": "independent"}},
        "datasets": {name: _rows(columns) for name, columns in drawn(chart.rows).items()},
        "config": _config(),
    }


def _color_of(layer: dict[str, Any]) -> Any:
    return layer.get("encoding", {}).get("color")


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _renumbered(svg: str, name: str) -> str:
    """With clips that count from 0 and bear the picture's name: Vega counts on from one to the next, and a
    document may hold several.
    """
    numbers: dict[str, int] = {}
    return re.sub(
        r'(?<=id=")(clip\d+)(?=")|(?<=url\(#)(clip\d+)(?=\))',
        lambda match: f"{name}-{numbers.setdefault(match[0], len(numbers))}",
        svg,
    )


def _named(svg: str, title: str) -> str:
    """With what it shows in words, for those who cannot see it."""
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)


def _coloured(value: Any) -> Any:
    """A specification with colours for their names."""
    if isinstance(value, dict):
        if isinstance(value.get("theme"), str):
            return colours()[value["theme"]]
        return {key: _coloured(inner) for key, inner in value.items()}
    return [_coloured(inner) for inner in value] if isinstance(value, list) else value


def _legend(chart: Chart) -> dict[str, Any]:
    """A layer without marks, whose scale of colours has the legend."""
    texts = [as_key(text) for _, text in chart.legend]
    columns = _columns_of_legend(texts)
    its_colours = [
        _pale(kind) if kind in SHADED else colours()[NAMED.get(kind, kind)] for kind, _ in chart.legend
    ]
    return {
        "data": {"values": []},
        "mark": "square",
        "encoding": {
            "color": {
                "field": "number",
                "type": "ordinal",
                "scale": {"domain": list(range(len(its_colours))), "range": its_colours},
                "legend": {
                    "title": None,
                    "orient": "top",
                    "direction": "horizontal",
                    "columns": columns,
                    "labelExpr": f"{json.dumps(texts)}[datum.value]",
                    "labelLimit": PLOT_WIDTH - SIGN_WIDTH,
                    "symbolType": "square",
                    "symbolOpacity": 1,
                    "symbolStrokeWidth": 0,
                },
            }
        },
    }


def _columns_of_legend(texts: list[str]) -> int:
    """The most columns that have room, filled row by row, each as wide as its longest text."""
    for columns in range(len(texts), 1, -1):
        longest = [max(len(text) for text in texts[column::columns]) for column in range(columns)]
        if sum(longest) * LETTER_WIDTH + columns * SIGN_WIDTH <= PLOT_WIDTH:
            return columns
    return 1


def _pale(name: str) -> str:
    """A colour as it looks when it is shaded on paper."""
    colour = colours()[name]
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(255 + SHADE * (part - 255)):02x}" for part in parts)


def _config() -> dict[str, Any]:
    ink, soft, faint = (colours()[name] for name in ("ink", "soft", "faint"))
    return {
        "font": FONT,
        "aria": False,
        "view": {"stroke": None},
        "axis": {
            "labelColor": soft,
            "titleColor": soft,
            "domainColor": soft,
            "tickColor": soft,
            "gridColor": faint,
            "labelFontSize": 11.5,
            "titleFontSize": 11.5,
            "titleFontWeight": "normal",
        },
        "legend": {"labelColor": soft, "labelFontSize": 11.5, "offset": 8},
        "title": {
            "anchor": "start",
            "frame": "group",
            "color": ink,
            "fontSize": 14,
            "subtitleColor": soft,
            "subtitleFontSize": 11.5,
            "subtitlePadding": 4,
            "offset": 10,
            "limit": PLOT_WIDTH,
        },
    }


# ---- the drawing -------------------------------------------------------------------------------------------


@cache
def _rules_of_drawings() -> str:
    """The rules of the style sheet for the drawing, with their colours put in."""
    whole = asset("style.css")
    rules = re.findall(r"(?:^|(?<=\} ))(\.(?:system text|node|edge)\b[^{}]*\{[^{}]*\})", whole, re.MULTILINE)
    return re.sub(r"var\(--([\w-]+)\)", lambda match: colours()[match[1]], "".join(rules))
