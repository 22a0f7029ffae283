"""Where the time of a flow goes: the parts of real runs add up, and the report names what takes most."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import slosim
from slosim.compile.lower import lower
from slosim.compile.program import COARSE, TICKS_PER_S
from slosim.engine.run import Run, load
from slosim.measure.histogram import upper_edges

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    "name", ["orders", "order-saga", "shared-database", "rebalance-storm", "dlq-redrive", "poison-message"]
)
def test_the_parts_add_up_in_every_bucket_of_latency(name: str):
    """Joins, calls, rebalances, redrives and blocking retries, some of the slowest buckets with one instance.

    The parts of a bucket's instances add up to between its edges times their number, and all of them to all
    latencies, but for the rounding of each part to a tick. `check_flows` says the same of each message of the
    reference, with which the kernel agrees bucket by bucket (`compare_flow`).
    """
    program = lower(slosim.load(EXAMPLES / f"{name}.yaml"))
    load(program)

    for flow in Run(program, 1).measure().measurements.flows.values():
        finished, parts = flow.finished_by_bucket, flow.parts_by_bucket.sum(axis=1)
        upper = upper_edges()[(1 << COARSE) - 1 :: 1 << COARSE]
        edges = np.concatenate(([0.0], upper))
        rounding = len(flow.parts) / TICKS_PER_S * finished
        assert finished.sum() == flow.latency.count > 1000
        assert (finished == 1).any()
        assert np.all(parts >= edges[flow.buckets] * finished - rounding)
        assert np.all(parts <= upper[flow.buckets] * finished + rounding)
        assert parts.sum() == pytest.approx(flow.latency.total, abs=rounding.sum())


CHAIN = """
name: chain
run: {duration: 1000s}
topics: {first: {}, second: {}}
producers: {source: {topic: first, arrivals: {every: 10s}}}
dependencies: {database: {capacity: 2, service_time: 3s}}
services:
  check: {consumes: first, service_time: 2s, emits: second}
  store: {consumes: second, service_time: 1s, calls: [{dependency: database}]}
"""


def found(text: str, rule: str = "bottleneck") -> list[str]:
    return [one.text for one in slosim.run(slosim.loads(text)).findings if one.rule == rule]


def test_bottleneck_names_the_calls_and_how_busy_the_dependency_is():
    """2 s and then 1 s with a call of 3 s every 10 s: one slot 40% busy, two servers 15%."""
    assert found(CHAIN) == [
        "store takes most of the time of source: 4.00 s of 6.00 s (67%: 3.00 s dependency, 1.00 s service) on"
        " average, 4.00 s of 6.00 s (67%: 3.00 s dependency, 1.00 s service) of the slowest 1%. Over the run"
        " the slots of store are busy 40% of the time and the servers of database 15%."
    ]


def test_bottleneck_of_the_slowest_can_be_another_one():
    """A pause of 50 s makes five messages wait at `check`, the first of them for 50 s."""
    pause = "faults: [{name: stop, at: 500s, for: 50s, target: services.check, effect: {pause: true}}]"

    (text,) = found(CHAIN + pause)

    assert "store takes most of the time of source" in text
    assert "but check 5" in text
    assert "wait" in text


def test_bottleneck_is_silent_where_there_is_nothing_to_compare_or_another_rule_names_it():
    alone = CHAIN[: CHAIN.index("  store")].replace(", second: {}", "").replace(", emits: second", "")
    assert found(alone) == []
    too_slow = CHAIN.replace("service_time: 1s", "service_time: 9s")
    assert found(too_slow, "saturated")
    assert found(too_slow) == []
