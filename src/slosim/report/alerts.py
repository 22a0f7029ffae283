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
    rules = [rule.scaled(window_s) for rule in WORKBOOK_RULES]
    fired = np.array(
        [[burn.fires(rule, budget_ratio).any() for rule in rules] for burn in map(_Burn, outcomes)]
    )
    first = _Burn(outcomes[0])
    return [
        _alert(rule, budget_ratio, float(ratio), _onsets(first.times_s, first.fires(rule, budget_ratio)))
        for rule, ratio in zip(rules, fired.mean(axis=0), strict=True)
    ]


def _alert(rule: AlertRule, budget_ratio: float, fired_ratio: float, fired_at_s: list[float]) -> dict:
    evaluable = budget_ratio == 0 or rule.factor <= 1.0 / budget_ratio
    return {
        "severity": rule.severity,
        "long_s": rule.long_s,
        "short_s": rule.short_s,
        "burn_rate": rule.factor,
        "evaluable": evaluable,
        "fired_ratio": fired_ratio if evaluable else None,
        "fired_at_s": fired_at_s if evaluable else [],
    }


def is_firing(rule: AlertRule, outcomes: SampledOutcomes, budget_ratio: float) -> np.ndarray:
    """At which samples both windows burn the budget faster than the factor: bool[samples]."""
    return _Burn(outcomes).fires(rule, budget_ratio)


class _Burn:
    """Bad and all of one replication, cumulated once for all rules."""

    def __init__(self, outcomes: SampledOutcomes) -> None:
        seconds = outcomes.ended_s - outcomes.warmup_s
        rate = (outcomes.total_good + outcomes.total_bad) / seconds if seconds > 0 else 0.0
        self.times_s = outcomes.times_s
        self.is_measured = outcomes.times_s >= outcomes.warmup_s
        self.bad = self.all = None
        if outcomes.bad.any():
            self.bad = _Cumulated(outcomes.bad, outcomes, 0.0)
            self.all = _Cumulated(outcomes.good + outcomes.bad, outcomes, rate)

    def fires(self, rule: AlertRule, budget_ratio: float) -> np.ndarray:
        """At which samples both windows burn the budget faster than the factor: bool[samples]."""
        bad_per_all = rule.factor * budget_ratio
        return self._exceeds(rule.long_s, bad_per_all) & self._exceeds(rule.short_s, bad_per_all)

    def _exceeds(self, window_s: float, bad_per_all: float) -> np.ndarray:
        """At which samples the bad share of (t - window, t] is larger: bool[samples].

        Compared as bad > share x all, so that a budget of nothing needs no division.
        """
        if self.bad is None or self.all is None:
            return np.zeros(len(self.times_s), bool)
        starts_s = self.times_s - window_s
        return self.is_measured & (self.bad.since(starts_s) > bad_per_all * self.all.since(starts_s))


class _Cumulated:
    """How many by each time, linear between samples and at `rate_before` per second before the warm-up.

    Counted from the warm-up on, so it is negative before it.
    """

    def __init__(self, counts: np.ndarray, outcomes: SampledOutcomes, rate_before: float) -> None:
        times_s, warmup_s = outcomes.times_s, outcomes.warmup_s
        self.step = float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
        self.rate_before = rate_before
        self.warmup = float(_on_grid(np.array([warmup_s / self.step]))[0])
        knots = np.flatnonzero(times_s >= warmup_s).astype(np.float64)
        totals = np.cumsum(counts[times_s >= warmup_s])
        if not len(knots) or knots[0] > self.warmup:
            knots, totals = np.concatenate(([self.warmup], knots)), np.concatenate(([0.0], totals))
        self.knots, self.totals = knots, totals
        self.at_samples = self._by(times_s)

    def since(self, starts_s: np.ndarray) -> np.ndarray:
        """How many in (start, t] for each sample time t: float64[samples]."""
        return self.at_samples - self._by(starts_s)

    def _by(self, at_s: np.ndarray) -> np.ndarray:
        position = _on_grid(at_s / self.step)
        before = -self.rate_before * self.step * (self.warmup - position)
        return np.where(position < self.warmup, before, np.interp(position, self.knots, self.totals))


def _on_grid(position: np.ndarray) -> np.ndarray:
    """Positions in samples, put on a sample within a millionth of it: t - w stays on the grid."""
    nearest = np.round(position)
    return np.where(np.abs(position - nearest) < 1e-6, nearest, position)


def _onsets(times_s: np.ndarray, firing: np.ndarray) -> list[float]:
    """When firing begins, s."""
    began = firing & ~np.concatenate(([False], firing[:-1]))
    return times_s[began].tolist()
