"""Where works are simulated: `threads` and `processes` of this machine, or `dask`, a cluster that is
there.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
import time
import warnings
from collections.abc import Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slosim.errors import UserError, WorkerLost
from slosim.model.values import nearest
from slosim.workers.pool import Threads, Workers
from slosim.workers.work import OTHER_CODE, PROGRAMS_KEPT, Done, Keep, Work, digest_of_code, simulate

BACKENDS = ("threads", "processes", "dask")
ADDRESS_EXAMPLE = "tcp://host:8786"
CONNECTS_IN_S = 10
CLUSTER_LOOKS_EVERY_S = 1
LOST_AFTER_S = 60
"""Without a single worker: those of a cluster may be replaced, which takes a while."""
MEMORY_LIMIT_BYTES = 4 << 30
"""What the simulated backlogs may take together on this machine, or on each worker of a cluster."""


def open_workers(
    backend: str = "threads",
    count: int | None = None,
    cluster: str | None = None,
    memory_limit_bytes: int | None = None,
) -> Workers:
    """The workers of a backend.

    Args:
        count: default one per processor, or those of the cluster.
        cluster: address of a Dask scheduler, such as tcp://host:8786; default: what Dask is configured for.
        memory_limit_bytes: of this machine, or of each worker of a cluster.

    Raises:
        UserError: an unknown backend, or one whose package is not installed; no cluster at that address.
    """
    limit = memory_limit_bytes or MEMORY_LIMIT_BYTES
    if backend not in BACKENDS:
        close = nearest(backend, BACKENDS)
        raise UserError(
            f"backend '{backend}' is not known; there are {', '.join(BACKENDS)}"
            + (f"; did you mean '{close}'?" if close else "")
        )
    if backend == "dask":
        return DaskWorkers(cluster, count, limit)
    if cluster is not None:
        raise UserError(f"a cluster needs the backend dask, got {backend}: add --backend dask")
    count = count or processors()
    return Threads(count, limit // count) if backend == "threads" else Processes(count, limit // count)


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


# Processes


class Processes(Workers):
    """Processes of this machine, each with an executor of its own: one that dies takes only its own works."""

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        super().__init__(count, memory_limit_bytes)
        self.lost = (_broken(),)
        self._processes = [_Process() for _ in range(count)]
        self._folder = TemporaryDirectory(prefix="slosim-")
        # killing the children of a worker, which has none, needs a program that some machines lack
        warnings.filterwarnings("ignore", "Failed to kill subprocesses")

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        file = Path(self._folder.name) / work.digest
        if not file.exists():  # each worker reads a scenario once, instead of receiving it with every run
            file.write_bytes(pickle.dumps(work.scenario))
        least_busy = min(self._processes, key=_Process.unfinished)
        return least_busy.submit(
            file, work.digest, work.replication, keep, self.memory_limit_bytes, digest_of_code()
        )

    def _is_to_blame(self, future: Future[Done]) -> bool:
        return any(process.died_at(future) for process in self._processes)

    def _abandon(self) -> None:
        if self._running:
            self._running.clear()
            for process in self._processes:
                process.end()

    def close(self) -> None:
        for process in self._processes:
            process.end()
        self._folder.cleanup()


class _Process:
    """One worker process, started when it is first needed, and again after its death."""

    def __init__(self) -> None:
        self._executor: Any = None
        self._works: list[Future[Done]] = []
        """Those of this executor that are not finished, in order."""

    def submit(self, *arguments: Any) -> Future[Done]:
        try:
            future = self._open().submit(simulate, *arguments)
        except _broken():
            self.end()
            future = self._open().submit(simulate, *arguments)
        self._works = [work for work in self._works if not work.done() or work.exception()]
        self._works.append(future)
        return future

    def unfinished(self) -> int:
        return sum(not work.done() for work in self._works)

    def died_at(self, future: Future[Done]) -> bool:
        """Whether it died while it was at this work: the first one that it did not finish."""
        died = (work for work in self._works if work.done() and isinstance(work.exception(), _broken()))
        return next(died, None) is future

    def end(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None
            self._works = []

    def _open(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if self._executor is None:
            with _interrupts_blocked():
                self._executor = ProcessPoolExecutor(1, initializer=_set_up, initargs=(os.getpid(),))
                self._executor.submit(int)  # starts the process
        return self._executor


def _broken() -> type[BaseException]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    return BrokenProcessPool


@contextmanager
def _interrupts_blocked() -> Generator[None]:
    """For a process that starts: Ctrl-C reaches all processes of a terminal, and the first one answers it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _set_up(parent: int) -> None:
    """In a worker process: leave Ctrl-C to the first one, also when this one was started by a thread that
    does not block it; and end when the process that it works for is gone, however that ended.
    """
    from joblib.externals.loky import process_executor

    signal.signal(signal.SIGINT, signal.SIG_IGN)

    process_executor._USE_PSUTIL = False  # to compile, or a large backlog, is no leak to be replaced for

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


# A cluster


