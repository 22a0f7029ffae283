"""What breaks it first: stresses, each raised until an objective is missed, on identical work.

The result is documented in docs/experiments.md (`slosim-break/1`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slosim.errors import ScenarioError, UserError
from slosim.experiments import quantities
from slosim.experiments.aftermath import DRAINING, RECOVERED, STUCK, UNKNOWN, Aftermath
from slosim.experiments.against import run_entry
from slosim.experiments.breaks.ladder import Bracket, Search, climb, confirm, descend
from slosim.experiments.breaks.stresses import LeftOut, Place, Stress, chosen, place_of, stresses_of
from slosim.experiments.judge import Judged, judge, verdict
from slosim.experiments.kinds import format_of
from slosim.experiments.result import Result, as_plain
from slosim.experiments.study import Stopped, Study, Wanted
from slosim.experiments.summary import Summary
from slosim.measure import intervals
from slosim.measure.intervals import UNDEFINED
from slosim.model import Objective, Scenario
from slosim.model.values import write_duration
from slosim.report.objectives import MISSED, budget_of
from slosim.report.units import clock
from slosim.version import __version__

SEARCHED_WITH = 2
"""Replications of the levels on the way, where the value alone decides; the two at the edge get all of them,
and there the interval must be clear of the target."""
LONGER = 3
"""Where the backlog does not return, a run so many times as long shows whether it ever does: floods that move
on from service to service, or leave compensations behind, look for a long time as if they stayed."""
AT_ONCE, AT_ONCE_PER_WORKER = 4, 2
"""Stresses that are advanced side by side, at least."""
DECLARED, NONE, LEFT_OUT = "declared", "none", "left out"
STAND_IN_TARGET = "95%"
STAND_IN_SLOWER = 2
"""Without objectives: broken when less than 95% are within twice the normal p99."""
STAND_IN_MOST = 0.5
"""The longest stand-in as a share of the measured time: of what starts later than that before the end of the
run, none can be seen to be late.
"""


class Reference(NamedTuple):
    """The system without stress. faults: what became of the declared ones; stand_ins: objectives in addition,
    as in a file.
    """

    scenario: Scenario
    summaries: list[Summary]
    judged: list[Judged]
    faults: str
    stand_ins: list[dict[str, Any]]

    @property
    def live(self) -> list[Objective]:
        """Objectives that a stress can break."""
        missed = {one.name for one in self.judged if one.verdict == MISSED}
        return [one for one in self.scenario.objectives if one.name not in missed]

    @property
    def backlog_grows(self) -> bool:
        """Whether the lag at the end is clearly above its mean, by half at least (growing steadily, it is
        twice the mean): then it cannot return to what is normal after any trigger.
        """
        ends = [sum(line.lag_at_end for line in one.lines.values()) for one in self.summaries]
        means = [
            sum(line.lag_integral for line in one.lines.values()) / one.measured_s for one in self.summaries
        ]
        more = [end - mean for end, mean in zip(ends, means, strict=True)]
        above = intervals.of_mean(more, least=-math.inf)
        return sum(ends) > 1.5 * sum(means) and above.low is not None and above.low > 0


def find_breaks(
    scenario: Scenario,
    study: Study,
    replications: int,
    only: Sequence[str] = (),
    keep_faults: bool | None = None,
    source: str | None = None,
) -> Result:
    """Ladders of stresses, and for each the level at which the first objective is missed.

    only         kinds or targets of the stresses to try; all without any
    keep_faults  whether the declared faults stay; None: they do, unless they are why an objective is missed
    source       the scenario in a command line that shows a break again

    Raises:
        UserError: `only` names nothing that is there, or nothing can be judged.
        Stopped: before the system without stress has been seen.
    """
    reference = _reference(scenario, study, replications, keep_faults)
    live = {one.name for one in reference.live}
    if not any(one.sli_ratio.value is not None for one in reference.judged if one.name in live):
        raise UserError(
            "nothing can be judged: no objective counted anything without stress. Do messages arrive, and"
            f" end, in the {clock(scenario.run.duration - scenario.run.warmup)} that are measured? A longer"
            " run.duration helps: slosim run shows what was counted"
        )
    place = place_of(reference.scenario, reference.summaries)
    dead_letters = any(flow.dead_lettered for one in reference.summaries for flow in one.flows.values())
    stresses, left_out = stresses_of(reference.scenario, place, scenario, dead_letters)
    climbers = [_Climber(stress, reference, replications) for stress in chosen(only, stresses, left_out)]
    stopped = None
    try:
        _advance(climbers, study)
    except Stopped as error:
        stopped = error.reason
    content = _content(reference, place, climbers, [] if only else left_out, stopped)
    return Result({**content, "source": source})


# The system without stress


def _reference(scenario: Scenario, study: Study, replications: int, keep_faults: bool | None) -> Reference:
    """A system that keeps its promises, as far as there is one: as declared, or without its faults where they
    are why an objective is missed; with stand-ins where no objective is left.
    """
    tried: list[Reference] = []
    if keep_faults is not False or not scenario.faults:
        tried.append(_seen(scenario, study, replications, DECLARED if scenario.faults else NONE))
    if scenario.faults and not keep_faults and not (tried and _all_live(tried[0])):
        try:
            healthy = scenario.replace({"faults": []})
        except ScenarioError:  # a flow that ends behind a redrive, for example
            if not tried:
                raise
        else:
            tried.append(_seen(healthy, study, replications, LEFT_OUT))
    best = max(tried, key=lambda one: len(one.live))  # the first of equals: as declared
    return best if best.live else _with_stand_ins(best, study, replications)


def _all_live(reference: Reference) -> bool:
    return len(reference.live) == len(reference.judged)


def _seen(scenario: Scenario, study: Study, replications: int, faults: str) -> Reference:
    (summaries,) = study.summaries([Wanted(scenario, replications)], "the system without stress")
    return Reference(scenario, summaries, judge(scenario, summaries), faults, [])


def _with_stand_ins(seen: Reference, study: Study, replications: int) -> Reference:
    """Objectives relative to the system as it is, where it has none that a stress could break.

    Raises:
        UserError: it has no pace that could be called usual, or none that a run of this length can judge.
    """
    missed = "every objective is missed without stress" if seen.judged else "no objective is declared"
    if seen.backlog_grows:
        raise UserError(
            f"nothing can be judged: {missed}, and the backlog grows without stress, so no pace is usual."
            " First give it more capacity or less load: slosim run shows what is saturated, slosim size what"
            " would do"
        )
    run = seen.scenario.run
    measured_s = run.duration - run.warmup
    usual_s = {name: its for name in seen.scenario.flows if (its := _p99_s(name, seen)) is not None}
    within_s = {name: float(f"{max(STAND_IN_SLOWER * its, 1e-6):.2g}") for name, its in usual_s.items()}
    stand_ins = [
        {
            "name": f"{name} at its usual pace",
            "flow": name,
            "within": write_duration(its),
            "target": STAND_IN_TARGET,
        }
        for name, its in within_s.items()
        if its <= STAND_IN_MOST * measured_s
    ]
    if not stand_ins and within_s:
        shortest = write_duration(min(within_s.values()))
        raise UserError(
            f"nothing can be judged: {missed}, and twice the usual p99, {shortest}, is more than half of the"
            f" {clock(measured_s)} that are measured. A longer run.duration helps where no backlog grows:"
            " slosim run shows what is saturated"
        )
    if not stand_ins:
        raise UserError(
            "nothing can break: no flow completes, and no objective is met without stress. Declare what is"
            " promised, e.g. objectives: [{name: in time, flow: FLOW, within: 10s, target: 99%}]"
        )
    objectives = [*seen.scenario.resolved()["objectives"], *stand_ins]
    again = _seen(seen.scenario.replace({"objectives": objectives}), study, replications, seen.faults)
    if not again.live:
        raise UserError(
            f"nothing can break: without stress not even {STAND_IN_TARGET} of a flow is within twice its p99."
            " A longer run.warmup may help, or more capacity: slosim run shows what is saturated"
        )
    return again._replace(stand_ins=stand_ins)


def _p99_s(flow: str, seen: Reference) -> float | None:
    p99 = next(one for one in quantities.flow_quantities(flow) if one.key.endswith(".p99"))
    return quantities.estimate(p99, seen.summaries).value


# Climbing


class _Ask(NamedTuple):
    """A level to simulate, how often, and whether in the longer run."""

    level: float
    replications: int
    longer: bool = False


@dataclass
class _Climber:
    """One stress on its way up; `edge` and `stuck` are there when it is done."""

    stress: Stress
    reference: Reference
    replications: int
    edge: Bracket | None = None
    stuck: Bracket | None = None
    done: bool = False
    levels: dict[float, Scenario] = field(default_factory=dict)
    in_longer_run: Scenario | None = None
    seen_longer: list[Summary] = field(default_factory=list)
    seen: dict[float, list[Summary]] = field(default_factory=dict)

    def scenario(self, level: float, longer: bool = False) -> Scenario:
        if level not in self.levels:
            self.levels[level] = self.stress.changed(level).applied_to(self.reference.scenario)
        if not longer:
            return self.levels[level]
        if self.in_longer_run is None:
            duration = write_duration(LONGER * self.reference.scenario.run.duration)
            self.in_longer_run = self.levels[level].replace({"run.duration": duration})
        return self.in_longer_run

    def asks(self) -> Generator[_Ask, list[Summary], None]:
        """What it needs, one level after the other; the summaries of each are sent back."""
        few, all_of_them = min(SEARCHED_WITH, self.replications), self.replications
        ladder = self.stress.ladder
        found = yield from self._searching(climb(ladder), few, self.is_below)
        self.edge = yield from self._searching(confirm(ladder, found), all_of_them, self.is_missed)
        if self.stress.trigger is not None and not self.reference.backlog_grows:
            found = yield from self._searching(descend(ladder), few, self.is_stuck)
            self.stuck = yield from self._searching(confirm(ladder, found), all_of_them, self.is_stuck)
        for level in self.levels_shown():
            if level > ladder.base:
                self.seen[level] = yield _Ask(level, all_of_them)
        if self.stuck is not None and self.stuck.breaks is not None:
            self.seen_longer = yield _Ask(self.stuck.breaks, few, longer=True)
        self.done = True

    def _searching(
        self, search: Search, replications: int, broken: Any
    ) -> Generator[_Ask, list[Summary], Bracket]:
        answer = None
        while True:
            try:
                level = next(search) if answer is None else search.send(answer)
            except StopIteration as end:
                return end.value
            answer = broken(level, (yield _Ask(level, replications)))

    def is_missed(self, level: float, summaries: list[Summary]) -> bool:
        """Whether an objective is missed that is not without stress."""
        return any(one.verdict == MISSED for one in self.judged(level, summaries))

    def is_below(self, level: float, summaries: list[Summary]) -> bool:
        """Whether the value of such an objective is below its target, whatever its interval."""
        return any(
            one.sli_ratio.value is not None and one.sli_ratio.value < one.target_ratio
            for one in self.judged(level, summaries)
        )

    def judged(self, level: float, summaries: list[Summary]) -> list[Judged]:
        """The objectives that are not missed without stress."""
        live = {one.name for one in self.reference.live}
        return [one for one in judge(self.scenario(level), summaries) if one.name in live]

    def is_stuck(self, level: float, summaries: list[Summary]) -> bool:
        """Whether the backlog of at least half of the replications neither returns nor falls."""
        return 2 * sum(one.outcome == STUCK for one in self.aftermaths(summaries)) >= len(summaries)

    def aftermaths(self, summaries: list[Summary]) -> list[Aftermath]:
        """What came after the trigger, in each replication."""
        return [
            next(fault.aftermath for fault in one.faults if fault.name == self.stress.trigger)
            for one in summaries
        ]

    def levels_shown(self) -> list[float]:
        """The edge; of what ends also twice the level that breaks, and where its backlog stops to return."""
        assert self.edge is not None
        levels = [self.edge.holds, self.edge.breaks]
        if self.stuck is not None:
            ladder = self.stress.ladder
            worst = ladder.most if self.edge.breaks is None else self.edge.breaks
            levels += [worst, min(2 * worst, ladder.most), self.stuck.holds, self.stuck.breaks]
        return sorted({one for one in levels if one is not None})


def _advance(climbers: Sequence[_Climber], study: Study) -> None:
    """Some side by side, so that all workers are busy and the first are soon done: in each round every one of
    them gets the level that it asks for.
    """
    at_once = max(AT_ONCE, AT_ONCE_PER_WORKER * study.workers.count)
    to_come = deque(climbers)
    waiting: list[tuple[_Climber, Generator[_Ask, list[Summary], None], _Ask]] = []
    while to_come or waiting:
        while to_come and len(waiting) < at_once:
            climber = to_come.popleft()
            asks = climber.asks()
            waiting.append((climber, asks, next(asks)))
        wanted = [
            Wanted(climber.scenario(ask.level, ask.longer), ask.replications) for climber, _, ask in waiting
        ]
        doing = f"{sum(one.done for one in climbers)} of {len(climbers)} stresses done"
        answers = study.summaries(wanted, doing)
        after = []
        for (climber, asks, _), summaries in zip(waiting, answers, strict=True):
            try:
                after.append((climber, asks, asks.send(summaries)))
            except StopIteration:
                continue
        waiting = after


# The result


def _content(
    reference: Reference,
    place: Place,
    climbers: Sequence[_Climber],
    left_out: Sequence[LeftOut],
    stopped: str | None,
) -> dict[str, Any]:
    entries = [_entry(one) for one in climbers if one.done]
    entries.sort(key=lambda one: (one["margin_ratio"], one["breaks"] is None))
    return {
        "format": format_of("break"),
        "version": __version__,
        "stopped": stopped,
        "run": {
            **run_entry(reference.scenario, len(reference.summaries)),
            "searched_with": min(SEARCHED_WITH, len(reference.summaries)),
        },
        "reference": _reference_entry(reference),
        "triggers": place._asdict(),
        "stresses": entries,
        "left_out": [one._asdict() for one in left_out],
        "unfinished": [one.stress.key for one in climbers if not one.done],
    }


def _reference_entry(reference: Reference) -> dict[str, Any]:
    live = {one.name for one in reference.live}
    return {
        "name": reference.scenario.name,
        "digest": reference.scenario.digest(),
        "verdict": verdict(reference.judged),
        "faults": reference.faults,
        "stand_ins": reference.stand_ins,
        "backlog_grows": reference.backlog_grows,
        "objectives": [
            {**as_plain(one._asdict()), "ignored": one.name not in live} for one in reference.judged
        ],
    }


def _entry(climber: _Climber) -> dict[str, Any]:
    stress, edge = climber.stress, climber.edge
    assert edge is not None
    return {
        "key": stress.key,
        "kind": stress.kind,
        "target": stress.target,
        "name": stress.name,
        "unit": stress.unit,
        "note": stress.note,
        "base": stress.ladder.base,
        "most": stress.ladder.most,
        "margin_ratio": 1.0 if edge.breaks is None else stress.ladder.margin(edge.holds),
        "holds": _point(climber, edge.holds) if edge.holds > stress.ladder.base else None,
        "breaks": None if edge.breaks is None else _point(climber, edge.breaks),
        "recovery": _recovery(climber),
    }


def _point(climber: _Climber, level: float) -> dict[str, Any]:
    changes = climber.stress.changed(level)
    objectives = _judged_at(climber, level)
    missed = [one for one in objectives if one["verdict"] == MISSED]
    first = max(missed, key=_overspent)["name"] if missed else None
    return {
        "level": level,
        "changes": dict(changes.values),
        "faults": list(changes.faults),
        "objectives": objectives,
        "first": first,
    }


def _overspent(objective: dict[str, Any]) -> float:
    """Bad over what the target allows."""
    allowed = budget_of(objective["target_ratio"])
    bad = 1 - objective["sli_ratio"]["value"]
    return bad / allowed if allowed else math.inf


def _judged_at(climber: _Climber, level: float) -> list[dict[str, Any]]:
    """The objectives that can break, and what the stress costs of each.

    cost_s is the further share that is bad times the measured time: as if everything had been bad for that
    long. cost_of_budget_ratio is that over what the objective's window (30 days) allows.
    """
    reference, summaries = climber.reference, climber.seen[level]
    judged = {one.name: one for one in climber.judged(level, summaries)}
    measured_s = climber.reference.scenario.run.duration - climber.reference.scenario.run.warmup
    entries = []
    for objective in reference.live:
        one = judged[objective.name]
        change = quantities.change(quantities.objective(one.name), reference.summaries, summaries)
        cost_s = change.difference.affine(-measured_s)
        budget_s = budget_of(one.target_ratio) * objective.window
        entries.append(
            {
                **as_plain(one._asdict()),
                "cost_s": as_plain(cost_s),
                "cost_of_budget_ratio": as_plain(cost_s.affine(1 / budget_s) if budget_s else UNDEFINED),
            }
        )
    return entries


def _recovery(climber: _Climber) -> dict[str, Any] | None:
    if climber.stuck is None:
        return None
    levels = [level for level in climber.levels_shown() if level > climber.stress.ladder.base]
    return {
        "comes_back_up_to": climber.stuck.holds if climber.stuck.holds > climber.stress.ladder.base else None,
        "stuck_from": climber.stuck.breaks,
        "points": [_after(level, climber.aftermaths(climber.seen[level])) for level in levels],
        "in_longer_run": (
            _after(climber.stuck.breaks, climber.aftermaths(climber.seen_longer))
            if climber.stuck.breaks is not None
            else None
        ),
    }


def _after(level: float, its: Sequence[Aftermath]) -> dict[str, Any]:
    """What became of the backlog after a trigger of some level.

    outcome        of most replications: recovered, draining, stuck, or unknown; shares says of how many
    after_s        from the end of the trigger until the backlog was normal; of those that recovered
    expected_s     the same for those that drain, at the speed they have at the end of the run
    peak, normal, late, growth_per_s   messages: highest; normal; last quarter of the time; and how it changes
    """
    shares = {
        word: sum(one.outcome == word for one in its) / len(its)
        for word in (RECOVERED, DRAINING, STUCK, UNKNOWN)
    }
    return {
        "level": level,
        "outcome": max(shares, key=lambda word: shares[word]),
        "shares": shares,
        "watched_s": its[0].watched_s,
        "after_s": _mean(one.recovered_after_s for one in its),
        "expected_s": _mean(one.back_after_s for one in its if one.outcome == DRAINING),
        "peak": _mean(one.peak for one in its),
        "normal": _mean(one.normal for one in its),
        "late": _mean(one.late for one in its),
        "growth_per_s": _mean((one.growth_per_s for one in its), least=-math.inf),
    }


def _mean(values: Iterable[float | None], least: float = 0.0) -> dict[str, Any]:
    return intervals.of_mean([one for one in values if one is not None], least=least).as_dict()
