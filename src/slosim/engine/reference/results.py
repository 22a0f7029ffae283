"""What the reference gives back."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, NamedTuple

from slosim.engine.reference.flows import FlowInstance, Judgement
from slosim.engine.reference.measures import Counts, Durations, TimeAverage
from slosim.engine.reference.simulation import Event, World
from slosim.model.redrive import with_redrives

LineName = tuple[str, str]
"""(topic, service)"""


class Reference(NamedTuple):
    """What one replication did, the services of redrives (S65) included.

    trace           events in the order of handling
    counters        ["services" | "lines" | "topics" | "flows" | "dependencies"][name]
                    ["whole_run" | "measured"][counter]; lines by (topic, service), the names of
                    measure/measurements.py
    flow_instances  one per message of a flow's producer
    averages        by service and name: "busy", "wanted", "up", "slots_up", "stopped", "held_ahead", "open"
    by_sample       by service: for each sample what its counters counted since the one before
    line_averages, dependency_averages
                    by line ("lag", "waiting") and by dependency ("busy", "waiting")
    age_samples     by line, s
    partition_lag_max_samples  by line; only for logs
    durations       by service: lists wait, service, sojourn, s
    event_lag       by line, s
    dependency_wait by dependency, s
    scalings        by service: (time s, instances wanted before, after)
    occurrences     of random faults, by name: (start, end), s
    judgements      by objective of a flow: good and bad per sample, the last entry after the last sample
    """

    trace: list[Event]
    counters: dict[str, dict[Any, dict[str, dict[str, int]]]]
    flow_instances: list[FlowInstance]
    sample_times_s: list[float]
    averages: dict[tuple[str, str], TimeAverage]
    by_sample: dict[str, list[Counter[str]]]
    line_averages: dict[tuple[LineName, str], TimeAverage]
    dependency_averages: dict[tuple[str, str], TimeAverage]
    age_samples: dict[LineName, list[float]]
    partition_lag_max_samples: dict[LineName, list[int]]
    durations: dict[str, Durations]
    event_lag: dict[LineName, list[float]]
    dependency_wait: dict[str, list[float]]
    scalings: dict[str, list[tuple[float, int, int]]]
    occurrences: dict[str, list[tuple[float, float]]]
    judgements: dict[str, Judgement]


def simulate(scenario: Any, seed: int | None = None, replication: int = 0) -> Reference:
    """Simulate one replication of a resolved scenario; seed: instead of the scenario's own.

    Raises:
        AssertionError: the clock went back, or conservation or Little's law is broken (S41): a bug of slosim.
    """
    world = World(with_redrives(scenario), seed, replication)
    world.run()
    services, dependencies = world.services.values(), world.dependencies.values()
    lines = {(line.topic.name, s.name): line for s in services for line in s.lines}
    return Reference(
        trace=world.trace,
        counters=counters_of(world, lines),
        flow_instances=[instance.result() for flow in world.flows for instance in flow.instances],
        sample_times_s=world.sample_times_s,
        averages={(s.name, what): average for s in services for what, average in s.averages().items()},
        by_sample={service.name: service.counts.by_sample for service in services},
        line_averages={(n, w): getattr(line, w) for n, line in lines.items() for w in ("lag", "waiting")},
        dependency_averages={(d.name, w): getattr(d, w) for d in dependencies for w in ("busy", "waiting")},
        age_samples={name: line.age_samples for name, line in lines.items()},
        partition_lag_max_samples={
            name: line.partition_lag_max_samples for name, line in lines.items() if line.is_log
        },
        durations={service.name: service.durations for service in services},
        event_lag={name: line.durations.event_lag for name, line in lines.items()},
        dependency_wait={dependency.name: dependency.durations.wait for dependency in dependencies},
        scalings={s.name: s.autoscaler.scalings if s.autoscaler else [] for s in services},
        occurrences=world.faults.drawn,
        judgements=world.judgements,
    )


def counters_of(world: World, lines: dict[LineName, Any]) -> dict[str, dict[Any, dict[str, dict[str, int]]]]:
    """All counters, with what the lines hold at the end."""
    found: dict[str, dict[Any, dict[str, dict[str, int]]]] = defaultdict(dict)
    for name, service in world.services.items():
        partitions = {"partitions": len(service.partitions.all)}
        found["services"][name] = {p: c | partitions for p, c in periods(service.counts).items()}
    for name, line in lines.items():
        held = {f"{state}_at_end": number for state, number in line.at_end.items()}
        held["blocked_at_end"] = line.blocked_at_end
        found["lines"][name] = {p: c | held for p, c in periods(line.counts).items()}
    for name, topic in world.topics.items():
        held = {"held_back_at_end": topic.held_back(), "resting": topic.counts.whole_run["resting"]}
        found["topics"][name] = {p: c | held for p, c in periods(topic.counts).items()}
    for name, counts in world.flow_counts.items():
        found["flows"][name] = periods(counts)
    for name, dependency in world.dependencies.items():
        found["dependencies"][name] = periods(dependency.counts)
    return dict(found)


def periods(counts: Counts) -> dict[str, dict[str, int]]:
    """Counters that were never touched read as 0."""
    return {
        "whole_run": defaultdict(int, counts.whole_run),
        "measured": defaultdict(int, counts.measured),
    }
