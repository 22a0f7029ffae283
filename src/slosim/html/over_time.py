"""Charts over the time of a run: backlog, age, failures, slots, error budgets. They zoom together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from slosim.html.charts import (
    COLOURS,
    SECONDS_LABEL,
    SHOWN_WHEN_NEAR,
    Chart,
    Table,
    brush,
    colour,
    filled_line,
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
from slosim.html.series import PIXELS, Columns, budget_left, every, highest_in_parts, per_second, thinned
from slosim.report.text_tables import line_rows
from slosim.report.units import clock, duration, share, short

TIME = "time"
TABLE_PARTS = 24
"""Rows of the table of a series: the highest value in each of so many equal parts."""
NAMED_FAULTS = 3
"""Faults that a legend names."""
COUNT_LABEL = "format(datum.value, abs(datum.value) < 1 ? '~g' : '~s')"
"""Thousandths are not 'm', which says minutes beside a time."""
TIME_LABEL = (
    "(datum.value >= 864e5 ? floor(datum.value / 864e5) + 'd' : '')"
    " + (floor(datum.value / 36e5) % 24 > 0 ? floor(datum.value / 36e5) % 24 + 'h' : '')"
    " + (floor(datum.value / 6e4) % 60 > 0 ? floor(datum.value / 6e4) % 60 + 'm' : '')"
    " + (floor(datum.value / 1e3) % 60 > 0 ? floor(datum.value / 1e3) % 60 + 's' : '')"
    " + (datum.value % 1e3 > 0 ? datum.value % 1e3 + 'ms' : '')"
    " + (datum.value == 0 ? '0' : '')"
)


def lag_charts(data: dict) -> list[Chart]:
    """What has been published and is not settled, and what of it waits: a chart for each line."""
    charts = []
    for number, (label, _, line) in enumerate(line_rows(data)):
        series = line["series"]
        if not series["t_s"]:
            continue
        rows = thinned({"t_s": series["t_s"], "lag": series["lag"], "waiting": series["waiting"]})
        marks = [*filled_line("lag", "lag"), *filled_line("waiting", "waiting")]
        chart = _over_time(
            f"lag-{number}",
            label,
            rows,
            {"lag": "lag", "waiting": "waiting"},
            marks,
            data,
            legend=[("lag", "published and not settled"), ("waiting", "of these waiting")],
        )
        charts.append(replace(chart, what="Backlog"))
    return charts


def age_chart(data: dict) -> Chart | None:
    its = {label: (line["series"]["t_s"], line["series"]["age_s"]) for label, _, line in line_rows(data)}
    aid = "How long ago the oldest message of the lag was published: what a late customer sees."
    return _many_over_time(
        "age", "Age of the oldest message", aid, its, data, form=duration, axis=SECONDS_LABEL
    )


def failure_charts(data: dict) -> list[Chart]:
    """What failed and what was tried again, per second: a chart for each service where anything did."""
    charts = []
    for number, (name, one) in enumerate(data["services"].items()):
        if "failed" not in one["series"]:  # as in reports of earlier versions
            continue
        rates = per_second(one["series"], ("failed", "retried", "attempts"))
        if not any(rates["failed"]):
            continue
        marks = [*filled_line("failed", "bad"), *filled_line("retried", "c2")]
        chart = _over_time(
            f"failures-{number}",
            name,
            thinned(rates),
            {"failed": "failed/s", "retried": "retried/s", "attempts": "attempts/s"},
            marks,
            data,
            legend=[("bad", "failed per second"), ("c2", "of these retried")],
        )
        charts.append(replace(chart, what="Failures"))
    return charts


def instances_chart(data: dict) -> Chart | None:
    its = {name: (one["series"]["t_s"], one["series"]["instances"]) for name, one in data["services"].items()}
    aid = "How many are there to do the work."
    return _many_over_time("instances", "Instances that are up", aid, its, data, step=True)


def busy_chart(data: dict) -> Chart | None:
    its = {name: (one["series"]["t_s"], one["series"]["busy"]) for name, one in data["services"].items()}
    aid = "How many slots are in use at once; flat at the top is saturated."
    return _many_over_time("busy", "Busy slots", aid, its, data)


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
        chart = _many_over_time(key, title, aid, its, data)
        if chart is not None:
            charts.append(chart)
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
            *filled_line("left", "budget", zero=True),
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
        table = Table(
            ["at", "budget left"],
            [
                [clock(time), share(left)]
                for time, left in every(columns["t_s"], columns["left"], TABLE_PARTS)
            ],
        )
        charts.append(replace(chart, table=table, what="Error budget"))
    return charts


def _many_over_time(
    key: str,
    title: str,
    aid: str,
    its: dict[str, tuple[list, list]],
    data: dict,
    form: Any = short,
    axis: str = "",
    step: bool = False,
) -> Chart | None:
    """One chart with a line for each name, as many as there are colours; all have the sample times of the
    run.
    """
    every = len(its)
    if every > COLOURS:
        kept = sorted(its, key=lambda name: -_range(its[name][1]))[:COLOURS]
        its = {name: one for name, one in its.items() if name in kept}
        title = f"{title}: the {COLOURS} of {every} that change most"
    names = list(its)
    times = max((times for times, _ in its.values()), key=len, default=[])
    if not times:
        return None
    columns: Columns = {"t_s": times}
    columns |= {f"s{number}": _padded(values, len(times)) for number, (_, values) in enumerate(its.values())}
    marks = [
        line_mark(f"s{number}", palette(number), "step-after" if step else "linear")
        for number in range(len(names))
    ]
    chart = _over_time(
        key,
        title,
        thinned(columns),
        {f"s{number}": name for number, name in enumerate(names)},
        marks,
        data,
        form=form,
        axis={"labelExpr": axis} if axis else None,
        legend=[(palette(number), name) for number, name in enumerate(names)],
    )
    return replace(chart, aid=aid)


def runs_chart(
    key: str,
    title: str,
    its: dict[int, tuple[str, list, list]],
    shared: dict,
    form: Any = short,
    axis: dict | None = None,
) -> Chart | None:
    """The same series of several runs, each at its own times.

    its: {number of the run: (its name, times s, values)}; shared: what takes the place of a report's data.
    """
    its = {number: one for number, one in its.items() if one[1]}
    if not its:
        return None
    every_time = {time for _, times, _ in its.values() for time in times}
    columns: Columns = {"t_s": _spread(sorted(every_time), PIXELS)}
    for number, (_, times, values) in its.items():
        columns[f"s{number}"] = _latest(columns["t_s"], times, values)
    chart = _over_time(
        key,
        title,
        columns,
        {f"s{number}": name for number, (name, _, _) in its.items()},
        [run_mark(number) for number in its],
        shared,
        form=form,
        axis=axis,
        legend=[(run_colour(number), name) for number, (name, _, _) in its.items()],
    )
    lines = {
        f"run {number}": thinned({"t_s": times, "s": values}) for number, (_, times, values) in its.items()
    }
    return replace(chart, rows=chart.rows | lines)


def _spread(times: Sequence[float], most: int) -> list[float]:
    """At most so many of the times, evenly, and the last one."""
    step = -(-len(times) // most)
    return [*times[:-1:step], times[-1]]


def _latest(at: Sequence[float], times: Sequence[float], values: Sequence) -> list:
    """The value that was the last one at each time; None before the first one and behind the last one."""
    found = []
    for time in at:
        index = bisect_right(times, time) - 1
        found.append(values[index] if index >= 0 and time <= times[-1] else None)
    return found


def _range(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return max(known) - min(known) if known else 0.0


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
    y_axis = {"title": None, "tickCount": 4, "minExtent": 56, "maxExtent": 56}
    y_axis |= axis or {"labelExpr": COUNT_LABEL}
    hover = {
        "mark": {"type": "rule", "strokeWidth": 1, "clip": True},
        "params": [ruler("t"), brush()],
        "encoding": {
            "color": SHOWN_WHEN_NEAR,
            "tooltip": told({"at time": "at"} | {words: f"{name} text" for name, words in named.items()}),
        },
    }
    spec = {
        "data": {"name": "rows"},
        "params": window(0.0, 1e3 * run["duration_s"]),
        "encoding": {
            "x": x_axis(
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
    return Chart(key, title, finished(spec, 130), rows, table, TIME, [*legend, *shaded])


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
