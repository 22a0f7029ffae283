"""How fast does each program simulate the same pipeline? Prints a table of orders per second.

Do not read too much into it. One system is measured, on one machine, in one afternoon: a small one with
Poisson arrivals, four services, few messages at a time. Programs differ in what they are for, and each of
them is the best choice for something that is not measured here; who is ten times slower may save you ten days
of programming. The compiler, the processor and the neighbours on the machine move every number by 10 to 30%,
so look at ratios from one run of this program, never at numbers from different runs or machines, and measure
your own system before you decide.

What is compared: Poisson arrivals, 0.12/s; intake (1 to 3 s, one slot), payment (4 to 12 s, two slots, 2% of
the attempts fail at their end and join the line again 10 to 30 s later), inventory (2 to 8 s, one slot),
shipping (6 to 16 s, two slots); all times uniform. Every program measures, at every stage, the wait and
service of each attempt and the sojourn of each order in histograms of 0.5% precision, counts of attempts,
successes and failures, busy slots and the line's length over time, and the latency of each order from end to
end. Two exceptions: Ciw keeps records instead, from which the same numbers are computed, and slosim measures
more, all that its report shows.

Each program runs in a process of its own and times its simulation in CPU seconds, without start-up and
compilation. Programs take turns over several rounds with different seeds; the table shows medians. Their
results are compared with those of the C program: a difference of five standard errors ends the benchmark
with an error.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
REFERENCE = "c"  # whom the others' results are compared with
ORDERS = {  # about a second each; the slow ones a little more
    "slosim": 20_000_000,
    "c": 10_000_000,
    "c-native": 10_000_000,
    "heapq": 150_000,
    "simpy": 50_000,
    "salabim": 10_000,
    "ciw": 10_000,
}
C_OPTIONS = {"c": ["-O3"], "c-native": ["-O3", "-march=native"]}
STAGES = ("intake", "payment", "inventory", "shipping")
STANDARD_ERRORS = 5.0
BUCKET_RATIO = 0.01  # quantiles come in buckets of the histograms


def main() -> int:
    arguments = parse_arguments()
    programs = arguments.only or list(ORDERS)
    orders = ORDERS | dict(arguments.orders)
    with tempfile.TemporaryDirectory() as folder:
        commands = {name: command_of(name, Path(folder)) for name in programs}
        results: dict[str, list[dict]] = {name: [] for name in programs}
        side_by_side: list[dict] = []
        for number in range(arguments.rounds):
            for name, command in commands.items():
                results[name].append(run(command, orders[name], arguments.seed + number))
            if "slosim" in programs and arguments.threads > 1:
                command = commands["slosim"]
                seed = arguments.seed + number
                side_by_side.append(run(command, orders["slosim"], seed, arguments.threads))
            print(f"round {number + 1} of {arguments.rounds} done", file=sys.stderr)
    print_table(results)
    if side_by_side:
        print_side_by_side(results["slosim"], side_by_side, arguments.threads)
    if arguments.json:
        Path(arguments.json).write_text(
            json.dumps({"programs": results, "side_by_side": side_by_side}, indent=1)
        )
    return print_agreement(results)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=ORDERS, metavar="PROGRAM", help=", ".join(ORDERS))
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--seed", type=int, default=1, help="of the first round, default 1")
    parser.add_argument(
        "--orders",
        nargs="+",
        type=orders_of_program,
        default=[],
        metavar="PROGRAM=N",
        help="orders in each run, for instance simpy=200000",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=2,
        help="replications side by side in slosim, default 2; 1 leaves it out",
    )
    parser.add_argument("--json", metavar="FILE", help="save every result")
    return parser.parse_args()


def orders_of_program(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if name not in ORDERS:
        raise argparse.ArgumentTypeError(f"no program {name!r}, but {', '.join(ORDERS)}")
    return name, int(float(count))


def command_of(name: str, folder: Path) -> list[str]:
    """The command that runs a program; compiles the one in C."""
    if name not in C_OPTIONS:
        return [sys.executable, str(PEERS / f"{name}_pipeline.py")]
    program = folder / name
    subprocess.run(["gcc", *C_OPTIONS[name], "-o", program, PEERS / "pipeline.c", "-lm"], check=True)
    return [str(program)]


def run(command: list[str], *arguments: object) -> dict:
    done = subprocess.run([*command, *map(str, arguments)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def rates_per_s(runs: list[dict], seconds: str = "seconds") -> list[float]:
    return [one["orders"] / one[seconds] for one in runs]


def print_table(results: dict[str, list[dict]]) -> None:
    rate = {name: statistics.median(rates_per_s(runs)) for name, runs in results.items()}
    print(
        f"{'program':<9}{'orders/s':>12}{'slowest':>12}{'fastest':>12}{'× SimPy':>9}{'× C':>10}"
        f"{'mean s':>9}{'p99 s':>8}  utilisation"
    )
    for name, runs in sorted(results.items(), key=lambda item: -rate[item[0]]):
        each = rates_per_s(runs)
        against = [f"{rate[name] / rate[peer]:.3g}" if peer in rate else "" for peer in ("simpy", "c")]
        mean, p99 = pooled(runs, mean_latency_s), pooled(runs, p99_latency_s)
        busy = " ".join(f"{pooled(runs, lambda one, s=s: utilisation(one, s)):.3f}" for s in STAGES)
        print(
            f"{name:<9}{rate[name]:>12,.0f}{min(each):>12,.0f}{max(each):>12,.0f}{against[0]:>9}{against[1]:>10}"
            f"{mean:>9.3f}{p99:>8.2f}  {busy}"
        )


def print_side_by_side(alone: list[dict], together: list[dict], threads: int) -> None:
    """Replications side by side, by the clock on the wall: CPU time does not shrink with threads."""
    one = statistics.median(rates_per_s(alone, "wall_seconds"))
    several = statistics.median(rates_per_s(together, "wall_seconds"))
    print(
        f"\nslosim, {threads} replications on {threads} threads, wall time: {several:,.0f} orders/s, "
        f"{several / one:.2f} times the {one:,.0f} of one"
    )


def mean_latency_s(one: dict) -> float:
    return one["latency_s"]["mean"]


def p99_latency_s(one: dict) -> float:
    return one["latency_s"]["p99"]


def utilisation(one: dict, stage: str) -> float:
    return one["stages"][stage]["utilisation_ratio"]


def measures() -> dict:
    """What the programs must agree on: name -> function of one run's result."""
    chosen = {"mean latency": mean_latency_s, "p99 latency": p99_latency_s}
    for stage in STAGES:
        chosen[f"{stage} utilisation"] = lambda one, stage=stage: utilisation(one, stage)
        chosen[f"{stage} mean waiting"] = lambda one, stage=stage: one["stages"][stage]["waiting_mean"]
        chosen[f"{stage} mean sojourn"] = lambda one, stage=stage: one["stages"][stage]["sojourn_s"]["mean"]
    chosen["payment failures per attempt"] = lambda one: (
        one["stages"]["payment"]["failed"] / one["stages"]["payment"]["attempts"]
    )
    return chosen


