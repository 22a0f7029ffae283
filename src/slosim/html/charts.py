"""Charts: Vega-Lite specifications as plain dicts, their rows, and a table for those who cannot see them.

Nothing of the user's is in a specification but names, which are text; rows are kept apart and are put in by
the page's script. `{"theme": "name"}` stands for a colour of the style sheet. Horizontal axes are
`from` to `to`, parameters that the script sets when someone zooms; charts of one `group` move together.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from slosim.html.series import Columns, begun, budget_left, every, highest_in_parts, spectrum, thinned
from slosim.report.text_tables import line_rows
from slosim.report.units import clock, duration, exact_share, share, short

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
"""Names the language of a specification; nothing is loaded from there."""
TIME = "time"
TABLE_PARTS = 24
"""Rows of the table of a series: the highest value in each of so many equal parts."""
NAMED_FAULTS = 3
"""Faults that a legend names."""
COLOURS = 8
"""Colours of the palette; further lines begin again."""
TIME_LABEL = (
    "(datum.value >= 864e5 ? floor(datum.value / 864e5) + 'd' : '')"
    " + (floor(datum.value / 36e5) % 24 > 0 ? floor(datum.value / 36e5) % 24 + 'h' : '')"
    " + (floor(datum.value / 6e4) % 60 > 0 ? floor(datum.value / 6e4) % 60 + 'm' : '')"
    " + (floor(datum.value / 1e3) % 60 > 0 ? floor(datum.value / 1e3) % 60 + 's' : '')"
    " + (datum.value % 1e3 > 0 ? datum.value % 1e3 + 'ms' : '')"
    " + (datum.value == 0 ? '0' : '')"
)
SECONDS_LABEL = (
    "datum.value >= 1 ? format(datum.value, ',~g') + ' s' : datum.value >= 1e-3 ?"
    " format(datum.value * 1e3, '~g') + ' ms' :"
    " datum.value > 0 ? format(datum.value * 1e6, '~g') + ' µs' : '0'"
)
SHARE_LABEL = (
    "datum.value < 0.1 ? '0%' : datum.value < 0.5 ? '50%' :"
    " format(100 - pow(10, 2 - datum.value), '.' + max(0, datum.value - 2) + 'f') + '%'"
)
SHARES = [0, math.log10(2), 1, 2, 3, 4, 5, 6]


@dataclass
class Table:
    """The table of a chart, or one of its own; `numbers`: whether all columns but the first are numbers."""

    headings: list[str]
    rows: list[list[str]]


@dataclass
class Chart:
    """One chart.

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


def colour(name: str) -> dict:
    return {"theme": name}


SHOWN_WHEN_NEAR = {
    "condition": {"param": "hover", "empty": False, "value": colour("ink")},
    "value": "transparent",
}

# Over time


def lag_charts(data: dict) -> list[Chart]:
    """What has been published and is not settled, and what of it waits: a chart for each line."""
    charts = []
    for number, (label, _, line) in enumerate(line_rows(data)):
        series = line["series"]
        if not series["t_s"]:
            continue
        rows = thinned({"t_s": series["t_s"], "lag": series["lag"], "waiting": series["waiting"]})
        marks = [
            _area("lag", "lag"),
            _line("lag", "lag"),
            _area("waiting", "waiting"),
            _line("waiting", "waiting"),
        ]
        charts.append(
            _over_time(
                f"lag-{number}",
                label,
                rows,
                {"lag": "lag", "waiting": "waiting"},
                marks,
                data,
                legend=[("lag", "published and not settled"), ("waiting", "of these waiting")],
            )
        )
    return charts


def age_chart(data: dict) -> Chart | None:
    its = {label: (line["series"]["t_s"], line["series"]["age_s"]) for label, _, line in line_rows(data)}
    return _many_over_time("age", "Age of the oldest message", its, data, form=duration, axis=SECONDS_LABEL)


def instances_chart(data: dict) -> Chart | None:
    its = {name: (one["series"]["t_s"], one["series"]["instances"]) for name, one in data["services"].items()}
    return _many_over_time("instances", "Instances that are up", its, data, step=True)


def busy_chart(data: dict) -> Chart | None:
    its = {name: (one["series"]["t_s"], one["series"]["busy"]) for name, one in data["services"].items()}
    return _many_over_time("busy", "Busy slots", its, data)


