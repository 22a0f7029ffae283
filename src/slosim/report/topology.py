"""Which services hold which back, as far as the report needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slosim.compile.topology import blocks, consumers_of, outputs_of
from slosim.model.arrivals import Clients
from slosim.model.graph import emitted_topics

if TYPE_CHECKING:
    from slosim.model import Scenario


def may_be_held_back(scenario: Scenario, service: str) -> bool:
    """Whether its finished attempts may have to wait for a topic: one that blocks, or is unavailable."""
    return bool(topics_holding_back(scenario, service))


def topics_holding_back(scenario: Scenario, service: str) -> list[str]:
    """The topics for which finished attempts of a service may have to wait."""
    gone = {fault.target for fault in scenario.faults if fault.effect.unavailable}
    topics = dict.fromkeys(emitted_topics(scenario.services[service]))
    return [topic for topic in topics if blocks(scenario, topic) or f"topics.{topic}" in gone]


def waiting_clients(scenario: Scenario, service: str) -> list[str] | None:
    """The producers that feed a service, when all are clients that wait for answers; None for any other."""
    found: dict[str, None] = {}
    topics = list(scenario.services[service].consumes)
    for topic in topics:
        for name, producer in scenario.producers.items():
            if producer.topic == topic:
                if not isinstance(producer.arrivals, Clients):
                    return None
                found[name] = None
        for publisher in publishers_of(scenario, topic):
            topics += [its for its in scenario.services[publisher].consumes if its not in topics]
    return list(found) or None


def publishers_of(scenario: Scenario, topic: str) -> list[str]:
    """The services that publish to a topic, dead letters included."""
    return [name for name, topics in outputs_of(scenario).items() if topic in topics]


def blocking_edges(scenario: Scenario) -> dict[str, dict[str, str]]:
    """Which services can block which, and by which full topic: {publisher: {consumer: topic}}."""
    edges: dict[str, dict[str, str]] = {name: {} for name in scenario.services}
    consumers = consumers_of(scenario)
    for name, service in scenario.services.items():
        for topic in emitted_topics(service):
            if blocks(scenario, topic):
                for consumer in consumers[topic]:
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
