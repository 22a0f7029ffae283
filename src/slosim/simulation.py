"""`slosim.run`: a scenario's replications, side by side on threads, to one report."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from slosim.model import Scenario
from slosim.report import Report, build_report

PROGRESS_EVERY_S = 0.1


class Progress(NamedTuple):
    """How far a run is.

    simulated_s   simulated time of the replications that are under way, added up
    duration_s    simulated time of one replication
    replication   replications that are finished
    replications  replications in all
    messages      messages published to lines so far, in all replications
    """

    simulated_s: float
    duration_s: float
    replication: int
    replications: int
    messages: int


def run(
    scenario: Scenario,
    seed: int | None = None,
    replications: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    memory_limit_bytes: int | None = None,
    workers: int | None = None,
) -> Report:
    """Simulate a scenario and judge what happened.

    Args:
        seed, replications: instead of the scenario's.
        progress: called about ten times a second, in the calling thread.
        memory_limit_bytes: what the simulated backlogs may take together; beyond it the run stops with a
            partial report. Default 4 GiB.
        workers: threads; default one per processor. Their number changes no byte of the report.

    Returns:
        The report; `report.stopped` tells why it is partial: "interrupted" (KeyboardInterrupt), "memory
        limit", or None.

    Raises:
        ScenarioError: a replaced seed or number of replications is not accepted.
        EngineError: a bug of slosim.
        KeyboardInterrupt: before anything was simulated.
    """
    changes = {"run.seed": seed, "run.replications": replications}
    given = {path: value for path, value in changes.items() if value is not None}
    if given:
        scenario = scenario.replace(given)
    return _Replications(scenario, memory_limit_bytes, workers).report(progress)


class _Replications:
    """All replications of one scenario."""

    def __init__(self, scenario: Scenario, memory_limit_bytes: int | None, workers: int | None) -> None:
        from slosim.compile.lower import lower
        from slosim.engine import run as engine

        self.scenario = scenario
        self.program = lower(scenario)
        engine.load(self.program)
        self.count = scenario.run.replications
        self.workers = min(self.count, workers or os.cpu_count() or 1)
        self.memory_limit_bytes = (memory_limit_bytes or engine.MEMORY_LIMIT_BYTES) // self.workers
        self.stop = threading.Event()
        self.active: dict[int, engine.Run] = {}
        self.finished = 0
        self.messages = 0
        self.engine = engine

    def report(self, progress: Callable[[Progress], None] | None) -> Report:
        with ThreadPoolExecutor(self.workers, thread_name_prefix="replication") as pool:
            futures = [pool.submit(self._replicate, replication) for replication in range(self.count)]
            interrupted = self._watch(futures, progress)
        outcomes = [future.result() for future in futures]
        done = [
            outcome.measurements for outcome in outcomes if outcome is not None and outcome.stopped is None
        ]
        if len(done) == self.count:
            return build_report(self.scenario, done)
        partial = [outcome for outcome in outcomes if outcome is not None and outcome.stopped is not None]
        if not done and not partial:
            raise KeyboardInterrupt
        reasons = {outcome.stopped for outcome in partial}
        stopped = self.engine.MEMORY_LIMIT if self.engine.MEMORY_LIMIT in reasons else self.engine.INTERRUPTED
        if not done:
            done = [max(partial, key=lambda outcome: outcome.measurements.ended_s).measurements]
        assert interrupted or stopped == self.engine.MEMORY_LIMIT
        return build_report(self.scenario, done, stopped=stopped)

    def _replicate(self, replication: int):
        """One replication in a worker thread; None when it never began."""
        if self.stop.is_set():
            return None
        run = self.engine.Run(
            self.program,
            self.scenario.run.seed,
            replication,
            memory_limit_bytes=self.memory_limit_bytes,
            stop=self.stop,
            source=self.scenario.source.file if self.scenario.source else "SCENARIO.yaml",
        )
        self.active[replication] = run
        outcome = run.measure()
        if outcome.stopped is not None:
            self.stop.set()
        self.finished += outcome.stopped is None
        self.messages += run.messages
        del self.active[replication]
        return outcome

    def _watch(self, futures: list[Future], progress: Callable[[Progress], None] | None) -> bool:
        """Wait for the workers, telling of progress; True when a KeyboardInterrupt stopped them early."""
        try:
            left = set(futures)
            while left:
                if progress is not None:
                    progress(self._progress())
                done, left = wait(left, PROGRESS_EVERY_S, FIRST_EXCEPTION)
                if any(future.exception() for future in done):
                    self.stop.set()
        except KeyboardInterrupt:
            self.stop.set()
            return True
        return False

    def _progress(self) -> Progress:
        running = list(self.active.values())
        return Progress(
            sum(run.until for run in running),
            self.scenario.run.duration,
            self.finished,
            self.count,
            self.messages + sum(run.messages for run in running),
        )
