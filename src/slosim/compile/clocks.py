"""Timelines of a run: a producer's clock (rule S8) and a service's faults (rule S32) as rows, in turn."""

from __future__ import annotations

import numpy as np

from slosim.compile.program import CLOCK, EFFECT, RATE
from slosim.model import Fault, Scenario


def faults_on(scenario: Scenario, target: str) -> list[tuple[float, float, Fault]]:
    """(start, end, fault) of every occurrence of every fault on a target."""
    return [
        (start, end, fault)
        for fault in scenario.faults
        if fault.target == target
        for start, end in fault.occurrences(scenario.run.duration)
    ]


def _changes(occurrences: list[tuple[float, float, Fault]]) -> list[float]:
    return sorted({0.0} | {time for start, end, _ in occurrences for time in (start, end)})


def effects(scenario: Scenario, service: str) -> np.ndarray:
    """EFFECT rows of a service, in time order; none when no fault touches it."""
    occurrences = faults_on(scenario, f"services.{service}")
    if not occurrences:
        return np.zeros(0, EFFECT)
    times = _changes(occurrences)
    rows = np.zeros(len(times), EFFECT)
    rows["at"] = times
    rows["until"] = [*times[1:], np.inf]
    rows["slowdown"] = 1.0
    healthy = np.ones(len(times))
    for start, end, fault in occurrences:
        active = (rows["at"] >= start) & (rows["at"] < end)
        effect = fault.effect
        rows["outage"][active] |= effect.outage
        rows["paused"][active] |= effect.pause
        rows["slowdown"][active] *= effect.slowdown
        rows["added_latency"][active] += effect.added_latency
        healthy[active] *= 1.0 - effect.error_rate
    rows["error_rate"] = 1.0 - healthy
    return rows


def profile_points(arrivals, duration: float) -> list[tuple[float, float]]:
    """(time, factor) of a profile over the run, repeated as it says; two points at one time are a jump."""
    points = [(point.at, point.factor) for point in getattr(arrivals, "profile", ())]
    if not points:
        return [(0.0, 1.0)]
    repeat = arrivals.repeat
    if repeat is None:
        return points if points[0][0] == 0 else [(0.0, points[0][1]), *points]
    result = []
    for start in np.arange(0.0, duration, repeat):
        first, last = points[0][1], points[-1][1]
        cycle = [(0.0, first), *points, (repeat, last)]
        result += [(start + at, factor) for at, factor in cycle]
    return result


def clock(scenario: Scenario, producer: str) -> np.ndarray:
    """CLOCK rows of a producer; none when its clock is the time itself."""
    duration = scenario.run.duration
    points = profile_points(scenario.producers[producer].arrivals, duration)
    occurrences = faults_on(scenario, f"producers.{producer}")
    if not occurrences and all(factor == 1.0 for _, factor in points):
        return np.zeros(0, CLOCK)
    starts = sorted({at for at, _ in points} | set(_changes(occurrences)))
    rows = np.zeros(len(starts), CLOCK)
    rows["at"] = starts
    point_times, point_factors = (np.array(column) for column in zip(*points, strict=True))
    for i, start in enumerate(starts):
        after = np.searchsorted(point_times, start, side="right")
        low = after - 1
        if after < len(point_times):
            width = point_times[after] - point_times[low]
            slope = (point_factors[after] - point_factors[low]) / width
            factor = point_factors[low] + slope * (start - point_times[low])
        else:
            factor, slope = point_factors[-1], 0.0
        for begin, end, fault in occurrences:
            if begin <= start < end:
                factor, slope = factor * fault.effect.rate_factor, slope * fault.effect.rate_factor
        rows["factor"][i], rows["slope"][i] = factor, slope
    widths = np.diff(rows["at"])
    steps = widths * (rows["factor"][:-1] + 0.5 * rows["slope"][:-1] * widths)
    rows["integral"][1:] = np.cumsum(steps)
    return rows


def rate_rows(starts: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """RATE rows from start times (s) and rates (1/s), each holding to the next."""
    rows = np.zeros(len(starts), RATE)
    rows["at"] = starts
    rows["rate"] = rates
    rows["integral"][1:] = np.cumsum(np.diff(starts) * rates[:-1])
    return rows
