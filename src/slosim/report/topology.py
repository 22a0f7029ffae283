"""Questions about who feeds whom in a scenario, as far as the report needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slosim.model import Scenario, Service


def emitted_topics(service: Service) -> tuple[str, ...]:
    """Topics that a service's success may publish to."""
    return tuple(
        dict.fromkeys([emit.topic for emit in service.emits] + [choice.topic for choice in service.choose])
    )


def useful_slots(scenario: Scenario, name: str, instances: int | None = None) -> int | None:
    """Attempts that a service can have running at once; None: any number.

    instances: another number of them than the scenario's.

    A partition of a log has at most one message in work and belongs to one instance (range assignment: the
    first ones get one more), so slots beyond an instance's partitions are never used.
    """
    service = scenario.services[name]
    instances = int(service.instances if instances is None else instances)
    owned_by_all = _partitions(scenario, name)
    if owned_by_all is None:
        return None if service.concurrency is None else instances * service.concurrency
    slots = 0
    for instance in range(instances):
        owned = sum(count // instances + (instance < count % instances) for count in owned_by_all)
        slots += owned if service.concurrency is None else min(owned, service.concurrency)
    return slots


def partitions_of(scenario: Scenario, name: str) -> int | None:
    """Partitions that a service consumes, all its topics together; None when one of them is a queue."""
    partitions = _partitions(scenario, name)
    return None if partitions is None else sum(partitions)


def _partitions(scenario: Scenario, name: str) -> list[int] | None:
    """Partitions of each topic that a service consumes; None when one of them is a queue."""
    counts = [scenario.topics[topic].partitions for topic in scenario.services[name].consumes]
    partitions = [count for count in counts if count is not None]
    return partitions if len(partitions) == len(counts) else None


def blocking_edges(scenario: Scenario) -> dict[str, dict[str, str]]:
    """Which services can block which, and by which full topic: {publisher: {consumer: topic}}."""
    edges: dict[str, dict[str, str]] = {name: {} for name in scenario.services}
    for name, service in scenario.services.items():
        for topic in emitted_topics(service):
            its = scenario.topics[topic]
            if its.when_full == "block" and its.capacity is not None:
                for consumer, other in scenario.services.items():
                    if topic in other.consumes:
                        edges[name].setdefault(consumer, topic)
    return edges


def cycle_within(edges: dict[str, dict[str, str]], names: set[str]) -> list[str] | None:
    """A cycle of edges among these names, the alphabetically first name first; None when there is none."""
    for start in sorted(names):
        path = _path_back(edges, names, start)
        if path:
            return path
    return None


def _path_back(edges: dict[str, dict[str, str]], names: set[str], start: str) -> list[str] | None:
    """Shortest way from `start` to itself along the edges."""
    paths, seen = [[start]], {start}
    for path in paths:
        for following in edges[path[-1]]:
            if following == start:
                return path
            if following in names and following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return None