def station_charts(data: dict) -> list[Chart]:
    """What dependencies and the rarer mechanisms did over time, where they did anything."""
    mechanisms = {name: one["mechanisms"] for name, one in data["services"].items() if "mechanisms" in one}
    charts = []
    for key, title, stations, column, aid in (
        (
            "servers",
            "Busy servers of dependencies",
            data["dependencies"],
            "busy",
            "Flat at the top is saturated.",
        ),
        (
            "requests",
            "Requests that wait for a server",
            data["dependencies"],
            "waiting",
            "Their callers wait too.",
        ),
        (
            "stopped_partitions",
            "Partitions that stand still",
            mechanisms,
            "stopped_partitions",
            "While they change owner nobody takes from them.",
        ),
        (
            "prefetched",
            "Messages held ahead of slots",
            mechanisms,
            "prefetched",
            "Handed to an instance and not begun: no other instance can take them.",
        ),
        (
            "breaker_open",
            "Circuit breakers that are open",
            mechanisms,
            "breaker_open",
            "Share of the replications: 1 is all of them.",
        ),
    ):
        its = {name: (one["series"]["t_s"], one["series"][column]) for name, one in stations.items()}
        its = {name: one for name, one in its.items() if any(one[1])}
        chart = _many_over_time(key, title, its, data)
        if chart is not None:
            charts.append(replace(chart, aid=aid))
    return charts


def budget_charts(data: dict) -> list[Chart]:
    """What is left of each objective's error budget, and when its alerts fired."""
    charts = []
    for number, objective in enumerate(data["objectives"]):
        columns = thinned(budget_left(objective, data["run"]["warmup_s"]))
        if not columns["t_s"]:
            continue
        fired = [at for alert in objective["alerts"] for at in alert["fired_at_s"]]
        marks = [
            {
                "data": {"values": [{}]},
                "mark": {"type": "rule", "color": colour("faint")},
                "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"datum": 0}},
            },
            _area("left", "budget", zero=True),
            _line("left", "budget"),
        ]
        chart = _over_time(
            f"budget-{number}",
            objective["name"],
            columns,
            {"left": "budget left"},
            marks,
            data,
            form=share,
            axis={"format": "~%"},
            fired=fired,
            legend=[("budget", "budget left"), *([("alert", "an alert begins to fire")] if fired else [])],
        )
        chart.table = Table(
            ["at", "budget left"],
            [
                [clock(time), share(left)]
                for time, left in every(columns["t_s"], columns["left"], TABLE_PARTS)
            ],
        )
        charts.append(chart)
    return charts


def _many_over_time(
    key: str,
    title: str,
    its: dict[str, tuple[list, list]],
    data: dict,
    form: Any = short,
    axis: str = "",
    step: bool = False,
) -> Chart | None:
    """One chart with a line for each name; all have the sample times of the run."""
    names = list(its)
    times = max((times for times, _ in its.values()), key=len, default=[])
    if not times:
        return None
    columns: Columns = {"t_s": times}
    columns |= {f"s{number}": _padded(values, len(times)) for number, (_, values) in enumerate(its.values())}
    marks = [
        _line(f"s{number}", _palette(number), "step-after" if step else "linear")
        for number in range(len(names))
    ]
    return _over_time(
        key,
        title,
        thinned(columns),
        {f"s{number}": name for number, name in enumerate(names)},
        marks,
        data,
        form=form,
        axis={"labelExpr": axis} if axis else None,
        legend=[(_palette(number), name) for number, name in enumerate(names)],
    )


def _padded(values: list, length: int) -> list:
    return [*values, *[None] * (length - len(values))]


