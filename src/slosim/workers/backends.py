"""Where works are simulated: `threads` and `processes` of this machine, or `dask`, a cluster that is
there.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import Executor
from typing import Any

from slosim.errors import UserError
from slosim.workers.pool import Threads, Workers
from slosim.workers.work import digest_of_code

BACKENDS = ("threads", "processes", "dask")
CONNECTS_IN_S = 10
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
    if backend == "dask":
        return DaskWorkers(cluster, count, limit)
    if cluster is not None:
        raise UserError(f"a cluster needs the backend dask, got {backend}")
    count = count or processors()
    if backend == "threads":
        return Threads(count, limit // count)
    if backend == "processes":
        return Processes(count, limit // count)
    raise UserError(f"backend {backend!r} is not known; there are {', '.join(BACKENDS)}")


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


class Processes(Workers):
    """Processes of this machine (joblib's loky executor): one that dies takes only its own work with it."""

    def __init__(self, count: int, memory_limit_bytes: int) -> None:
        from joblib.externals.loky.process_executor import BrokenProcessPool

        super().__init__(count, memory_limit_bytes)
        self.lost = (BrokenProcessPool,)

    def _open(self) -> Executor:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(self.count, initializer=_ignore_interrupts)

    def _replace_lost(self) -> None:
        self.close()

    def close(self) -> None:
        executor: Any = self.executor
        if executor is not None:
            self.executor = None
            executor.shutdown(wait=True, kill_workers=True)


class DaskWorkers(Workers):
    """Workers of a Dask cluster. The scheduler itself gives the work of one that dies to another, and tells
    when a work has taken down several.
    """

    deaths_most = 1

    def __init__(self, cluster: str | None, count: int | None, memory_limit_bytes: int) -> None:
        try:
            from dask.distributed import KilledWorker
        except ImportError:
            raise UserError("the backend dask is not installed: pip install 'slosim[dask]'") from None
        self.client, self.is_own = _client(cluster)
        slots = sum(self.client.nthreads().values())
        if slots:
            super().__init__(min(count or slots, slots), memory_limit_bytes)
            self.lost = (KilledWorker,)
            self._require_same_code()
        else:
            self._disconnect()
            raise UserError(f"the cluster {self.client.scheduler.address} has no workers")

    def _require_same_code(self) -> None:
        others = self.client.run(digest_of_code)
        different = sorted(address for address, digest in others.items() if digest != digest_of_code())
        if different:
            self._disconnect()
            raise UserError(
                f"{len(different)} of {len(others)} workers of the cluster, first {different[0]}, have"
                " another"
                " slosim, numpy, numba or scipy than this process: install the same versions there"
            )

    def _open(self) -> Executor:
        return self.client.get_executor(pure=False)

    def close(self) -> None:
        super().close()
        self._disconnect()

    def _disconnect(self) -> None:
        if self.is_own:
            self.client.close()


def _client(cluster: str | None) -> tuple[Any, bool]:
    """A client of the cluster, and whether it is ours to close."""
    from dask import config
    from dask.distributed import Client

    address = cluster or config.get("scheduler-address", None)
    try:
        if address is None:
            return Client.current(), False
        return Client(address, set_as_default=False, timeout=CONNECTS_IN_S), True
    except ValueError:
        raise UserError(
            "the backend dask needs the address of a scheduler, such as --cluster tcp://host:8786"
        ) from None
    except OSError as error:
        raise UserError(f"no cluster answers at {address}: {error}") from None


def _ignore_interrupts() -> None:
    """In a worker process: Ctrl-C reaches all processes of a terminal, and is answered by the first one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
