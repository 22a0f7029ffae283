"""Multi-window, multi-burn-rate alerts, evaluated on the simulated good and bad of an objective.

An alert fires while the error budget burns faster than its factor over a long and over a short window: the
long one shows that it matters, the short one that it still goes on. The table is that of the SRE workbook for
30 days; for another objective window the alert windows are scaled and the factors are kept, so that an alert
spends the same part of the budget before it fires.

Source: Beyer and others, The Site Reliability Workbook (2018), chapter 5, tables 5-6 and 5-8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

THIRTY_DAYS_S = 30 * 86_400.0


@dataclass(frozen=True)
class AlertRule:
    """Windows for an objective window of 30 days; both must exceed the burn rate `factor`."""

    severity: str
    long_s: float
    short_s: float
    factor: float

    def scaled(self, window_s: float) -> AlertRule:
        """The same rule for an objective over `window_s`."""
        scale = window_s / THIRTY_DAYS_S
        return AlertRule(self.severity, self.long_s * scale, self.short_s * scale, self.factor)


WORKBOOK_RULES = (
    AlertRule("page", 3_600.0, 300.0, 14.4),  # 2% of the budget in an hour
    AlertRule("page", 21_600.0, 1_800.0, 6.0),  # 5% in six hours
    AlertRule("ticket", 86_400.0, 7_200.0, 3.0),  # 10% in a day
    AlertRule("ticket", 259_200.0, 21_600.0, 1.0),  # 10% in three days
)


@dataclass(frozen=True)
class SampledOutcomes:
    """Good and bad of one replication on the sampling grid.

    good, bad    float64[samples]: what turned good (bad) in (t[k-1], t[k]]
    good_after, bad_after: after the last sample
    times_s      float64[samples], k * sample_every
    """

    times_s: np.ndarray
    good: np.ndarray
    bad: np.ndarray
    good_after: float
    bad_after: float
    warmup_s: float
    ended_s: float

    @property
    def total_good(self) -> float:
        return float(self.good.sum()) + self.good_after

    @property
    def total_bad(self) -> float:
        return float(self.bad.sum()) + self.bad_after


def alerts_of(outcomes: Sequence[SampledOutcomes], budget_ratio: float, window_s: float) -> list[dict]:
    """The report's alerts of one objective: which rules fired, in which share of replications, and when."""
    return [_alert(rule.scaled(window_s), outcomes, budget_ratio) for rule in WORKBOOK_RULES]


def _alert(rule: AlertRule, outcomes: Sequence[SampledOutcomes], budget_ratio: float) -> dict:
    evaluable = budget_ratio == 0 or rule.factor <= 1.0 / budget_ratio
    firing = [is_firing(rule, one, budget_ratio) for one in outcomes] if evaluable else []
    return {
        "severity": rule.severity,
        "long_s": rule.long_s,
        "short_s": rule.short_s,
        "burn_rate": rule.factor,
        "evaluable": evaluable,
        "fired_ratio": sum(bool(one.any()) for one in firing) / len(firing) if firing else None,
        "fired_at_s": _onsets(outcomes[0].times_s, firing[0]) if firing else [],
    }


def is_firing(rule: AlertRule, outcomes: SampledOutcomes, budget_ratio: float) -> np.ndarray:
    """At which samples both windows burn the budget faster than the factor: bool[samples]."""
    return _exceeds(rule.long_s, rule.factor, outcomes, budget_ratio) & _exceeds(
        rule.short_s, rule.factor, outcomes, budget_ratio
    )


def _exceeds(window_s: float, factor: float, outcomes: SampledOutcomes, budget_ratio: float) -> np.ndarray:
    """At which samples the bad share of (t - window, t] exceeds factor x budget: bool[samples].

    Compared as bad > factor x budget x all, so that a budget of nothing needs no division.
    """
    times = outcomes.times_s
    starts = times - window_s
    bad = _cumulated(outcomes.bad, times, outcomes, 0.0) - _cumulated(outcomes.bad, starts, outcomes, 0.0)
    seconds = outcomes.ended_s - outcomes.warmup_s
    rate = (outcomes.total_good + outcomes.total_bad) / seconds if seconds > 0 else 0.0
    both = outcomes.good + outcomes.bad
    all_ = _cumulated(both, times, outcomes, rate) - _cumulated(both, starts, outcomes, rate)
    return (times >= outcomes.warmup_s) & (bad > factor * budget_ratio * all_)


def _cumulated(
    counts: np.ndarray, at: np.ndarray, outcomes: SampledOutcomes, rate_before: float
) -> np.ndarray:
    """How many by each time `at`, linear between samples and at `rate_before` per second before the warm-up.

    Counted from the warm-up on, so it is negative before it.
    """
    times = outcomes.times_s
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    warmup = float(_on_grid(np.array([outcomes.warmup_s / step]))[0])
    knots = np.flatnonzero(times >= outcomes.warmup_s).astype(np.float64)
    totals = np.cumsum(counts[times >= outcomes.warmup_s])
    if not len(knots) or knots[0] > warmup:
        knots, totals = np.concatenate(([warmup], knots)), np.concatenate(([0.0], totals))
    position = _on_grid(at / step)
    before = -rate_before * step * (warmup - position)
    return np.where(position < warmup, before, np.interp(position, knots, totals))


def _on_grid(position: np.ndarray) -> np.ndarray:
    """Positions in samples, put on a sample within a millionth of it: t - w stays on the grid."""
    nearest = np.round(position)
    return np.where(np.abs(position - nearest) < 1e-6, nearest, position)


def _onsets(times_s: np.ndarray, firing: np.ndarray) -> list[float]:
    """When firing begins, s."""
    began = firing & ~np.concatenate(([False], firing[:-1]))
    return times_s[began].tolist()
