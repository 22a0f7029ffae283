"""Objectives: what was good and bad, the verdict on the promise, and what is left of the error budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from slosim.measure import intervals
from slosim.measure.intervals import Estimate
from slosim.measure.measurements import LineMeasurements, Measurements
from slosim.report.alerts import SampledOutcomes, alerts_of
from slosim.report.statistics import longest_times, mean_series, measured_samples, measured_seconds

if TYPE_CHECKING:
    from slosim.model import Objective


MET, MISSED, UNDECIDED, NO_OBJECTIVES = "met", "missed", "undecided", "no objectives"


def objective_entry(objective: Objective, measurements: Sequence[Measurements]) -> dict:
    """The report's entry of one objective."""
    outcomes = outcomes_of(objective, measurements)
    good = [one.total_good for one in outcomes]
    bad = [one.total_bad for one in outcomes]
    sli = intervals.of_share(good, bad)
    budget_ratio = budget_of(objective.target)
    return {
        "name": objective.name,
        "kind": objective.kind,
        "target_ratio": objective.target,
        "threshold": objective.threshold,
        "sli_ratio": sli.as_dict(),
        "good": intervals.of_mean(good).as_dict(),
        "bad": intervals.of_mean(bad).as_dict(),
        "verdict": verdict_of(sli, objective.target),
        "error_budget": error_budget(sli, budget_ratio, measured_seconds(measurements), objective.window),
        "alerts": alerts_of(outcomes, budget_ratio, objective.window),
        "series": {
            "t_s": longest_times(measurements),
            "good": mean_series([one.good for one in outcomes]),
            "bad": mean_series([one.bad for one in outcomes]),
        },
    }


def outcomes_of(objective: Objective, measurements: Sequence[Measurements]) -> list[SampledOutcomes]:
    """Good and bad of each replication: flow instances, or the measured samples of a lag or age objective."""
    return [_outcomes(objective, one) for one in measurements]


def _outcomes(objective: Objective, one: Measurements) -> SampledOutcomes:
    if objective.kind in ("lag", "age"):
        line = line_of(objective, one)
        values = line.lag.samples if objective.kind == "lag" else line.age_samples
        measured = measured_samples(one)
        good = (measured & (values < objective.threshold)).astype(np.float64)
        bad = measured - good
        good_after = bad_after = 0.0
    else:
        counts = one.objectives[objective.name]
        good, bad = np.asarray(counts.good, np.float64), np.asarray(counts.bad, np.float64)
        good_after, bad_after = float(counts.good_after), float(counts.bad_after)
    return SampledOutcomes(one.sample_times_s, good, bad, good_after, bad_after, one.warmup_s, one.ended_s)


def line_of(objective: Objective, one: Measurements) -> LineMeasurements:
    """The line that a lag or age objective watches: of its consumer, or of the topic's only one."""
    consumer = objective.consumer or next(service for topic, service in one.lines if topic == objective.topic)
    return one.lines[str(objective.topic), consumer]


def budget_of(target_ratio: float) -> float:
    """1 - target as it would be written: 0.005 for a target of 0.995, not 0.0050000000000000044."""
    return float(1 - Decimal(repr(target_ratio)))


def verdict_of(sli: Estimate, target_ratio: float) -> str:
    """Met or missed when the interval is clear of the target; without an interval the value decides.

    No finite run shows that a target of 100% is met, and one bad instance shows that it is missed.
    """
    if sli.value is None:
        return UNDECIDED
    if target_ratio == 1.0 and sli.value < 1.0:
        return MISSED
    low = sli.value if sli.low is None else sli.low
    high = sli.value if sli.high is None else sli.high
    if low >= target_ratio:
        return MET
    return MISSED if high < target_ratio else UNDECIDED


def verdict_of_all(verdicts: Sequence[str]) -> str:
    """Missed if any objective is, else undecided if any is, else met."""
    if not verdicts:
        return NO_OBJECTIVES
    return next((verdict for verdict in (MISSED, UNDECIDED) if verdict in verdicts), MET)


def flips(before: str, after: str) -> bool:
    """Whether a verdict goes from met to missed or back: undecided is neither."""
    return {before, after} == {MET, MISSED}


def error_budget(sli: Estimate, budget_ratio: float, seconds: Sequence[float], window_s: float) -> dict:
    """What the run did to the budget; a target of 100% has none, so its burn rate is undefined."""
    bad_share = sli.affine(-1.0, 1.0)
    burn_rate = bad_share.affine(1.0 / budget_ratio) if budget_ratio else intervals.UNDEFINED
    window_share = math.fsum(seconds) / len(seconds) / window_s
    return {
        "budget_ratio": budget_ratio,
        "burn_rate": burn_rate.as_dict(),
        "consumed_of_window_ratio": burn_rate.affine(window_share).as_dict(),
        "remaining_in_run_ratio": burn_rate.affine(-1.0, 1.0).as_dict(),
    }
