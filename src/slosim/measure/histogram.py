"""Log-linear histograms with a stated relative error, mergeable by addition.

Every factor of two is cut into 128 equal buckets, so a bucket is at most 1/128 of its lower edge wide and
its middle is within 1/256 = 0.39% of every value in it. The bucket of a value is read off its floating-point
bits; the kernel does the same (`engine/kernel.py:bucket_of`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BUCKETS_PER_OCTAVE_BITS = 7
LOWEST_EXPONENT = -30
"""Values below 2**-30 (about a nanosecond, or nothing at all) fall in bucket 0."""
HIGHEST_EXPONENT = 34
"""Values from 2**34 (544 years, 17 billion messages) fall in the last bucket."""
FIRST_BITS = (1023 + LOWEST_EXPONENT) << BUCKETS_PER_OCTAVE_BITS
BUCKET_COUNT = ((HIGHEST_EXPONENT - LOWEST_EXPONENT) << BUCKETS_PER_OCTAVE_BITS) + 1


def buckets_of(values: np.ndarray) -> np.ndarray:
    """Bucket of each value: int64[n] from float64[n], values >= 0."""
    bits = np.ascontiguousarray(values, dtype=np.float64).view(np.int64)
    return np.clip((bits >> (52 - BUCKETS_PER_OCTAVE_BITS)) - FIRST_BITS + 1, 0, BUCKET_COUNT - 1)


def upper_edges() -> np.ndarray:
    """Upper edge of every bucket: float64[BUCKET_COUNT]; a bucket holds lower <= value < upper."""
    bits = (np.arange(BUCKET_COUNT, dtype=np.int64) + FIRST_BITS) << (52 - BUCKETS_PER_OCTAVE_BITS)
    return bits.view(np.float64)


def representatives() -> np.ndarray:
    """The value that stands for each bucket, its middle (bucket 0: zero): float64[BUCKET_COUNT]."""
    upper = upper_edges()
    middles = np.empty_like(upper)
    middles[0] = 0.0
    middles[1:] = 0.5 * (upper[:-1] + upper[1:])
    return middles


def small_whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers in half the memory: int32[n], or int64[n] where one does not fit.

    NumPy adds up both in 64 bits.
    """
    fits = np.max(values, initial=0) <= np.iinfo(np.int32).max
    return values.astype(np.int32 if fits else np.int64)


@dataclass(frozen=True)
class Histogram:
    """Counts of the buckets that hold anything, with exact total and maximum.

    filled         int16[filled], buckets in ascending order
    filled_counts  int32[filled] (int64 where one of them needs it), above 0
    total          sum of the recorded values (their unit is the caller's)
    maximum        largest recorded value, 0.0 when there is none
    """

    filled: np.ndarray
    filled_counts: np.ndarray
    total: float
    maximum: float

    @classmethod
    def of(cls, values: np.ndarray) -> Histogram:
        """Histogram of float64[n] values >= 0."""
        counts = np.bincount(buckets_of(values))
        return cls.of_counts(counts, float(np.sum(values)), float(np.max(values, initial=0.0)))

    @classmethod
    def of_counts(cls, counts: np.ndarray, total: float, maximum: float) -> Histogram:
        """Histogram from the counts of all buckets, or of the first ones: int64[at most BUCKET_COUNT]."""
        filled = np.flatnonzero(counts)
        return cls(filled.astype(np.int16), small_whole(counts[filled]), total, maximum)

    @classmethod
    def empty(cls) -> Histogram:
        return cls.of_counts(np.zeros(0, np.int64), 0.0, 0.0)

    @property
    def counts(self) -> np.ndarray:
        """Counts of all buckets: int64[BUCKET_COUNT]."""
        counts = np.zeros(BUCKET_COUNT, np.int64)
        counts[self.filled] = self.filled_counts
        return counts

    @property
    def count(self) -> int:
        return int(self.filled_counts.sum())

    def mean(self) -> float | None:
        """Exact mean, None when empty."""
        count = self.count
        return self.total / count if count else None

    def quantiles(self, shares: list[float]) -> list[float | None]:
        """The smallest bucket's value with at least that share of values at or below it; None when empty."""
        count = self.count
        if not count:
            return [None for _ in shares]
        ranks = np.clip(np.ceil(np.asarray(shares) * count), 1, count)
        buckets = self.filled[np.searchsorted(np.cumsum(self.filled_counts), ranks)]
        return [min(float(value), self.maximum) for value in representatives()[buckets]]

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram.of_counts(
            self.counts + other.counts, self.total + other.total, max(self.maximum, other.maximum)
        )