def pooled(runs: list[dict], measure) -> float:
    total = sum(one["orders"] for one in runs)
    return sum(one["orders"] * measure(one) for one in runs) / total


def print_agreement(results: dict[str, list[dict]]) -> int:
    """Compares every program's results with the reference's; returns 1 if one differs beyond chance.

    The variance of a run's result is taken to be inversely proportional to its orders, with one factor for
    all programs, estimated from the differences between rounds: the more rounds, the fairer.
    """
    others = [name for name in results if name != REFERENCE]
    rounds = min(len(runs) for runs in results.values())
    if REFERENCE not in results or not others or rounds < 2:
        print("\nResults not compared: this needs the C program, another one, and two rounds.")
        return 0
    disagreements = []
    worst = 0.0
    for what, measure in measures().items():
        squares, freedom = 0.0, 0
        for runs in results.values():
            mean = pooled(runs, measure)
            squares += sum(one["orders"] * (measure(one) - mean) ** 2 for one in runs)
            freedom += len(runs) - 1
        expected = pooled(results[REFERENCE], measure)
        for name in others:
            found = pooled(results[name], measure)
            weights = [1 / sum(one["orders"] for one in results[peer]) for peer in (name, REFERENCE)]
            error = math.sqrt(squares / freedom * sum(weights))
            slack = BUCKET_RATIO * expected if what.startswith("p99") else 0.0
            errors = max(0.0, abs(found - expected) - slack) / error if error else 0.0
            worst = max(worst, errors)
            if errors > STANDARD_ERRORS:
                disagreements.append(f"{name}: {what} {found:.6g}, but {expected:.6g} in {REFERENCE}")
    print(f"\nResults compared with the C program's: largest difference {worst:.1f} standard errors.")
    for line in disagreements:
        print(line)
    return 1 if disagreements else 0


if __name__ == "__main__":
    sys.exit(main())