def _over_time(
    key: str,
    title: str,
    columns: Columns,
    named: dict[str, str],
    marks: list[dict],
    data: dict,
    *,
    form: Any = short,
    axis: dict | None = None,
    fired: Sequence[float] = (),
    legend: Sequence[tuple[str, str]] = (),
) -> Chart:
    """A chart over the time of a run: faults and warm-up behind the marks, a ruler with all values on top."""
    run = data["run"]
    faults = [one for one in data["faults"] if one["start_s"] is not None]
    rows: dict[str, Columns] = {
        "rows": columns | {f"{name} text": [form(value) for value in columns[name]] for name in named},
        "faults": {
            "t_s": [one["start_s"] for one in faults],
            "until_s": [min(one["end_s"], run["duration_s"]) for one in faults],
        },
        "warmup": {"t_s": [0.0], "until_s": [run["warmup_s"]]},
        "fired": {"t_s": list(fired)},
    }
    y_axis = {"title": None, "tickCount": 4, "minExtent": 56, "maxExtent": 56, **(axis or {"format": "~s"})}
    hover = {
        "mark": {"type": "rule", "strokeWidth": 1, "clip": True},
        "params": [_ruler("t"), _brush()],
        "encoding": {
            "color": SHOWN_WHEN_NEAR,
            "tooltip": _told({"at": "at"} | {words: f"{name} text" for name, words in named.items()}),
        },
    }
    spec = {
        "data": {"name": "rows"},
        "params": _window(0.0, 1e3 * run["duration_s"]),
        "encoding": {
            "x": _x(
                "t",
                "temporal",
                {
                    "labelExpr": TIME_LABEL,
                    "title": None,
                    "tickCount": {"expr": "width / 80"},
                    "labelOverlap": "greedy",
                    "labelSeparation": 8,
                },
            )
        },
        "layer": [
            _span("warmup", "warmup"),
            *([_span("faults", "fault")] if faults else []),
            *marks,
            *([_alerts_fired()] if fired else []),
            hover,
        ],
    }
    spec["encoding"]["y"] = {"type": "quantitative", "axis": y_axis}
    rows = {name: columns for name, columns in rows.items() if columns["t_s"]}
    shaded = [("fault", _some([one["name"] for one in faults]))] if faults else []
    shaded += [("warmup", "warm-up, not judged")] if run["warmup_s"] else []
    table = _highest(columns, named, form)
    return Chart(key, title, _finished(spec, 130), rows, table, TIME, [*legend, *shaded])


def _some(names: Sequence[str]) -> str:
    """Names without repetition, and how many more there are."""
    unique = list(dict.fromkeys(names))
    more = len(unique) - NAMED_FAULTS
    return ", ".join(unique[:NAMED_FAULTS]) + (f" and {more} more" if more > 0 else "")


def _highest(columns: Columns, named: dict[str, str], form: Any) -> Table:
    """The highest value of each column in each part of the time."""
    found = [highest_in_parts(columns["t_s"], columns[name], TABLE_PARTS) for name in named]
    parts = sorted({part for one in found for part in one})
    length_s = (columns["t_s"][-1] - columns["t_s"][0]) / TABLE_PARTS
    return Table(
        ["highest from", *named.values()],
        [
            [
                clock(columns["t_s"][0] + part * length_s),
                *(form(one[part]) if part in one else "" for one in found),
            ]
            for part in parts
        ],
    )


def _area(field_name: str, name: str, zero: bool = False) -> dict:
    its = {
        "mark": {"type": "area", "color": colour(name), "opacity": 0.25, "clip": True},
        "encoding": {"y": {"field": field_name}},
    }
    if zero:
        its["encoding"]["y2"] = {"datum": 0}
    return its


def _line(field_name: str, name: str, interpolate: str = "linear") -> dict:
    mark = {
        "type": "line",
        "color": colour(name),
        "strokeWidth": 1.5,
        "clip": True,
        "interpolate": interpolate,
    }
    return {"mark": mark, "encoding": {"y": {"field": field_name}}}


def _alerts_fired() -> dict:
    return {
        "data": {"name": "fired"},
        "mark": {"type": "rule", "color": colour("alert"), "strokeWidth": 2, "clip": True},
    }


def _span(rows: str, name: str) -> dict:
    """Spans of time, shaded over the whole height."""
    return {
        "data": {"name": rows},
        "mark": {"type": "rect", "color": colour(name), "opacity": 0.22, "clip": True},
        "encoding": {"x2": {"field": "until"}},
    }


# Distributions

LATENCY_AID = (
    "Read upwards from a share: so many complete within that time. Each step to the right is ten times rarer."
    " Dots are reported percentiles with their 95% intervals."
)
OBJECTIVE_AID = (
    " Where the dashed objective has its diamond, the curve must lie below it; losses count against it too."
)


