"""Inverse distribution functions as the kernel reads them.

Closed forms stay closed. Everything else becomes one of
  TABLE  values at tail probabilities 2**-53 (1 + j/64) 2**k up to 1/2, on both sides: an index is read off
         the bits of the tail probability, and the tails are as dense as the middle;
  KNOTS  (tail probability, value) pairs where the inverse has jumps or corners, refined until it is straight
         between them;
  STEPS  equally likely values.
Between entries the value is a straight line of the probability; its relative error is below TOLERANCE.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from slosim.compile.program import (
    CONSTANT,
    DISTRIBUTION,
    EXPONENTIAL,
    INTEGERS,
    KNOTS,
    STEPS,
    TABLE,
    UNIFORM,
)
from slosim.model import distributions as model

TABLE_BITS = 6
TABLE_SHIFT = 52 - TABLE_BITS
LOWEST_EXPONENT = -53
FIRST_TABLE_BITS = (1023 + LOWEST_EXPONENT) << TABLE_BITS
TOLERANCE = 5e-4
REFINEMENTS = 40
TABLES_KEPT = 128
"""Some 50 kB each."""


def tail_grid() -> np.ndarray:
    """The tail probabilities of a TABLE side, ascending, the last two both 1/2: float64."""
    last_bits = (1023 - 1) << TABLE_BITS
    grid = (np.arange(FIRST_TABLE_BITS, last_bits + 1, dtype=np.int64) << TABLE_SHIFT).view(np.float64)
    return np.append(grid, grid[-1])


def quantile_of_tail(distribution: model.Distribution, upper: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Value as a function of the upper (lower) tail probability."""
    if upper:
        return lambda tail: np.asarray(distribution.quantile(1.0 - tail, tail), dtype=np.float64)
    return lambda tail: np.asarray(distribution.quantile(tail, 1.0 - tail), dtype=np.float64)


def _is_straight(value: Callable, tails: np.ndarray, values: np.ndarray) -> np.ndarray:
    """For each interval: does the straight line hold the middle within the tolerance?"""
    middle = value(0.5 * (tails[:-1] + tails[1:]))
    line = 0.5 * (values[:-1] + values[1:])
    return np.abs(middle - line) <= 0.5 * TOLERANCE * np.maximum(np.abs(middle), 1e-12)


def _refined(value: Callable, kinks: np.ndarray) -> np.ndarray:
    """KNOTS of one side: octaves' edges and kinks, halved where the inverse bends: float64[2 x knots]."""
    tails = np.unique(np.concatenate((tail_grid()[::8], [0.5], kinks[(kinks > 0.0) & (kinks < 0.5)])))
    values = value(tails)
    for _ in range(REFINEMENTS):
        bent = np.flatnonzero(~_is_straight(value, tails, values))
        middle = 0.5 * (tails[bent] + tails[bent + 1])
        bent = bent[(middle > tails[bent]) & (middle < tails[bent + 1])]
        if not bent.size:
            break
        middle = 0.5 * (tails[bent] + tails[bent + 1])
        tails = np.insert(tails, bent + 1, middle)
        values = np.insert(values, bent + 1, value(middle))
    return np.column_stack((tails, values)).ravel()


@lru_cache(TABLES_KEPT)
def _tabulated(distribution: model.Distribution) -> tuple[int, int, int, np.ndarray]:
    """Kind, entries of the lower and of the upper side, and both as one read-only float64 array.

    Kept, since the variants of an experiment have most of their distributions in common.
    """
    sides = [quantile_of_tail(distribution, upper) for upper in (False, True)]
    grid = tail_grid()
    tables = [side(grid) for side in sides]
    counts = [grid.size, grid.size]
    kind = TABLE
    if not all(
        _is_straight(side, grid[:-1], table[:-1]).all() for side, table in zip(sides, tables, strict=True)
    ):
        kind = KNOTS
        kinks = np.array(distribution.kinks())
        tables = [_refined(side, tails) for side, tails in zip(sides, (kinks, 1.0 - kinks), strict=True)]
        counts = [table.size // 2 for table in tables]
    values = np.concatenate(tables)
    values.flags.writeable = False
    return kind, counts[0], counts[1], values


class DistributionTable:
    """Collects the distributions of a program; equal ones share an index."""

    def __init__(self) -> None:
        self._rows: list[np.ndarray] = []
        self._knots: list[np.ndarray] = []
        self._knot_count = 0
        self._index: dict[model.Distribution, int] = {}

    def add(self, distribution: model.Distribution) -> int:
        """Index of the distribution in the program."""
        if distribution not in self._index:
            self._index[distribution] = len(self._rows)
            self._rows.append(self._row(distribution))
        return self._index[distribution]

    def add_unless_zero(self, distribution: model.Distribution) -> int:
        """Index of the distribution, -1 if it is the constant 0."""
        return -1 if distribution.maximum() == 0 else self.add(distribution)

    def arrays(self) -> dict[str, np.ndarray]:
        rows = np.concatenate(self._rows) if self._rows else np.zeros(1, DISTRIBUTION)
        knots = np.concatenate(self._knots) if self._knots else np.zeros(1)
        return {"distributions": rows, "knots": knots}

    def _row(self, distribution: model.Distribution) -> np.ndarray:
        row = np.zeros(1, DISTRIBUTION)
        row["shift"] = distribution.shift
        row["cap"] = np.inf if distribution.cap is None else distribution.cap
        match distribution:
            case _ if distribution.minimum() == distribution.maximum():
                row["kind"], row["a"] = CONSTANT, distribution.minimum()
            case model.Uniform():
                row["kind"], row["a"], row["b"] = UNIFORM, distribution.low, distribution.high
            case model.Integers():
                row["kind"], row["a"] = INTEGERS, distribution.first
                row["b"] = distribution.last - distribution.first + 1
            case model.Exponential():
                row["kind"], row["a"] = EXPONENTIAL, distribution.mean_s
            case model.Empirical():
                values = np.minimum(np.asarray(distribution.values) + distribution.shift, row["cap"][0])
                row["kind"], row["first"], row["lower_count"] = STEPS, self._keep(values), values.size
            case _:
                row["kind"], row["lower_count"], row["upper_count"], values = _tabulated(distribution)
                row["first"] = self._keep(values)
        return row

    def _keep(self, values: np.ndarray) -> int:
        first = self._knot_count
        self._knots.append(np.asarray(values, dtype=np.float64))
        self._knot_count += values.size
        return first
