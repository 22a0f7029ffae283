"""Series and distributions of the report as the points that a chart of this many pixels can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

PIXELS = 400
"""Columns into which a series is cut. Each keeps its lowest and highest value, so no peak is lost."""
ZERO_S = 2e-9
"""The lowest bucket of a histogram holds what is zero; its upper edge lies below this."""

Columns = dict[str, list]
"""Rows of a chart, column by column: all lists are equally long."""


def thinned(columns: Columns, pixels: int = PIXELS) -> Columns:
    """The rows that hold the lowest or highest value of any column in each of equal parts, in order.

    columns: the first one is the time and never decreases. None counts as nothing.
    """
    times, *others = columns.values()
    if len(times) <= 2 * pixels:
        return columns
    first, span = times[0], (times[-1] - times[0]) or 1.0
    kept = {0, len(times) - 1}
    for values in others:
        lowest: dict[int, int] = {}
        highest: dict[int, int] = {}
        for index, (time, value) in enumerate(zip(times, values, strict=True)):
            if value is None:
                continue
            column = min(int((time - first) / span * pixels), pixels - 1)
            if column not in lowest or value < values[lowest[column]]:
                lowest[column] = index
            if column not in highest or value > values[highest[column]]:
                highest[column] = index
        kept |= {*lowest.values(), *highest.values()}
    order = sorted(kept)
    return {name: [values[index] for index in order] for name, values in columns.items()}


def per_second(series: Columns, names: Sequence[str]) -> Columns:
    """Counts since the sample before as rates, 1/s; those of the first sample are in the first interval."""
    times = series["t_s"]
    rates: Columns = {"t_s": times[1:]}
    for name in names:
        counts = [sum(series[name][:2]), *series[name][2:]]
        lengths_s = (end - start for start, end in pairwise(times))
        rates[name] = [count / length_s for count, length_s in zip(counts, lengths_s, strict=False)]
    return rates


def spectrum(stat: dict, pixels: int = PIXELS) -> Columns:
    """A distribution (STAT) as {"nines": log10(1/(1-p)), "p": p, "s": seconds}: the share p takes at most s.

    Points are the upper edges of buckets, so each is exactly true of what was counted. Left out are the last
    one, which has no place on this axis (p = 1), zero, which has none on a logarithmic one, and what lies
    between the first and the last one of a pixel.
    """
    seen, points = 0, {}  # a pixel to its first and last point
    for upper, count in zip(stat["histogram"]["upper"], stat["histogram"]["count"], strict=True):
        seen += count
        beyond = stat["count"] - seen
        if upper < ZERO_S or not beyond:
            continue
        nines = math.log10(stat["count"] / beyond)
        point = (nines, seen / stat["count"], upper)
        points.setdefault(round(nines * pixels / 5), [point])[1:] = [point]
    kept = sorted({point for pixel in points.values() for point in pixel})
    return {name: [point[index] for point in kept] for index, name in enumerate(("nines", "p", "s"))}


def begun(curve: Columns, stat: dict) -> Columns:
    """The line of a spectrum: from the share that is zero on, at the height of the first point."""
    if not curve["p"]:
        return {"nines": [], "s": []}
    upper, counts = stat["histogram"]["upper"], stat["histogram"]["count"]
    zero = counts[0] if upper[0] < ZERO_S else 0
    start = math.log10(stat["count"] / (stat["count"] - zero))
    return {"nines": [start, *curve["nines"]], "s": [curve["s"][0], *curve["s"]]}


def budget_left(objective: dict, warmup_s: float) -> Columns:
    """{"t_s", "left"}: what is left of the error budget of this run at each sample, 1 at the warm-up.

    The budget is its share of everything good or bad in the whole run, so the last value is
    `remaining_in_run_ratio`; empty without a budget (a target of 100%, nothing counted).
    """
    allowed = objective["error_budget"]["budget_ratio"] * (
        objective["good"]["value"] + objective["bad"]["value"]
    )
    if not allowed:
        return {"t_s": [], "left": []}
    spent, times, left = 0.0, [], []
    for time, bad in zip(objective["series"]["t_s"], objective["series"]["bad"], strict=True):
        if time >= warmup_s:
            spent += bad
            times.append(time)
            left.append(1 - spent / allowed)
    return {"t_s": times, "left": left}


def highest_in_parts(times: Sequence[float], values: Sequence, parts: int) -> dict[int, float]:
    """{part: highest value} of each of equal parts of the samples' time that holds a value, for tables."""
    span, highest = (times[-1] - times[0]) or 1.0, {}
    for time, value in zip(times, values, strict=True):
        part = min(int((time - times[0]) / span * parts), parts - 1)
        if value is not None:
            highest[part] = max(value, highest.get(part, value))
    return highest


def every(times: Sequence[float], values: Sequence, parts: int) -> list[tuple[float, float]]:
    """(time, value) at the end of each of about equally many samples, for tables."""
    step = max(1, len(times) // parts)
    return list(zip(times, values, strict=True))[::-1][::step][::-1]
