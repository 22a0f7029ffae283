"""Faults: how high the lag rose, when it came back, and what it cost; one entry per occurrence.

A random fault has one entry for all its occurrences: their times differ from replication to replication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slosim.measure import intervals
from slosim.measure.measurements import Measurements
from slosim.report.objectives import outcomes_of

if TYPE_CHECKING:
    from slosim.model import Fault, Objective, Scenario


@dataclass(frozen=True)
class Occurrence:
    """A time when a fault is active, [start, end); `lines`: (topic, service) that feed its target."""

    fault: Fault
    start_s: float
    end_s: float
    lines: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return self.fault.name

    @property
    def target(self) -> str:
        return self.fault.target


def occurrences_of(scenario: Scenario) -> list[Occurrence]:
    """All occurrences of all faults whose times are known, by start, end and place in the file."""
    found = [
        Occurrence(fault, start, end, lines_feeding(fault, scenario))
        for fault in scenario.faults
        for start, end in fault.occurrences(scenario.run.duration)
    ]
    return sorted(found, key=lambda one: (one.start_s, one.end_s))


def lines_feeding(fault: Fault, scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """The lines (topic, service) where a fault is felt.

    Of a service its own lines, of a dependency its callers'; of a topic or a producer the lines of its
    consumers; of a redrive those of the topic that its messages go back to.
    """
    kind, name = fault.target.split(".", 1)
    consumed = [(topic, service) for service, its in scenario.services.items() for topic in its.consumes]
    if kind in ("services", "dependencies"):
        hit = services_hit(fault, scenario)
        return tuple(line for line in consumed if line[1] in hit)
    topic = scenario.producers[name].topic if kind == "producers" else name
    if fault.effect.redrive is not None:
        topic = fault.effect.redrive.to
    return tuple(line for line in consumed if line[0] == topic)


def services_hit(fault: Fault, scenario: Scenario) -> list[str]:
    """The services whose attempts a fault changes: its target, or those that call the dependency it hits."""
    kind, name = fault.target.split(".", 1)
    if kind == "dependencies":
        return callers_of(name, scenario)
    return [name] if kind == "services" else []


def callers_of(dependency: str, scenario: Scenario) -> list[str]:
    """Services that call a dependency, in the order of the file."""
    return [
        name
        for name, service in scenario.services.items()
        if any(call.dependency == dependency for call in service.calls)
    ]


@dataclass(frozen=True)
class Course:
    """What one replication did after one occurrence; recovered_after_s None: it never did."""

    peak_lag: float
    recovered_after_s: float | None
    bad: float


def fault_entries(scenario: Scenario, measurements: Sequence[Measurements]) -> list[dict]:
    """The report's entries: all occurrences that begin before the end of the run, then the random faults."""
    is_counted = bool(_counted(scenario))
    known = [
        _entry(occurrence, courses, is_counted)
        for occurrence, *courses in zip(
            occurrences_of(scenario), *(courses_of(scenario, one) for one in measurements), strict=True
        )
        if all(occurrence.start_s < one.ended_s for one in measurements)
    ]
    return known + [_random_entry(fault, measurements) for fault in scenario.faults if fault.is_random]


def courses_of(scenario: Scenario, one: Measurements) -> list[Course]:
    """What one replication did after each occurrence of `occurrences_of`, in that order."""
    occurrences = occurrences_of(scenario)
    bad = _bad_of_all(_counted(scenario), one)
    return [
        course_of(occurrence, baseline_window(occurrence, occurrences), one, bad)
        for occurrence in occurrences
    ]


def _counted(scenario: Scenario) -> list[Objective]:
    """Objectives that count flow instances."""
    return [one for one in scenario.objectives if one.kind in ("latency", "success")]


