"""The two building blocks of the report: EST, an estimate with its interval, and STAT, a distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from slosim.measure import intervals
from slosim.measure.histogram import Histogram, upper_edges
from slosim.measure.intervals import Estimate, Pooled
from slosim.measure.measurements import Measurements, TimeAverage

QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
_UPPER = upper_edges()


def measured_seconds(measurements: Sequence[Measurements]) -> list[float]:
    """Length of the measured window [warm-up, end) of each replication, s."""
    return [max(0.0, one.ended_s - one.warmup_s) for one in measurements]


def measured_samples(one: Measurements) -> np.ndarray:
    """Which samples lie in the measured window: bool[samples]."""
    return one.sample_times_s >= one.warmup_s


def mean_of(records: Iterable[object], number: Callable) -> dict:
    """EST of a count: its mean per replication."""
    return intervals.of_mean([float(number(record)) for record in records]).as_dict()


def stat(histograms: Sequence[Histogram], whole: bool = False) -> dict:
    """STAT of recorded values, the mean being the total over the count."""
    pooled = Pooled.of(histograms, whole)
    mean = intervals.of_ratio([one.total for one in histograms], [float(one.count) for one in histograms])
    return _stat(pooled, mean, pooled.maximum if pooled.count else None)


def stat_of_samples(samples: Sequence[np.ndarray], whole: bool = False) -> dict:
    """STAT of sampled values: one array of samples per replication."""
    return stat([Histogram.of(values) for values in samples], whole)


def stat_over_time(averages: Sequence[TimeAverage], measurements: Sequence[Measurements]) -> dict:
    """STAT of a whole number over time: mean and maximum exact, quantiles those of the samples."""
    samples = [
        average.samples[measured_samples(one)] for average, one in zip(averages, measurements, strict=True)
    ]
    pooled = Pooled.of([Histogram.of(values) for values in samples], whole=True)
    mean = intervals.of_ratio([average.integral for average in averages], measured_seconds(measurements))
    return _stat(pooled, mean, max(average.maximum for average in averages))


def _stat(pooled: Pooled, mean: Estimate, maximum: float | None) -> dict:
    quantiles = pooled.quantiles(list(QUANTILES.values()))
    return {
        "count": pooled.count,
        "mean": mean.as_dict(),
        **{name: quantile.as_dict() for name, quantile in zip(QUANTILES, quantiles, strict=True)},
        "max": maximum,
        "histogram": {"upper": _UPPER[pooled.filled].tolist(), "count": pooled.counts.tolist()},
    }


def mean_series(series: Sequence[np.ndarray]) -> list[float]:
    """Mean over replications sample by sample; one that was stopped counts as far as it came."""
    longest = max(len(one) for one in series)
    totals, counts = np.zeros(longest), np.zeros(longest)
    for one in series:
        totals[: len(one)] += one
        counts[: len(one)] += 1
    return (totals / counts).tolist()


def longest_times(measurements: Sequence[Measurements]) -> list[float]:
    """Sample times of the replication that came furthest, s."""
    return max((one.sample_times_s for one in measurements), key=len).tolist()
