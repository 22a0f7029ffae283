"""A program in the making: names whose places become indices, and the tables that several nouns add to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slosim.compile import program as P
from slosim.compile.quantiles import DistributionTable
from slosim.compile.streams import key_of
from slosim.compile.topology import connected_systems, topology
from slosim.model import Scenario


class Draft:
    """What is known of a program before any of its records: lists in the order of their indices."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.topology = topology(scenario)
        self.producers = list(scenario.producers)
        self.services = list(scenario.services)
        self.topics = list(scenario.topics)
        self.lines = [
            (topic, name) for name, service in scenario.services.items() for topic in service.consumes
        ]
        self.flows = [
            name
            for producer in self.producers
            for name, flow in scenario.flows.items()
            if flow.from_ == producer
        ]
        self.objectives = [
            objective
            for flow in self.flows
            for objective in scenario.objectives
            if objective.flow == flow and objective.kind in ("latency", "success")
        ]
        self.priorities = sorted(
            {share.priority for producer in scenario.producers.values() for share in producer.priority} | {0}
        )
        """Distinct priorities, the one served first in front."""
        self.group_of = {node: index for index, group in enumerate(self.topology.groups) for node in group}
        self.distributions = DistributionTable()
        self.outlets = Outlets(self.topics)
        self.parts = Parts(connected_systems(scenario))

    def lines_of(self, topic: str) -> list[int]:
        """Lines of a topic, in file order of their services."""
        return [i for i, (consumed, _) in enumerate(self.lines) if consumed == topic]

    def flows_from(self, producer: str) -> list[int]:
        """Flows that start at a producer; they stand side by side."""
        return [f for f, flow in enumerate(self.flows) if self.scenario.flows[flow].from_ == producer]


class Outlets:
    """The ways on which messages are published; their emission slots follow each other (rule S3)."""

    def __init__(self, topics: list[str]) -> None:
        self.topics = topics
        self.rows: list[np.ndarray] = []
        self.slots = 0
        self.rotations: dict[tuple[str, str], int] = {}

    def add(self, topic: str, publisher: str, emission: str, copies: int = 1) -> np.ndarray:
        """An outlet; its publisher takes turns on the partitions of the topic whatever the emission."""
        outlet = np.zeros(1, P.OUTLET)
        outlet["topic"] = self.topics.index(topic)
        outlet["probability"], outlet["copies"], outlet["delay"] = 1.0, copies, P.NONE
        outlet["emission"], outlet["slot"] = key_of(emission), self.slots
        outlet["rotation"] = self.rotations.setdefault((publisher, topic), len(self.rotations))
        self.rows.append(outlet)
        self.slots += copies
        return outlet

    def add_dead_letter(self, topic: str | None, publisher: str, emission: str) -> int:
        """The outlet of dead letters, -1 without a topic for them."""
        if topic is None:
            return P.NONE
        self.add(topic, publisher, emission)
        return len(self.rows) - 1

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "outlets": np.concatenate(self.rows),
            "rotations": np.zeros(max(1, len(self.rotations)), np.int64),
        }


class Parts:
    """Columns for the parts of the latency (rule S37); systems that nothing connects use the same ones."""

    def __init__(self, system_of: dict[str, str]) -> None:
        self.system_of = system_of
        self.names: dict[str, list[str]] = {}

    def add(self, node: str, part: str, occurs: bool = True) -> int:
        """The column of a part of a node, -1 when it cannot occur."""
        if not occurs:
            return P.NONE
        names = self.names.setdefault(self.system_of[node], [])
        names.append(f"{node.split('.', 1)[1]}.{part}")
        return len(names) - 1

    def of(self, node: str) -> tuple[str, ...]:
        """Names of the columns in the system of a node."""
        return tuple(self.names[self.system_of[node]])

    def width(self) -> int:
        return max((len(names) for names in self.names.values()), default=0)


def size(rows: Sequence[np.ndarray]) -> int:
    """How many rows the arrays have together."""
    return sum(len(row) for row in rows)


def joined(rows: Sequence[np.ndarray], dtype: np.dtype) -> np.ndarray:
    """One array of all rows; never empty, since compiled code wants something to point at."""
    return np.concatenate(rows) if size(rows) else np.zeros(1, dtype)