class DaskWorkers(Workers):
    """Workers of a Dask cluster, as many as there are at the time. The scheduler itself gives the work of one
    that dies to another, and tells when a work has taken down several.
    """

    deaths_most = 1
    knows_who = False

    def __init__(self, cluster: str | None, count: int | None, memory_limit_bytes: int) -> None:
        try:
            from dask.distributed import KilledWorker
        except ImportError:
            raise UserError("the backend dask is not installed: pip install 'slosim[dask]'") from None
        super().__init__(0, memory_limit_bytes)
        self.lost = (KilledWorker,)
        self._count_most = count
        self._client, self._is_own = _client(cluster)
        self._address: str = self._client.scheduler.address
        self._executor: Any = None
        self._scenarios: dict[str, Any] = {}
        """Futures of scenarios by digest: a worker receives one once, instead of with every run."""
        try:
            self._wait_for_workers()
            self._require_same_code()
        except BaseException:
            self.close()
            raise

    def _wait_for_workers(self) -> None:
        try:
            self._client.wait_for_workers(1, timeout=CONNECTS_IN_S)
        except TimeoutError:
            raise UserError(
                f"the cluster {self._address} has no workers: dask worker {self._address}"
            ) from None
        self._seen_s = time.monotonic()
        self._look()

    def _require_same_code(self) -> None:
        try:
            others = self._client.run(digest_of_code)
        except Exception as error:
            raise UserError(
                f"the workers of the cluster {self._address} cannot run slosim ({error}): install it there"
            ) from None
        different = sorted(address for address, digest in others.items() if digest != digest_of_code())
        if different:
            count = f"{len(different)} of {len(others)} workers, first {different[0]},"
            raise UserError(f"{count} have {OTHER_CODE}")

    def _submit(self, work: Work, keep: Keep, index: int) -> Future[Done]:
        if self._executor is None:
            self._executor = self._client.get_executor(pure=False)
        try:
            return self._executor.submit(
                simulate,
                *(self._scenario(work), work.digest, work.replication, keep, self.memory_limit_bytes),
                digest_of_code(),
            )
        except Exception as error:
            if self._client.status == "running":
                raise
            raise self._gone() from error

    def _scenario(self, work: Work) -> Any:
        if work.digest not in self._scenarios:
            if len(self._scenarios) == PROGRAMS_KEPT:
                del self._scenarios[next(iter(self._scenarios))]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a long trace is large, and sent once
                self._scenarios[work.digest] = self._client.submit(
                    pickle.loads, pickle.dumps(work.scenario), key=f"scenario-{work.digest}"
                )
        return self._scenarios[work.digest]

    def _result(self, future: Future[Done]) -> Done:
        try:
            return future.result()
        except CancelledError:  # what a scheduler knew is lost with it
            raise self._gone() from None

    def _require_workers(self) -> None:
        if time.monotonic() - self._looked_s < CLUSTER_LOOKS_EVERY_S:
            return
        self._look()
        if time.monotonic() - self._seen_s > LOST_AFTER_S:
            raise WorkerLost(
                f"the cluster {self._address} has had no workers for {LOST_AFTER_S:g} s: start some, and look"
                " whether runs want more memory than they have"
            )

    def _look(self) -> None:
        """Count the threads of the workers that are there now."""
        self._looked_s = time.monotonic()
        if self._client.status != "running":
            raise self._gone()
        try:
            threads = self._client.sync(self._client.scheduler.ncores, callback_timeout=CONNECTS_IN_S)
        except OSError:
            raise self._gone() from None
        if threads:
            self._seen_s = time.monotonic()
            count = sum(threads.values())
            self.count = min(count, self._count_most or count)

    def _gone(self) -> WorkerLost:
        return WorkerLost(f"the scheduler at {self._address} is gone")

    def _abandon(self) -> None:
        """Nobody waits for what is still running, and what has not begun never does."""
        if self._running:
            self._running.clear()
            self._cancel()

    def _cancel(self) -> None:
        if self._executor is not None:
            if self._client.status == "running":
                with suppress(OSError, CancelledError):
                    self._executor.shutdown(wait=False)
            self._executor = None

    def close(self) -> None:
        self._cancel()
        self._scenarios.clear()
        if self._is_own:
            with suppress(OSError, CancelledError):
                self._client.close(timeout=CONNECTS_IN_S)


def _client(cluster: str | None) -> tuple[Any, bool]:
    """A client of the cluster, and whether it is ours to close."""
    from dask import config
    from dask.distributed import Client

    address = cluster or config.get("scheduler-address", None)
    try:
        if address is None:
            return Client.current(), False
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is told here, once
        return Client(address, set_as_default=False, timeout=CONNECTS_IN_S), True
    except ValueError:
        got = f", got {address}" if address else ""
        raise UserError(
            f"the backend dask needs the address of a scheduler, such as --cluster {ADDRESS_EXAMPLE}{got}"
        ) from None
    except OSError as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"no cluster answers at {address} within {CONNECTS_IN_S} s: {what}") from None
