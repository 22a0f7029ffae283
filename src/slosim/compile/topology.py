"""Who publishes to whom: lines, coupling groups and their rank (rule S2), which lines matter to a flow.

Nodes are "producers.X", then "services.X", in file order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slosim.model import Fault, Scenario
from slosim.model.arrivals import Clients
from slosim.model.graph import consumers as services_by_topic
from slosim.model.graph import reachable
from slosim.model.redrive import is_redrive


@dataclass(frozen=True)
class Topology:
    """Who is connected with whom, all in file order.

    consumers  topic -> services that consume it
    outputs    service -> topics it publishes to: emits, its dead letters, the dead letters of its topics
    groups     coupling groups as tuples of nodes, in rank order
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
    """Arrows between nodes: messages one way, coupling both ways."""
    consumers, outputs = consumers_of(scenario), outputs_of(scenario)
    result: dict[str, set[str]] = {f"producers.{name}": set() for name in scenario.producers}
    result |= {f"services.{name}": set() for name in scenario.services}
    for name, producer in scenario.producers.items():
        result[f"producers.{name}"] |= {f"services.{service}" for service in consumers[producer.topic]}
    for name, topics in outputs.items():
        for topic in topics:
            result[f"services.{name}"] |= {f"services.{service}" for service in consumers[topic]}
    for coupled in couplings(scenario, consumers, outputs):
        for node in coupled:
            result[node] |= coupled - {node}
    return result


def couplings(
    scenario: Scenario, consumers: dict[str, tuple[str, ...]], outputs: dict[str, tuple[str, ...]]
) -> Iterator[set[str]]:
    """Nodes that act on each other within an instant (rules S2, S57, S63)."""
    for topic in scenario.topics:
        if blocks(scenario, topic):
            around = (*consumers[topic], *(name for name in outputs if topic in outputs[name]))
            yield {f"services.{name}" for name in around}
    for dependency in scenario.dependencies:
        yield {f"services.{name}" for name in callers_of(scenario, dependency)}
    for name, producer in scenario.producers.items():
        if isinstance(producer.arrivals, Clients):
            further = {s: {t for topic in outputs[s] for t in consumers[topic]} for s in outputs}
            inside = reachable(consumers[producer.topic], further)
            yield {f"producers.{name}", *(f"services.{service}" for service in inside)}


def callers_of(scenario: Scenario, dependency: str) -> tuple[str, ...]:
    """Services that call a dependency, in file order."""
    return tuple(
        name
        for name, service in scenario.services.items()
        if any(call.dependency == dependency for call in service.calls)
    )


def uses_mechanisms(scenario: Scenario, name: str) -> bool:
    """Whether a service needs more than the plain rules: it is then handled by engine/mechanisms."""
    service = scenario.services[name]
    touched = (*service.consumes, *(emit.topic for emit in service.emits), *(c.topic for c in service.choose))
    has_own = (
        len(service.consumes) > 1
        or service.batch is not None
        or service.prefetch is not None
        or service.visibility_timeout is not None
        or service.autoscale is not None
        or service.circuit_breaker is not None
        or service.retry_budget is not None
        or service.shed is not None
        or bool(service.calls)
        or is_redrive(name)
        or any(blocks(scenario, topic) for topic in touched)
    )
    return has_own or any(
        (fault.target == f"services.{name}" and _concerns_instances(fault))
        or (fault.effect.unavailable and fault.target.removeprefix("topics.") in touched)
        for fault in scenario.faults
    )


def has_mechanisms(scenario: Scenario) -> bool:
    """Whether the engine needs its mechanisms for any part of a scenario."""
    return (
        any(isinstance(producer.arrivals, Clients) for producer in scenario.producers.values())
        or any(uses_mechanisms(scenario, name) for name in scenario.services)
        or any(fault.effect.redrive is not None for fault in scenario.faults)
    )


def _concerns_instances(fault: Fault) -> bool:
    per_instance = fault.random is not None and fault.random.per == "instance"
    return per_instance or fault.effect.crash is not None or fault.effect.rolling_restart is not None


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
