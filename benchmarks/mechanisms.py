"""What does each mechanism cost? Prints a table of messages per CPU second, one row for each mechanism.

Do not read too much into it; what benchmarks/pipeline.py says of its numbers holds here too. Every row is
the service of mechanisms.yaml (M/M/8, 80% busy) with one mechanism, set so that it has something to do now
and then but the service keeps up. One exception is named in its row: a join needs messages that belong
together, so a service stands before it.

A message is one that is published to a topic, so a join counts three for each order. The time is CPU time
of the simulation and its report, without start-up and compilation. Each run is a process of its own, and
the rows take turns over several rounds with different seeds; the table shows medians, and their ratio to
the plain service. A service with any mechanism is handled by engine/mechanisms, so `shed wait_over`, which
never sheds here, tells what that alone costs; "plain" rows are handled by engine/kernel.py, for comparison.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from pipeline import rates_per_s, run

BASE = Path(__file__).resolve().parent / "mechanisms.yaml"
MESSAGES_PER_S = 80.0
MESSAGES = 2_000_000
PLAIN = "plain"

LOG = {"topics.work.partitions": 12}
RETRY = {"maximum_attempts": 3, "initial_interval": "1s"}
FAILING = {"services.worker.failures": "2%", "services.worker.retry": RETRY}
CALLING = {
    "dependencies": {"store": {"capacity": "unlimited", "service_time": {"exponential": "20ms"}}},
    "services.worker.service_time": {"exponential": "60ms"},
}
TWO_TOPICS = {
    "topics.more": {},
    "producers.others": {"topic": "more", "arrivals": {"poisson": "40/s"}},
    "producers.customers.arrivals": {"poisson": "40/s"},
    "services.worker.consumes": ["work", "more"],
}
SPLIT_IN_TWO = {
    "topics.left": {},
    "topics.right": {},
    "services.splitter": {
        "consumes": "work",
        "concurrency": "unlimited",
        "service_time": "10ms",
        "emits": ["left", "right"],
    },
}


def calls(**fields: str) -> dict:
    return CALLING | {"services.worker.calls": [{"dependency": "store"} | fields]}


def fault(target: str, at: str, lasts: str, every: str, effect: dict) -> dict:
    one = {"name": "now and then", "at": at, "for": lasts, "repeat_every": every}
    return {"faults": [one | {"target": target, "effect": effect}]}


def stopping(effect: dict, lasts: str, every: str, protocol: str) -> dict:
    rebalance = {"protocol": protocol, "pause": "1s", "session_timeout": "5s"}
    changes = {"services.worker.rebalance": rebalance, "services.worker.startup_time": "2s"}
    return LOG | changes | fault("services.worker", "50s", lasts, every, effect)


CRASH, RESTART = {"crash": 1}, {"rolling_restart": {"pause_between": "10s"}}

ROWS: dict[str, dict] = {
    PLAIN: {},
    "plain, retries": FAILING,
    "plain, log": LOG,
    "poison": {"services.worker.failures": {"poison": "1%"}, "services.worker.retry": RETRY},
    "shed wait_over": {"services.worker.shed": {"wait_over": "1h"}},
    "shed codel": {"services.worker.shed": {"codel": {"target": "100ms", "interval": "1s"}}},
    "breaker": FAILING
    | {"services.worker.circuit_breaker": {"window": 20, "failure_rate": "25%", "open_for": "1s"}},
    "budget": FAILING | {"services.worker.retry_budget": {"kind": "cap", "ratio": "2%"}},
    "prefetch": {"services.worker.prefetch": 4},
    "visibility": {"services.worker.visibility_timeout": "1s"},
    "batch of 10": {
        "services.worker.batch": {"max_messages": 10, "wait": "200ms"},
        "services.worker.service_time": {"exponential": "800ms"},
    },
    "two topics": TWO_TOPICS,
    "join of two": SPLIT_IN_TWO
    | {"services.worker.consumes": ["left", "right"], "services.worker.join": True},
    "calls": calls(),
    "calls, timeout": calls(timeout="80ms") | {"services.worker.retry": RETRY},
    "calls, hedge": calls(hedge_after="40ms", cancel="true"),
    "autoscale": {
        "services.worker.autoscale": {"metric": "utilisation", "target": "70%", "minimum": 3, "maximum": 8},
        "services.worker.startup_time": "2s",
    },
    "crash, eager": stopping(CRASH, "10s", "100s", "eager"),
    "crash, coop": stopping(CRASH, "10s", "100s", "cooperative"),
    "restart, eager": stopping(RESTART, "100s", "400s", "eager"),
    "restart, coop": stopping(RESTART, "100s", "400s", "cooperative"),
    "clients": {
        "producers.customers.arrivals": {"clients": {"count": 80, "think_time": {"exponential": "880ms"}}}
    },
    "redrive": {
        "topics.dead": {},
        "services.worker.failures": "2%",
        "services.worker.dead_letter": "dead",
    }
    | fault("topics.dead", "100s", "50s", "100s", {"redrive": {"to": "work", "rate": "10/s"}}),
    "unavailable": fault("topics.work", "50s", "2s", "100s", {"unavailable": True}),
    "blocking": {"topics.work": {"capacity": 20, "when_full": "block"}},
}


def main() -> int:
    if len(sys.argv) > 1 and sys.argv[1] == "row":
        print(json.dumps(simulate(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))
        return 0
    arguments = parse_arguments()
    rows = arguments.only or list(ROWS)
    results: dict[str, list[dict]] = {row: [] for row in rows}
    for number in range(arguments.rounds):
        for row in rows:
            command = [sys.executable, __file__, "row", row]
            results[row].append(run(command, arguments.messages, arguments.seed + number))
        print(f"round {number + 1} of {arguments.rounds} done", file=sys.stderr)
    print_table(results)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1))
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--seed", type=int, default=1, help="of the first round, default 1")
    parser.add_argument(
        "--messages", type=float, default=MESSAGES, help=f"of the producer, default {MESSAGES}"
    )
    parser.add_argument("--json", metavar="FILE", help="save every result")
    return parser.parse_args()


def simulate(row: str, messages: float, seed: int) -> dict:
    """One run of a row; a short one before the clock starts loads or compiles the engine."""
    from ruamel.yaml import YAML

    import slosim

    scenario = slosim.loads(json.dumps(changed(YAML(typ="safe").load(BASE), ROWS[row])))
    slosim.run(scenario, seed=seed)
    scenario = scenario.replace({"run.duration": messages / MESSAGES_PER_S})
    began = time.process_time()
    report = json.loads(slosim.run(scenario, seed=seed).to_json())
    seconds = time.process_time() - began
    published = sum(topic["published"]["value"] for topic in report["topics"].values())
    worker = report["services"]["worker"]
    return {
        "row": row,
        "orders": published,
        "seconds": seconds,
        "attempts": worker["attempts"]["value"],
        "utilisation_ratio": worker["utilisation_ratio"]["value"],
        "wait_s": worker["wait_s"]["mean"]["value"],
    }


def changed(document: dict, changes: dict) -> dict:
    """The document of a scenario with values set at paths such as "topics.work.partitions"."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = document
        for name in parents:
            place = place[name]
        place[last] = value
    return document


def print_table(results: dict[str, list[dict]]) -> None:
    rate = {row: statistics.median(rates_per_s(runs)) for row, runs in results.items()}
    print(
        f"{'row':<16}{'messages/s':>12}{'slowest':>12}{'fastest':>12}{'× plain':>9}{'messages':>11}"
        f"{'busy':>7}{'wait':>8}"
    )
    for row, runs in results.items():
        each = rates_per_s(runs)
        against = f"{rate[row] / rate[PLAIN]:.2f}" if PLAIN in rate else ""
        count = statistics.median(one["orders"] for one in runs)
        busy = statistics.median(one["utilisation_ratio"] for one in runs)
        wait = statistics.median(one["wait_s"] for one in runs)
        print(
            f"{row:<16}{rate[row]:>12,.0f}{min(each):>12,.0f}{max(each):>12,.0f}{against:>9}{count:>11,.0f}"
            f"{busy:>7.2f}{wait:>8.3f}"
        )


if __name__ == "__main__":
    sys.exit(main())
