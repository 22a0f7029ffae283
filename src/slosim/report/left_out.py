"""What pairing needs of a run: its headline numbers with one group of replications left out each.

Two runs that met the same work, replication by replication, differ by less than their own intervals say.
Their saved reports hold no replications, but these values: the spread of their differences is the interval
of the difference, as of experiments, which have the replications themselves (`experiments/quantities.py`;
the keys are theirs). There are at most GROUPS_MOST groups, so a report of a thousand replications is no
larger than one of forty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slosim.measure.histogram import BUCKET_COUNT, Histogram, buckets_of
from slosim.measure.intervals import quantiles_of_sums
from slosim.measure.measurements import Measurements
from slosim.report.faults import courses_of, occurrences_of
from slosim.report.headlines import FAULTS_SHOWN, LATENCY_QUANTILES, fault_key
from slosim.report.objectives import outcomes_of
from slosim.report.statistics import measured_samples, measured_seconds

if TYPE_CHECKING:
    from slosim.model import Scenario

GROUPS_MOST = 40
"""With so many groups Student's t is 3% above its limit; more would make files larger and intervals not."""

Numbers = Iterator[tuple[str, list[float]]]
"""(key, the number over all replications and with each group left out): 1 + groups values, or 1 of one
replication; NaN where undefined."""


def left_out(scenario: Scenario, measurements: Sequence[Measurements]) -> dict[str, Any]:
    """The report's part of that name. Replication k belongs to group k modulo their number."""
    groups = _Groups(len(measurements))
    every = (
        *_objectives(scenario, measurements, groups),
        *_flows(measurements, groups),
        *_services(measurements, groups),
        *_dependencies(measurements, groups),
        *_lines(measurements, groups),
        *_faults(scenario, measurements, groups),
        *_cost(scenario, measurements, groups),
    )
    return {"groups": groups.count, "numbers": {key: its for key, its in every if math.isfinite(its[0])}}


class _Groups:
    """Replications in groups; a single one is left out of nothing."""

    def __init__(self, replications: int) -> None:
        self.count = min(replications, GROUPS_MOST)
        self.of_replication = np.arange(replications) % self.count

    def ratio(self, above: Sequence[float], below: Sequence[float]) -> list[float]:
        """Ratio of sums over replications."""
        whole, bottom = self._sums(above), self._sums(below)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(np.isfinite(bottom), whole / bottom, math.nan).tolist()

    def mean(self, values: Sequence[float]) -> list[float]:
        return self.ratio(values, [1.0] * len(values))

    def quantiles(self, histograms: Sequence[Histogram], shares: Sequence[float]) -> list[list[float]]:
        """Of each share, the quantile of the summed histogram, linear inside its bucket."""
        counts = np.zeros((self.count, BUCKET_COUNT))
        for group, its in zip(self.of_replication, histograms, strict=True):
            counts[group, its.filled] += its.filled_counts
        sums = self._with_each_left_out(counts)
        return [quantiles_of_sums(sums, share).tolist() for share in shares]

    def quantile_of_samples(self, samples: Sequence[np.ndarray], share: float) -> list[float]:
        gathered = [
            np.concatenate(
                [one for one, its in zip(samples, self.of_replication, strict=True) if its == group]
            )
            for group in range(self.count)
        ]
        counts = np.array([np.bincount(buckets_of(its), minlength=BUCKET_COUNT) for its in gathered])
        return quantiles_of_sums(self._with_each_left_out(counts.astype(np.float64)), share).tolist()

    def _sums(self, values: Sequence[float]) -> np.ndarray:
        return self._with_each_left_out(np.bincount(self.of_replication, values, self.count))

    def _with_each_left_out(self, sums: np.ndarray) -> np.ndarray:
        """From sums of each group, [groups, ...], to those of all and of all but each group."""
        total = sums.sum(axis=0, keepdims=True)
        with np.errstate(invalid="ignore"):  # of unlimited slots there are infinitely many: no number
            return total if self.count == 1 else np.concatenate([total, total - sums])


