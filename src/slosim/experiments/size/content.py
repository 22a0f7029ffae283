"""What a search for a size has found, as data: the answer, its proof, what was tried, what is in the way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from slosim.compile.offered_load import offered_loads, partitions_of
from slosim.experiments.against import run_entry
from slosim.experiments.kinds import format_of
from slosim.experiments.quantities import Change, change, objective
from slosim.experiments.size.dimensions import Position, neighbours, value_at
from slosim.experiments.size.trials import CaseResult, Check, Trial
from slosim.experiments.summary import Summary
from slosim.experiments.vary import ON_COMMAND_LINE
from slosim.model.load import changed
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.version import __version__

if TYPE_CHECKING:
    from slosim.experiments.size.search import Search

MATTERS = 0.05
"""Share of what is missing to a target that the largest size must make up for, to be said to matter."""


def content_of(search: Search, stopped: str | None) -> dict[str, Any]:
    """The data of the result, as docs/experiments.md describes them; stopped: why the search ended early."""
    demands, dimensions = search.demands, search.dimensions
    answer = search.best()
    unmet = _why_unmet(search) if search.is_over and answer is None else []
    best = answer or _nearest(search)
    return {
        "format": format_of("size"),
        "version": __version__,
        "stopped": stopped,
        "name": search.scenario.name,
        "services": list(search.scenario.services),
        "run": run_entry(search.scenario, search.replications),
        "demands": {
            "objectives": list(demands.objectives),
            "ignored": [one.name for one in search.scenario.objectives if one.name not in demands.objectives],
            "survive": demands.survive,
            "peak_factor": demands.peak,
            "drain": None if demands.drain is None else demands.drain._asdict(),
        },
        "vary": [
            {
                "path": one.path,
                "values": [one.plain(index) for index in range(len(one.values))],
                "price": one.price,
            }
            for one in dimensions.items
        ],
        "cost_unit": dimensions.cost_unit,
        "notes": dimensions.notes,
        "file": _own_entry(search),
        "answer": None if answer is None else _trial_entry(search, answer),
        "nearest": None if answer is not None else _trial_entry(search, best),
        "floor": None if answer is None else dimensions.plain(search.floor),
        "proof": _proof(search, answer) if answer is not None and search.is_over else [],
        "cheaper": None if answer is None else _cheaper_entry(search, answer),
        "unmet": unmet,
        "limits": _limits(search) if unmet else [],
        "steps": [{"why": step.why, **_short_entry(search, step.trial)} for step in search.steps],
        "front": [_short_entry(search, trial) for trial in _front(search)],
        "not_monotone": _not_monotone(search),
    }


def _trials(search: Search) -> list[Trial]:
    return list(search.trials.done.values())


def _nearest(search: Search) -> Trial:
    """Of trials of which none is met, the one that is furthest along; the cheapest of those within 1% of the
    budget, as money that buys nothing brings nothing nearer.
    """

    def nearness(trial: Trial) -> tuple[int, float, float]:
        rank, left = trial.hardest[1].hardness
        return rank, round(left, 2), -search.dimensions.cost(trial.position)

    return max(_trials(search), key=nearness)


def _own_entry(search: Search) -> dict[str, Any]:
    """What the file has, and its cost where all of it are numbers."""
    resolved = search.scenario.resolved()
    items = search.dimensions.items
    values = {one.path: value_at(resolved, one.path) for one in items}
    amounts = [values[one.path] for one in items if one.price]
    is_known = all(isinstance(amount, int | float) for amount in amounts)
    cost = math.fsum(one.price * values[one.path] for one in items if one.price) if is_known else None
    return {"values": values, "cost": None if cost is None else round(cost, 9)}


def _trial_entry(search: Search, trial: Trial) -> dict[str, Any]:
    """A trial with every check of every case."""
    return {
        "values": search.dimensions.plain(trial.position),
        "cost": search.dimensions.cost(trial.position),
        "verdict": trial.verdict,
        "checks": [
            _check_entry(result, check, search.demands.survive)
            for result in trial.results
            for check in result.checks
        ],
    }


def _short_entry(search: Search, trial: Trial) -> dict[str, Any]:
    """A trial with its hardest check."""
    return {
        "values": search.dimensions.plain(trial.position),
        "cost": search.dimensions.cost(trial.position),
        "verdict": trial.verdict,
        "hardest": _check_entry(*trial.hardest, search.demands.survive),
    }


def _check_entry(result: CaseResult, check: Check, survive: int) -> dict[str, Any]:
    return {
        "name": check.name,
        "case": result.case.text(survive),
        "verdict": check.verdict,
        "replications": result.replications,
        "left_ratio": check.left_ratio,
        **check.numbers,
    }


def _proof(search: Search, answer: Trial) -> list[dict[str, Any]]:
    """For each path the neighbour one step down; without one the answer has the smallest value."""
    found: list[dict[str, Any]] = []
    for one, position in zip(search.dimensions.items, neighbours(answer.position), strict=True):
        entry: dict[str, Any] = {"path": one.path, "neighbour": None}
        if position is not None:
            entry["neighbour"] = _short_entry(search, search.trials.done[position])
        found.append(entry)
    return found


def _cheaper_entry(search: Search, answer: Trial) -> dict[str, Any]:
    """What is known of configurations that cost less than the answer."""
    key = search.key(answer.position)
    cheaper = [trial for trial in _trials(search) if search.key(trial.position)[:2] < key[:2]]
    return {
        "missed": sum(trial.verdict == MISSED for trial in cheaper),
        "undecided": sum(trial.verdict == UNDECIDED for trial in cheaper),
        "not_tried": search.not_tried if search.is_over else None,
        "is_cheapest": search.is_over and search.not_tried == 0,
    }


def _front(search: Search) -> list[Trial]:
    """Trials than which none is cheaper and leaves more of the hardest budget, by cost."""
    known = [trial for trial in _trials(search) if trial.hardest[1].left_ratio is not None]
    front: list[Trial] = []
    for trial in sorted(known, key=lambda one: (search.key(one.position)[0], -_left(one), one.position)):
        if not front or _left(trial) > _left(front[-1]):
            front.append(trial)
    return front


def _left(trial: Trial) -> float:
    left = trial.hardest[1].left_ratio
    return -math.inf if left is None else left


def _not_monotone(search: Search) -> list[dict[str, Any]]:
    """Pairs where the larger one misses what the smaller one meets, against what the search assumes."""
    trials = _trials(search)
    return [
        {
            "met": search.dimensions.plain(small.position),
            "missed": search.dimensions.plain(large.position),
        }
        for small in trials
        if small.is_met
        for large in trials
        if large.verdict == MISSED
        and all(a <= b for a, b in zip(small.position, large.position, strict=True))
    ]


def _why_unmet(search: Search) -> list[dict[str, Any]]:
    """What the largest configuration does not meet, and whether size changes it."""
    largest = search.trials.done[search.top]
    return [
        _check_entry(result, check, search.demands.survive)
        | {"losses": _losses(search, result, check), "elsewhere": _elsewhere(search, result, check)}
        for result in largest.results
        for check in result.checks
        if check.verdict != MET
    ]


def _elsewhere(search: Search, result: CaseResult, check: Check) -> dict[str, Any] | None:
    """The same objective with the least that arithmetic allows: paired, so that any change shows."""
    if search.start == search.top or check.numbers["kind"] != "objective":
        return None
    there = next((one for one in search.trials.done[search.start].results if one.case == result.case), result)
    count = min(result.replications, there.replications)
    pair = [_finished(search, position, result)[:count] for position in (search.start, search.top)]
    if any(len(one) < max(2, count) for one in pair):
        return None
    its = change(objective(check.name), *pair)
    return {
        "values": search.dimensions.plain(search.start),
        "sli_ratio": its.before.as_dict(),
        "difference": its.difference.as_dict(),
        "larger_is": _larger_is(its, check.numbers["target_ratio"]),
    }


def _larger_is(its: Change, target_ratio: float) -> str:
    """From the least to the largest: `worse`, `same` if all of the interval is too little, else `better`."""
    if its.before.value is None or its.difference.high is None:
        return "better"
    little = MATTERS * abs(target_ratio - its.before.value)
    if its.difference.high < -little:
        return "worse"
    return "same" if its.difference.high < little else "better"


def _losses(search: Search, result: CaseResult, check: Check) -> dict[str, Any] | None:
    """Shares of the flow of an objective that end lost, whatever the time."""
    flow = next((one.flow for one in search.scenario.objectives if one.name == check.name), None)
    summaries = _finished(search, search.top, result)
    if flow is None or not summaries:
        return None
    its = [summary.flows[flow] for summary in summaries]
    started = sum(one.started for one in its)
    lost = {
        "dead_lettered": sum(one.dead_lettered for one in its),
        "dropped": sum(one.dropped for one in its),
    }
    return {"flow": flow} | {f"{key}_ratio": count / started for key, count in lost.items() if started}


def _finished(search: Search, position: Position, result: CaseResult) -> list[Summary]:
    """The runs of a case of a configuration, at most those that its result rests on."""
    scenario = search.cases.of(position, result.case)
    if isinstance(scenario, str):
        return []
    return search.trials.study.finished(scenario, result.replications)


def _limits(search: Search) -> list[str]:
    """What more of the varied sizes cannot lift, by arithmetic on the largest configuration."""
    whole = changed(search.scenario, search.dimensions.changes(search.top), ON_COMMAND_LINE)
    found: list[str] = []
    for name, load in offered_loads(whole).items():
        own = whole.services[name]
        if load.rate_limit_per_s is not None and load.attempt_rate_per_s >= load.rate_limit_per_s:
            found.append(
                f"{name} is offered {load.attempt_rate_per_s:.3g} attempts/s and its rate limit admits"
                f" {load.rate_limit_per_s:.3g}/s."
            )
        if load.utilisation_ratio is not None and load.utilisation_ratio >= 1:
            found.append(
                f"{name} is saturated with {own.instances} instances: {load.offered_load:.3g} busy slots are"
                f" asked of {load.slots}."
            )
        partitions = partitions_of(whole, name)
        if partitions is not None and partitions < own.instances:
            found.append(f"{name} shares out {partitions} partitions: further instances stay idle.")
    return found