def _random_entry(fault: Fault, measurements: Sequence[Measurements]) -> dict:
    """How often a random fault came and how long it was active; what it did cannot be told from the rest."""
    times = [occurrences_within(fault.name, one) for one in measurements]
    undefined = intervals.UNDEFINED.as_dict()
    return {
        "name": fault.name,
        "start_s": None,
        "end_s": None,
        "occurrences": intervals.of_mean([float(len(its)) for its in times]).as_dict(),
        "active_s": intervals.of_mean([float((its[:, 1] - its[:, 0]).sum()) for its in times]).as_dict(),
        "peak_lag": undefined,
        "recovered_after_s": undefined,
        "recovered_ratio": None,
        "bad": undefined,
    }


def occurrences_within(name: str, one: Measurements) -> np.ndarray:
    """(start, end) in s of each occurrence of a random fault that begins in the run, cut to it: [n, 2]."""
    times = one.occurrences.get(name, np.zeros((0, 2)))
    begun = times[times[:, 0] < one.ended_s]
    return np.minimum(begun, one.ended_s)


def _bad_of_all(objectives: Sequence[Objective], one: Measurements) -> np.ndarray:
    """Bad of all latency and success objectives per sample, what came after the last sample in the last."""
    outcomes = [outcomes_of(objective, [one])[0] for objective in objectives]
    total = np.sum([np.zeros(len(one.sample_times_s)), *(its.bad for its in outcomes)], axis=0)
    total[-1] += sum(its.bad_after for its in outcomes)
    return total


def baseline_window(occurrence: Occurrence, occurrences: Sequence[Occurrence]) -> tuple[float, float]:
    """(from, to) in s of the lag that counts as normal for an occurrence.

    From the end of the fault before it (-inf without one: then the warm-up decides) to its start;
    or to the start of an earlier fault that is still active then, directly or through others.
    """
    start = occurrence.start_s
    overlapping = True
    while overlapping:
        earlier = [one.start_s for one in occurrences if one.start_s < start < one.end_s]
        overlapping = bool(earlier)
        start = min(earlier, default=start)
    return max((one.end_s for one in occurrences if one.end_s <= start), default=-np.inf), start


def _entry(occurrence: Occurrence, courses: Sequence[Course], is_counted: bool) -> dict:
    recovered = [course.recovered_after_s for course in courses if course.recovered_after_s is not None]
    return {
        "name": occurrence.name,
        "start_s": occurrence.start_s,
        "end_s": occurrence.end_s,
        "peak_lag": intervals.of_mean([course.peak_lag for course in courses]).as_dict(),
        "recovered_after_s": intervals.of_mean(recovered).as_dict(),
        "recovered_ratio": len(recovered) / len(courses),
        "bad": (
            intervals.of_mean([course.bad for course in courses]) if is_counted else intervals.UNDEFINED
        ).as_dict(),
    }


def course_of(
    occurrence: Occurrence, baseline: tuple[float, float], one: Measurements, bad: np.ndarray
) -> Course:
    """Peak, recovery and bad of one replication, until the recovery or else the end of the run."""
    times = one.sample_times_s
    lag = np.sum([one.lines[line].lag.samples for line in occurrence.lines], axis=0) + np.zeros(len(times))
    normal = _normal_lag(times, lag, baseline, one.warmup_s)
    back = np.flatnonzero((times > occurrence.end_s) & (lag <= normal))
    recovered_after_s = float(times[back[0]]) - occurrence.end_s if len(back) else None
    last = back[0] if len(back) else len(times) - 1
    during = (times >= occurrence.start_s) & (np.arange(len(times)) <= last)
    peak = float(lag[during].max(initial=0.0))
    return Course(peak, recovered_after_s, float(bad[during].sum()))


def _normal_lag(times: np.ndarray, lag: np.ndarray, baseline: tuple[float, float], warmup_s: float) -> float:
    """Largest lag in the baseline window after the warm-up; before it if need be, and 0 for a fault at 0."""
    for earliest in (max(baseline[0], warmup_s), baseline[0]):
        inside = (times >= earliest) & (times < baseline[1])
        if inside.any():
            return float(lag[inside].max())
    return 0.0