def _objectives(scenario: Scenario, measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    for one in scenario.objectives:
        outcomes = outcomes_of(one, measurements)
        good, bad = ([getattr(its, f"total_{which}") for its in outcomes] for which in ("good", "bad"))
        yield (
            f"objectives.{one.name}.sli_ratio",
            groups.ratio(good, [g + b for g, b in zip(good, bad, strict=True)]),
        )


def _flows(measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    for name in measurements[0].flows:
        flows = [one.flows[name] for one in measurements]
        latencies = [flow.latency for flow in flows]
        path = f"flows.{name}"
        totals = [one.total for one in latencies]
        yield f"{path}.latency_s.mean", groups.ratio(totals, [float(one.count) for one in latencies])
        quantiles = groups.quantiles(latencies, list(LATENCY_QUANTILES.values()))
        for word, its in zip(LATENCY_QUANTILES, quantiles, strict=True):
            yield f"{path}.latency_s.{word}", its
        yield f"{path}.dead_lettered", groups.mean([flow.dead_lettered for flow in flows])
        yield f"{path}.dropped", groups.mean([flow.dropped for flow in flows])


def _services(measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    for name in measurements[0].services:
        its = [one.services[name] for one in measurements]
        path = f"services.{name}"
        busy = [one.busy.integral for one in its]
        yield f"{path}.utilisation_ratio", groups.ratio(busy, [one.slot_seconds for one in its])
        waits = [one.wait for one in its]
        yield (
            f"{path}.wait_s.mean",
            groups.ratio([one.total for one in waits], [one.count for one in waits]),
        )
        attempts = [one.attempts for one in its]
        yield f"{path}.attempts_per_message", groups.ratio(attempts, [one.first_attempts for one in its])
        yield f"{path}.retried", groups.mean([one.retried for one in its])
        yield f"{path}.dead_lettered", groups.mean([one.dead_lettered for one in its])


def _dependencies(measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    for name in measurements[0].dependencies:
        its = [one.dependencies[name] for one in measurements]
        seconds = [one.server_seconds for one in its]
        yield (
            f"dependencies.{name}.utilisation_ratio",
            groups.ratio([one.busy.integral for one in its], seconds),
        )


def _lines(measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    seconds = measured_seconds(measurements)
    inside = [measured_samples(one) for one in measurements]
    for topic, service in measurements[0].lines:
        its = [one.lines[topic, service] for one in measurements]
        path = f"topics.{topic}.consumers.{service}"
        yield f"{path}.lag.mean", groups.ratio([one.lag.integral for one in its], seconds)
        lags = [one.lag.samples[window] for one, window in zip(its, inside, strict=True)]
        yield f"{path}.lag.p99", groups.quantile_of_samples(lags, 0.99)
        yield f"{path}.lag.max_mean", groups.mean([one.lag.maximum for one in its])
        ages = [one.age_samples[window] for one, window in zip(its, inside, strict=True)]
        yield f"{path}.age_s.p99", groups.quantile_of_samples(ages, 0.99)
        (event_lag_s,) = groups.quantiles([one.event_lag for one in its], [0.99])
        yield f"{path}.event_lag_s.p99", event_lag_s


def _faults(scenario: Scenario, measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    """Of the first occurrences of each fault. Recovery is the mean of the replications that recover."""
    occurrences = occurrences_of(scenario)
    if not occurrences:
        return
    seen: dict[str, int] = {}
    courses = zip(*(courses_of(scenario, one) for one in measurements), strict=True)
    for occurrence, its in zip(occurrences, courses, strict=True):
        seen[occurrence.name] = seen.get(occurrence.name, 0) + 1
        if seen[occurrence.name] > FAULTS_SHOWN:
            continue
        path = fault_key(occurrence.name, occurrence.start_s)
        after = [one.recovered_after_s for one in its]
        back = [float(one is not None) for one in after]
        yield f"{path}.peak_lag", groups.mean([one.peak_lag for one in its])
        yield f"{path}.recovered_after_s", groups.ratio([one or 0.0 for one in after], back)
        yield f"{path}.recovered_ratio", groups.mean(back)


def _cost(scenario: Scenario, measurements: Sequence[Measurements], groups: _Groups) -> Numbers:
    """Instance hours times their price, per hour."""
    prices = {
        name: service.cost_per_instance_hour
        for name, service in scenario.services.items()
        if service.cost_per_instance_hour is not None
    }
    if prices:
        costs = [
            sum(price * one.services[name].instance_seconds for name, price in prices.items())
            for one in measurements
        ]
        yield "cost_per_h", groups.ratio(costs, measured_seconds(measurements))
