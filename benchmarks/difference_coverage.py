"""Do the 95% intervals of `slosim compare` hold the true difference 95% of the time?

Studies of pairs, each with its own seed: M/M/1 at 80% (that of `interval_coverage.py`) before, and after a
change. The truth is a formula. With `--reports`: do those of two saved reports, paired and independent, of
the same queue and of two in a row?
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from interval_coverage import ARRIVALS_PER_S, MM1, SERVICE_TIME_S, SHARES

import slosim
from slosim.compile.lower import lower
from slosim.engine.run import Run, load
from slosim.experiments.quantities import change, flow_quantities
from slosim.experiments.summary import Summary, summarise
from slosim.measure.intervals import Estimate
from slosim.report import build_report
from slosim.report.differences import differences_of
from slosim.theory import mm, networks

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


TWO = """
name: two in a row
run: {duration: 220s, warmup: 20s, sample_every: 10s}
topics: {line: {}, next: {}}
producers: {source: {topic: line, arrivals: {poisson: 80/s}}}
services:
  station: {consumes: line, service_time: {exponential: 8ms}, emits: next}
  last: {consumes: next, service_time: {exponential: 10ms}}
flows: {source: {from: source, to: last}}
objectives: [{name: within 100 ms, flow: source, within: 100ms, target: 80%}]
"""
SYSTEMS: dict[str, tuple[str, str, list[float], list[float]]] = {
    "M/M/1": (MM1, MM1.replace("exponential: 10ms", "exponential: 9.5ms"), [0.01], [0.0095]),
    "two in a row": (
        TWO,
        TWO.replace("exponential: 10ms", "exponential: 9ms"),
        [0.008, 0.01],
        [0.008, 0.009],
    ),
}
"""Text before and after, and the service times of both, s."""
WITHIN_S = 0.1
KEYS = [
    "objectives.within 100 ms.sli_ratio",
    *(f"flows.source.latency_s.{which}" for which in ("mean", "p50", "p95", "p99", "p99.9")),
]
OTHER_SEEDS = 500_000
"""Added to a seed: that of an independent run."""


def truths_in_a_row(service_times_s: Sequence[float]) -> dict[str, float]:
    """Of stations in a row, by key: sojourns in tandem are independent (Reich), each exponential."""
    rates = [1 / one - ARRIVALS_PER_S for one in service_times_s]
    values = [
        1 - networks.phases_tail(WITHIN_S, rates),
        networks.tandem_mean_sojourn_s(ARRIVALS_PER_S, service_times_s),
        *(networks.tandem_sojourn_quantile_s(share, ARRIVALS_PER_S, service_times_s) for share in SHARES),
    ]
    return dict(zip(KEYS, values, strict=True))


def report_data(text: str, seed: int, replications: int) -> dict:
    """What `--json` saves."""
    scenario = slosim.loads(text).replace({"run.seed": seed, "run.replications": replications})
    program = lower(scenario)
    runs = (Run(program, seed, replication) for replication in range(replications))
    return build_report(scenario, [run.measure().measurements for run in runs]).data


def study_of_reports(seed: int, replications: int) -> dict[tuple[str, str, str, str], str]:
    """Where the interval lies, by system, way, key, and how the change is told."""
    found = {}
    for name, (before, after, *times) in SYSTEMS.items():
        old, new = (truths_in_a_row(its) for its in times)
        base = report_data(before, seed, replications)
        for way, other in (("paired", seed), ("independent", seed + OTHER_SEEDS)):
            differences = differences_of(base, report_data(after, other, replications))
            assert bool(differences["unpaired"]) == (way == "independent")
            for one in differences["changes"]:
                key = one["key"]
                if key in KEYS:
                    difference, ratio = new[key] - old[key], new[key] / old[key] - 1
                    found[name, way, key, "difference"] = place_of(Estimate(**one["difference"]), difference)
                    found[name, way, key, "relative"] = place_of(Estimate(**one["ratio"]), ratio)
    return found


def coverage_of_reports(studies: int, replications: int) -> None:
    """Print the table."""
    for before, after, *_ in SYSTEMS.values():
        for text in (before, after):
            load(lower(slosim.loads(text)))
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda seed: study_of_reports(seed, replications), range(studies)))
    print("| system | runs | number | told as | holds | too low | too high |")
    print("|---|---|---|---|---|---|---|")
    for name, way, key, told in found[0]:
        seen = [one[name, way, key, told] for one in found]
        cells = " | ".join(f"{seen.count(place) / len(seen):.1%}" for place in (HOLDS, TOO_LOW, TOO_HIGH))
        number = (
            key.removeprefix("flows.source.latency_s.").removeprefix("objectives.").removesuffix(".sli_ratio")
        )
        print(f"| {name} | {way} | {number} | {told} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--reports", action="store_true", help="of saved reports")
    arguments = parser.parse_args()
    if arguments.reports:
        coverage_of_reports(arguments.studies, arguments.pairs)
        return
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
