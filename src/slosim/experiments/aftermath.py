"""After a trigger is gone: does the backlog return, when, and if not, is it on its way?

The backlog is that of the whole system: the lag of all lines and what waits at dependencies. A flood that an
outage only moved on to the next service counts, and so do requests that nobody waits for any more. (The
report's `recovered_after_s` looks at the lines of what was hit.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slosim.model import is_redrive
from slosim.report.faults import Occurrence, occurrences_of

if TYPE_CHECKING:
    from slosim.measure.measurements import Measurements
    from slosim.model import Scenario

RECOVERED, DRAINING, STUCK, UNKNOWN = "recovered", "draining", "stuck", "unknown"
"""Outcomes: back to normal; falling by more than it scatters; neither, so that time does not heal it; too few
samples to tell."""


@dataclass(frozen=True)
class Aftermath:
    """What one replication's backlog, in messages, did after one occurrence of a fault.

    normal             largest in the quiet time before
    peak               largest from the start of the fault on
    recovered_after_s  from the end of the fault until the backlog is normal again; None: not in that time
    watched_s          from the end of the fault to the next fault, or to the end of the run
    before, late       means over the third and the last quarter of that time; None without samples there
    scatter            standard deviation inside a quarter, of which a steady fall shows 1/√12 = 0.29 times
                       what it falls from one quarter to the next
    """

    normal: float
    peak: float
    recovered_after_s: float | None
    watched_s: float
    before: float | None
    late: float | None
    scatter: float

    @property
    def outcome(self) -> str:
        if self.recovered_after_s is not None:
            return RECOVERED
        if self.before is None or self.late is None:
            return UNKNOWN
        return DRAINING if self.before - self.late > self.scatter else STUCK

    @property
    def growth_per_s(self) -> float | None:
        """Messages per second from the third quarter to the last; negative: it drains."""
        if self.before is None or self.late is None or self.watched_s <= 0:
            return None
        return (self.late - self.before) / (self.watched_s / 4)

    @property
    def back_after_s(self) -> float | None:
        """From the end of the fault until it is normal again: as it was, or at the speed of the end; None:
        never.
        """
        if self.outcome != DRAINING:
            return self.recovered_after_s
        assert self.late is not None
        assert self.growth_per_s is not None
        return self.watched_s * 7 / 8 + max(0.0, self.late - self.normal) / -self.growth_per_s


def aftermaths_of(scenario: Scenario, one: Measurements) -> list[Aftermath]:
    """One for each occurrence of `occurrences_of`, in that order."""
    occurrences = occurrences_of(scenario)
    backlog = backlog_of(one)
    return [_aftermath(its, occurrences, one, backlog) for its in occurrences]


def backlog_of(one: Measurements) -> np.ndarray:
    """Lag of all lines and requests waiting at all dependencies: float64[samples]."""
    total = np.zeros(len(one.sample_times_s))
    for (_, service), line in one.lines.items():
        if not is_redrive(service):
            total += line.lag.samples
    for dependency in one.dependencies.values():
        total += dependency.waiting.samples
    return total


def _aftermath(
    occurrence: Occurrence, occurrences: Sequence[Occurrence], one: Measurements, backlog: np.ndarray
) -> Aftermath:
    times, start, end = one.sample_times_s, occurrence.start_s, occurrence.end_s
    until = min((its.start_s for its in occurrences if its.start_s >= end), default=math.inf)
    until = max(end, min(until, one.ended_s))
    normal = _normal(occurrence, occurrences, one, backlog)
    after = (times > end) & (times <= until)
    back = np.flatnonzero(after & (backlog <= normal))
    quarter_s = (until - end) / 4
    before = backlog[after & (times > end + 2 * quarter_s) & (times <= end + 3 * quarter_s)]
    late = backlog[after & (times > end + 3 * quarter_s)]
    return Aftermath(
        normal,
        float(backlog[(times >= start) & (times <= until)].max(initial=0.0)),
        float(times[back[0]]) - end if len(back) else None,
        until - end,
        _mean(before),
        _mean(late),
        math.sqrt((before.var() + late.var()) / 2) if len(before) and len(late) else 0.0,
    )


def _normal(
    occurrence: Occurrence, occurrences: Sequence[Occurrence], one: Measurements, backlog: np.ndarray
) -> float:
    """Largest backlog of the quiet time: the second half since the fault before, or all since the warm-up."""
    start = occurrence.start_s
    ends = [its.end_s for its in occurrences if its.end_s <= start]
    quiet_from = (max(ends) + start) / 2 if ends else 0.0
    for earliest in (max(quiet_from, one.warmup_s), quiet_from):
        inside = (one.sample_times_s >= earliest) & (one.sample_times_s < start)
        if inside.any():
            return float(backlog[inside].max())
    return 0.0


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
