"""The empty start of a run: how long it weighs on the lag, and whether the warm-up leaves it out.

What is looked at is the lag of all lines together, mean over the replications, up to the first fault. The sum
and not line by line: of several points, each found by chance, the latest would be taken, and in runs without
any start to leave out a pipeline of three lines then gets a suggestion twice as often.

Where the load varies by design (a profile, a trace, counts) or an autoscaler follows it, early samples differ
from late ones for good reasons, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from slosim.measure import intervals
from slosim.measure.intervals import Estimate
from slosim.measure.measurements import Measurements
from slosim.measure.warmup import truncation
from slosim.model.arrivals import Counts, Profiled, Trace
from slosim.report.faults import occurrences_of, occurrences_within

if TYPE_CHECKING:
    from slosim.model import Scenario


@dataclass(frozen=True)
class Start:
    """times_s: float64[samples] until the first fault; lag: float64[replications, samples], of all lines."""

    times_s: np.ndarray
    lag: np.ndarray

    def mean_lag(self, since_s: float, until_s: float = np.inf) -> list[float]:
        """Mean lag of each replication in [since, until), messages; some sample must lie there."""
        inside = (self.times_s >= since_s) & (self.times_s < until_s)
        return self.lag[:, inside].mean(axis=1).tolist()


def start_of(scenario: Scenario, measurements: Sequence[Measurements]) -> Start | None:
    """The time before the first fault; None where nothing that happens then is due to the start alone."""
    if not is_steady(scenario):
        return None
    shortest = min(measurements, key=lambda one: len(one.sample_times_s)).sample_times_s
    times = shortest[shortest < first_fault_s(scenario, measurements)]
    if not len(times):
        return None
    return Start(times, np.array([_lag(one, len(times)) for one in measurements]))


def _lag(one: Measurements, samples: int) -> np.ndarray:
    """Lag of all lines together: float64[samples]."""
    return sum((line.lag.samples[:samples] for line in one.lines.values()), np.zeros(samples))


def is_steady(scenario: Scenario) -> bool:
    """Whether load and capacity are meant to be the same at all times, faults aside."""
    varying = (
        isinstance(arrivals, Trace | Counts) or (isinstance(arrivals, Profiled) and arrivals.profile)
        for arrivals in (producer.arrivals for producer in scenario.producers.values())
    )
    return not any(varying) and all(service.autoscale is None for service in scenario.services.values())


def first_fault_s(scenario: Scenario, measurements: Sequence[Measurements]) -> float:
    """When the first fault begins in any replication, s; infinite without one."""
    random = [fault.name for fault in scenario.faults if fault.is_random]
    times = [occurrence.start_s for occurrence in occurrences_of(scenario)]
    for one in measurements:
        times += [float(start) for name in random for start, _ in occurrences_within(name, one)]
    return min(times, default=np.inf)


def suggested_s(start: Start | None) -> float | None:
    """The warm-up that MSER-5 suggests, s, whatever was chosen; None when it cannot tell."""
    if start is None or not start.lag.size:
        return None
    samples = truncation(start.lag.mean(axis=0))
    return None if samples is None else float(start.times_s[samples])


@dataclass(frozen=True)
class Bias:
    """What a longer warm-up would change; all in messages of lag.

    before, after  mean lag of the part that it would leave out, and of the rest
    difference     after - before, paired by replication
    measured       mean lag from the chosen warm-up on
    """

    before: float
    after: float
    difference: Estimate
    measured: Estimate

    @property
    def is_certain(self) -> bool:
        """The difference is above twice its 95% half-width: the point was chosen to make it large."""
        value, low = self.difference.value, self.difference.low
        return value is not None and low is not None and value > 2 * (value - low)

    @property
    def weighs(self) -> bool:
        """The mean is off by a quarter of its half-width or more.

        At a quarter an interval that should hold the truth in 95% of the cases does so in 92% (with ten
        replications); below that the start does not show.
        """
        value, high = self.measured.value, self.measured.high
        return value is not None and high is not None and self.after - value >= 0.25 * (high - value)


def bias_of(start: Start, warmup_s: float, suggested: float) -> Bias | None:
    """What the samples between the chosen and a longer suggested warm-up do to the mean."""
    if suggested <= warmup_s or not np.any((start.times_s >= warmup_s) & (start.times_s < suggested)):
        return None
    before, after = start.mean_lag(warmup_s, suggested), start.mean_lag(suggested)
    differences = [late - early for early, late in zip(before, after, strict=True)]
    return Bias(
        float(np.mean(before)),
        float(np.mean(after)),
        intervals.of_mean(differences, least=-np.inf),
        intervals.of_mean(start.mean_lag(warmup_s)),
    )
