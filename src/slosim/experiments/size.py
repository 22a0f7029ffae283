"""The cheapest configuration that keeps every promise, and the proof that a smaller one does not.

The search takes a larger value to be never worse, and checks what it concludes by simulation:

1. The largest configuration. If it misses, no size helps, and the answer says what is in the way.
2. The floor: the smallest value of each path while all others are at their largest. Nothing that keeps the
   promises lies below it.
3. All at their floor; else all grow by the same factor until the promises are kept; then each shrinks again.
4. Whatever is cheaper and lies above the floor and not below a miss: the most expensive first, as its miss
   rules out all below it.
5. The proof: the answer with one step less of each path, with all replications. And one step more, for what
   that would buy.

Configurations meet the same work, so what differs between them is their size. The search goes by few
replications where they are clear; the answer and its proof have all of them. An interval is not
widened for the several looks at it: each has its own 2.5% of being wrong to one side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from slosim.compile.offered_load import offered_loads, partitions_of
from slosim.errors import UserError
from slosim.experiments.cases import (
    Cases,
    Demands,
    at_peak,
    chosen_objectives,
    parse_drain,
)
from slosim.experiments.dimensions import Dimensions, Position, dimensions_of, value_at
from slosim.experiments.quantities import change, objective
from slosim.experiments.result import Result
from slosim.experiments.study import Stopped, Study
from slosim.experiments.trials import Trial, Trials
from slosim.experiments.vary import ON_COMMAND_LINE
from slosim.model import Scenario
from slosim.model.load import changed
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.version import __version__

if TYPE_CHECKING:
    from slosim.experiments.summary import Summary
    from slosim.experiments.trials import CaseResult, Check

FORMAT = "slosim-size/1"
REPLICATIONS = 10
CANDIDATES_MOST = 200_000
"""Cheaper configurations that are looked through; with more of them the answer is not proven cheapest."""
CHEAPER_TRIALS_MOST = 300
"""Of these, those that are simulated."""
SAME_COST = 1e-9
MATTERS = 0.05
"""Share of what is missing to a target that the largest size must make up for, to be said to matter."""


class Asked(NamedTuple):
    """What is asked for; scenario: at its peak."""

    scenario: Scenario
    dimensions: Dimensions
    demands: Demands


def size(
    scenario: Scenario,
    vary: Sequence[str],
    *,
    survive: int = 0,
    peak: float = 1.0,
    drain: str | None = None,
    costs: Sequence[str] = (),
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    replications: int = REPLICATIONS,
    workers: int | None = None,
) -> Result:
    """The cheapest configuration that meets every objective with confidence.

    Args:
        vary: `PATH=VALUES` each; a `*` stands for each name by itself.
        survive: so many instances of one service may be missing, of each service in turn.
        peak: factor on every producer's rate, for the whole run.
        drain: `services.payment 5m in 10m`: such an outage must be drained in that time.
        costs: `PATH=AMOUNT` each: what one unit of a path costs.
        only, ignore: names of the objectives that count, or do not; one of them.
        replications: of each configuration that is called met, at least 2.
        workers: threads, default one per processor. Their number changes no byte of the result.

    Returns:
        Its data as docs/experiments.md describes them; `answer` is None where no configuration will do.

    Raises:
        ScenarioError, UserError: a mistake in what is asked for.
        Stopped: interrupted before any configuration was tried.
    """
    from slosim.experiments.store import Store
    from slosim.workers import open_workers

    if replications < 2:
        raise UserError(f"replications {replications}: at least 2 are needed for intervals")
    its = asked(scenario, vary, survive, peak, drain, costs, only, ignore)
    with open_workers(count=workers) as pool:
        return answered(its, Study(pool, Store(None, "size")), replications)


def asked(
    scenario: Scenario,
    vary: Sequence[str],
    survive: int,
    peak: float,
    drain: str | None,
    costs: Sequence[str],
    only: Sequence[str],
    ignore: Sequence[str],
) -> Asked:
    """What `size` is asked for, read and checked.

    Raises:
        ScenarioError, UserError: a mistake in it.
    """
    if survive < 0 or peak <= 0:
        raise UserError(f"survive {survive}, peak {peak:g}: expected survive of at least 0 and peak above 0")
    dimensions = dimensions_of(vary, costs, scenario)
    outage = parse_drain(drain, scenario)
    demands = Demands(chosen_objectives(scenario, only, ignore), survive, peak, outage)
    if not demands.objectives and outage is None:
        raise UserError("nothing to size for: no objective is declared that counts, and --drain is not given")
    return Asked(at_peak(scenario, peak), dimensions, demands)


def answered(its: Asked, study: Study, replications: int) -> Result:
    """The answer, with runs from a study.

    Raises:
        Stopped: before any configuration was tried.
        ScenarioError: the largest configuration is no system.
    """
    search = Search(its, study, replications)
    stopped = None
    try:
        search.run()
    except Stopped as error:
        if not search.steps:
            raise
        stopped = error.reason
    return Result(_content(search, stopped))


class Step(NamedTuple):
    """One trial of the search and why it was made."""

    why: str
    trial: Trial


class Search:
    """The search for one answer; everything it has found so far is there when it is stopped."""

    def __init__(self, its: Asked, study: Study, replications: int) -> None:
        self.scenario, self.dimensions, self.demands = its
        self.replications = replications
        self.cases = Cases(self.scenario, self.dimensions, self.demands)
        self.trials = Trials(study, self.cases, replications)
        self.steps: list[Step] = []
        self.top: Position = tuple(len(one.values) - 1 for one in self.dimensions.items)
        self.floor: Position = tuple(0 for _ in self.dimensions.items)
        self.unmet: list[dict[str, Any]] = []
        self.not_tried: int | None = 0
        """Cheaper configurations that neither were tried nor are ruled out; None: too many to count."""
        self.is_over = False

    def run(self) -> None:
        """The whole search.

        Raises:
            Stopped: no more runs come.
        """
        start = self._start()
        if not self._has_top(start):
            self.unmet = self._why_unmet(start)
            self.is_over = True
            return
        self.floor = tuple(self._smallest_alone(axis, start[axis]) for axis in range(len(start)))
        self._shrink(self._together())
        while (best := self.best()) is not None:
            if not best.is_firm:
                self._try(best.position, "with all runs", firm=True)  # if not confirmed, the next best is
            elif not (self._one_less(best) or self._cheaper(best)):
                break
        if best is None:
            self.unmet = self._why_unmet(start)
        else:
            self._one_more(best)
        self.is_over = True

    def best(self) -> Trial | None:
        """The cheapest configuration that is met; the answer, once the search is over."""
        met = [trial for trial in self.trials.done.values() if trial.is_met]
        return min(met, key=lambda trial: self.key(trial.position), default=None)

    def _try(self, position: Position, why: str, firm: bool = False) -> Trial:
        """A trial, as a step if it is new."""
        is_known = self.trials.is_known(position, firm)
        trial = self.trials.of(position, firm, why)
        if not is_known:
            self.steps.append(Step(why, trial))
        return trial

    def key(self, position: Position) -> tuple[float, int, Position]:
        """What makes a configuration better: its cost, and of equal cost the smaller values."""
        return self.dimensions.cost(position), sum(position), position

    def _start(self) -> Position:
        """Where utilisation falls below 1 by arithmetic, with the instances that may be missing."""
        loads = offered_loads(changed(self.scenario, self.dimensions.changes(self.top), ON_COMMAND_LINE))
        return tuple(
            self._first_at_least(axis, loads[one.service].instances_needed) if one.service else 0
            for axis, one in enumerate(self.dimensions.items)
        )

    def _first_at_least(self, axis: int, instances: int | None) -> int:
        numbers = self.dimensions.items[axis].numbers
        wanted = math.inf if instances is None else instances + self.demands.survive
        assert numbers is not None
        return next((index for index, number in enumerate(numbers) if number >= wanted), self.top[axis])

    def _has_top(self, start: Position) -> bool:
        """Whether the largest configuration is met, or else the file's own: then nothing larger is tried."""
        if self._try(self.top, "the largest").is_met:
            return True
        for position, why in ((self._own(), "as in the file"), (start, "utilisation below 1")):
            if position is not None and self._try(position, why, firm=True).is_met:
                self.top = position
                return True
        self._try(self.top, "the largest", firm=True)
        return False

    def _own(self) -> Position | None:
        """The configuration of the file, if it is among those that may be tried."""
        resolved = self.scenario.resolved()
        found = [one.index_of(value_at(resolved, one.path)) for one in self.dimensions.items]
        return None if None in found else tuple(index for index in found if index is not None)

    def _smallest_alone(self, axis: int, guess: int) -> int:
        """The smallest index of one dimension that is met while all others are at their largest."""
        word = self.dimensions.items[axis].word

        def is_met(index: int) -> bool:
            return self._try(_with(self.top, axis, index), f"{word} alone").is_met

        return smallest(is_met, -1, self.top[axis], guess)

    def _together(self) -> Position:
        """The smallest common growth of all floors that is met."""
        if self._try(self.floor, "all at their floor").is_met:
            return self.floor
        largest = max(self.floor) + 1

        def grown(steps: int) -> Position:
            return tuple(
                min(top, floor + math.ceil(steps * (floor + 1) / largest))
                for floor, top in zip(self.floor, self.top, strict=True)
            )

        most = max(
            math.ceil((top - floor) * largest / (floor + 1))
            for floor, top in zip(self.floor, self.top, strict=True)
        )
        return grown(smallest(lambda steps: self._try(grown(steps), "grown together").is_met, 0, most, 1))

    def _shrink(self, position: Position) -> None:
        """Each dimension as small as it can be with the others as they are, the most expensive first."""
        items = self.dimensions.items
        for axis in sorted(range(len(items)), key=lambda axis: (-items[axis].price, axis)):
            word = items[axis].word
            here = position

            def is_met(index: int, axis: int = axis, here: Position = here, word: str = word) -> bool:
                return self._try(_with(here, axis, index), f"{word} shrunk").is_met

            index = smallest(is_met, self.floor[axis] - 1, here[axis], here[axis] - 1)
            position = _with(here, axis, index)

    def _one_less(self, best: Trial) -> bool:
        """Try the best with one step less of each path; whether one of these is better."""
        for position in neighbours(best.position):
            if position is not None:
                self._try(position, "one less", firm=True)
        return self.best() is not best

    def _one_more(self, best: Trial) -> None:
        """Try the best with one step more of each path: what more money would buy."""
        for axis, index in enumerate(best.position):
            if index < self.top[axis]:
                self._try(_with(best.position, axis, index + 1), "one more")

    def _cheaper(self, best: Trial) -> bool:
        """Try what is cheaper and not ruled out; whether something better was found."""
        candidates = cheaper_than(best.position, self.floor, self.top, self.dimensions)
        if candidates is None:
            self.not_tried = None
            return False
        ordered = np.array(sorted(candidates, key=self.key, reverse=True)).reshape(-1, len(self.floor))
        for trial in self.trials.done.values():
            ordered = _not_below(ordered, trial)
        tried = 0
        while len(ordered) and self.best() is best and tried < CHEAPER_TRIALS_MOST:
            position = tuple(int(index) for index in ordered[0])
            ordered = _not_below(ordered, self._try(position, "cheaper"))
            tried += 1
        self.not_tried = len(ordered)
        return self.best() is not best

    # ---- when nothing will do ----------------------------------------------------------------------------

    def _why_unmet(self, start: Position) -> list[dict[str, Any]]:
        """What the largest configuration does not meet, and whether size changes it."""
        largest = self.trials.done[self.top]
        return [
            _check_entry(result, check, self.demands.survive)
            | {"losses": self._losses(result, check), "elsewhere": self._elsewhere(result, check, start)}
            for result in largest.results
            for check in result.checks
            if check.verdict != MET
        ]

    def _elsewhere(self, result: CaseResult, check: Check, start: Position) -> dict[str, Any] | None:
        """The same objective with the least that arithmetic allows: paired, so that any change shows."""
        if start == self.top or check.numbers["kind"] != "objective":
            return None
        its = [self._finished(position, result) for position in (start, self.top)]
        count = min(len(one) for one in its)
        if count < 2:
            return None
        its = change(objective(check.name), its[0][:count], its[1][:count])
        gap = check.numbers["target_ratio"] - its.before.value if its.before.value is not None else math.nan
        high = its.difference.high
        return {
            "values": self.dimensions.plain(start),
            "sli_ratio": its.before.as_dict(),
            "difference": its.difference.as_dict(),
            "size_matters": high is None or not high < MATTERS * gap,
        }

    def _losses(self, result: CaseResult, check: Check) -> dict[str, Any] | None:
        """Shares of the flow of an objective that end lost, whatever the time."""
        flow = next((one.flow for one in self.scenario.objectives if one.name == check.name), None)
        summaries = self._finished(self.top, result)
        if flow is None or not summaries:
            return None
        its = [summary.flows[flow] for summary in summaries]
        started = sum(one.started for one in its)
        lost = {
            "dead_lettered": sum(one.dead_lettered for one in its),
            "dropped": sum(one.dropped for one in its),
        }
        return {"flow": flow} | {f"{key}_ratio": count / started for key, count in lost.items() if started}

    def _finished(self, position: Position, result: CaseResult) -> list[Summary]:
        """The runs of a case of a configuration, at most those that its result rests on."""
        scenario = self.cases.of(position, result.case)
        if isinstance(scenario, str):
            return []
        return self.trials.study.finished(scenario, result.replications)


