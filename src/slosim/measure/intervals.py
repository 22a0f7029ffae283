"""Estimates pooled over replications, with 95% confidence intervals from the spread between replications.

Every number is an estimator of the pooled data: a mean, a ratio of sums, or a quantile of the summed
histogram. The interval of a mean or a ratio is the delete-one jackknife with a Student t quantile. With n
replications, the estimate e of all of them and e[-i] of all but the i-th, the pseudo-values are

    p[i] = n * e - (n - 1) * e[-i],      interval = e -+ t(0.975, n - 1) * sd(p) / sqrt(n)

For a mean this is the ordinary t interval. The interval is centred on the pooled estimate, the number that is
shown, and not on the mean of the pseudo-values; the two differ by terms of order 1/n.

The interval of a quantile is Woodruff's: the share of values at or below the quantile is a ratio and has the
interval above, and the pooled quantiles of its two ends are the bounds. Far out they lie unevenly around the
value, as the errors of such a quantile do: the tail is thin, and it may be longer than what was seen of it.
`benchmarks/interval_coverage.py` shows that a symmetric interval of the quantile itself holds less often.

One replication has no spread, so low and high are None. A share without a single bad instance has no spread
either, and its lower bound is the rule of three, 1 - 3/n for n instances (Hanley and Lippman-Hand, JAMA
1983). A bound outside the range that the quantity can take (below 0; above 1 for a share) is moved to the end
of that range, which cannot hurt coverage. Estimates themselves are never moved.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11; Miller, Biometrika 61
(1974); Woodruff, Confidence intervals for medians and other position measures, Journal of the American
Statistical Association 47 (1952).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from slosim.measure.histogram import Histogram, representatives, upper_edges

RULE_OF_THREE = 3.0
"""-ln(0.05) = 2.996: with no bad one among n, a bad share of more than 3/n would have shown one with 95%."""
ROUNDING = 1e-9
"""Of a rank: so little more than a whole number of values asks for no further value."""


@dataclass(frozen=True)
class Estimate:
    """A pooled estimate and its 95% interval; None when undefined, bounds None without an interval."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def affine(self, factor: float, offset: float = 0.0) -> Estimate:
        """The estimate of factor x quantity + offset; a negative factor swaps the bounds."""
        if self.value is None:
            return UNDEFINED
        value = factor * self.value + offset
        if self.low is None or self.high is None:
            return Estimate(value)
        bounds = (factor * self.low + offset, factor * self.high + offset)
        return Estimate(value, min(bounds), max(bounds))

    def as_dict(self) -> dict[str, float | None]:
        return {"value": self.value, "low": self.low, "high": self.high}


UNDEFINED = Estimate(None)


@cache
def student_t(degrees: int, confidence: float = 0.95) -> float:
    """t with P(|T| <= t) = confidence, T of Student's distribution with `degrees` >= 1, to full precision.

    The central probability A(t) = P(|T| <= t) is a finite sum for whole degrees of freedom (Abramowitz and
    Stegun, 26.7.3 and 26.7.4); A(t) = confidence is solved by bisection.

    >>> round(student_t(9), 4), round(student_t(9, 0.999), 4)
    (2.2622, 4.7809)
    """
    if degrees < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {degrees}")
    low, high = 1.0, 2.0
    while _central_probability(high, degrees) < confidence:
        low, high = high, 2.0 * high
    while True:
        middle = 0.5 * (low + high)
        if middle in (low, high):
            return middle
        if _central_probability(middle, degrees) < confidence:
            low = middle
        else:
            high = middle


