"""When faults are active; a producer's clock (rule S8) and the rates on it (rule S9), as rows in turn."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from slosim.compile.program import CLOCK, NONE, RATE
from slosim.model import Fault
from slosim.model.topology import Producer


class Occurrence(NamedTuple):
    """A fault from start to end, s; instance: the only one of the service that it hits, by number, or -1."""

    start: float
    end: float
    fault: Fault
    instance: int = NONE


def active(occurrences: list[Occurrence]) -> list[tuple[float, list[Fault]]]:
    """(time, faults in force from then on) at 0 and wherever that changes, in the order given."""
    starts: dict[float, list[int]] = {}
    ends: dict[float, list[int]] = {}
    for i, one in enumerate(occurrences):
        starts.setdefault(one.start, []).append(i)
        ends.setdefault(one.end, []).append(i)
    now: set[int] = set()
    result = []
    for time in sorted({0.0, *starts, *ends}):
        now -= set(ends.get(time, ()))
        now |= set(starts.get(time, ()))
        result.append((time, [occurrences[i].fault for i in sorted(now)]))
    return result


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


def clock(producer: Producer, duration: float, occurrences: list[Occurrence]) -> np.ndarray:
    """CLOCK rows of a producer with these faults; none when its clock is the time itself."""
    points = profile_points(producer.arrivals, duration)
    if not occurrences and all(factor == 1.0 for _, factor in points):
        return np.zeros(0, CLOCK)
    changes = active(occurrences)
    starts = np.union1d([at for at, _ in points], [time for time, _ in changes])
    point_times, point_factors = (np.array(column) for column in zip(*points, strict=True))
    low = np.searchsorted(point_times, starts, side="right") - 1
    high = np.minimum(low + 1, len(points) - 1)
    rows = np.zeros(len(starts), CLOCK)
    rows["at"] = starts
    rise = point_factors[high] - point_factors[low]
    width = point_times[high] - point_times[low]
    rows["slope"] = np.divide(rise, width, out=np.zeros(len(starts)), where=width > 0.0)
    rows["factor"] = point_factors[low] + rows["slope"] * (starts - point_times[low])
    scales = np.array([math.prod(fault.effect.rate_factor for fault in faults) for _, faults in changes])
    scale = scales[np.searchsorted([time for time, _ in changes], starts, side="right") - 1]
    rows["factor"] *= scale
    rows["slope"] *= scale
    widths = np.diff(rows["at"])
    steps = widths * (rows["factor"][:-1] + 0.5 * rows["slope"][:-1] * widths)
    rows["integral"][1:] = np.cumsum(steps)
    return rows


def last_reading(producer: np.void | np.ndarray, clocks: np.ndarray, duration: float) -> float:
    """What a producer's clock shows at the end of the run, s."""
    if producer["clock_count"] == 0:
        return duration
    rows = clocks[producer["first_clock"] :][: producer["clock_count"]]
    row = rows[np.searchsorted(rows["at"], duration, side="right") - 1]
    rest = duration - row["at"]
    return float(row["integral"] + rest * (row["factor"] + 0.5 * row["slope"] * rest))


def rate_rows(starts: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """RATE rows from start times (s) and rates (1/s), each holding to the next."""
    rows = np.zeros(len(starts), RATE)
    rows["at"] = starts
    rows["rate"] = rates
    rows["integral"][1:] = np.cumsum(np.diff(starts) * rates[:-1])
    return rows
