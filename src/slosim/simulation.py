"""`slosim.run`: a scenario's replications, side by side, to one report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slosim.errors import UserError, WorkerLost
from slosim.kept import Kept
from slosim.model import Scenario
from slosim.report import Report, build_report
from slosim.report.precision import replications_wanted
from slosim.report.sample import sample_entry
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
    keep: Path | str | None = None,
    sample: int | None = None,
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
        keep: a folder where every finished replication is kept; what is there is not simulated again.
        sample: follow at most so many messages of the first replication, and the slowest of each flow, and
            keep what became of each in `report.data["sample"]`, for a trace.

    Returns:
        The report; `report.stopped` tells why it is partial: "interrupted" (KeyboardInterrupt), "memory
        limit", "worker lost", or None.

    Raises:
        ScenarioError: a replaced seed or number of replications is not accepted.
        EngineError: a bug of slosim.
        UserError: no such backend, cluster or folder; a precision that is no share; a sample of nothing.
        WorkerLost: before anything was simulated.
        KeyboardInterrupt: before anything was simulated.
    """
    if precision is not None and not 0 < precision < 1:
        raise UserError(f"precision {precision}: expected a share above 0 and below 1, e.g. 0.02")
    if sample is not None and sample < 1:
        raise UserError(f"sample {sample}: expected how many messages to follow, at least 1, e.g. 500")
    given = {} if seed is None else {"run.seed": seed}
    if precision is None and replications is not None:
        given["run.replications"] = replications
    if given:
        scenario = scenario.replace(given)
    most = scenario.run.replications if precision is None else replications or REPLICATIONS_MOST
    digest = digest_of_runs(scenario)
    kept = None if keep is None else Kept(Path(keep), digest)
    if backend != "dask":
        workers = min(most, workers or processors())
    with open_workers(backend, workers, cluster, memory_limit_bytes) as pool:
        simulated = _Replications(scenario, digest, pool, progress, kept)
        report = simulated.report(most) if precision is None else _until_precise(simulated, precision, most)
        if sample is not None:
            report.data["sample"] = simulated.sample(report, sample, memory_limit_bytes)
        return report


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

    def __init__(
        self,
        scenario: Scenario,
        digest: str,
        workers: Workers,
        progress: Tell | None,
        kept: Kept | None,
    ) -> None:
        self.scenario = scenario
        self.digest = digest
        self.workers = workers
        self.progress = progress
        self.kept = kept
        self.whole: dict[int, Measurements] = {}
        self.partial: list[Measurements] = []
        self.stopped: str | None = None

    def report(self, count: int, precision: float | None = None) -> Report:
        """The report of the first `count` replications, or of those that came to an end."""
        self._simulate(count)
        scenario = self.scenario
        if count != scenario.run.replications:
            scenario = scenario.replace({"run.replications": count})
        if len(self.whole) == count:
            return build_report(scenario, self._in_order(), precision=precision)
        if not self.whole and not self.partial:
            raise KeyboardInterrupt
        measurements = self._in_order() or [max(self.partial, key=lambda one: one.ended_s)]
        return build_report(scenario, measurements, stopped=self.stopped or INTERRUPTED, precision=precision)

    def sample(self, report: Report, most: int, memory_limit_bytes: int | None) -> dict:
        """`sample` of the report; if it has none, why it stopped."""
        if report.stopped is not None:
            return {"stopped": report.stopped}
        from slosim.engine import sample as engine

        duration_s, messages = self.scenario.run.duration, sum(one.messages for one in self.whole.values())

        def tell(share: float) -> None:
            if self.progress is not None:
                seen = messages + round(2 * share * self.whole[0].messages)
                self.progress(Progress(share * duration_s, duration_s, 0, 1, seen, "following some messages"))

        limit_bytes = memory_limit_bytes or engine.MEMORY_LIMIT_BYTES
        try:
            found = engine.sample(self.scenario, most=most, memory_limit_bytes=limit_bytes, tell=tell)
        except KeyboardInterrupt:
            return {"stopped": INTERRUPTED}
        except engine.Unfinished as stopped:
            return {"stopped": str(stopped)}
        return sample_entry(self.scenario, found)

    def _in_order(self) -> list[Measurements]:
        return [self.whole[replication] for replication in sorted(self.whole)]

    def _simulate(self, count: int) -> None:
        """All of the first `count` that there are not yet."""
        missing = [number for number in range(count) if number not in self.whole]
        if self.kept is not None:
            self.whole |= self.kept.read(missing)
            missing = [number for number in missing if number not in self.whole]
        works = [Work(self.scenario, number, self.digest) for number in missing]
        before = len(self.whole)

        def watch(status: Status) -> None:
            if self.progress is not None:
                finished, replications = before + status.finished, before + len(works)
                duration_s = self.scenario.run.duration
                self.progress(
                    Progress(status.underway_s, duration_s, finished, replications, status.messages)
                )

        outcomes = self.workers.outcomes(works, whole if self.kept is None else packed, watch)
        try:
            for done in outcomes:
                if done.stopped is None:
                    self._take(missing[done.number], done.kept)
                else:
                    self.partial.append(unpacked(done.kept))
                    self.stopped = self.stopped or done.stopped
                    if done.stopped != INTERRUPTED:
                        outcomes.close()
        except WorkerLost:
            if not self.whole:
                raise
            self.stopped = WORKER_LOST

    def _take(self, number: int, measured: Measurements | bytes) -> None:
        self.whole[number] = unpacked(measured)
        if self.kept is not None and isinstance(measured, bytes):
            self.kept.write(number, measured)


def whole(scenario: Scenario, measurements: Measurements) -> Measurements:
    """All that a replication measured is kept."""
    return measurements


def packed(scenario: Scenario, measurements: Measurements) -> bytes:
    """The same as it is written to files: made where it was simulated."""
    from slosim.measure.codec import to_bytes

    return to_bytes(measurements)


def unpacked(measured: Measurements | bytes) -> Measurements:
    """What `whole` or `packed` kept."""
    from slosim.measure.codec import from_bytes

    return from_bytes(measured) if isinstance(measured, bytes) else measured
