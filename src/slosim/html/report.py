"""The page of a report: everything that its template shows, made from the report's data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from slosim.files import yaml_text
from slosim.html import distributions, over_time
from slosim.html.charts import Chart, Table, palette
from slosim.html.comparison import comparison_of
from slosim.html.drawing import drawing
from slosim.html.graph import graph_of
from slosim.html.page import page_of
from slosim.report import text_tables, text_theory, text_verdict
from slosim.report.differences import NamedReport
from slosim.report.layout import Column, whole
from slosim.report.text import command_again
from slosim.report.units import NOTHING, clock, count, duration, exact_share, plural, share, short

FATES = ("completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")
LOSSES = ("dead_lettered", "rejected", "expired", "dropped", "shed")
OUTCOMES = (
    ("succeeded", "good"),
    ("retried", "c2"),
    ("dead_lettered", "bad"),
    ("lost", "c3"),
)
"""What becomes of attempts, and the class of the style sheet."""


def html_of(data: dict[str, Any], source: str | None = None, baseline: NamedReport | None = None) -> str:
    """The whole file.

    source    the scenario as the command that reproduces it names it, None if unknown
    baseline  another report: what changes from it is shown, too
    """
    shown = content(data, source, baseline)
    return page_of("report.html", shown, data["run"]["version"], shown["all_charts"])


class Charts(NamedTuple):
    """All charts of a report, None where there is nothing to draw; `latencies`: by flow."""

    budgets: list[Chart]
    latencies: dict[str, Chart | None]
    lags: list[Chart]
    failures: list[Chart]
    age: Chart | None
    instances: Chart | None
    busy: Chart | None
    event_lag: Chart | None
    stations: list[Chart]

    @property
    def every(self) -> list[Chart]:
        alone = (self.age, self.instances, self.busy, self.event_lag)
        found = [*self.budgets, *self.latencies.values(), *self.lags, *self.failures, *alone, *self.stations]
        return [chart for chart in found if chart is not None]


def charts_of(data: dict) -> Charts:
    return Charts(
        budgets=over_time.budget_charts(data),
        latencies={
            flow: distributions.latency_chart(number, flow, data) for number, flow in enumerate(data["flows"])
        },
        lags=over_time.lag_charts(data),
        failures=over_time.failure_charts(data),
        age=over_time.age_chart(data),
        instances=over_time.instances_chart(data),
        busy=over_time.busy_chart(data),
        event_lag=distributions.event_lag_chart(data),
        stations=over_time.station_charts(data),
    )


def content(data: dict, source: str | None, baseline: NamedReport | None = None) -> dict[str, Any]:
    """What the template shows, by the names that it uses."""
    graph, charts = graph_of(data), charts_of(data)
    name = data["scenario"]["name"]
    changes = None if baseline is None else comparison_of(1, baseline, NamedReport(name, data))
    changing = [] if changes is None or changes.chart is None else [changes.chart]
    faults, more_faults = text_tables.first_of_each(data["faults"])
    return {
        "data": data,
        "run": data["run"],
        "name": name,
        "baseline": None if baseline is None else baseline.name,
        "changes": changes,
        "description": data["scenario"]["resolved"].get("description") or "",
        "sentence": text_verdict.verdict_sentence(data),
        "ran": ran(data),
        "tiles": [_tile(one, data) for one in data["objectives"]],
        "findings": [
            {"severe": one["rule"] in text_verdict.SEVERE, "text": one["text"]} for one in data["findings"]
        ],
        "system": drawing(graph),
        "system_downwards": drawing(graph, downwards=True),
        "edges": _edges(graph),
        "flows": [_flow(flow, data, chart) for flow, chart in charts.latencies.items()],
        "budgets": charts.budgets,
        "alerting": [number for number, one in enumerate(charts.budgets) if "fired" in one.rows],
        "lags": charts.lags,
        "failure_charts": charts.failures,
        "age": charts.age,
        "instances": charts.instances,
        "busy": charts.busy,
        "event_lag": charts.event_lag,
        "event_lag_table": distributions.event_lag_table(data),
        "station_charts": charts.stations,
        "alerts": _alerts(data),
        "silent": _silent(data),
        "faults": _table(text_tables.faults_columns(faults, data["run"])) if faults else None,
        "more_faults": [f"{count(number)} of {name}" for name, number in more_faults.items()],
        "attempts": _attempts(data),
        "failures": _table(text_tables.failures_columns(data)),
        "losses": _losses(data),
        "resting": text_tables.resting_sentence(data),
        "services": _table(text_tables.services_columns(data)),
        "topics": _table(text_tables.topics_columns(data)),
        "mechanisms": _table(text_tables.mechanisms_columns(data)),
        "dependencies": _table(text_tables.dependencies_columns(data)) if data["dependencies"] else None,
        "theory": _table(text_theory.theory_columns(data)),
        "assumptions": _assumptions(data),
        "scenario_yaml": yaml_text(data["scenario"]["resolved"]),
        "provenance": _provenance(data, source),
        "all_charts": [*changing, *charts.every],
        "clock": clock,
    }


def _table(columns: Sequence[Column]) -> Table | None:
    """A table of the text report; None where that is empty."""
    shown = whole(columns)
    rows = [list(row) for row in zip(*(column.cells for column in shown), strict=True)]
    words = [index for index, column in enumerate(shown) if index and column.align == "<"]
    return Table([column.title for column in shown], rows, words) if shown else None


def ran(data: dict) -> str:
    """How much was simulated: `10 replications of 2h, measured from 10m on, seed 7`."""
    run = data["run"]
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    replications = plural(run["replications"], "replication")
    return f"{replications} of {clock(run['duration_s'])}{warmup}, seed {run['seed']}"


def _tile(objective: dict, data: dict) -> dict[str, Any]:
    """What the tile of an objective shows: `left_ratio` is cut to what a bar can show."""
    budget = objective["error_budget"]
    left, rate = budget["remaining_in_run_ratio"]["value"], budget["burn_rate"]["value"]
    window = clock(text_verdict.window_s(objective)) if objective["alerts"] else ""
    consumed = budget["consumed_of_window_ratio"]["value"]
    return {
        "name": objective["name"],
        "verdict": objective["verdict"],
        "promise": text_verdict.promise(objective, data),
        "target": exact_share(objective["target_ratio"]),
        "measured": share(objective["sli_ratio"]["value"], text_verdict.decimals_of(objective)),
        "interval": text_verdict.interval_of(objective),
        "left": share(left),
        "left_ratio": None if left is None else min(max(left, 0.0), 1.0),
        "overspent": left is not None and left < 0,
        "burn_rate": text_verdict.times(rate),
        "consumed": "" if consumed is None else f"{share(consumed)} of the budget of {window}",
        "counted": "" if objective["good"]["value"] is None else text_verdict.counted(objective),
    }


def _edges(graph: Any) -> Table:
    """The drawing as a table: what each box holds, and where it leads."""
    rows = []
    for key, node in graph.nodes.items():
        leads = [
            f"{graph.nodes[edge.target].name}{f' ({edge.label})' if edge.label else ''}"
            for edge in graph.edges
            if edge.source == key
        ]
        used = share(node.used_ratio, 0) if node.used_ratio is not None else NOTHING
        rows.append([node.name, node.kind, used, "; ".join(node.rows), ", ".join(leads), node.mark])
    return Table(["name", "what", "busy", "measured", "leads to", "limit"], rows)


def _flow(name: str, data: dict, chart: Chart | None) -> dict[str, Any]:
    flow = data["flows"][name]
    started = flow["started"]["value"]
    fates = [
        (fate.replace("_", " "), count(flow[fate]["value"]), share(flow[fate]["value"] / started))
        for fate in FATES
        if started and (flow[fate]["value"] or fate == "completed")
    ]
    shown = bool(flow["latency_s"]["count"])
    parts = text_tables.shares_of_latency(flow["where_time_goes_s"]) if shown else {}
    return {
        "name": name,
        "route": _route(data["scenario"]["resolved"].get("flows", {}).get(name)),
        "started": count(started),
        "fates": fates,
        "chart": chart,
        "percentiles": _table(text_tables.latency_columns(flow)) if shown else None,
        "parts": [
            {
                "name": part,
                "cells": [
                    {
                        "text": duration(seconds),
                        "share": share(ratio, 0),
                        "ratio": ratio,
                        "colour": palette(column),
                    }
                    for column, (seconds, ratio) in enumerate(its.values())
                ],
            }
            for part, its in parts.items()
        ],
    }


def _route(declared: dict | None) -> str:
    if not declared:
        return ""
    to = declared["to"]
    return f"{declared['from']} → {to if isinstance(to, str) else ', '.join(to)}"


def _alerts(data: dict) -> Table | None:
    fired = [
        (objective, alert)
        for objective in data["objectives"]
        for alert in objective["alerts"]
        if alert["fired_ratio"]
    ]
    return _table(text_verdict.alerts_columns(fired, data)) if fired else None


def _silent(data: dict) -> str:
    alerts = [alert for objective in data["objectives"] for alert in objective["alerts"]]
    never = sum(not alert["evaluable"] for alert in alerts)
    silent = sum(not alert["fired_ratio"] for alert in alerts) - never
    words = [f"{plural(silent, 'alert')} would have stayed silent"] if silent else []
    words += [f"{plural(never, 'alert')} can never fire"] if never else []
    return "; ".join(words)


def _attempts(data: dict) -> list[dict[str, Any]]:
    """Of each service, what became of its attempts, as shares of them."""
    rows = []
    for name, one in data["services"].items():
        attempts = one["attempts"]["value"]
        if not attempts:
            continue
        per_message = one["attempts_per_message"]["value"]
        rows.append(
            {
                "name": name,
                "attempts": short(attempts),
                "per_message": NOTHING if per_message is None else f"{per_message:.3f}",
                "parts": [
                    (what.replace("_", " "), kind, ratio, share(ratio))
                    for what, kind in OUTCOMES
                    if (ratio := one[what]["value"] / attempts)
                ],
            }
        )
    return rows


def _losses(data: dict) -> Table | None:
    """What left each line without a success, in all the ways that occur."""
    rows = list(text_tables.line_rows(data))
    ways = [way for way in LOSSES if any(line[way]["value"] for _, _, line in rows)]
    if not ways:
        return None
    return Table(
        ["topic → consumer", "published", "finished", *(way.replace("_", " ") for way in ways)],
        [
            [
                label,
                count(topic["published"]["value"]),
                count(line["finished"]["value"]),
                *(count(line[way]["value"]) for way in ways),
            ]
            for label, topic, line in rows
        ],
    )


def _assumptions(data: dict) -> list[tuple[str, str, str]]:
    """(station, assumption of its closed form, why it does not hold or nothing)."""
    return [
        (name, one["what"], ", ".join(one["against"]))
        for kind in ("services", "dependencies")
        for name, its in data[kind].items()
        if its["theory"] is not None
        for one in its["theory"]["assumptions"]
    ]


def _provenance(data: dict, source: str | None) -> list[tuple[str, str]]:
    run = data["run"]
    rows = [
        ("slosim", run["version"]),
        ("scenario digest", data["scenario"]["digest"]),
        ("seed", str(run["seed"])),
        ("replications", str(run["replications"])),
        ("simulated time of each", clock(run["duration_s"])),
        ("measured from", clock(run["warmup_s"])),
        ("report format", data["format"]),
        ("to reproduce", command_again(data, source)),
    ]
    if "stopped" in run:
        rows.insert(6, ("stopped early", f"at {clock(run['ended_s'])}: {run['stopped']}"))
    return rows
