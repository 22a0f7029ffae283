"""The page of several reports side by side: what changes from the first one to each of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from slosim.html import distributions, over_time
from slosim.html.charts import COLOURS, SECONDS_LABEL, Chart, Table, run_colour
from slosim.html.comparison import comparison_of
from slosim.html.page import page_of
from slosim.html.series import budget_left
from slosim.report import text_tables, text_verdict
from slosim.report.differences import NamedReport
from slosim.report.units import clock, duration, exact_share, share

RUNS_MOST = COLOURS
"""Each run has a colour of its own."""


LINES_MOST = 12
"""Lines whose lag is drawn over time; a page of fifty charts is read by nobody."""
PARTS = (("mean", "mean"), ("slowest_1%", "slowest 1%"))


def html_of_runs(runs: Sequence[NamedReport]) -> str:
    """The whole file, of two to RUNS_MOST reports with different names."""
    shown = content(runs)
    return page_of("runs.html", shown, runs[-1].data["run"]["version"], shown["all_charts"])


def content(runs: Sequence[NamedReport]) -> dict[str, Any]:
    """What the template shows, by the names that it uses."""
    first, *others = runs
    comparisons = [comparison_of(number, first, run) for number, run in enumerate(others, start=1)]
    shared = _shared(runs)
    flows = [_flow(number, name, runs) for number, name in enumerate(_names(runs, "flows"))]
    series = _series(runs)
    budgets, lines = list(_budgets(runs, shared)), list(_lines(runs, _highest(series), shared))
    charts = [
        *(one.chart for one in comparisons),
        *(one["chart"] for one in flows),
        *budgets,
        *(chart for one in lines for chart in one["charts"]),
    ]
    return {
        "title": ", ".join(run.name for run in runs),
        "first": first.name,
        "runs": [_run(number, run) for number, run in enumerate(runs)],
        "comparisons": comparisons,
        "objectives": list(_objectives(runs)),
        "flows": flows,
        "budgets": budgets,
        "lines": lines,
        "more_lines": max(0, len(series) - LINES_MOST),
        "provenance": _provenance(runs),
        "all_charts": [chart for chart in charts if chart is not None],
    }


def _names(runs: Sequence[NamedReport], part: str) -> list[str]:
    """Of flows, services and so on: those of all runs, in the order in which they come."""
    return list(dict.fromkeys(name for run in runs for name in run.data[part]))


def _run(number: int, run: NamedReport) -> dict[str, Any]:
    return {
        "name": run.name,
        "colour": run_colour(number),
        "scenario": run.data["scenario"]["name"],
        "verdict": run.data["verdict"],
        "sentence": text_verdict.verdict_sentence(run.data).partition(". ")[
            2
        ],  # the verdict stands before it
        "stopped": run.data["run"].get("stopped", ""),
    }


def _objectives(runs: Sequence[NamedReport]) -> Iterator[dict[str, Any]]:
    """Of each objective that any run has, what came of it in all of them."""
    found = [{one["name"]: one for one in run.data["objectives"]} for run in runs]
    for name in dict.fromkeys(name for its in found for name in its):
        having = [(its[name], run.data) for its, run in zip(found, runs, strict=True) if name in its]
        targets = dict.fromkeys(one["target_ratio"] for one, _ in having)
        yield {
            "name": name,
            "promise": text_verdict.promise(*having[0]),
            "target": exact_share(next(iter(targets))) if len(targets) == 1 else "",
            "rows": [
                _outcome(number, run, its.get(name))
                for number, (its, run) in enumerate(zip(found, runs, strict=True))
            ],
        }


def _outcome(number: int, run: NamedReport, objective: dict[str, Any] | None) -> dict[str, Any]:
    """A row of a tile; without the objective nothing but the run."""
    its = {"name": run.name, "colour": run_colour(number)}
    if objective is None:
        return {**its, "verdict": ""}
    return {
        **its,
        "verdict": objective["verdict"],
        "measured": share(objective["sli_ratio"]["value"], text_verdict.decimals_of(objective)),
        "interval": text_verdict.interval_of(objective),
        "target": exact_share(objective["target_ratio"]),
        "left": share(objective["error_budget"]["remaining_in_run_ratio"]["value"]),
    }


def _flow(number: int, name: str, runs: Sequence[NamedReport]) -> dict[str, Any]:
    """Latency, and where the time goes, of a flow in all runs that have it."""
    its = {
        at: (run.name, run.data["flows"][name]) for at, run in enumerate(runs) if name in run.data["flows"]
    }
    its = {at: one for at, one in its.items() if one[1]["latency_s"]["count"]}
    stats = {at: (label, flow["latency_s"]) for at, (label, flow) in its.items()}
    return {
        "name": name,
        "missing": [run.name for at, run in enumerate(runs) if at not in its],
        "chart": distributions.runs_latency_chart(f"latency-{number}", name, stats),
        "parts": [_parts(key, words, its) for key, words in PARTS] if its else [],
    }


def _parts(key: str, heading: str, its: dict[int, tuple[str, dict]]) -> dict[str, Any]:
    """Rows of the parts worth showing in any run, with a cell for each run; bars are to the longest one."""
    shown = [
        part for _, flow in its.values() for part in text_tables.shares_of_latency(flow["where_time_goes_s"])
    ]
    seconds = {
        at: {part: one["value"] or 0.0 for part, one in flow["where_time_goes_s"][key].items()}
        for at, (_, flow) in its.items()
    }
    longest = max((value for one in seconds.values() for value in one.values()), default=0.0) or 1.0
    return {
        "heading": heading,
        "runs": [{"name": label, "colour": run_colour(at)} for at, (label, _) in its.items()],
        "rows": [
            {
                "name": part,
                "cells": [
                    {
                        "text": duration(one.get(part)),
                        "share": "",
                        "ratio": one.get(part, 0.0) / longest,
                        "colour": run_colour(at),
                    }
                    for at, one in seconds.items()
                ],
            }
            for part in dict.fromkeys(shown)
        ],
    }


# ---- over time ---------------------------------------------------------------------------------------------


def _shared(runs: Sequence[NamedReport]) -> dict[str, Any]:
    """In place of a report's data: the longest run, and the faults of all."""
    faults = {(one["name"], one["start_s"], one["end_s"]): one for run in runs for one in run.data["faults"]}
    return {
        "run": {key: max(run.data["run"][key] for run in runs) for key in ("duration_s", "warmup_s")},
        "faults": list(faults.values()),
    }


