"""Replications side by side: what a second thread gives, what processes and a cluster cost, what a run takes.

The orders example is simulated with one thread, two threads, two processes and, where Dask is installed, a
local cluster of two workers, in turns. Rates do not count the start of workers, which is told apart; they are
those of the best of many short rounds, as other programs on the machine only ever take from them. Processor
seconds of all processes for each run depend least on what else goes on. Look at ratios.

    python benchmarks/scale.py                      # about a minute
    python benchmarks/scale.py --rounds 40          # on a busy machine

Goals: two threads give at least 85% of twice the runs per second of one; 100 replications in less than 30 s.
"""

from __future__ import annotations

import argparse
import importlib.util
import pickle
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import slosim
from slosim.measure.codec import to_bytes
from slosim.simulation import whole
from slosim.workers import Work, Workers, digest_of_runs, open_workers

ORDERS = Path(__file__).resolve().parent.parent / "examples" / "orders.yaml"
EFFICIENCY_GOAL = 0.85
HUNDRED_IN_S = 30.0
FEW, MANY = 20, 170
"""Replications whose processor seconds are compared: the start of workers is in both."""


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


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replications", type=int, default=25, help="of one side in one round")
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    scenario = slosim.load(ORDERS)
    print_sizes(scenario)
    has_dask = importlib.util.find_spec("distributed") is not None
    sides = [side for side in SIDES if has_dask or side.backend != "dask"]
    digest = digest_of_runs(scenario)
    works = [Work(scenario, number, digest) for number in range(arguments.replications)]
    with ExitStack() as stack:
        pools, starts = {}, {}
        for side in sides:
            began = time.perf_counter()
            pools[side] = stack.enter_context(opened(side))
            simulate(pools[side], works[: 2 * side.workers])
            starts[side] = time.perf_counter() - began
        rounds = [{side: runs_per_s(pools[side], works) for side in sides} for _ in range(arguments.rounds)]
    rates = {side: max(one[side] for one in rounds) for side in sides}
    cpu_s = {side: cpu_s_per_run(side, scenario, digest) for side in sides}
    return print_rates(sides, rates, cpu_s, starts)


def simulate(workers: Workers, works: list[Work]) -> None:
    for _ in workers.outcomes(works, whole):
        pass


def runs_per_s(workers: Workers, works: list[Work]) -> float:
    began = time.perf_counter()
    simulate(workers, works)
    return len(works) / (time.perf_counter() - began)


def cpu_s_per_run(side: Side, scenario: slosim.Scenario, digest: str) -> float:
    """Processor seconds that one more run takes in all processes, s."""
    few, many = (cpu_s(side, [Work(scenario, k, digest) for k in range(count)]) for count in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def cpu_s(side: Side, works: list[Work]) -> float:
    """Processor seconds from the start of workers to their end, s."""
    before = used_s()
    with opened(side) as workers:
        simulate(workers, works)
    return used_s() - before


def used_s() -> float:
    """Processor seconds of this process and of the children that have ended, s."""
    its = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in its)


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


def print_rates(
    sides: list[Side], rates: dict[Side, float], cpu_s: dict[Side, float], starts: dict[Side, float]
) -> int:
    """The table; 1 when a goal is missed."""
    one, two = sides[:2]
    print("| | runs/s | × 1 thread | processor, s per run | × 1 thread | start, s |")
    print("|---|---|---|---|---|---|")
    for side in sides:
        rate, cpu = f"{rates[side]:.1f} | {rates[side] / rates[one]:.2f}", cpu_s[side]
        print(f"| {side.name} | {rate} | {cpu:.4f} | {cpu / cpu_s[one]:.2f} | {starts[side]:.1f} |")
    efficiency = rates[two] / rates[one] / 2
    print()
    print(f"Efficiency of two threads: {efficiency:.0%} (goal {EFFICIENCY_GOAL:.0%}).")
    print(f"100 replications with two threads: {100 / rates[two]:.1f} s (goal {HUNDRED_IN_S:.0f} s).")
    return 0 if efficiency >= EFFICIENCY_GOAL and 100 / rates[two] < HUNDRED_IN_S else 1


if __name__ == "__main__":
    sys.exit(main())
