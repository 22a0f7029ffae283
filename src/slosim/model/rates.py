"""How often producers publish, from the numbers of their arrivals alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

from slosim.model.arrivals import Bernoulli, Bursts, Clients, Counts, Every, Poisson, Trace
from slosim.model.topology import Producer

At = Literal["mean", "peak"]
MESSAGES_MOST = 1e12
"""Of one producer in one run: weeks of simulation. More is a mistake, and the clock of a run, which gaps
below its resolution do not advance, might never end.
"""


def expected_messages(producer: Producer, duration_s: float) -> float:
    """Mean number that a producer publishes in a run, its copies included; 0 of clients, who wait, and of a
    trace, which is as long as its file.
    """
    if isinstance(producer.arrivals, Clients | Trace):
        return 0.0
    return producer.copies * producer_rate_per_s(producer, duration_s) * duration_s


def producer_rate_per_s(producer: Producer, duration_s: float, at: At = "mean") -> float:
    """Publishes per second of one producer (before `copies`): mean over [0, duration), or the highest.

    Of clients, the most that they could publish if each were answered at once.
    """
    arrivals = producer.arrivals
    if isinstance(arrivals, Clients):
        thinking = arrivals.think_time.mean()
        return math.inf if thinking == 0 else arrivals.count / thinking
    if isinstance(arrivals, Bernoulli):
        return arrivals.probability / arrivals.every
    if isinstance(arrivals, Bursts):
        if at == "peak":
            return max(arrivals.rate, arrivals.idle_rate)
        on, off = arrivals.on.mean(), arrivals.off.mean()
        return (arrivals.rate * on + arrivals.idle_rate * off) / (on + off)
    if isinstance(arrivals, Trace):
        return _trace_rate_per_s(arrivals.times, duration_s, at)
    if isinstance(arrivals, Counts):
        return _counts_rate_per_s(arrivals, duration_s, at)
    if isinstance(arrivals, Poisson):
        rate = arrivals.rate
    elif isinstance(arrivals, Every):
        rate = 1.0 / arrivals.interval
    else:
        rate = 1.0 / arrivals.gap.mean()
    points = [(point.at, point.factor) for point in arrivals.profile]
    return rate * profile_factor(points, arrivals.repeat, duration_s, at)


def profile_factor(
    points: list[tuple[float, float]], repeat_s: float | None, duration_s: float, at: At = "mean"
) -> float:
    """Mean or highest factor over [0, duration) of a profile of (time in s, factor); 1.0 without points.

    Straight lines between points, the first and the last hold; `repeat_s` later it starts again.
    """
    if not points:
        return 1.0
    period = min(repeat_s or duration_s, duration_s)
    if at == "peak":
        return max(max(first, last) for _, first, _, last in _straight_parts(points, period))
    whole = math.floor(duration_s / period)
    rest = duration_s - whole * period
    return (whole * _factor_integral(points, period) + _factor_integral(points, rest)) / duration_s


def _trace_rate_per_s(times: Sequence[float], duration_s: float, at: At) -> float:
    """Mean rate of a trace, or its highest over one minute (over the duration, if that is shorter)."""
    inside = [t for t in times if t < duration_s]
    if at == "mean":
        return len(inside) / duration_s
    window = min(60.0, duration_s)
    counts: dict[int, int] = {}
    for t in inside:
        counts[int(t // window)] = counts.get(int(t // window), 0) + 1
    return max(counts.values(), default=0) / window


def _counts_rate_per_s(arrivals: Counts, duration_s: float, at: At) -> float:
    """Mean rate of counted intervals cut to the duration, or the highest rate of one of them."""
    total, highest = 0.0, 0.0
    for start, count, end in zip(arrivals.starts, arrivals.counts, arrivals.ends, strict=True):
        if start < duration_s:
            rate = count / (end - start)
            total += rate * (min(end, duration_s) - start)
            highest = max(highest, rate)
    return highest if at == "peak" else total / duration_s


def _straight_parts(
    points: list[tuple[float, float]], until: float
) -> Iterator[tuple[float, float, float, float]]:
    """(start, factor, end, factor) of each straight part of a profile within [0, until)."""
    held = [(0.0, points[0][1]), *points, (math.inf, points[-1][1])]
    for (start, first), (end, last) in pairwise(held):
        if start < end and start < until:  # two points at one time are a step
            cut = min(end, until)
            yield start, first, cut, first + (last - first) * ((cut - start) / (end - start))


def _factor_integral(points: list[tuple[float, float]], until: float) -> float:
    """Integral of the factor over [0, until), exact."""
    return sum(
        0.5 * (first + last) * (end - start) for start, first, end, last in _straight_parts(points, until)
    )
