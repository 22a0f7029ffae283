"""Configurations that were tried: in every case, on the same work, with as many replications as it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from slosim.experiments.judge import Judged, judge
from slosim.experiments.size.cases import DRAIN, Case, Cases, Drain
from slosim.experiments.size.dimensions import Position
from slosim.experiments.study import Study, Wanted
from slosim.experiments.summary import Summary
from slosim.measure import intervals
from slosim.model import Scenario
from slosim.report.objectives import MET, MISSED, UNDECIDED, verdict_of_all

FEW = 4
"""Replications that a configuration gets first; where they are clear, they do for the search."""
MORE = (2, 4)
"""Where all replications leave it undecided: so many times as many, then it stays undecided."""
POSSIBLE = "exists"
"""Name of the check of a configuration that is no system at all."""


class Check(NamedTuple):
    """One demand in one case.

    left_ratio  what is left of what may go wrong, negative where it is overspent: of the error budget, or of
                the time to drain; None: overspent without measure
    numbers     what was measured, for people and JSON
    """

    name: str
    verdict: str
    left_ratio: float | None
    numbers: dict[str, Any]

    @property
    def hardness(self) -> tuple[int, float]:
        """Smallest for the check that is furthest from being met."""
        rank = (MISSED, UNDECIDED, MET).index(self.verdict)
        return rank, -math.inf if self.left_ratio is None else self.left_ratio


class CaseResult(NamedTuple):
    """What one case came to, with how many replications."""

    case: Case
    replications: int
    checks: list[Check]

    @property
    def verdict(self) -> str:
        return verdict_of_all([one.verdict for one in self.checks])


class Trial(NamedTuple):
    """A configuration and what its cases came to; where one of them cannot be, it stands alone.

    is_firm  it had all replications, as the answer and its proof must
    """

    position: Position
    results: list[CaseResult]
    is_firm: bool

    @property
    def verdict(self) -> str:
        return verdict_of_all([one.verdict for one in self.results])

    @property
    def is_met(self) -> bool:
        return self.verdict == MET

    @property
    def hardest(self) -> tuple[CaseResult, Check]:
        """The check that is furthest from being met, in its case."""
        pairs = [(result, check) for result in self.results for check in result.checks]
        return min(pairs, key=lambda pair: pair[1].hardness)


class Trials:
    """Tries configurations, each once.

    replications  of each case of a firm trial
    """

    def __init__(self, study: Study, cases: Cases, replications: int) -> None:
        self.study = study
        self.cases = cases
        self.replications = replications
        self.done: dict[Position, Trial] = {}

    def of(self, position: Position, firm: bool = False, doing: str = "") -> Trial:
        """A configuration, firm or as clear as the search needs it.

        Raises:
            Stopped: not all runs could be simulated.
        """
        if not self.is_known(position, firm):
            self.done[position] = self._tried(position, firm, doing)
        return self.done[position]

    def is_known(self, position: Position, firm: bool = False) -> bool:
        known = self.done.get(position)
        return known is not None and (known.is_firm or not firm)

    def _tried(self, position: Position, firm: bool, doing: str) -> Trial:
        """Looks in rounds, each at the cases that are undecided; a miss ends it."""
        rounds = (self.replications, *(times * self.replications for times in MORE))
        results: dict[Case, CaseResult] = {}
        still = self.cases.all
        for count in rounds if firm else dict.fromkeys((min(FEW, self.replications), *rounds)):
            results |= self._looked(position, still, count, doing)
            still = [case for case in still if case in results and results[case].verdict == UNDECIDED]
            if not still or any(one.verdict == MISSED for one in results.values()):
                break
        ordered = [results[case] for case in self.cases.all if case in results]
        is_whole = all(one.replications >= self.replications for one in ordered)
        return Trial(position, ordered, firm or is_whole)

    def _looked(
        self, position: Position, cases: Sequence[Case], count: int, doing: str
    ) -> dict[Case, CaseResult]:
        made = {case: self.cases.of(position, case) for case in cases}
        possible = {case: one for case, one in made.items() if isinstance(one, Scenario)}
        found = {
            case: CaseResult(case, 0, [Check(POSSIBLE, MISSED, None, {"kind": "impossible", "why": one})])
            for case, one in made.items()
            if isinstance(one, str)
        }
        if found:
            return found
        wanted = [Wanted(scenario, count) for scenario in possible.values()]
        summaries = self.study.summaries(wanted, doing)
        for (case, scenario), its in zip(possible.items(), summaries, strict=True):
            found[case] = CaseResult(case, count, self._checks(case, scenario, its))
        return found

    def _checks(self, case: Case, scenario: Scenario, summaries: list[Summary]) -> list[Check]:
        demands = self.cases.demands
        if case.kind == DRAIN:
            assert demands.drain is not None
            return [drained(demands.drain, summaries)]
        return [kept(one) for one in judge(scenario, summaries) if one.name in demands.objectives]


def kept(judged: Judged) -> Check:
    """An objective and what is left of its error budget."""
    sli, target = judged.sli_ratio, judged.target_ratio
    left = None
    if sli.value is not None and target < 1.0:
        left = 1.0 - (1.0 - sli.value) / (1.0 - target)
    elif sli.value == 1.0:
        left = 0.0
    numbers = {"kind": "objective", "target_ratio": target, "sli_ratio": sli.as_dict()}
    return Check(judged.name, judged.verdict, left, numbers)


def drained(drain: Drain, summaries: Sequence[Summary]) -> Check:
    """Whether the lag was back in time, in every replication.

    That it was in each of n says with 95% confidence that it is in a share of at least 0.05^(1/n) of such
    outages (the exact binomial bound).
    """
    its = [next(one for one in summary.faults if one.name == drain.name) for summary in summaries]
    times = [one.recovered_after_s for one in its]
    in_time = sum(time is not None and time <= drain.within_s for time in times)
    known = [time for time in times if time is not None]
    longest = max(known) if len(known) == len(times) else None
    is_kept = in_time == len(times)
    numbers = {
        "kind": "drain",
        "within_s": drain.within_s,
        "longest_s": longest,
        "peak_lag": intervals.of_mean([one.peak_lag for one in its]).as_dict(),
        "recovered_after_s": intervals.of_mean(known).as_dict(),
        "in_time_ratio": in_time / len(times),
        "in_time_least_ratio": 0.05 ** (1 / len(times)) if is_kept else None,
    }
    left = None if longest is None else 1.0 - longest / drain.within_s
    return Check(f"drain {drain.target}", MET if is_kept else MISSED, left, numbers)
