"""The sample of messages, and the trace that is made of it, on the real engine."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest

import slosim
from comparison import scenario_of
from slosim.engine import run as engine
from slosim.engine.sample import sample
from slosim.errors import UserError
from slosim.measure.sample import MessageSample
from slosim.model import Scenario, loads
from slosim.outputs.trace import trace_of

EXAMPLES = Path(slosim.__file__).parents[2] / "examples"
EVERYTHING = 10**9
"""A sample of so many is of all messages."""


def scenario(text: str, until: str = "20s") -> Scenario:
    return loads(f"name: t\nrun: {{duration: {until}, replications: 1, sample_every: 1s}}\n{text}")


def attempts_of(sampled: MessageSample):
    """(service, message, attempt) of all."""
    for journey in sampled.journeys:
        for message in journey.messages:
            for attempt in message.attempts:
                yield message.service, message, attempt


def data_of(given: Scenario, **options: Any) -> dict[str, Any]:
    return slosim.run(given, replications=1, sample=options.pop("sample", EVERYTHING), **options).data


# ---- slots -------------------------------------------------------------------------------------------------


def occupations(sampled: MessageSample) -> dict[tuple, list[tuple[float, float]]]:
    """When each slot was held, by (service, instance, slot); what a batch holds together is one."""
    found = defaultdict(set)
    end_s = sampled.measurements.ended_s
    for service, _, one in attempts_of(sampled):
        freed_s = end_s if one.freed_s is None else one.freed_s
        found[service, one.instance, one.slot].add((one.taken_s, freed_s))
    return {place: sorted(spans) for place, spans in found.items()}


def check_slots(given: Scenario) -> int:
    """No slot is held twice at once, lower ones were busy when it was taken, none is above the concurrency,
    and together they are as busy as the engine counts. Returns how many attempts there are."""
    given = given.replace({"run.warmup": 0.0})
    sampled = sample(given, most=EVERYTHING)
    busy_s: dict[str, float] = defaultdict(float)
    held = occupations(sampled)
    for (service, instance, slot), spans in held.items():
        for (_, until), (since, _) in pairwise(spans):
            assert until <= since, (service, instance, slot)
        busy_s[service] += sum(until - since for since, until in spans)
        rules = given.services.get(service)
        if rules is not None and not rules.has_blocking_retry:  # it waits in its slot, whichever is free
            for lower, (taken_s, _) in product(range(slot), spans):
                assert any(since <= taken_s <= until for since, until in held[service, instance, lower])
        if rules is not None and rules.concurrency is not None:
            assert slot < rules.concurrency * (rules.instances if instance is None else 1)
        if rules is not None and instance is not None:
            assert instance < rules.instances_at_most
    for name, measured in sampled.measurements.services.items():
        assert busy_s[name] == pytest.approx(measured.busy.integral, rel=1e-9, abs=1e-6), name
        assert measured.attempts == sum(service == name for service, *_ in attempts_of(sampled)), name
    return sum(1 for _ in attempts_of(sampled))


@pytest.mark.parametrize("seed", [*range(1000, 1040), *range(5000, 5080)])
def test_slots_of_generated_scenarios(seed: int):
    check_slots(scenario_of(seed))