def smallest(is_met: Callable[[int], bool], low: int, high: int, guess: int) -> int:
    """The smallest number in (low, high] that is met, where larger ones are met too; `high` is known to be.

    Steps from the guess are doubled until the answer is between two of them, then halved.

    >>> smallest(lambda number: number >= 7, 0, 40, 6)
    7
    """
    probe, step = guess, 1
    has_met = has_missed = False
    while high - low > 1:
        probe = min(max(probe, low + 1), high - 1)
        if is_met(probe):
            high, has_met = probe, True
        else:
            low, has_missed = probe, True
        if has_met and has_missed:
            probe = (low + high) // 2
        else:
            probe = high - step if has_met else low + step
        step *= 2
    return high


def neighbours(position: Position) -> Iterator[Position | None]:
    """The position with one step less of each dimension, None where there is no less."""
    for axis, index in enumerate(position):
        yield _with(position, axis, index - 1) if index else None


def _with(position: Position, axis: int, index: int) -> Position:
    return (*position[:axis], index, *position[axis + 1 :])


def cheaper_than(
    answer: Position, floor: Position, top: Position, dimensions: Dimensions
) -> list[Position] | None:
    """Positions from floor to top that cost less, or the same with smaller values; None: too many."""
    limit = dimensions.cost(answer) + SAME_COST
    costs = [
        np.array([one.cost(index) for index in range(low, high + 1)])
        for one, low, high in zip(dimensions.items, floor, top, strict=True)
    ]
    rest = np.cumsum([0.0, *(one[0] for one in reversed(costs))])[::-1][1:]
    positions, sums = np.zeros((1, 0), np.int64), np.zeros(1)
    for axis, its in enumerate(costs):
        grid = sums[:, None] + its[None, :]
        rows, columns = np.nonzero(grid + rest[axis] <= limit)
        if len(rows) > CANDIDATES_MOST:
            return None
        positions = np.column_stack([positions[rows], columns + floor[axis]])
        sums = grid[rows, columns]
    found = [tuple(int(index) for index in row) for row in positions]
    cost = dimensions.cost(answer)
    return [one for one in found if (dimensions.cost(one), sum(one)) < (cost, sum(answer))]


