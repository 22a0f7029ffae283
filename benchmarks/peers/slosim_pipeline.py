"""The pipeline benchmark in slosim: its scenario file, every statistic of the report on.

Arguments: the number of orders (the mean of a Poisson number), the seed, and the number of replications,
which run side by side on threads. A short run before the clock starts loads or compiles the engine. The time
includes making the report.
"""

import json
import sys
import time
from pathlib import Path

import slosim

ARRIVAL_RATE_PER_S = 0.12
SCENARIO_FILE = Path(__file__).resolve().parent.parent / "pipeline.yaml"


def summary(statistic):
    return {
        "count": statistic["count"],
        "mean": statistic["mean"]["value"],
        "p50": statistic["p50"]["value"],
        "p99": statistic["p99"]["value"],
        "max": statistic["max"],
    }


def stage_summary(report, service, topic):
    numbers = report["services"][service]
    line = report["topics"][topic]["consumers"][service]
    return {
        "attempts": numbers["attempts"]["value"],
        "succeeded": numbers["succeeded"]["value"],
        "failed": numbers["failed"]["value"],
        "utilisation_ratio": numbers["utilisation_ratio"]["value"],
        "waiting_mean": line["waiting"]["mean"]["value"],
        "waiting_max": line["waiting"]["max"],
        "wait_s": summary(numbers["wait_s"]),
        "service_s": summary(numbers["service_s"]),
        "sojourn_s": summary(numbers["sojourn_s"]),
    }


def main():
    orders_wanted = float(sys.argv[1]) if len(sys.argv) > 1 else 1e6
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    replications = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    scenario = slosim.load(SCENARIO_FILE)
    slosim.run(
        scenario.replace({"run.duration": 1000 / ARRIVAL_RATE_PER_S}), seed=seed, replications=replications
    )

    scenario = scenario.replace({"run.duration": orders_wanted / ARRIVAL_RATE_PER_S})
    cpu_before, wall_before = time.process_time(), time.perf_counter()
    result = slosim.run(scenario, seed=seed, replications=replications)
    report = json.loads(result.to_json())
    cpu_s, wall_s = time.process_time() - cpu_before, time.perf_counter() - wall_before

    (flow,) = report["flows"].values()
    services = {"intake": "orders", "payment": "payments", "inventory": "stock", "shipping": "shipments"}
    print(
        json.dumps(
            {
                "program": "slosim",
                "orders": round(flow["started"]["value"] * replications),
                "seconds": cpu_s,
                "wall_seconds": wall_s,
                "latency_s": summary(flow["latency_s"]),
                "stages": {s: stage_summary(report, s, topic) for s, topic in services.items()},
            }
        )
    )


main()
