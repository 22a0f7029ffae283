"""Timelines of a run: a producer's clock (rule S8) and a service's faults (rule S32) as rows, in turn."""

from __future__ import annotations

import math

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


def _active(occurrences: list[tuple[float, float, Fault]]) -> list[tuple[float, list[Fault]]]:
    """(time, faults in force from then on) at 0 and wherever that changes, in the order of the file."""
    starts: dict[float, list[int]] = {}
    ends: dict[float, list[int]] = {}
    for i, (start, end, _) in enumerate(occurrences):
        starts.setdefault(start, []).append(i)
        ends.setdefault(end, []).append(i)
    active: set[int] = set()
    result = []
    for time in sorted({0.0, *starts, *ends}):
        active -= set(ends.get(time, ()))
        active |= set(starts.get(time, ()))
        result.append((time, [occurrences[i][2] for i in sorted(active)]))
    return result


def effects(scenario: Scenario, service: str) -> np.ndarray:
    """EFFECT rows of a service, in time order; none when no fault touches it."""
    occurrences = faults_on(scenario, f"services.{service}")
    if not occurrences:
        return np.zeros(0, EFFECT)
    active = _active(occurrences)
    rows = np.zeros(len(active), EFFECT)
    rows["at"] = [time for time, _ in active]
    rows["until"] = np.append(rows["at"][1:], np.inf)
    for row, (_, faults) in zip(rows, active, strict=True):
        found = [fault.effect for fault in faults]
        row["outage"] = any(effect.outage for effect in found)
        row["paused"] = any(effect.pause for effect in found)
        row["slowdown"] = math.prod(effect.slowdown for effect in found)
        row["added_latency"] = sum(effect.added_latency for effect in found)
        row["error_rate"] = 1.0 - math.prod(1.0 - effect.error_rate for effect in found)
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
    active = _active(occurrences)
    starts = np.union1d([at for at, _ in points], [time for time, _ in active])
    point_times, point_factors = (np.array(column) for column in zip(*points, strict=True))
    low = np.searchsorted(point_times, starts, side="right") - 1
    high = np.minimum(low + 1, len(points) - 1)
    rows = np.zeros(len(starts), CLOCK)
    rows["at"] = starts
    rise = point_factors[high] - point_factors[low]
    width = point_times[high] - point_times[low]
    rows["slope"] = np.divide(rise, width, out=np.zeros(len(starts)), where=width > 0.0)
    rows["factor"] = point_factors[low] + rows["slope"] * (starts - point_times[low])
    scales = np.array([math.prod(fault.effect.rate_factor for fault in faults) for _, faults in active])
    scale = scales[np.searchsorted([time for time, _ in active], starts, side="right") - 1]
    rows["factor"] *= scale
    rows["slope"] *= scale
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
