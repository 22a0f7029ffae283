"""The system as nodes and edges, with what the run measured at each: what `drawing` draws.

A topic with exactly one consumer is a line of text in that consumer's box; any other topic is a box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from slosim.report.units import duration, share, short

LIMITS = {
    "saturated": "saturated",
    "dependency_saturated": "saturated",
    "overloaded": "overloaded",
    "dependency_overloaded": "overloaded",
    "headroom": "saturates first",
}
"""Findings that name what limits the system, and the words at its box."""


@dataclass
class Node:
    """kind: producer, topic, service or dependency; used_ratio: utilisation, None where it has no limit."""

    kind: str
    name: str
    rows: list[str] = field(default_factory=list)
    used_ratio: float | None = None
    mark: str = ""


@dataclass
class Edge:
    """Keys of two nodes; style: flow, dead (letters), call or redrive."""

    source: str
    target: str
    style: str
    label: str = ""


@dataclass
class Graph:
    nodes: dict[str, Node]
    edges: list[Edge]


def graph_of(data: dict) -> Graph:
    """The whole system of a report."""
    system = data["scenario"]["resolved"]
    consumers = _consumers(system)
    nodes = dict(_nodes(data, system, consumers))
    for key, mark in _limits(data).items():
        if key in nodes:
            nodes[key].mark = mark
    edges: dict[tuple[str, str, str], Edge] = {}
    for edge in _edges(system, consumers):
        if edge.source in nodes and edge.target in nodes:
            known = edges.setdefault((edge.source, edge.target, edge.style), edge)
            if known is not edge:
                known.label = ", ".join(dict.fromkeys(filter(None, (known.label, edge.label))))
    return Graph(nodes, list(edges.values()))


def _limits(data: dict) -> dict[str, str]:
    """{key of a node: words} of the first kind of limit that the findings name: they tell the cause first."""
    rules = [finding["rule"] for finding in data["findings"] if finding["rule"] in LIMITS]
    return {
        finding["subject"]: LIMITS[rules[0]] for finding in data["findings"] if finding["rule"] in rules[:1]
    }


def _consumers(system: dict) -> dict[str, list[str]]:
    """Names of the services that take from each topic."""
    consumers: dict[str, list[str]] = {topic: [] for topic in system["topics"]}
    for name, service in system["services"].items():
        for topic in _listed(service["consumes"]):
            consumers[topic].append(name)
    return consumers


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _nodes(data: dict, system: dict, consumers: dict[str, list[str]]) -> Iterator[tuple[str, Node]]:
    for name in system.get("producers", {}):
        yield f"producers.{name}", Node("producer", name)
    for topic, names in consumers.items():
        if len(names) != 1:
            entry = data["topics"][topic]
            resting = entry["resting"]["value"]
            rows = [f"{short(entry['published']['value'])} published"]
            rows += [f"{short(resting)} rest at the end"] if not names else []
            yield f"topics.{topic}", Node("topic", topic, rows)
    for name, service in system["services"].items():
        numbers = data["services"][name]
        lines = [f"{short(numbers['throughput_per_s']['value'])}/s done"]
        for topic in _listed(service["consumes"]):
            lag = data["topics"][topic]["consumers"][name]["lag"]["p99"]["value"]
            lines += [f"► {topic}", f"lag p99 {short(lag)}"]
        yield f"services.{name}", Node("service", name, lines, numbers["utilisation_ratio"]["value"])
    for name, numbers in data["dependencies"].items():
        lines = [f"{short(numbers['calls']['value'])} requests", f"wait p99 {_p99(numbers['wait_s'])}"]
        yield f"dependencies.{name}", Node("dependency", name, lines, numbers["utilisation_ratio"]["value"])


def _p99(stat: dict | None) -> str:
    return duration(stat["p99"]["value"] if stat else None)


def _edges(system: dict, consumers: dict[str, list[str]]) -> Iterator[Edge]:
    def to_topic(source: str, topic: str, style: str, label: str = "") -> Edge:
        only = consumers[topic]
        return Edge(source, f"services.{only[0]}" if len(only) == 1 else f"topics.{topic}", style, label)

    for name, producer in system.get("producers", {}).items():
        yield to_topic(f"producers.{name}", producer["topic"], "flow")
    for topic, names in consumers.items():
        if len(names) > 1:
            yield from (Edge(f"topics.{topic}", f"services.{name}", "flow") for name in names)
        lost_to = system["topics"][topic].get("dead_letter")
        if lost_to:
            source = f"services.{names[0]}" if len(names) == 1 else f"topics.{topic}"
            yield to_topic(source, lost_to, "dead")
    for name, service in system["services"].items():
        for topic, label in _outputs(service):
            yield to_topic(f"services.{name}", topic, "flow", label)
        if service.get("dead_letter"):
            yield to_topic(f"services.{name}", service["dead_letter"], "dead")
        for call in service.get("calls", []):
            yield Edge(f"services.{name}", f"dependencies.{call['dependency']}", "call")
    for fault in system.get("faults", []):
        redrive = fault.get("effect", {}).get("redrive")
        if redrive:
            yield to_topic(fault["target"], redrive["to"], "redrive", "redriven")


def _outputs(service: dict) -> Iterator[tuple[str, str]]:
    """(topic, share or nothing) of everything that a success publishes."""
    emits = service.get("emits") or []
    if isinstance(emits, dict):
        for branch in emits["choose"]:
            if branch.get("topic"):
                yield branch["topic"], branch["share"]
        return
    for emit in emits:
        yield emit["topic"], "" if emit["probability"] == "100%" else emit["probability"]


def utilisation(node: Node) -> str:
    return "" if node.used_ratio is None else f"{share(node.used_ratio, 0)} busy"
