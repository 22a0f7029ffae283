"""Coupling groups as records: who is in each, and the edges between them (rule S2)."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.compile.draft import Draft
from slosim.compile.topology import blocks, callers_of, uses_mechanisms


def group_arrays(draft: Draft) -> dict[str, np.ndarray]:
    """The groups in rank order, with lists of what is inside."""
    groups = np.zeros(len(draft.topology.groups), P.GROUP)
    groups["now"], groups["resume"], groups["producer"] = -1.0, P.NONE, P.NONE
    services, topics, edges = _Members("service"), _Members("topic"), _Members("edge")
    dependencies, closed = _Members("dependency"), _Members("closed")
    publishers = _publishers(draft)
    for g, nodes in enumerate(draft.topology.groups):
        row = groups[g]
        names = [node.removeprefix("services.") for node in nodes if node.startswith("services.")]
        producers = [p for p, name in enumerate(draft.producers) if f"producers.{name}" in nodes]
        if not names:
            row["producer"] = producers.pop()
        services.add(row, [draft.services.index(name) for name in names])
        topics.add(row, [t for t, topic in enumerate(draft.topics) if _blocks_inside(draft, topic, names)])
        edges.add(row, [(source, i) for i in _lines(draft, names) for source in sorted(publishers[i] - {g})])
        called = [
            d
            for d, dependency in enumerate(draft.scenario.dependencies)
            if not set(names).isdisjoint(callers_of(draft.scenario, dependency))
        ]
        dependencies.add(row, called)
        closed.add(row, producers)
        row["mechanisms"] = bool(producers) or any(uses_mechanisms(draft.scenario, name) for name in names)
    return {
        "groups": groups,
        "members": services.array(),
        "blocking_topics": topics.array(),
        "group_dependencies": dependencies.array(),
        "closed_producers": closed.array(),
    } | _edge_arrays(draft, edges.found)


class _Members:
    """One kind of things in groups: the list of all, and where those of each group stand in it."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.found: list = []

    def add(self, row: np.void, own: list) -> None:
        row[f"first_{self.word}"], row[f"{self.word}_count"] = len(self.found), len(own)
        self.found += own

    def array(self) -> np.ndarray:
        return np.array(self.found or [0], np.int64)


def _blocks_inside(draft: Draft, topic: str, services: list[str]) -> bool:
    """Does a topic that some of these services consume hold its publishers back?"""
    return blocks(draft.scenario, topic) and not set(services).isdisjoint(draft.topology.consumers[topic])


def _lines(draft: Draft, services: list[str]) -> list[int]:
    return [i for i, (_, service) in enumerate(draft.lines) if service in services]


def _publishers(draft: Draft) -> list[set[int]]:
    """Groups that publish to each line."""
    result: list[set[int]] = [set() for _ in draft.lines]
    for name, producer in draft.scenario.producers.items():
        for line in draft.lines_of(producer.topic):
            result[line].add(draft.group_of[f"producers.{name}"])
    for name, topics in draft.topology.outputs.items():
        for topic in topics:
            for line in draft.lines_of(topic):
                result[line].add(draft.group_of[f"services.{name}"])
    return result


def _edge_arrays(draft: Draft, edges: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Edges (group, line), as records and by both of their ends."""
    rows = np.zeros(max(1, len(edges)), P.EDGE)
    rows["head"] = rows["tail"] = P.NONE
    edge_of = np.full((len(draft.topology.groups), max(1, len(draft.lines))), P.NONE, np.int32)
    for e, (source, line) in enumerate(edges):
        rows["line"][e] = line
        edge_of[source, line] = e
    return {"edges": rows, "edge_of": edge_of}