def latency_chart(number: int, flow: str, data: dict) -> Chart | None:
    """The latency of a flow at every percentile, the reported ones with intervals, objectives as lines."""
    stat = data["flows"][flow]["latency_s"]
    curve = spectrum(stat)
    if not curve["p"]:
        return None
    points = [
        (key, float(key[1:]) / 100, stat[key])
        for key in ("p50", "p90", "p95", "p99", "p99.9")
        if stat[key]["value"]
    ]
    resolved = {one["name"]: one for one in data["scenario"]["resolved"].get("objectives", [])}
    promised = [
        one
        for one in data["objectives"]
        if one["kind"] == "latency" and resolved.get(one["name"], {}).get("flow") == flow
    ]
    rows: dict[str, Columns] = {
        "rows": _spoken(curve),
        "line 0": begun(curve, stat),
        "points": {
            "nines": [-math.log10(1 - p) for _, p, _ in points],
            "s": [one["value"] for _, _, one in points],
            "low": [one["value"] if one["low"] is None else one["low"] for _, _, one in points],
            "high": [one["value"] if one["high"] is None else one["high"] for _, _, one in points],
        },
        "promised": {
            "nines": [
                -math.log10(1 - one["target_ratio"]) if one["target_ratio"] < 1 else None for one in promised
            ],
            "s": [one["threshold"] for one in promised],
        },
    }
    marks = [
        {
            "data": {"name": "promised"},
            "mark": {"type": "rule", "color": colour("alert"), "strokeDash": [6, 4], "strokeWidth": 1.5},
            "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"field": "s"}},
        },
        {
            "data": {"name": "promised"},
            "mark": {
                "type": "point",
                "shape": "diamond",
                "size": 110,
                "color": colour("alert"),
                "filled": True,
                "clip": True,
            },
            "encoding": {"y": {"field": "s"}},
        },
        {"data": {"name": "line 0"}, **_line("s", "c0", "step-before")},
        {
            "data": {"name": "points"},
            "mark": {"type": "rule", "color": colour("c0"), "strokeWidth": 3, "clip": True},
            "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
        },
        {
            "data": {"name": "points"},
            "mark": {"type": "point", "filled": True, "size": 45, "color": colour("c0"), "clip": True},
            "encoding": {"y": {"field": "s"}},
        },
    ]
    rows = {name: columns for name, columns in rows.items() if columns["s"]}
    marks = [one for one in marks if one["data"]["name"] in rows]
    legend = [("c0", "latency of the completed")]
    legend += [
        ("alert", f"{one['name']}: {exact_share(one['target_ratio'])} within {clock(one['threshold'])}")
        for one in promised
    ]
    table = Table(
        ["percentile", "latency", "95% interval"],
        [[key, duration(one["value"]), _interval(one)] for key, _, one in points],
    )
    table.rows.append(["maximum", duration(stat["max"]), ""])
    widest = max(curve["nines"])
    chart = _spectrum_chart(f"latency-{number}", flow, rows, marks, table, legend, widest)
    return replace(chart, aid=LATENCY_AID + (OBJECTIVE_AID if promised else ""))


def event_lag_table(data: dict) -> Table | None:
    its = _event_lags(data)
    if not its:
        return None
    keys = ("mean", "p50", "p99", "p99.9")
    return Table(
        ["topic → consumer", *keys, "maximum"],
        [
            [label, *(duration(stat[key]["value"]) for key in keys), duration(stat["max"])]
            for label, stat in its.items()
        ],
    )


def event_lag_chart(data: dict) -> Chart | None:
    """Published to first taken at every percentile, a line for each topic and consumer."""
    its, table = _event_lags(data), event_lag_table(data)
    curves = {label: spectrum(stat) for label, stat in its.items()}
    curves = {label: curve for label, curve in curves.items() if curve["p"]}
    if not curves or table is None:
        return None
    all_rows: Columns = {"nines": [], "p": [], "s": [], "line": []}
    rows, marks, legend = {}, [], []
    for number, (label, curve) in enumerate(curves.items()):
        for name, values in curve.items():
            all_rows[name] += values
        all_rows["line"] += [label] * len(curve["p"])
        rows[f"line {number}"] = begun(curve, its[label])
        marks.append({"data": {"name": f"line {number}"}, **_line("s", _palette(number), "step-before")})
        legend.append((_palette(number), label))
    widest = max(all_rows["nines"])
    rows["rows"] = _spoken(all_rows)
    return _spectrum_chart("event-lag", "Event lag", rows, marks, table, legend, widest)


def _event_lags(data: dict) -> dict[str, dict]:
    """{line: STAT} of the lines from which a message was taken."""
    return {label: line["event_lag_s"] for label, _, line in line_rows(data) if line["event_lag_s"]["count"]}


def _palette(number: int) -> str:
    """The class of the style sheet of the colour of a line."""
    return f"c{number % COLOURS}"


