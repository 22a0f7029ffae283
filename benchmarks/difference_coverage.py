"""Do the 95% intervals of `slosim compare` hold the true difference 95% of the time?

Studies of pairs, each with its own seed: M/M/1 at 80% (that of `interval_coverage.py`) before, and after a
change. The truth is a formula.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

from interval_coverage import ARRIVALS_PER_S, MM1, SERVICE_TIME_S, SHARES

import slosim
from slosim.compile.lower import lower
from slosim.engine.run import Run, load
from slosim.experiments.quantities import change, flow_quantities
from slosim.experiments.summary import Summary, summarise
from slosim.measure.intervals import Estimate
from slosim.theory import mm

CHANGES = {
    "service 5% faster": ("exponential: 10ms", "exponential: 9.5ms", ARRIVALS_PER_S, 0.0095),
    "5% more load": ("poisson: 80/s", "poisson: 84/s", 84.0, SERVICE_TIME_S),
    "service 40% faster": ("exponential: 10ms", "exponential: 6ms", ARRIVALS_PER_S, 0.006),
}
BEFORE = "before"
HOLDS, TOO_LOW, TOO_HIGH = "holds", "too low", "too high"


def truths_of(arrivals_per_s: float, service_time_s: float) -> list[float]:
    """Mean and quantiles of the latency in s, in the order of `flow_quantities`."""
    mean = mm.mean_wait_s(arrivals_per_s, service_time_s) + service_time_s
    return [mean, *(mm.sojourn_quantile_s(share, arrivals_per_s, service_time_s) for share in SHARES)]


def place_of(estimate: Estimate, truth: float) -> str:
    """Where the whole interval lies."""
    assert estimate.low is not None
    assert estimate.high is not None
    if estimate.low <= truth <= estimate.high:
        return HOLDS
    return TOO_LOW if estimate.high < truth else TOO_HIGH


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    scenarios = {BEFORE: slosim.loads(MM1)} | {
        name: slosim.loads(MM1.replace(old, new)) for name, (old, new, *_) in CHANGES.items()
    }
    programs = {name: lower(scenario) for name, scenario in scenarios.items()}
    for program in programs.values():
        load(program)
    quantities = flow_quantities("source")
    normal = truths_of(ARRIVALS_PER_S, SERVICE_TIME_S)
    truths = {
        name: [two - one for one, two in zip(normal, truths_of(*after), strict=True)]
        for name, (_, _, *after) in CHANGES.items()
    }

    def summaries(name: str, seed: int) -> list[Summary]:
        runs = (Run(programs[name], seed, replication) for replication in range(arguments.pairs))
        return [summarise(scenarios[name], run.measure().measurements) for run in runs]

    def study(seed: int) -> dict[tuple[str, str], str]:
        """Where the interval lies: holds, too low or too high, by change and quantity."""
        its = {name: summaries(name, seed) for name in scenarios}
        found = {}
        for name in CHANGES:
            for quantity, truth in zip(quantities, truths[name], strict=True):
                difference = change(quantity, its[BEFORE], its[name]).difference
                found[name, quantity.name] = place_of(difference, truth)
        return found

    with ThreadPoolExecutor(2) as pool:
        studies = list(pool.map(study, range(arguments.studies)))
    print("| change | quantity | holds | too low | too high |")
    print("|---|---|---|---|---|")
    for name in CHANGES:
        for quantity in quantities:
            seen = [one[name, quantity.name] for one in studies]
            shares = (seen.count(place) / len(seen) for place in (HOLDS, TOO_LOW, TOO_HIGH))
            cells = " | ".join(f"{share:.1%}" for share in shares)
            print(f"| {name} | {quantity.name.removeprefix('source ')} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
