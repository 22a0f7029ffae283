"""Where the influence of the empty start ends: a truncation point for a series, by MSER-5.

MSER leaves out as many of the first samples as make the mean of the rest most certain. It balances the bias
that samples of the start bring against the variance that fewer samples have: of the n batch means Y of five
samples each, the number d to leave out minimises

    z(d) = Σ (Y[i] - mean of Y[d:])² / (n - d)²,      the sum over i = d … n - 1

A minimum in the second half says that the series does not settle, or is too short to tell.

Sources: White, An effective truncation heuristic for bias reduction in simulation output, Simulation 69
(1997); Franklin and White, Stationarity tests and MSER-5, Winter Simulation Conference (2008); on the second
half also Law, Simulation Modeling and Analysis, 5th edition, section 9.5.1.
"""

from __future__ import annotations

import numpy as np

BATCH = 5
"""Samples whose mean is one value: z of single samples would follow their noise."""
FEWEST_BATCHES = 10
LAST_BATCHES = 5
"""So few values at the end can agree by chance; z is not looked at there."""


def truncation(series: np.ndarray) -> int | None:
    """How many of the first samples to leave out, a multiple of 5; None when the series cannot tell.

    series: float64[samples]; what is left over behind the last whole batch is not used.
    """
    batches = len(series) // BATCH
    if batches < FEWEST_BATCHES:
        return None
    means = np.reshape(series[: batches * BATCH], (batches, BATCH)).mean(axis=1)
    means = means - means.mean()  # or squares of large numbers would drown the differences
    left = np.arange(batches, 0, -1)
    sums, squares = (np.cumsum(one[::-1])[::-1] for one in (means, means**2))
    z = np.maximum(squares - sums**2 / left, 0.0) / left**2
    first = int(np.argmin(z[:-LAST_BATCHES]))
    return first * BATCH if 2 * first <= batches else None
