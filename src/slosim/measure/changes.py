"""From one pooled estimate to another: the difference and the relative change, each with a 95% interval.

`paired` where both were estimated on the same work, so that what is common to them cancels; `independent`
where only their two intervals are known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from slosim.measure import intervals
from slosim.measure.intervals import UNDEFINED, Estimate

LOG_RATIO_MOST = math.log(1e6)
"""Beyond it, an interval of a logarithm says only that there are too few replications."""


class Change(NamedTuple):
    """difference: after - before; ratio: (after - before) / before, undefined when before is 0."""

    difference: Estimate
    ratio: Estimate


def paired(
    old: float, new: float, olds: np.ndarray, news: np.ndarray, sizes: Sequence[int] | None = None
) -> Change:
    """The change between pooled values on the same work, by jackknife over pairs, or over groups of them.

    old, new    pooled values, NaN where undefined
    olds, news  float64[groups]: the values with one replication, or one group of them, left out; the same
                ones in both
    sizes       replications in each group, where they are not alike
    """
    difference = _estimate(new - old, news - olds, -math.inf, sizes)
    if not old:
        return Change(difference, UNDEFINED)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, ratios = new / old, news / olds
        log = _estimate(float(np.log(ratio)), np.log(ratios), -math.inf, sizes)
    # The spread of a logarithm is alike to both sides: a queue that is nearly full doubles in one replication
    # and grows tenfold in another.
    if log.low is None or log.high is None or log.high > LOG_RATIO_MOST:
        return Change(difference, _estimate(ratio - 1.0, ratios - 1.0, -1.0, sizes))
    return Change(difference, Estimate(ratio - 1.0, math.expm1(log.low), math.expm1(log.high)))


def independent(before: Estimate, after: Estimate) -> Change:
    """The change between estimates of independent runs, from their intervals.

    Each bound of the difference is as far from it as the root of the sum of squares of the two sides that
    push it there (Zou and Donner, Statistics in Medicine 27 (2008): MOVER), so intervals that lie unevenly
    around their values will do. Each side keeps its own Student t, so this is Welch's interval with the
    degrees of freedom of the runs, not those of Welch and Satterthwaite: a little wider.
    """
    if before.value is None or after.value is None:
        return Change(UNDEFINED, UNDEFINED)
    difference = _mover(before, after)
    if not before.value:
        return Change(difference, UNDEFINED)
    ratio = after.value / before.value
    logs = [_logarithm(one) for one in (before, after)]
    log = UNDEFINED if logs[0] is None or logs[1] is None else _mover(logs[0], logs[1])
    if log.low is None or log.high is None or log.high > LOG_RATIO_MOST:
        # A difference that has an interval is told instead of a ratio that has none.
        return Change(difference, Estimate(ratio - 1.0) if difference.low is None else UNDEFINED)
    return Change(difference, Estimate(ratio - 1.0, math.expm1(log.low), math.expm1(log.high)))


def is_told_as_ratio(unit: str, ratio: float | None) -> bool:
    """Whether people are told a change as a ratio with its interval, and judge it by that: all but shares,
    whose points are told, and what was nothing before.
    """
    return unit != "ratio" and ratio is not None


def effect_of(unit: str, better: str, its: Change, resolution: float = 0.0) -> str:
    """The effect that the interval shown beside a change says.

    `same` in every replication, or by less than the numbers resolve; `unclear` when the interval holds 0 or
    there is none; else `better`, `worse` or, where neither side is good, `changed`; `undefined` where there
    is nothing to compare.

    unit        "ratio" for a share, which is judged by its points
    better      "lower", "higher", or "" where neither is
    resolution  differences below it are none, in the unit of the numbers
    """
    difference = its.difference
    if difference.value is None:
        return "undefined"
    if difference.low is None or difference.high is None:
        return "unclear"
    if difference.low == difference.high == 0 or max(-difference.low, difference.high) < resolution:
        return "same"
    told = its.ratio if is_told_as_ratio(unit, its.ratio.value) else difference
    if told.low is None or told.high is None or told.low <= 0 <= told.high:
        return "unclear"
    if abs(difference.value) < resolution:
        return "unclear"
    if not better:
        return "changed"
    return "better" if (told.low > 0) == (better == "higher") else "worse"


def _estimate(pooled: float, left_out: np.ndarray, least: float, sizes: Sequence[int] | None) -> Estimate:
    if not math.isfinite(pooled):
        return UNDEFINED
    values = [float(value) if math.isfinite(value) else None for value in left_out]
    return intervals.jackknife(pooled, values, least, sizes=sizes)


def _mover(before: Estimate, after: Estimate) -> Estimate:
    assert before.value is not None
    assert after.value is not None
    value = after.value - before.value
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Estimate(value)
    downwards = math.hypot(after.value - after.low, before.high - before.value)
    upwards = math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(value, value - downwards, value + upwards)


def _logarithm(one: Estimate) -> Estimate | None:
    """None: the interval reaches 0, or there is none."""
    if not one.value or not one.low or one.high is None:
        return None
    return Estimate(math.log(one.value), math.log(one.low), math.log(one.high))