def _spoken(columns: Columns) -> Columns:
    """Columns of a spectrum with the sentence that is shown at each point."""
    said = [
        f"{_percent(p)} take at most {duration(s)}" for p, s in zip(columns["p"], columns["s"], strict=True)
    ]
    lines = {"line": columns["line"]} if "line" in columns else {}
    return {"nines": columns["nines"], "s": columns["s"], "said": said, **lines}


def _percent(ratio: float) -> str:
    """Never rounded up: 99.996% is not 100%."""
    decimals = max(0, math.ceil(-math.log10(1 - ratio)) - 1) if ratio < 1 else 0
    scale = 10**decimals
    return f"{math.floor(100 * ratio * scale) / scale:.{decimals}f}%"


def _spectrum_chart(
    key: str,
    title: str,
    rows: dict[str, Columns],
    marks: list[dict],
    table: Table,
    legend: list,
    widest: float,
) -> Chart:
    told = {"of all": "said"} | ({"line": "line"} if "line" in rows["rows"] else {})
    hover = {
        "mark": {"type": "point", "size": 60, "filled": True, "clip": True},
        "params": [_ruler("nines", "s"), _brush()],
        "encoding": {
            "y": {"field": "s"},
            "color": SHOWN_WHEN_NEAR,
            "tooltip": _told(told),
        },
    }
    x_axis = {"values": SHARES, "labelExpr": SHARE_LABEL, "title": "share of all that take at most this long"}
    spec = {
        "data": {"name": "rows"},
        "params": _window(0.0, max(1.0, math.ceil(4 * widest) / 4)),
        "encoding": {
            "x": _x("nines", "quantitative", x_axis),
            "y": {
                "type": "quantitative",
                "scale": {"type": "log", "nice": False},
                "axis": {
                    "title": None,
                    "labelExpr": SECONDS_LABEL,
                    "minExtent": 56,
                    "labelOverlap": True,
                    "values": _decades(rows),
                },
            },
        },
        "layer": [*marks, hover],
    }
    return Chart(key, title, _finished(spec, 260), rows, table, "", legend)


def _decades(rows: dict[str, Columns]) -> list[float]:
    """1, 3, 10, 30 … around all seconds of a chart."""
    values = [value for columns in rows.values() for value in columns.get("s", ()) if value]
    if not values:
        return [1]
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = (1, 2, 5) if most - least <= 2 else (1, 3) if most - least <= 4 else (1,)
    return [float(f"{step}e{power}") for power in range(least, most + 1) for step in steps]


def _interval(estimate: dict) -> str:
    return "" if estimate["low"] is None else f"{duration(estimate['low'])} to {duration(estimate['high'])}"


# What all have in common


def _window(start: float, end: float) -> list[dict]:
    """The part of the horizontal axis that is shown."""
    return [{"name": "from", "value": start}, {"name": "to", "value": end}]


def _x(field_name: str, kind: str, axis: dict) -> dict:
    scale = {"domainMin": {"expr": "from"}, "domainMax": {"expr": "to"}, "nice": False}
    if kind == "temporal":
        scale["type"] = "utc"
    return {
        "field": field_name,
        "type": kind,
        "scale": scale,
        "axis": {"grid": False, "minExtent": 20, **axis},
    }


def _ruler(*fields: str) -> dict:
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


def _told(fields: dict[str, str]) -> dict:
    """What hovering tells: {words: field}. The nearest mark is found through a cell around it
    (`datum.datum`), which Vega-Lite 6.4 forgets when it writes this expression itself.
    """
    its = ", ".join(
        f"{json.dumps(words)}: (datum.datum || datum)[{json.dumps(field)}]" for words, field in fields.items()
    )
    return {"value": {"expr": f"{{{its}}}"}}


def _brush() -> dict:
    """A part of the horizontal axis that is marked by dragging; the script zooms to it."""
    return {
        "name": "brush",
        "select": {"type": "interval", "encodings": ["x"], "zoom": False, "translate": False},
    }


def _finished(spec: dict, height: int) -> dict:
    return {
        "$schema": SCHEMA,
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        **spec,
    }


def as_json(charts: Sequence[Chart]) -> str:
    """Specifications and rows for the page's script: JSON without any character that could end the script."""
    content = {one.key: {"spec": one.spec, "rows": one.rows, "group": one.group} for one in charts}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