def _central_probability(t: float, degrees: int) -> float:
    """P(|T| <= t) for Student's t with whole degrees of freedom."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine_squared = math.cos(angle) ** 2
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    terms = [term] if degrees > 1 else []
    for k in range(2 + odd, degrees - 1, 2):
        term *= cosine_squared * (k - 1) / k
        terms.append(term)
    total = math.sin(angle) * math.fsum(terms)
    return (angle + total) * 2 / math.pi if odd else total


def jackknife(
    pooled: float | None,
    left_out: Sequence[float | None],
    least: float = 0.0,
    most: float = math.inf,
    sizes: Sequence[int] | None = None,
) -> Estimate:
    """Estimate from the pooled value and those with one replication, or one group of them, left out each.

    least, most: the range of the quantity, to which the bounds (never the value) are confined.
    sizes: replications in each group, where they are not alike.
    """
    if pooled is None:
        return UNDEFINED
    n = len(left_out)
    if n < 2 or any(value is None for value in left_out):
        return Estimate(pooled)
    values = [value for value in left_out if value is not None]
    if sizes is None or len(set(sizes)) == 1:
        # (n - 1) * left_out are the pseudo-values up to a sign and a constant, so their spread is the same.
        mean = math.fsum(values) / n
        variance = math.fsum((value - mean) ** 2 for value in values) * (n - 1) / n
    else:
        variance = _variance_of_unequal(pooled, values, sizes)
    half_width = student_t(n - 1) * math.sqrt(variance)
    return Estimate(
        pooled, max(min(least, pooled), pooled - half_width), min(max(most, pooled), pooled + half_width)
    )


def _variance_of_unequal(pooled: float, left_out: Sequence[float], sizes: Sequence[int]) -> float:
    """Of the delete-m(j) jackknife: Busing, Meijer and van der Leeden, Statistics and Computing 9 (1999)."""
    n, whole = len(left_out), sum(sizes)
    times = [whole / size for size in sizes]
    # With pooled taken off everything: only differences matter, and they keep their digits.
    off = [value - pooled for value in left_out]
    pseudo = [-(h - 1) * value for h, value in zip(times, off, strict=True)]
    mean = -math.fsum((1 - 1 / h) * value for h, value in zip(times, off, strict=True))
    return math.fsum((one - mean) ** 2 / (h - 1) for one, h in zip(pseudo, times, strict=True)) / n


def of_mean(values: Sequence[float], least: float = 0.0, most: float = math.inf) -> Estimate:
    """Mean over replications of one number each; its interval is the ordinary t interval."""
    n = len(values)
    if not n:
        return UNDEFINED
    total = math.fsum(values)
    left_out = [(total - value) / (n - 1) for value in values] if n > 1 else [None]
    return jackknife(total / n, left_out, least, most)


def of_ratio(
    numerators: Sequence[float], denominators: Sequence[float], least: float = 0.0, most: float = math.inf
) -> Estimate:
    """Ratio of the sums over replications; undefined when the denominators sum to zero or are not finite."""
    above, below = math.fsum(numerators), math.fsum(denominators)
    if below == 0 or not math.isfinite(below):
        return UNDEFINED
    left_out = [
        (above - a) / (below - b) if below - b > 0 else None
        for a, b in zip(numerators, denominators, strict=True)
    ]
    return jackknife(above / below, left_out, least, most)


def of_share(good: Sequence[float], bad: Sequence[float]) -> Estimate:
    """Share of good among good and bad, pooled; without a single bad one low = 1 - 3/n."""
    total = math.fsum(good) + math.fsum(bad)
    if total == 0:
        return UNDEFINED
    if not any(bad):
        return Estimate(1.0, max(0.0, 1.0 - RULE_OF_THREE / total), 1.0)
    return of_ratio(good, [g + b for g, b in zip(good, bad, strict=True)], 0.0, 1.0)


@dataclass(frozen=True)
class Pooled:
    """Histograms of the replications, on the buckets that any of them fills.

    filled   int[filled]    indices of these buckets, ascending
    counts   int64[filled]  of all replications
    total    sum of all recorded values
    maximum  largest of them
    whole    the values are whole numbers (messages), so that a bucket below 256 holds exactly one of them
    """

    filled: np.ndarray
    counts: np.ndarray
    histograms: Sequence[Histogram]
    total: float
    maximum: float
    whole: bool = False

    @classmethod
    def of(cls, histograms: Sequence[Histogram], whole: bool = False) -> Pooled:
        filled = np.unique(np.concatenate([histogram.filled for histogram in histograms]))
        counts = np.zeros(len(filled), np.int64)
        for histogram in histograms:
            counts[np.searchsorted(filled, histogram.filled)] += histogram.filled_counts
        total = math.fsum(histogram.total for histogram in histograms)
        maximum = max(histogram.maximum for histogram in histograms)
        return cls(filled, counts, histograms, total, maximum, whole)

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    def quantiles(self, shares: Sequence[float]) -> list[Estimate]:
        """Quantiles of the pooled histogram with Woodruff's intervals.

        A quantile is the middle of its bucket (within 0.39%), whole numbers below 256 are exact. Bounds are
        interpolated inside their buckets, or an interval narrower than a bucket would miss the truth beside
        the middle; whole numbers are not, as nothing lies between them. No bound is beyond what was seen.
        """
        if not self.count:
            return [UNDEFINED for _ in shares]
        pooled = np.cumsum(self.counts)
        places = [_place(share, pooled) for share in shares]
        reached = self._reached(places)
        return [self._quantile(share, pooled, reached[:, column]) for column, share in enumerate(shares)]

    def _quantile(self, share: float, pooled: np.ndarray, reached: np.ndarray) -> Estimate:
        """One quantile; pooled: counts up to each bucket, int64[filled]; reached: float64[n]."""
        value = self._middle(share, pooled)
        counts = [float(histogram.count) for histogram in self.histograms]
        interval = of_ratio(reached.tolist(), counts, 0.0, 1.0)
        if interval.low is None or interval.high is None:
            return Estimate(value)
        at = self._middle if self.whole else self._inside
        return Estimate(value, min(value, at(interval.low, pooled)), max(value, at(interval.high, pooled)))

    def _reached(self, places: Sequence[tuple[int, float]]) -> np.ndarray:
        """Values of each replication at or below each place, as `_place` gives it: float64[n, places]."""
        buckets = self.filled[[position for position, _ in places]]
        beyond = 1.0 - np.array([inside for _, inside in places])
        reached = np.empty((len(self.histograms), len(places)))
        for row, histogram in zip(reached, self.histograms, strict=True):
            upto = np.concatenate(([0], np.cumsum(histogram.filled_counts)))
            before, after = (
                upto[np.searchsorted(histogram.filled, buckets, side)] for side in ("left", "right")
            )
            row[:] = after - beyond * (after - before)
        return reached

    def _middle(self, share: float, pooled: np.ndarray) -> float:
        """Middle of the first bucket with at least that share at or below it."""
        rank = math.ceil(share * pooled[-1] - ROUNDING)
        position = int(np.searchsorted(pooled, max(rank, 1)))
        return min(float(_middles(self.whole)[self.filled[position]]), self.maximum)

    def _inside(self, share: float, pooled: np.ndarray) -> float:
        """Where a share is reached if values are spread evenly over each bucket."""
        return min(float(_interpolated(self.filled, pooled[None], share)[0]), self.maximum)


def _place(share: float, pooled: np.ndarray) -> tuple[int, float]:
    """The bucket in which a share of all values is reached, and after which part of what is in it."""
    positions, inside = _places(share, pooled[None])
    return int(positions[0]), float(inside[0])


def _places(share: float, cumulated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`_place` of each row of counts up to each bucket, [n, filled]: int64[n] and float64[n]."""
    ranks = share * cumulated[:, -1]
    positions = np.minimum(np.sum(cumulated < ranks[:, None], axis=1), cumulated.shape[1] - 1)
    rows = np.arange(len(cumulated))
    upto = cumulated[rows, positions]
    before = np.where(positions > 0, cumulated[rows, positions - 1], 0)
    return positions, (ranks - before) / np.maximum(upto - before, 1)


