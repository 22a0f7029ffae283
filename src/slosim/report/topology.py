"""Which services hold which back, as far as the report needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slosim.compile.topology import blocks, consumers_of
from slosim.model.graph import emitted_topics

if TYPE_CHECKING:
    from slosim.model import Scenario


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
