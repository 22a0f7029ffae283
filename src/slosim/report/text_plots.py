"""The text report's plots: lag over time and the distribution of event lag."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slosim.report import plots
from slosim.report.layout import Column, clean, cut, paint, table, title, width_of
from slosim.report.text_tables import line_rows
from slosim.report.units import (
    duration,
    share,
)

LOW_LINE = 0.05
"""Lines whose lag stays below this share of the highest one get a plot of one row."""
LOW_LAG = 10.0
"""So do lines whose mean lag stays below this."""
MARKED_FAULTS = 8


def lag_section(data: dict, width: int) -> list[str]:
    rows = list(line_rows(data))
    if not rows:
        return []
    run = data["run"]
    end, columns = run["duration_s"], width - plots.GUTTER
    highest = max(line["lag"]["max"] for _, _, line in rows)
    lines = [
        title(
            "LAG OVER TIME",
            "░ published and not settled, █ of these waiting; mean over replications, peaks kept",
            width,
        )
    ]
    for label, _, line in rows:
        series = line["series"]
        lag = plots.column_maxima(series["t_s"], series["lag"], end, columns)
        waiting = plots.column_maxima(series["t_s"], series["waiting"], end, columns)
        low = line["lag"]["max"] < LOW_LINE * highest or max(lag) < LOW_LAG
        lines.append(f"{'':{plots.GUTTER}}{paint(label, 'bold')}{' (lag only)' if low else ''}")
        lines += plots.area([], lag, 1) if low else plots.area(lag, waiting, 5)
    lines += plots.time_axis(end, run["warmup_s"], columns)
    spans: dict[str, list[tuple[float, float]]] = {}
    for one in data["faults"]:
        if one["start_s"] is None:  # at random, so at other times in each replication
            continue
        spans.setdefault(clean(one["name"]), []).append((one["start_s"], one["end_s"]))
    marked = list(spans.items())[:MARKED_FAULTS]
    lines += [paint(plots.span_marks(its, end, columns, name), "red") for name, its in marked]
    if len(spans) > len(marked):
        lines.append(f"{'':{plots.GUTTER}}and {len(spans) - len(marked)} more faults")
    return lines


def event_lag_section(data: dict, width: int) -> list[str]:
    rows = [
        (label, line["event_lag_s"]) for label, _, line in line_rows(data) if line["event_lag_s"]["count"]
    ]
    if not rows:
        return []
    at_once = [_at_once_ratio(stat) for _, stat in rows]
    numbers = [
        Column("topic → consumer", [cut(label, 34) for label, _ in rows], "<"),
        Column("at once", [share(ratio, 0) if any(at_once) else "" for ratio in at_once], keep=1),
        Column("p50", [duration(stat["p50"]["value"]) for _, stat in rows]),
        Column("p99", [duration(stat["p99"]["value"]) for _, stat in rows]),
        Column("max", [duration(stat["max"]) for _, stat in rows]),
    ]
    if not any(stat["max"] for _, stat in rows):
        return [title("EVENT LAG", "published to first taken", width), *table(numbers, width)]
    least, most = _decades(rows)
    columns = max(12, width - width_of(table(numbers, width)[1]) - 2)
    strips = [paint(_density(stat, least, most, columns), "cyan") for _, stat in rows]
    note = "published to first taken; logarithmic scale, each row to its own height"
    plot = Column(_decade_labels(least, most, columns), strips, "<")
    return [title("EVENT LAG", note, width), *table([*numbers, plot], width)]


def _at_once_ratio(stat: dict) -> float:
    """Share of messages taken the instant they were published (the lowest bucket)."""
    upper, counts = stat["histogram"]["upper"], stat["histogram"]["count"]
    at_once = counts[0] if upper and upper[0] < 2e-9 else 0
    return at_once / stat["count"]


def _decades(rows: Sequence[tuple[str, dict]]) -> tuple[int, int]:
    """Powers of ten around nearly all positive values; at least one decade, at most eight."""
    largest = max(stat["max"] for _, stat in rows)
    most = math.ceil(math.log10(largest)) if largest > 0 else 0
    lowest = most - 1
    for _, stat in rows:
        positive = [
            (u, c)
            for u, c in zip(stat["histogram"]["upper"], stat["histogram"]["count"], strict=True)
            if u > 2e-9
        ]
        enough, seen = 0.01 * sum(c for _, c in positive), 0
        for upper, number in positive:
            seen += number
            if seen > enough:
                lowest = min(lowest, math.floor(math.log10(upper)))
                break
    return max(lowest, most - 8), most


def _density(stat: dict, least: int, most: int, columns: int) -> str:
    positive = [
        (u, c)
        for u, c in zip(stat["histogram"]["upper"], stat["histogram"]["count"], strict=True)
        if u > 2e-9
    ]
    positions = [(math.log10(upper) - least) / (most - least) for upper, _ in positive]
    return plots.density(positions, [number for _, number in positive], columns)


def _decade_labels(least: int, most: int, columns: int) -> str:
    """Labels of the powers of ten, each where its decade begins, as many as have room."""
    labels = [" "] * columns
    free = 0
    for power in range(least, most + 1):
        text = _decade(power)
        at = min(round((power - least) / (most - least) * columns), columns - len(text))
        if at >= free:
            labels[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(labels)


def _decade(power: int) -> str:
    for base, unit in ((0, "s"), (-3, "ms"), (-6, "µs")):
        if power >= base:
            return f"{10 ** (power - base)}{unit}"
    return f"{10 ** (power + 9)}ns"
