"""Works handed out to an executor, and their results in the order in which they finish.

Threads, processes and the machines of a cluster stand behind the same interface, that of
`concurrent.futures`; what differs is who notices a Ctrl-C and what becomes of a worker that dies.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

from slosim.errors import WorkerLost
from slosim.workers.work import Done, Keep, Work, programs, simulate

if TYPE_CHECKING:
    from slosim.engine.run import Run

LOOKS_EVERY_S = 0.1
"""How often progress is told and Ctrl-C is heard."""


WORKS_EACH = 2
"""Works that are handed to a worker at a time: it need not wait for the next one, and few are lost with
it.
"""


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
    knows_who           the work that was at a worker when it died is told from those that waited there
    """

    lost: tuple[type[BaseException], ...] = ()
    deaths_most = 3
    knows_who = True

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        self.count = count
        self.memory_limit_bytes = memory_limit_bytes
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
            WorkerLost: a work that no worker survives, or nobody is left to do it.
            EngineError: a bug of slosim.
        """
        waiting, deaths = deque(range(len(works))), Counter[int]()
        finished, messages = 0, 0
        try:
            while waiting or self._running:
                while waiting and len(self._running) < WORKS_EACH * self.count:
                    index = waiting.popleft()
                    self._running[self._submit(works[index], keep, index)] = index
                for future in wait(self._running, LOOKS_EVERY_S, FIRST_COMPLETED).done:
                    index = self._running.pop(future)
                    try:
                        done = self._result(future)
                    except self.lost as error:
                        deaths[index] += self._is_to_blame(future)
                        if deaths[index] >= self.deaths_most:
                            raise WorkerLost(_deadly(works[index], self.knows_who)) from error
                        waiting.appendleft(index)
                        continue
                    finished, messages = finished + 1, messages + done.messages
                    yield done._replace(number=index)
                self._require_workers()
                if watch is not None:
                    watch(self._status(finished, messages))
        except KeyboardInterrupt:
            yield from self._interrupted()
        finally:
            self._abandon()

    def close(self) -> None:
        """End all workers; what is running is lost."""

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        raise NotImplementedError

    def _result(self, future: Future[Done]) -> Done:
        return future.result()

    def _is_to_blame(self, future: Future[Done]) -> bool:
        """Whether a work that was lost with its worker was the one that was running there."""
        return True

    def _require_workers(self) -> None:
        """Raise WorkerLost when nobody is left, and none comes."""

    def _status(self, finished: int, messages: int) -> Status:
        return Status(finished, 0.0, messages)

    def _interrupted(self) -> Iterator[Done]:
        """What there is of the runs that are under way, which end now."""
        return iter(())

    def _abandon(self) -> None:
        """Nobody waits for what is still running; other works may come."""
        raise NotImplementedError


def _deadly(work: Work, knows_who: bool) -> str:
    beside = "" if knows_who else ", or one that waited beside it,"
    return (
        f"replication {work.replication + 1} of {work.scenario.name}{beside} takes down every worker, most"
        " likely for want of memory: give a --memory-limit, or fewer --workers"
    )


class Threads(Workers):
    """Threads of this process: the compiled engine runs side by side, and stops when it is told to."""

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        super().__init__(count, memory_limit_bytes)
        self._executor = ThreadPoolExecutor(count, thread_name_prefix="replication")
        self._stop = threading.Event()
        self._active: dict[int, Run] = {}

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        programs.of(work.scenario, work.digest)  # here, where a mistake or Ctrl-C is heard
        return self._executor.submit(
            simulate,
            *(work.scenario, work.digest, work.replication, keep, self.memory_limit_bytes),
            stop=self._stop,
            active=self._active,
            number=index,
        )

    def close(self) -> None:
        self._stop.set()
        self._executor.shutdown(wait=False, cancel_futures=True)

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
        """The next works are simulated in the same threads."""
        for future in self._running:
            future.cancel()
        self._stop.set()
        self._running.clear()
        self._stop = threading.Event()