def _not_below(positions: np.ndarray, trial: Trial) -> np.ndarray:
    """Those that a trial does not rule out: unless it is met, it rules out itself and all that is smaller."""
    if trial.is_met or not len(positions):
        return positions
    return positions[np.any(positions > np.array(trial.position), axis=1)]


# ---- the result ------------------------------------------------------------------------------------------


def _content(search: Search, stopped: str | None) -> dict[str, Any]:
    run, demands, dimensions = search.scenario.run, search.demands, search.dimensions
    answer = search.best()
    best = answer or _nearest([step.trial for step in search.steps])
    return {
        "format": FORMAT,
        "version": __version__,
        "stopped": stopped,
        "name": search.scenario.name,
        "services": list(search.scenario.services),
        "run": {
            "seed": run.seed,
            "replications": search.replications,
            "duration_s": run.duration,
            "warmup_s": run.warmup,
        },
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
        "unmet": search.unmet,
        "limits": _limits(search) if search.unmet else [],
        "steps": [{"why": step.why, **_short_entry(search, step.trial)} for step in search.steps],
        "front": [_short_entry(search, trial) for trial in _front(search)],
        "not_monotone": _not_monotone(search),
    }


def _trials(search: Search) -> list[Trial]:
    return list(search.trials.done.values())


def _nearest(trials: Sequence[Trial]) -> Trial:
    """Of trials of which none is met, the one that is furthest along."""
    return max(trials, key=lambda trial: trial.hardest[1].hardness)


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
