"""Runs of variants of a scenario, each simulated once: taken from the store, or from workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slosim.errors import UserError, WorkerLost
from slosim.experiments.store import Store
from slosim.experiments.summary import Summary, is_of, summarise
from slosim.measure.measurements import Measurements
from slosim.model import Scenario
from slosim.simulation import INTERRUPTED, WORKER_LOST, Progress, Tell
from slosim.workers import Status, Work, Workers, digest_of_runs

REPLICATIONS = 10
"""Of each variant, where a scenario asks for a single one, which would give no interval."""


class Stopped(Exception):
    """No more runs come: "interrupted", "memory limit" or "worker lost". What is finished is in the study."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Wanted(NamedTuple):
    """The first so many replications of a scenario."""

    scenario: Scenario
    replications: int


def replications_of(scenario: Scenario, replications: int | None) -> int:
    """Of each variant: those that were asked for, else the scenario's, if they give an interval.

    Raises:
        UserError: fewer than 2.
    """
    if replications is not None:
        if replications < 2:
            raise UserError(f"replications {replications}: an experiment needs at least 2 for its intervals")
        return replications
    return scenario.run.replications if scenario.run.replications >= 2 else REPLICATIONS


class Study:
    """What experiments ask for runs.

    workers  who simulates
    store    what is finished already, and where what comes is kept
    tell     called about ten times a second with the progress of the runs that were asked for last
    """

    def __init__(self, workers: Workers, store: Store, tell: Tell | None = None) -> None:
        self.workers = workers
        self.store = store
        self.tell = tell
        self.simulated = 0
        """Runs that were not there before."""
        self._digests: dict[int, tuple[Scenario, str]] = {}
        self._checked: set[tuple[str, int]] = set()

    def summaries(self, wanted: Sequence[Wanted], doing: str = "") -> list[list[Summary]]:
        """Summaries of each: those of replication 0, 1 and so on. All missing runs are simulated side by
        side.

        doing: what this is for, in a few words, shown with the progress.

        Raises:
            Stopped: not all of them could be simulated.
            EngineError: a bug of slosim.
        """
        works = self._missing(wanted)
        if works:
            self._simulate(works, doing)
        return [
            [self._have(one.scenario, replication) for replication in range(one.replications)]
            for one in wanted
        ]

    def finished(self, scenario: Scenario, replications: int) -> list[Summary]:
        """Those of the first replications that are finished without a gap, at most so many."""
        found: list[Summary] = []
        while len(found) < replications:
            summary = self.store.get(self.digest(scenario), len(found))
            if summary is None:
                break
            found.append(summary)
        return found

    def digest(self, scenario: Scenario) -> str:
        """`digest_of_runs`, computed once for each scenario object."""
        if id(scenario) not in self._digests:
            self._digests[id(scenario)] = (scenario, digest_of_runs(scenario))
        return self._digests[id(scenario)][1]

    def _missing(self, wanted: Sequence[Wanted]) -> list[Work]:
        works: dict[tuple[str, int], Work] = {}
        for scenario, replications in wanted:
            digest = self.digest(scenario)
            for replication in range(replications):
                if not self._is_there(scenario, digest, replication):
                    works.setdefault((digest, replication), Work(scenario, replication, digest))
        return list(works.values())

    def _is_there(self, scenario: Scenario, digest: str, replication: int) -> bool:
        """Whether a run is finished; one in the store that lacks what the scenario has is forgotten."""
        if (digest, replication) in self._checked:
            return True
        summary = self.store.get(digest, replication)
        if summary is None:
            return False
        if not is_of(scenario, summary):
            self.store.forget(digest, replication)
            return False
        self._checked.add((digest, replication))
        return True

    def _have(self, scenario: Scenario, replication: int) -> Summary:
        summary = self.store.get(self.digest(scenario), replication)
        assert summary is not None
        return summary

    def _simulate(self, works: Sequence[Work], doing: str) -> None:
        duration_s = sum(work.scenario.run.duration for work in works) / len(works)

        def watch(status: Status) -> None:
            if self.tell is not None:
                self.tell(
                    Progress(
                        status.underway_s, duration_s, status.finished, len(works), status.messages, doing
                    )
                )

        came = 0
        outcomes = self.workers.outcomes(works, summary_of_whole_run, watch)
        try:
            for done in outcomes:
                if done.stopped is not None:
                    outcomes.close()
                    raise Stopped(done.stopped)
                work = works[done.number]
                self.store.put(work.digest, work.replication, done.kept)
                came += 1
        except WorkerLost:
            raise Stopped(WORKER_LOST) from None
        finally:
            self.simulated += came
        if came < len(works):
            raise Stopped(INTERRUPTED)


def summary_of_whole_run(scenario: Scenario, measurements: Measurements) -> Summary | None:
    """None for a run that was stopped before its time: nothing is kept of it."""
    return summarise(scenario, measurements) if measurements.ended_s >= scenario.run.duration else None
