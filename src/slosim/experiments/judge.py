"""Verdicts on a variant, from summaries of its replications: the report's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slosim.experiments.quantities import sli_of
from slosim.experiments.summary import Summary
from slosim.measure.intervals import Estimate
from slosim.model import Scenario
from slosim.report.objectives import verdict_of, verdict_of_all


class Judged(NamedTuple):
    """One objective of a variant; verdict: met, missed or undecided."""

    name: str
    target_ratio: float
    sli_ratio: Estimate
    verdict: str


def judge(scenario: Scenario, summaries: Sequence[Summary]) -> list[Judged]:
    """Every objective of a scenario, pooled over the replications."""
    return [_judged(one.name, one.target, sli_of(one.name, summaries)) for one in scenario.objectives]


def _judged(name: str, target_ratio: float, sli: Estimate) -> Judged:
    return Judged(name, target_ratio, sli, verdict_of(sli, target_ratio))


def verdict(judged: Sequence[Judged]) -> str:
    """Missed if any objective is, else undecided if any is, else met; or no objectives."""
    return verdict_of_all([one.verdict for one in judged])