def _budgets(runs: Sequence[NamedReport], shared: dict[str, Any]) -> Iterator[Chart]:
    """What is left of the error budget of each objective."""
    its: dict[str, dict[int, tuple[str, list, list]]] = {}
    for at, run in enumerate(runs):
        for one in run.data["objectives"]:
            left = budget_left(one, run.data["run"]["warmup_s"])
            its.setdefault(one["name"], {})[at] = (run.name, left["t_s"], left["left"])
    for number, (name, lines) in enumerate(its.items()):
        chart = over_time.runs_chart(
            f"budget-{number}", name, lines, shared, form=share, axis={"format": "~%"}
        )
        if chart is not None:
            yield replace(chart, what="Error budget")


SERIES = (
    ("lag", "Lag", "published and not settled", {}),
    ("waiting", "Waiting", "of these visible and not taken", {}),
    (
        "age_s",
        "Age of the oldest",
        "time since it was published",
        {"form": duration, "axis": {"labelExpr": SECONDS_LABEL}},
    ),
)
"""Column of a line, title, how to read it, and how it is written."""


Series = dict[str, dict[int, dict[str, list]]]
"""{line: {number of the run: its series}}"""


def _series(runs: Sequence[NamedReport]) -> Series:
    its: Series = {}
    for at, run in enumerate(runs):
        for label, _, line in text_tables.line_rows(run.data):
            its.setdefault(label, {})[at] = line["series"]
    return its


def _highest(its: Series) -> Series:
    """The LINES_MOST lines whose lag rises highest in any run, in their order."""

    def peak(label: str) -> float:
        return max(max(one["lag"], default=0.0) for one in its[label].values())

    kept = sorted(its, key=peak, reverse=True)[:LINES_MOST]
    return {label: one for label, one in its.items() if label in kept}


def _lines(runs: Sequence[NamedReport], its: Series, shared: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Charts of lag, waiting and age of each line, where they are not nothing in all runs."""
    for number, (label, lines) in enumerate(its.items()):
        charts = []
        for column, title, aid, form in SERIES:
            series = {at: (runs[at].name, one["t_s"], one[column]) for at, one in lines.items()}
            if not any(any(values) for _, _, values in series.values()):
                continue
            chart = over_time.runs_chart(f"{column}-{number}", f"{title}: {label}", series, shared, **form)
            if chart is not None:
                charts.append(replace(chart, aid=f"{title}: {aid}."))
        if charts:
            yield {"name": label, "charts": charts}


def _provenance(runs: Sequence[NamedReport]) -> Table:
    """A row for each run."""
    headings = [
        "run",
        "scenario",
        "digest",
        "slosim",
        "seed",
        "replications",
        "each",
        "measured from",
        "stopped",
    ]
    rows = []
    for name, data in runs:
        run = data["run"]
        stopped = f"at {clock(run['ended_s'])}: {run['stopped']}" if "stopped" in run else ""
        rows.append(
            [
                *(name, data["scenario"]["name"], data["scenario"]["digest"][:12], run["version"]),
                *(str(run["seed"]), str(run["replications"])),
                *(clock(run["duration_s"]), clock(run["warmup_s"]), stopped),
            ]
        )
    kept = headings if any(row[-1] for row in rows) else headings[:-1]
    return Table(kept, [row[: len(kept)] for row in rows])
