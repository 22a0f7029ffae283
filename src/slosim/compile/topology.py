"""Who publishes to whom: lines, coupling groups and their rank (rule S2), which lines matter to a flow.

Nodes are the producers, then the services, in file order. Pure functions over the scenario and plain lists.
"""

from __future__ import annotations

from dataclasses import dataclass

from slosim.model import Scenario
from slosim.model.graph import consumers as services_by_topic
from slosim.model.graph import reachable


@dataclass(frozen=True)
class Topology:
    """Indices follow the file: producers, services and topics in their order; line i belongs to service i.

    consumers  topic -> services that consume it
    outputs    service -> topics it publishes to: emits, its dead letters, the dead letters of its topic
    groups     coupling groups as tuples of nodes, in rank order; node p is a producer, P + s a service
    """

    consumers: dict[str, tuple[str, ...]]
    outputs: dict[str, tuple[str, ...]]
    groups: tuple[tuple[str, ...], ...]


def consumers_of(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Services that consume each topic, in file order."""
    taken_by = services_by_topic(scenario.services)
    return {topic: taken_by.get(topic, ()) for topic in scenario.topics}


def outputs_of(scenario: Scenario) -> dict[str, tuple[str, ...]]:
    """Topics each service may publish to, without repetition."""
    result = {}
    for name, service in scenario.services.items():
        topics: list[str | None] = [emit.topic for emit in service.emits]
        topics += [choice.topic for choice in service.choose]
        topics.append(service.dead_letter)
        topics += [scenario.topics[topic].dead_letter for topic in service.consumes]
        result[name] = tuple(dict.fromkeys(topic for topic in topics if topic is not None))
    return result


def blocks(scenario: Scenario, topic: str) -> bool:
    """Does a full topic hold its publishers back?"""
    return scenario.topics[topic].when_full == "block" and scenario.topics[topic].capacity is not None


def arrows(scenario: Scenario) -> dict[str, set[str]]:
    """Arrows between "producers.X" and "services.X": messages one way, coupling both ways."""
    consumers, outputs = consumers_of(scenario), outputs_of(scenario)
    result: dict[str, set[str]] = {f"producers.{name}": set() for name in scenario.producers}
    result |= {f"services.{name}": set() for name in scenario.services}
    for name, producer in scenario.producers.items():
        result[f"producers.{name}"] |= {f"services.{service}" for service in consumers[producer.topic]}
    for name, topics in outputs.items():
        for topic in topics:
            result[f"services.{name}"] |= {f"services.{service}" for service in consumers[topic]}
    for topic in scenario.topics:
        if blocks(scenario, topic):
            coupled = set(consumers[topic]) | {name for name in outputs if topic in outputs[name]}
            for name in coupled:
                result[f"services.{name}"] |= {f"services.{other}" for other in coupled - {name}}
    return result


def ranked_groups(graph: dict[str, set[str]]) -> tuple[tuple[str, ...], ...]:
    """Strongly connected components along the arrows; of those that may come next, the first in the file."""
    order = list(graph)
    reach = {node: reachable([node], graph) for node in order}
    group_of: dict[str, tuple[str, ...]] = {}
    for node in order:
        if node not in group_of:
            group = tuple(other for other in order if other in reach[node] and node in reach[other])
            group_of |= dict.fromkeys(group, group)
    left = list(dict.fromkeys(group_of[node] for node in order))
    ranked = []
    while left:
        upstream = {after for group in left for node in group for after in graph[node] if after not in group}
        ready = next(group for group in left if not upstream & set(group))
        ranked.append(ready)
        left.remove(ready)
    return tuple(ranked)


def topology(scenario: Scenario) -> Topology:
    """The topology of a scenario."""
    return Topology(consumers_of(scenario), outputs_of(scenario), ranked_groups(arrows(scenario)))


def services_that_reach(scenario: Scenario, ends: tuple[str, ...]) -> set[str]:
    """Services from which one of the services `ends` can be reached, themselves included (rule S34)."""
    consumers, outputs = consumers_of(scenario), outputs_of(scenario)
    graph = {
        name: {service for topic in topics for service in consumers[topic]}
        for name, topics in outputs.items()
    }
    return {name for name in graph if reachable([name], graph).keys() & set(ends)}


def connected_systems(scenario: Scenario) -> dict[str, str]:
    """For each producer and service the first one in the file that anything connects it with."""
    graph = arrows(scenario)
    both_ways: dict[str, set[str]] = {node: set(after) for node, after in graph.items()}
    for node, after in graph.items():
        for other in after:
            both_ways[other].add(node)
    result: dict[str, str] = {}
    for node in graph:
        if node not in result:
            result |= dict.fromkeys(reachable([node], both_ways), node)
    return result
