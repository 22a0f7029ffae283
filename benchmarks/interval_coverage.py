"""Do the 95% intervals hold the truth 95% of the time? Many studies of one system, each with its own seed.

A study is what `slosim run` does: some replications, pooled into estimates with intervals by the functions
that the report uses. Its coverage is the share of studies whose interval holds the true value. The goal: 93
to 97%.

- M/M/1 (ρ = 0.8): the truth is a formula. The queue starts empty and nears its stationary law like e^(-t/T),
  with the relaxation time T = 1/(μ(1 - √ρ)²) = 0.9 s. The warm-up is 20 s: e^-22 is left of the start.
- orders (`examples/orders.yaml`, its fault included): the truth is the pooled value of many more replications
  with other seeds, printed with its own interval. With 1,000 times the replications of a study, its variance
  adds 0.1% to what an interval has to cover: less than 0.02 percentage points of coverage.

(Not named `coverage.py`, as Numba would import that.)
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

import slosim
from slosim.compile.lower import lower
from slosim.engine.run import Run, load
from slosim.measure import intervals
from slosim.measure.histogram import Histogram, upper_edges
from slosim.measure.intervals import Estimate, Pooled
from slosim.model import Scenario
from slosim.report.objectives import outcomes_of
from slosim.theory import mm

ORDERS = Path(__file__).resolve().parent.parent / "examples" / "orders.yaml"
GOAL = (0.93, 0.97)
SHARES = (0.5, 0.95, 0.99, 0.999)
FIRST_TRUTH_SEED = 1_000_000
"""Seeds of studies are below it."""
BATCHES = 100
"""Of the replications that make a truth; the spread between them gives its interval."""

MM1 = """
name: M/M/1
run: {duration: 220s, warmup: 20s, sample_every: 10s}
topics: {line: {}}
producers: {source: {topic: line, arrivals: {poisson: 80/s}}}
services: {station: {consumes: line, service_time: {exponential: 10ms}}}
objectives: [{name: within 100 ms, flow: source, within: 100ms, target: 80%}]
"""
ARRIVALS_PER_S, SERVICE_TIME_S = 80.0, 0.01


@dataclass(frozen=True)
class Measured:
    """What is kept of one replication, or of several added up.

    outcomes: good and bad by the name of the objective
    """

    latency: Histogram
    outcomes: dict[str, tuple[float, float]]

    def __add__(self, other: Measured) -> Measured:
        outcomes = {
            name: (good + other.outcomes[name][0], bad + other.outcomes[name][1])
            for name, (good, bad) in self.outcomes.items()
        }
        return Measured(self.latency + other.latency, outcomes)


class System:
    """A scenario with one flow, compiled; `formulas`: exact values of its quantities, if there are any."""

    def __init__(self, name: str, scenario: Scenario, formulas: dict[str, float] | None = None) -> None:
        self.name = name
        self.scenario = scenario
        self.formulas = formulas
        self.program = lower(scenario)
        load(self.program)

    def measured(self, seed: int, replication: int) -> Measured:
        one = Run(self.program, seed, replication).measure().measurements
        (flow,) = one.flows.values()
        outcomes = {}
        for objective in self.scenario.objectives:
            (its,) = outcomes_of(objective, [one])
            outcomes[objective.name] = its.total_good, its.total_bad
        return Measured(flow.latency, outcomes)


def mm1() -> System:
    """One slot at 80%; as much is served in a replication as in 200 s."""
    formulas = {
        "mean latency": mm.mean_wait_s(ARRIVALS_PER_S, SERVICE_TIME_S) + SERVICE_TIME_S,
        **{
            latency_at(share): mm.sojourn_quantile_s(share, ARRIVALS_PER_S, SERVICE_TIME_S)
            for share in SHARES
        },
        "within 100 ms": 1 - mm.sojourn_tail(0.1, ARRIVALS_PER_S, SERVICE_TIME_S),
    }
    return System("M/M/1", slosim.loads(MM1), formulas)


def orders() -> System:
    return System("orders", slosim.load(ORDERS))


SYSTEMS: dict[str, Callable[[], System]] = {"mm1": mm1, "orders": orders}


def latency_at(share: float) -> str:
    return f"p{100 * share:g} latency"


def estimates_of(measured: list[Measured]) -> dict[str, Estimate]:
    """Estimates with intervals by quantity, as `report.statistics` and `report.objectives` make them."""
    histograms = [one.latency for one in measured]
    mean = intervals.of_ratio([one.total for one in histograms], [float(one.count) for one in histograms])
    quantiles = dict(zip(map(latency_at, SHARES), Pooled.of(histograms).quantiles(list(SHARES)), strict=True))
    shares = {
        name: intervals.of_share(
            [one.outcomes[name][0] for one in measured], [one.outcomes[name][1] for one in measured]
        )
        for name in measured[0].outcomes
    }
    return {"mean latency": mean, **quantiles, **shares}


# --- the truth


def truths_of(system: System, replications: int, pool: ThreadPoolExecutor) -> dict[str, Estimate]:
    """Exact values by formula, or else estimates from many replications."""
    if system.formulas is not None:
        return {name: Estimate(value, value, value) for name, value in system.formulas.items()}
    size = max(1, replications // BATCHES)

    def batch(number: int) -> Measured:
        places = (divmod(one, 10) for one in range(number * size, (number + 1) * size))
        return reduce(Measured.__add__, (system.measured(FIRST_TRUTH_SEED + k, r) for k, r in places))

    batches = list(pool.map(batch, range(BATCHES)))
    truths = estimates_of(batches)
    together = reduce(Measured.__add__, batches).latency
    for share in SHARES:
        truths[latency_at(share)] = around(truths[latency_at(share)], interpolated(together, share))
    return truths


def interpolated(histogram: Histogram, share: float) -> float:
    """A quantile, linear inside its bucket: an estimate is as coarse as its bucket, the truth must not be."""
    upper, upto = upper_edges(), np.cumsum(histogram.counts)
    rank = share * upto[-1]
    bucket = int(np.searchsorted(upto, rank))
    inside = (rank - upto[bucket - 1]) / histogram.counts[bucket]
    return float(upper[bucket - 1] + inside * (upper[bucket] - upper[bucket - 1]))


def around(estimate: Estimate, value: float) -> Estimate:
    """The interval of an estimate, moved to another value."""
    assert estimate.value is not None
    return estimate.affine(1.0, value - estimate.value)


# --- the studies


@dataclass
class Coverage:
    """How often intervals held a truth; below, above: studies whose whole interval is on that side."""

    truth: Estimate
    studies: int = 0
    held: int = 0
    below: int = 0
    above: int = 0
    half_widths: float = 0.0

    def add(self, estimate: Estimate) -> None:
        truth, low, high = self.truth.value, estimate.low, estimate.high
        assert truth is not None
        assert low is not None, estimate
        assert high is not None, estimate
        self.studies += 1
        self.below += high < truth
        self.above += low > truth
        self.held += low <= truth <= high
        self.half_widths += (high - low) / 2

    @property
    def ratio(self) -> float:
        return self.held / self.studies

    @property
    def bounds(self) -> tuple[float, float]:
        """95% interval of the coverage: Wilson, Journal of the American Statistical Association 22 (1927)."""
        z, n = 1.96, self.studies
        middle = (self.ratio + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(self.ratio * (1 - self.ratio) / n + z * z / (4 * n * n))
        return middle - half, middle + half


def coverage_of(
    system: System,
    truths: dict[str, Estimate],
    studies: Iterable[int],
    replications: int,
    pool: ThreadPoolExecutor,
) -> dict[str, Coverage]:
    """Coverage by quantity; `studies` are seeds."""

    def study(seed: int) -> dict[str, Estimate]:
        return estimates_of([system.measured(seed, index) for index in range(replications)])

    coverage = {name: Coverage(truth) for name, truth in truths.items()}
    for estimates in pool.map(study, studies):
        for name, estimate in estimates.items():
            coverage[name].add(estimate)
    return coverage


# --- the table


def row(system: str, name: str, one: Coverage) -> str:
    shown = [
        system,
        name,
        written(one.truth),
        f"{one.studies}",
        f"{one.ratio:.1%}",
        "{:.1%} to {:.1%}".format(*one.bounds),
        f"{one.below}",
        f"{one.above}",
        f"{one.half_widths / one.studies:.3g}",
    ]
    mark = "" if GOAL[0] <= one.ratio <= GOAL[1] else " outside"
    return f"| {' | '.join(shown)} |{mark}"


def written(truth: Estimate) -> str:
    """A value by formula is written alone."""
    assert truth.high is not None
    assert truth.low is not None
    half_width = (truth.high - truth.low) / 2
    return f"{truth.value:.5g} ± {half_width:.2g}" if half_width else f"{truth.value:.5g}"


HEADER = """\
| system | quantity | truth | studies | coverage | its 95% interval | too low | too high | mean half-width |
|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("systems", nargs="*", metavar="system", help=f"{' or '.join(SYSTEMS)}; default both")
    parser.add_argument("--studies", type=int, default=1000, help="default 1000")
    parser.add_argument("--replications", type=int, default=10, help="of each study, default 10")
    parser.add_argument("--truth", type=int, default=10_000, help="replications of a truth, default 10000")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default one per processor")
    arguments = parser.parse_args()
    unknown = set(arguments.systems) - set(SYSTEMS)
    if unknown:
        parser.error(f"unknown system {min(unknown)}; there is {', '.join(SYSTEMS)}")
    print(HEADER)
    with ThreadPoolExecutor(arguments.threads) as pool:
        for name in arguments.systems or SYSTEMS:
            began = time.perf_counter()
            system = SYSTEMS[name]()
            truths = truths_of(system, arguments.truth, pool)
            studies = range(1, arguments.studies + 1)
            coverage = coverage_of(system, truths, studies, arguments.replications, pool)
            for quantity, one in coverage.items():
                print(row(system.name, quantity, one), flush=True)
            print(f"{system.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
