"""Works handed out to an executor, and their results in the order in which they finish.

Threads, processes and the machines of a cluster stand behind the same interface, that of
`concurrent.futures`; what differs is who notices a Ctrl-C and what becomes of a worker that dies.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TYPE_CHECKING, NamedTuple

from slosim.errors import WorkerLost
from slosim.workers.work import Done, Keep, Work, prepared, simulate

if TYPE_CHECKING:
    from slosim.engine.run import Run

LOOKS_EVERY_S = 0.1
"""How often progress is told and Ctrl-C is heard."""


class Status(NamedTuple):
    """How far the works are: finished ones, simulated time of those under way, messages in all."""

    finished: int
    underway_s: float
    messages: int


Watch = Callable[[Status], None]
"""Told about ten times a second, in the calling thread; it may raise KeyboardInterrupt."""


class Workers:
    """Simulates works side by side. Use as a context manager: leaving it ends what is still running.

    count               workers
    memory_limit_bytes  of each
    lost                exceptions of a future that say that its worker died; the work goes to another one
    deaths_most         workers that one work may take down before it is given up
    """

    lost: tuple[type[BaseException], ...] = ()
    deaths_most = 3

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        self.count = count
        self.memory_limit_bytes = memory_limit_bytes
        self.executor: Executor | None = None
        self._running: dict[Future[Done], int] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def outcomes(self, works: Sequence[Work], keep: Keep, watch: Watch | None = None) -> Generator[Done]:
        """Results of all works, as they finish.

        KeyboardInterrupt, from the keyboard or from `watch`, ends it early: where runs can be stopped, what
        they measured until then comes last.

        Raises:
            WorkerLost: a work that no worker survives.
            EngineError: a bug of slosim.
        """
        queue = _Queue(works, self.deaths_most)
        finished, messages = 0, 0
        try:
            while queue.is_open() or self._running:
                while (
                    len(self._running) < self._room()
                    and (index := queue.next(bool(self._running))) is not None
                ):
                    self._running[self._submit(works[index], keep, index)] = index
                for future in wait(self._running, LOOKS_EVERY_S, FIRST_COMPLETED).done:
                    index = self._running.pop(future)
                    try:
                        done = future.result()
                    except self.lost as error:
                        self._replace_lost()
                        queue.died(index, error)
                        continue
                    finished, messages = finished + 1, messages + done.messages
                    yield done._replace(number=index)
                if watch is not None:
                    watch(self._status(finished, messages))
        except KeyboardInterrupt:
            yield from self._interrupted()
        finally:
            self._abandon()

    def close(self) -> None:
        """End all workers; what is running is lost."""
        if self.executor is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)
            self.executor = None

    def _room(self) -> int:
        """Works that are handed out at a time: nobody waits for the next one, and few are lost at an end."""
        return 2 * self.count

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        if self.executor is None:
            self.executor = self._open()
        return self.executor.submit(simulate, work, keep, self.memory_limit_bytes)

    def _open(self) -> Executor:
        raise NotImplementedError

    def _replace_lost(self) -> None:
        """A worker died: the executor goes on, or another one is opened for the next work."""

    def _status(self, finished: int, messages: int) -> Status:
        return Status(finished, 0.0, messages)

    def _interrupted(self) -> Iterator[Done]:
        """What there is of the runs that are under way, which end now."""
        return iter(())

    def _abandon(self) -> None:
        """Nobody waits for what is still running."""
        for future in self._running:
            future.cancel()
        if self._running:
            self._running.clear()
            self.close()


class Threads(Workers):
    """Threads of this process: the compiled engine runs side by side, and stops when it is told to."""

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        super().__init__(count, memory_limit_bytes)
        self._stop = threading.Event()
        self._active: dict[int, Run] = {}

    def _open(self) -> Executor:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(self.count, thread_name_prefix="replication")

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        prepared(work)  # here, where a mistake or Ctrl-C is heard, and once for all threads
        if self.executor is None:
            self.executor = self._open()
        return self.executor.submit(
            simulate, work, keep, self.memory_limit_bytes, self._stop, self._active, index
        )

    def _status(self, finished: int, messages: int) -> Status:
        active = list(self._active.values())
        return Status(
            finished, sum(run.until for run in active), messages + sum(run.messages for run in active)
        )

    def _interrupted(self) -> Iterator[Done]:
        begun = [future for future in self._running if not future.cancel()]
        self._stop.set()
        for future in begun:
            index = self._running[future]
            yield future.result()._replace(number=index)
        self._running.clear()

    def _abandon(self) -> None:
        if self._running:
            self._stop.set()
        super()._abandon()
        self._stop = threading.Event()


class _Queue:
    """Works that are still to be handed out.

    Those that were running when a worker died are handed out again one at a time, so that what kills a worker
    is told from what happened to run beside it.
    """

    def __init__(self, works: Sequence[Work], deaths_most: int) -> None:
        self.deaths_most = deaths_most
        self.fresh = deque(range(len(works)))
        self.suspects: deque[int] = deque()
        self.deaths: dict[int, int] = {}
        self.works = works
        self.alone = False

    def is_open(self) -> bool:
        return bool(self.fresh or self.suspects)

    def next(self, others_run: bool) -> int | None:
        """Index of the next work; None: there is none, or none now."""
        if not others_run:
            self.alone = False
        if self.alone or (self.suspects and others_run):
            return None
        if self.suspects:
            self.alone = True
            return self.suspects.popleft()
        return self.fresh.popleft() if self.fresh else None

    def died(self, index: int, error: BaseException) -> None:
        self.deaths[index] = self.deaths.get(index, 0) + 1
        if self.deaths[index] >= self.deaths_most:
            work = self.works[index]
            raise WorkerLost(
                f"replication {work.replication + 1} of {work.scenario.name} takes down every worker,"
                " most likely"
                " for want of memory: give a --memory-limit, or fewer --workers"
            ) from error
        self.suspects.append(index)
