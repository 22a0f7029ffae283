"""`slosim.run`: a scenario's replications, side by side, to one report."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from slosim.errors import WorkerLost
from slosim.model import Scenario
from slosim.report import Report, build_report
from slosim.report.precision import replications_wanted
from slosim.workers import Status, Work, Workers, digest_of_runs, open_workers, processors

if TYPE_CHECKING:
    from slosim.measure.measurements import Measurements

INTERRUPTED, WORKER_LOST = "interrupted", "worker lost"
REPLICATIONS_LEAST, REPLICATIONS_MOST = 10, 1000
"""Of a run until a precision is reached: fewer say too little about their own spread."""


class Progress(NamedTuple):
    """How far the replications are.

    simulated_s   simulated time of those that are under way, added up
    duration_s    simulated time of one
    replication   those that are finished
    replications  in all
    messages      published to lines so far, in all replications
    doing         what they are for, where a command simulates several things; else empty
    """

    simulated_s: float
    duration_s: float
    replication: int
    replications: int
    messages: int
    doing: str = ""


Tell = Callable[[Progress], None]


def run(
    scenario: Scenario,
    seed: int | None = None,
    replications: int | None = None,
    progress: Tell | None = None,
    memory_limit_bytes: int | None = None,
    workers: int | None = None,
    backend: str = "threads",
    cluster: str | None = None,
    precision: float | None = None,
) -> Report:
    """Simulate a scenario and judge what happened.

    Args:
        seed, replications: instead of the scenario's.
        precision: instead of a number of replications: as many as it takes until the 95% interval of every
            objective and of each flow's p99 is at most this share of the value to either side; at least the
            scenario's, at most `replications`, or 1,000.
        progress: called about ten times a second, in the calling thread.
        memory_limit_bytes: what the simulated backlogs may take together; beyond it the run stops with a
            partial report. Default 4 GiB.
        workers: default one per processor. Their number changes no byte of the report, nor does
        backend: "threads", "processes", or "dask" with
        cluster: the address of its scheduler.

    Returns:
        The report; `report.stopped` tells why it is partial: "interrupted" (KeyboardInterrupt), "memory
        limit", "worker lost", or None.

    Raises:
        ScenarioError: a replaced seed or number of replications is not accepted.
        EngineError: a bug of slosim.
        UserError: no such backend or cluster.
        WorkerLost: before anything was simulated.
        KeyboardInterrupt: before anything was simulated.
    """
    given = {} if seed is None else {"run.seed": seed}
    if precision is None and replications is not None:
        given["run.replications"] = replications
    if given:
        scenario = scenario.replace(given)
    most = scenario.run.replications if precision is None else replications or REPLICATIONS_MOST
    if backend != "dask":
        workers = min(most, workers or processors())
    with open_workers(backend, workers, cluster, memory_limit_bytes) as pool:
        simulated = _Replications(scenario, pool, progress)
        if precision is None:
            return simulated.report(most)
        return _until_precise(simulated, precision, most)


def _until_precise(simulated: _Replications, precision: float, most: int) -> Report:
    """Replications in rounds, each as large as the spread so far asks for."""
    count = min(most, max(simulated.scenario.run.replications, REPLICATIONS_LEAST))
    while True:
        report = simulated.report(count, precision)
        wanted = min(most, replications_wanted(report.data, precision))
        if wanted <= count or not report.complete:
            return report
        count = wanted


class _Replications:
    """The replications of one scenario that are simulated so far, and why no more came, if they did not."""

    def __init__(self, scenario: Scenario, workers: Workers, progress: Tell | None) -> None:
        self.scenario = scenario
        self.workers = workers
        self.progress = progress
        self.digest = digest_of_runs(scenario)
        self.whole: dict[int, Measurements] = {}
        self.partial: list[Measurements] = []
        self.stopped: str | None = None

    def report(self, count: int, precision: float | None = None) -> Report:
        """The report of the first `count` replications, or of those that came to an end."""
        self._simulate(range(len(self.whole), count))
        scenario = self.scenario
        if count != scenario.run.replications:
            scenario = scenario.replace({"run.replications": count})
        if len(self.whole) == count:
            return build_report(scenario, self._in_order(), precision=precision)
        if not self.whole and not self.partial:
            raise KeyboardInterrupt
        measurements = self._in_order() or [max(self.partial, key=lambda one: one.ended_s)]
        return build_report(scenario, measurements, stopped=self.stopped or INTERRUPTED, precision=precision)

    def _in_order(self) -> list[Measurements]:
        return [self.whole[replication] for replication in sorted(self.whole)]

    def _simulate(self, numbers: range) -> None:
        works = [Work(self.scenario, number, self.digest) for number in numbers]
        before = len(self.whole)

        def watch(status: Status) -> None:
            if self.progress is not None:
                finished, replications = before + status.finished, before + len(works)
                duration_s = self.scenario.run.duration
                self.progress(
                    Progress(status.underway_s, duration_s, finished, replications, status.messages)
                )

        outcomes = self.workers.outcomes(works, whole, watch)
        try:
            for done in outcomes:
                if done.stopped is None:
                    self.whole[numbers[done.number]] = done.kept
                else:
                    self.partial.append(done.kept)
                    self.stopped = self.stopped or done.stopped
                    if done.stopped != INTERRUPTED:
                        outcomes.close()
        except WorkerLost:
            if not self.whole:
                raise
            self.stopped = WORKER_LOST


def whole(scenario: Scenario, measurements: Measurements) -> Measurements:
    """All that a replication measured is kept."""
    return measurements
