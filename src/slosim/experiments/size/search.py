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
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from slosim.compile.offered_load import offered_loads
from slosim.errors import UserError
from slosim.experiments.result import Result
from slosim.experiments.size.cases import (
    Cases,
    Demands,
    at_peak,
    chosen_objectives,
    parse_drain,
)
from slosim.experiments.size.content import content_of
from slosim.experiments.size.dimensions import (
    Dimensions,
    Position,
    dimensions_of,
    neighbours,
    value_at,
    with_index,
)
from slosim.experiments.size.trials import Trial, Trials
from slosim.experiments.study import Stopped, Study
from slosim.experiments.vary import ON_COMMAND_LINE
from slosim.model import Scenario
from slosim.model.load import changed

PEAK_MOST = 1e6
"""Beyond it a factor of the load is a mistake."""
CANDIDATES_MOST = 200_000
"""Cheaper configurations that are looked through; with more of them the answer is not proven cheapest."""
CHEAPER_TRIALS_MOST = 300
"""Of these, those that are simulated."""
SAME_COST = 1e-9


class Asked(NamedTuple):
    """What is asked for; scenario: at its peak."""

    scenario: Scenario
    dimensions: Dimensions
    demands: Demands


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
    if survive < 0:
        raise UserError(f"survive {survive}: expected at least 0")
    if not 0 < peak <= PEAK_MOST:
        raise UserError(f"peak {peak:g}: expected a factor above 0 and of at most {PEAK_MOST:g}")
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
    return Result(content_of(search, stopped))


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
        self.start: Position = self.floor
        """The least that arithmetic allows."""
        self.not_tried: int | None = 0
        """Cheaper configurations that neither were tried nor are ruled out; None: too many to count."""
        self.is_over = False

    def run(self) -> None:
        """The whole search.

        Raises:
            Stopped: no more runs come.
        """
        self.start = self._start()
        if self._has_top():
            self.floor = tuple(self._smallest_alone(axis, guess) for axis, guess in enumerate(self.start))
            self._shrink(self._together())
        while (best := self.best()) is not None:
            if not best.is_firm:
                self._try(best.position, "with all runs", firm=True)  # if not confirmed, the next best is
            elif not (self._one_less(best) or self._cheaper(best)):
                break
        if best is not None:
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

    def _has_top(self) -> bool:
        """Whether the largest configuration is met, or else the file's own: then nothing larger is tried."""
        if self._try(self.top, "the largest").is_met:
            return True
        for position, why in ((self._own(), "as in the file"), (self.start, "utilisation below 1")):
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
            return self._try(with_index(self.top, axis, index), f"{word} alone").is_met

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
                return self._try(with_index(here, axis, index), f"{word} shrunk").is_met

            index = smallest(is_met, self.floor[axis] - 1, here[axis], here[axis] - 1)
            position = with_index(here, axis, index)

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
                self._try(with_index(best.position, axis, index + 1), "one more")

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
