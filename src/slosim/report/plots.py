"""Small plots for a terminal, made of block characters."""

from __future__ import annotations

import math
from collections.abc import Sequence

from slosim.report.units import clock, short

EIGHTHS = " ▁▂▃▄▅▆▇█"
GUTTER = 8
"""Columns left of a plot: the label of the axis and the axis itself."""


def column_maxima(
    times_s: Sequence[float], values: Sequence[float], end_s: float, columns: int
) -> list[float]:
    """The largest value in each of equal parts of [0, end); one without a sample repeats the last.

    Parts that begin later than a sample's time after the last sample (the run was stopped) are empty: 0.
    """
    maxima: list[float | None] = [None] * columns
    for time, value in zip(times_s, values, strict=True):
        column = min(int(time / end_s * columns), columns - 1)
        before = maxima[column]
        maxima[column] = value if before is None else max(before, value)
    step_s = times_s[1] - times_s[0] if len(times_s) > 1 else 0.0
    known_s = times_s[-1] + step_s if times_s else 0.0
    filled, last = [], 0.0
    for column, value in enumerate(maxima):
        last = value if value is not None else last if column / columns * end_s < known_s else 0.0
        filled.append(last)
    return filled


def column_extremes(
    times_s: Sequence[float], values: Sequence[float], end_s: float, columns: int
) -> list[float]:
    """Of each of equal parts of [0, end) the value that is furthest from the mean: peaks and dips."""
    mean = sum(values) / len(values) if values else 0.0
    highest = column_maxima(times_s, values, end_s, columns)
    lowest = [-value for value in column_maxima(times_s, [-value for value in values], end_s, columns)]
    return [
        high if abs(high - mean) >= abs(low - mean) else low
        for high, low in zip(highest, lowest, strict=True)
    ]


def area(whole: Sequence[float], part: Sequence[float], height: int) -> list[str]:
    """A filled plot of `whole` (shaded; may be empty) and, in front of it, `part` (solid)."""
    whole = whole or [0.0] * len(part)
    top = max(*whole, *part)
    scale = height * 8 / top if top > 0 else 0.0
    rows = []
    for row in range(height - 1, -1, -1):
        cells = "".join(
            _cell(w * scale - 8 * row, p * scale - 8 * row) for w, p in zip(whole, part, strict=True)
        )
        label = short(top) if row == height - 1 else ""
        rows.append(f"{label:>{GUTTER - 2}} {'┤' if label else '│'}{cells}")
    return rows


def _cell(whole: float, part: float) -> str:
    """One character of a plot; heights of both series above the lower edge of the cell, in eighths."""
    if part >= 0.5:
        return EIGHTHS[min(8, max(1, round(part)))]
    return "░" if whole >= 0.5 else " "


def time_axis(end_s: float, warmup_s: float, columns: int) -> list[str]:
    """Two lines: the axis, dotted during the warm-up, and its labels."""
    warm = int(warmup_s / end_s * columns)
    line = list("┄" * warm + "─" * (columns - warm))
    labels = [" "] * (columns + GUTTER)
    for time in _ticks(end_s, columns // 12):
        column = int(time / end_s * columns)
        if 0 < column < columns:
            line[column] = "┬"
        text = clock(time)
        at = GUTTER + min(column, columns - len(text))
        labels[at : at + len(text)] = text
    return [f"{'0':>{GUTTER - 2}} ┼{''.join(line)}", "".join(labels)]


def _ticks(end_s: float, most: int) -> list[float]:
    """Round times from 0 on, at most `most` and one."""
    steps = [base * 10.0**power for power in range(-6, 1) for base in (1, 2, 5)]
    steps += [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400]
    steps += [86400 * base * 10.0**power for power in range(6) for base in (1, 2, 5)]
    step = next((step for step in steps if end_s / step <= max(most, 1)), end_s)
    return [index * step for index in range(int(end_s / step * (1 + 1e-9)) + 1)]


def span_marks(spans: Sequence[tuple[float, float]], run_s: float, columns: int, label: str) -> str:
    """A line under the axis that marks spans of time and names them, after them or before."""
    row = [" "] * (GUTTER + columns)
    for start_s, end_s in spans:
        first = min(int(start_s / run_s * columns), columns - 1)
        last = max(first + 1, math.ceil(min(end_s, run_s) / run_s * columns))
        row[GUTTER + first : GUTTER + last] = "▲" * (last - first)
    marks = "".join(row).rstrip()
    if len(marks) + 1 + len(label) <= len(row):
        return f"{marks} {label}"
    before = len(marks) - len(marks.lstrip()) - 1
    return f"{label[:before]:>{before}} {marks.lstrip()}"


def density(positions: Sequence[float], counts: Sequence[float], columns: int) -> str:
    """A line of bars: how many lie in each of equal parts of [0, 1), the fullest one full height."""
    bins = [0.0] * columns
    for position, count in zip(positions, counts, strict=True):
        bins[min(max(int(position * columns), 0), columns - 1)] += count
    top = max(bins, default=0.0)
    return "".join(EIGHTHS[max(1, math.ceil(8 * one / top)) if one and top else 0] for one in bins)


def sparkline(values: Sequence[float]) -> str:
    """A line of bars from 0 to the largest value; anything above 0 shows."""
    top = max(values, default=0.0)
    return "".join(EIGHTHS[max(1, round(8 * one / top)) if one > 0 else 0] for one in values)


def bar(ratio: float, columns: int) -> str:
    """A bar of `columns` at ratio 1, in eighths of a column."""
    eighths = round(min(max(ratio, 0.0), 1.0) * columns * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