def quantiles_of_sums(counts: np.ndarray, share: float) -> np.ndarray:
    """A quantile of each row of counts of all buckets, linear inside its bucket: float64[n], NaN for an
    empty row.

    counts: float64[n, BUCKET_COUNT].
    """
    filled = np.flatnonzero(counts.any(axis=0))
    if not len(filled):
        return np.full(len(counts), np.nan)
    cumulated = np.cumsum(counts[:, filled], axis=1)
    values = _interpolated(filled, np.maximum(cumulated, 0.0), share)
    return np.where(cumulated[:, -1] > 0, values, np.nan)


def _interpolated(filled: np.ndarray, cumulated: np.ndarray, share: float) -> np.ndarray:
    """Quantile of each row of cumulated counts of the filled buckets, linear inside its bucket:
    float64[n].
    """
    positions, inside = _places(share, cumulated)
    buckets = filled[positions]
    lower, upper = _edges()
    return lower[buckets] + inside * (upper[buckets] - lower[buckets])


@cache
def _middles(whole: bool) -> np.ndarray:
    """What stands for each bucket: float64[BUCKET_COUNT]; a whole number below 256 fills one alone, at its
    lower edge."""
    middles, (lower, _) = representatives(), _edges()
    return np.where(lower < 256.0, lower, middles) if whole else middles


@cache
def _edges() -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge of every bucket, float64[BUCKET_COUNT] each; the lowest stands for zero."""
    upper = upper_edges()
    lower = np.concatenate(([0.0], upper[:-1]))
    upper[0] = 0.0
    return lower, upper
