"""Replications side by side: what a second thread gives, what processes and a cluster cost, what a run takes.

The orders example is simulated with one thread, two threads, two processes and, where Dask is installed, a
local cluster of two workers, in turns. Rates do not count the start of workers, which is told apart. Look at
ratios: other programs on the machine take from all of them, and most from what uses two processors.

    python benchmarks/scale.py                      # some two minutes
    python benchmarks/scale.py --replications 40 --rounds 1

Goals: two threads give at least 85% of twice the runs per second of one; 100 replications in less than 30 s.
"""

from __future__ import annotations

import argparse
import importlib.util
import pickle
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import slosim
from slosim.measure.codec import to_bytes
from slosim.simulation import whole
from slosim.workers import Work, Workers, digest_of_runs, open_workers

ORDERS = Path(__file__).resolve().parent.parent / "examples" / "orders.yaml"
EFFICIENCY_GOAL = 0.85
HUNDRED_IN_S = 30.0


class Side(NamedTuple):
    """One way to simulate."""

    name: str
    backend: str
    workers: int


SIDES = [
    Side("1 thread", "threads", 1),
    Side("2 threads", "threads", 2),
    Side("2 processes", "processes", 2),
    Side("2 Dask workers", "dask", 2),
]


class Measured(NamedTuple):
    """Runs per second once all workers work, and seconds until they do."""

    runs_per_s: float
    start_s: float
    cpu_s_per_run: float  # of this process alone


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    scenario = slosim.load(ORDERS)
    print_sizes(scenario)
    has_dask = importlib.util.find_spec("distributed") is not None
    sides = [side for side in SIDES if has_dask or side.backend != "dask"]
    rounds = [
        {side.name: measure(side, scenario, arguments.replications) for side in sides}
        for _ in range(arguments.rounds)
    ]
    return print_rates(sides, rounds)


def measure(side: Side, scenario: slosim.Scenario, count: int) -> Measured:
    digest = digest_of_runs(scenario)
    works = [Work(scenario, number, digest) for number in range(count)]
    began = time.perf_counter()
    with opened(side) as workers:
        for _ in workers.outcomes(works[: 2 * side.workers], whole):
            pass
        started, cpu = time.perf_counter(), time.process_time()
        for _ in workers.outcomes(works, whole):
            pass
        took, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Measured(count / took, started - began, cpu / count)


@contextmanager
def opened(side: Side) -> Iterator[Workers]:
    if side.backend != "dask":
        with open_workers(side.backend, side.workers) as workers:
            yield workers
        return
    from dask.distributed import LocalCluster

    with (
        LocalCluster(n_workers=side.workers, threads_per_worker=1, dashboard_address=None) as cluster,
        open_workers("dask", cluster=cluster.scheduler_address) as workers,
    ):
        yield workers


def print_sizes(scenario: slosim.Scenario) -> None:
    with open_workers("threads", 1) as workers:
        (done,) = workers.outcomes([Work(scenario, 0, digest_of_runs(scenario))], whole)
    travels, kept = len(pickle.dumps(done.kept, protocol=5)), len(to_bytes(done.kept))
    print(f"One replication is {travels / 1e3:.0f} KB in memory and over the network,")
    print(f"{kept / 1e3:.0f} KB with --keep, in its file and over the network.")
    print(f"The scenario, once for each worker: {len(pickle.dumps(scenario)) / 1e3:.0f} KB.")
    print()


def print_rates(sides: list[Side], rounds: list[dict[str, Measured]]) -> int:
    """A table of medians; 1 when a goal is missed."""

    def median(name: str, what: str) -> float:
        return statistics.median(getattr(one[name], what) for one in rounds)

    one = sides[0].name
    print("| | runs/s | × 1 thread | start, s |")
    print("|---|---|---|---|")
    for side in sides:
        ratio = statistics.median(its[side.name].runs_per_s / its[one].runs_per_s for its in rounds)
        rate, start = median(side.name, "runs_per_s"), median(side.name, "start_s")
        print(f"| {side.name} | {rate:.1f} | {ratio:.2f} | {start:.1f} |")
    two = sides[1].name
    efficiency = statistics.median(its[two].runs_per_s / its[one].runs_per_s / 2 for its in rounds)
    of_cpu = median(one, "cpu_s_per_run") / median(two, "cpu_s_per_run")
    hundred_s = 100 / median(two, "runs_per_s")
    print()
    print(f"Efficiency of two threads: {efficiency:.0%} (goal {EFFICIENCY_GOAL:.0%}).")
    print(f"A run takes {median(one, 'cpu_s_per_run'):.3f} s of a processor with one thread; that over what")
    print(f"it takes with two, which neighbours change less: {of_cpu:.0%}.")
    print(f"100 replications with two threads: {hundred_s:.1f} s (goal {HUNDRED_IN_S:.0f} s).")
    return 0 if efficiency >= EFFICIENCY_GOAL and hundred_s < HUNDRED_IN_S else 1


if __name__ == "__main__":
    sys.exit(main())
