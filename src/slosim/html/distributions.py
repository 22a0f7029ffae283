"""Charts of distributions: how long the quick and the slow take, at every percentile."""

from __future__ import annotations

import math
from dataclasses import replace

from slosim.html.charts import (
    COLOURS,
    SECONDS_LABEL,
    SHOWN_WHEN_NEAR,
    Chart,
    Table,
    brush,
    colour,
    finished,
    line_mark,
    palette,
    ruler,
    run_colour,
    run_mark,
    told,
    window,
    x_axis,
)
from slosim.html.series import Columns, begun, spectrum
from slosim.report.text_tables import line_rows
from slosim.report.units import clock, duration, exact_share

SHARE_LABEL = (
    "datum.value < 0.1 ? '0%' : datum.value < 0.5 ? '50%' :"
    " format(100 - pow(10, 2 - datum.value), '.' + max(0, datum.value - 2) + 'f') + '%'"
)
SHARES = [0, math.log10(2), 1, 2, 3, 4, 5, 6]
LATENCY_AID = (
    "Read upwards from a share: so many complete within that time. Each step to the right is ten times rarer."
    " Dots are reported percentiles with their 95% intervals."
)
EVENT_LAG_AID = (
    "From published to first taken: how stale a message is when work on it begins. Read it like the latency"
    " above."
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
        {"data": {"name": "line 0"}, **line_mark("s", "c0", "step-before")},
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
    aid = LATENCY_AID + (OBJECTIVE_AID if promised else "")
    return replace(chart, aid=aid, what="End-to-end latency")


def runs_latency_chart(key: str, flow: str, its: dict[int, tuple[str, dict]]) -> Chart | None:
    """The latency of a flow in several runs; its: {number of the run: (its name, STAT)}."""
    curves = {number: (name, stat, spectrum(stat)) for number, (name, stat) in its.items()}
    curves = {number: one for number, one in curves.items() if one[2]["p"]}
    if not curves:
        return None
    all_rows: Columns = {"nines": [], "p": [], "s": [], "line": []}
    rows, marks = {}, []
    for number, (name, stat, curve) in curves.items():
        for column, values in curve.items():
            all_rows[column] += values
        all_rows["line"] += [name] * len(curve["p"])
        rows[f"run {number}"] = begun(curve, stat)
        marks.append(run_mark(number, "step-before"))
    rows["rows"] = _spoken(all_rows)
    keys = ("mean", "p50", "p90", "p95", "p99", "p99.9")
    table = Table(
        ["run", *keys, "maximum"],
        [
            [name, *(duration(stat[key]["value"]) for key in keys), duration(stat["max"])]
            for name, stat in its.values()
        ],
    )
    legend = [(run_colour(number), name) for number, (name, _, _) in curves.items()]
    return _spectrum_chart(key, flow, rows, marks, table, legend, max(all_rows["nines"]))


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
    aid = EVENT_LAG_AID
    if len(curves) > COLOURS:
        aid += f" Shown are the {COLOURS} of {len(curves)} with the highest p99; the table has all."
        latest = sorted(curves, key=lambda label: -its[label]["p99"]["value"])[:COLOURS]
        curves = {label: curve for label, curve in curves.items() if label in latest}
    all_rows: Columns = {"nines": [], "p": [], "s": [], "line": []}
    rows, marks, legend = {}, [], []
    for number, (label, curve) in enumerate(curves.items()):
        for name, values in curve.items():
            all_rows[name] += values
        all_rows["line"] += [label] * len(curve["p"])
        rows[f"line {number}"] = begun(curve, its[label])
        marks.append({"data": {"name": f"line {number}"}, **line_mark("s", palette(number), "step-before")})
        legend.append((palette(number), label))
    widest = max(all_rows["nines"])
    rows["rows"] = _spoken(all_rows)
    chart = _spectrum_chart("event-lag", "Event lag", rows, marks, table, legend, widest)
    return replace(chart, aid=aid)


def _event_lags(data: dict) -> dict[str, dict]:
    """{line: STAT} of the lines from which a message was taken."""
    return {label: line["event_lag_s"] for label, _, line in line_rows(data) if line["event_lag_s"]["count"]}


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
    fields = {"of all": "said"} | ({"line": "line"} if "line" in rows["rows"] else {})
    hover = {
        "mark": {"type": "point", "size": 60, "filled": True, "clip": True},
        "params": [ruler("nines", "s"), brush()],
        "encoding": {
            "y": {"field": "s"},
            "color": SHOWN_WHEN_NEAR,
            "tooltip": told(fields),
        },
    }
    axis = {"values": SHARES, "labelExpr": SHARE_LABEL, "title": "share of all that take at most this long"}
    spec = {
        "data": {"name": "rows"},
        "params": window(0.0, max(1.0, math.ceil(4 * widest) / 4)),
        "encoding": {
            "x": x_axis("nines", "quantitative", axis),
            "y": {
                "type": "quantitative",
                "scale": {"type": "log", "nice": False, "domain": _domain(rows)},
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
    return Chart(key, title, finished(spec, 260), rows, table, "", legend)


def _domain(rows: dict[str, Columns]) -> list[float]:
    """All seconds of a chart with a little room around them: a scale needs two different ends."""
    values = [
        value
        for columns in rows.values()
        for name in ("s", "low", "high")
        for value in columns.get(name, ())
        if value
    ]
    ratio = max(values) / min(values)
    room = ratio**0.02 if ratio > 1.1 else 2.0
    return [min(values) / room, max(values) * room]


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
