"""Scenario to Program: names become indices, objects records. No name or unit survives past here."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.compile.draft import Draft
from slosim.compile.groups import group_arrays
from slosim.compile.mechanisms import mechanism_arrays
from slosim.compile.producers import bursts, producer_arrays
from slosim.compile.services import service_arrays
from slosim.compile.timelines import Timelines
from slosim.compile.topology import blocks, services_that_reach
from slosim.model import Clients, Scenario
from slosim.model.rates import producer_rate_per_s
from slosim.model.redrive import with_redrives

STREAMS = (
    ("services", "service_stream"),
    ("services", "failure_stream"),
    ("services", "poison_stream"),
    ("services", "retry_stream"),
    ("services", "choose_stream"),
    ("lines", "delay_stream"),
    ("lines", "ttl_stream"),
    ("outlets", "probability_stream"),
    ("outlets", "delay_stream"),
    ("producers", "gap_stream"),
    ("producers", "key_stream"),
    ("producers", "priority_stream"),
    ("producers", "think_stream"),
    ("mechanisms", "startup_stream"),
    ("dependencies", "service_stream"),
    ("dependencies", "failure_stream"),
)
MESSAGES_PER_SLICE = 300
"""Messages that start in one time slice: few enough to stay in the processor's nearest cache."""
MARGIN = 16
"""Records one event may need besides the copies it publishes."""


def lower(scenario: Scenario) -> P.Program:
    """The program of a resolved scenario."""
    draft = Draft(with_redrives(scenario))
    arrays = service_arrays(draft) | mechanism_arrays(draft) | producer_arrays(draft)
    arrays |= draft.outlets.arrays() | _topics(draft) | group_arrays(draft) | _flows(draft)
    arrays |= draft.distributions.arrays()
    timelines = Timelines(draft.scenario)
    arrays |= timelines.lay(arrays, timelines.occurrences())
    arrays["run"] = _run(draft, arrays)
    _find_relays(arrays)
    return P.Program(
        _names(draft, timelines), arrays, STREAMS, bursts(draft), timelines, _messages_per_s(draft.scenario)
    )


def _names(draft: Draft, timelines: Timelines) -> P.Names:
    return P.Names(
        tuple(draft.producers),
        tuple(draft.services),
        tuple(draft.topics),
        tuple(draft.lines),
        tuple(draft.flows),
        tuple(objective.name for objective in draft.objectives),
        tuple(draft.parts.of(f"producers.{draft.scenario.flows[flow].from_}") for flow in draft.flows),
        tuple(draft.scenario.dependencies),
        tuple(fault.name for fault in timelines.random),
    )


def _run(draft: Draft, arrays: dict[str, np.ndarray]) -> np.ndarray:
    run, services = draft.scenario.run, draft.scenario.services.values()
    row = np.zeros(1, P.RUN)
    row["duration"], row["warmup"], row["sample_every"] = run.duration, run.warmup, run.sample_every
    row["samples"] = _samples(run.duration, run.sample_every)
    slots = draft.outlets.slots
    row["path_base"] = slots + 1 if slots % 2 == 0 else slots + 2
    row["flows_per_producer"] = max([1, *(len(draft.flows_from(name)) for name in draft.producers)])
    row["parts"] = draft.parts.width()
    publishes = max([1, *(sum(emit.copies for emit in service.emits) for service in services)]) + 4
    row["fan_out"] = fan_out = max([1, *arrays["topics"]["consumer_count"].tolist()])
    row["publishes"] = publishes
    batch = int(arrays["mechanisms"]["batch_max"].max())
    row["margin"] = MARGIN + publishes * fan_out + (batch if batch > 1 else 0)
    row["mechanisms"] = arrays["groups"]["mechanisms"].any()
    row["slice_messages"] = MESSAGES_PER_SLICE
    row["group"] = row["groups"] = len(draft.topology.groups)
    row["producers"] = len(draft.producers)
    return row


def _samples(duration: float, sample_every: float) -> int:
    """How many multiples of `sample_every` lie before the end; 1 at least."""
    count = int(duration / sample_every)
    while count * sample_every < duration:
        count += 1
    while count > 1 and (count - 1) * sample_every >= duration:
        count -= 1
    return max(1, count)


def _topics(draft: Draft) -> dict[str, np.ndarray]:
    rows = np.zeros(len(draft.topics), P.TOPIC)
    consumers: list[int] = []
    parts = (*draft.scenario.topics.values(), *draft.scenario.services.values())
    dead_letters = {part.dead_letter for part in parts}
    for row, (name, topic) in zip(rows, draft.scenario.topics.items(), strict=True):
        lines = draft.lines_of(name)
        row["partitions"] = topic.partitions or 0
        row["first_consumer"], row["consumer_count"] = len(consumers), len(lines)
        row["blocks"] = blocks(draft.scenario, name) and bool(lines)
        row["is_dead_letter"] = name in dead_letters
        row["publisher_head"] = row["publisher_tail"] = P.NONE
        consumers += lines
    return {"topics": rows, "consumers": np.array(consumers or [0], np.int64)}


def _flows(draft: Draft) -> dict[str, np.ndarray]:
    flows = np.zeros(max(1, len(draft.flows)), P.FLOW)
    objectives = np.zeros(max(1, len(draft.objectives)), P.OBJECTIVE)
    matters = np.zeros((max(1, len(draft.lines)), len(flows)), np.uint8)
    ends = np.zeros_like(matters)
    topic_matters = np.zeros((len(draft.topics), len(flows)), np.uint8)
    for i, objective in enumerate(draft.objectives):
        objectives["within"][i] = objective.threshold if objective.kind == "latency" else np.inf
    for f, name in enumerate(draft.flows):
        to = draft.scenario.flows[name].to
        own = [i for i, objective in enumerate(draft.objectives) if objective.flow == name]
        flows["first_objective"][f], flows["objective_count"][f] = own[0] if own else 0, len(own)
        reaching = services_that_reach(draft.scenario, to)
        for i, (_, service) in enumerate(draft.lines):
            matters[i, f], ends[i, f] = service in reaching, service in to
        for t, topic in enumerate(draft.topics):
            topic_matters[t, f] = any(matters[i, f] for i in draft.lines_of(topic))
    return {
        "flows": flows,
        "objectives": objectives,
        "matters": matters,
        "ends": ends,
        "topic_matters": topic_matters,
    }


def _find_relays(arrays: dict[str, np.ndarray]) -> None:
    """Services whose every success publishes exactly one message to one line."""
    services, outlets, topics = (arrays[key] for key in ("services", "outlets", "topics"))
    services["relay_line"] = P.NONE
    for service in services:
        if service["emit_count"] != 1 or service["chooses"]:
            continue
        outlet = outlets[service["first_emit"]]
        topic = topics[outlet["topic"]]
        is_plain = outlet["probability"] == 1.0 and outlet["copies"] == 1 and outlet["delay"] == P.NONE
        if is_plain and topic["consumer_count"] == 1 and not topic["blocks"]:
            line, own = arrays["consumers"][topic["first_consumer"]], service["line"]
            service["relay_line"] = line
            service["relay_keeps_flows"] = bool(
                (arrays["matters"][own] == arrays["matters"][line]).all() and not arrays["ends"][own].any()
            )


def _messages_per_s(scenario: Scenario) -> float:
    """Rough rate at which messages start, for the length of the time slices.

    Clients do not count: they share a group with all that their messages reach, so nobody waits for a slice.
    """
    return sum(
        producer.copies * producer_rate_per_s(producer, scenario.run.duration)
        for producer in scenario.producers.values()
        if not isinstance(producer.arrivals, Clients)
    )
