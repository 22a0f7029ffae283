"""What a rule may look at: the scenario, the reported numbers and, for what they lack, the measurements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from slosim.compile.offered_load import ServiceLoad, offered_loads
from slosim.measure.measurements import Measurements
from slosim.report import statistics
from slosim.report.faults import occurrences_within

if TYPE_CHECKING:
    from slosim.model import Fault, Scenario


@dataclass(frozen=True)
class Finding:
    """subject is a path of the scenario such as `services.payment`, text a sentence or two with numbers."""

    subject: str
    text: str


@dataclass(frozen=True)
class Evidence:
    """content: the report as data, without findings; stopped: why the run ended early, or None."""

    scenario: Scenario
    measurements: Sequence[Measurements]
    content: dict
    stopped: str | None = None
    changing: dict[str, bool] = field(default_factory=dict)
    """What `changes_instances` has found, by service: it looks at all replications."""

    @property
    def replications(self) -> int:
        return len(self.measurements)

    @cached_property
    def seconds(self) -> float:
        """Mean length of the measured window, s."""
        seconds = statistics.measured_seconds(self.measurements)
        return sum(seconds) / len(seconds)

    def service(self, name: str) -> dict:
        """The reported numbers of a service."""
        return self.content["services"][name]

    def line(self, topic: str, service: str) -> dict:
        """The reported numbers of a consumer's line."""
        return self.content["topics"][topic]["consumers"][service]

    def lines_of(self, service: str) -> list[tuple[str, dict]]:
        """(topic, numbers) of each line of a service."""
        return [(topic, self.line(topic, service)) for topic in self.scenario.services[service].consumes]

    def services_of_flow(self, flow: str) -> list[str]:
        """Services in which instances of a flow spend time, in their order."""
        parts = self.content["flows"][flow]["where_time_goes_s"]["mean"]
        spent = {part.rpartition(".")[0] for part, number in parts.items() if number["value"]}
        return [name for name in self.scenario.services if name in spent]

    def lag_at_end(self, topic: str, service: str) -> float:
        """Mean lag at the end of the run, messages."""
        return sum(place["value"] for place in self.line(topic, service)["at_end"].values())

    def accepted_per_s(self, service: str) -> float | None:
        """Messages that enter a service's lines per second; a join needs one of each line for one attempt."""
        if self.seconds == 0:
            return None
        rates = [self.accepted_by_line_per_s(topic, service) for topic, _ in self.lines_of(service)]
        return min(rates) if self.scenario.services[service].join else sum(rates)

    def accepted_by_line_per_s(self, topic: str, service: str) -> float:
        """Messages that enter a line per second: published to it and not rejected."""
        return (self.published(topic) - self.line(topic, service)["rejected"]["value"]) / self.seconds

    def published(self, topic: str) -> float:
        """Messages published to a topic per run."""
        return self.content["topics"][topic]["published"]["value"]

    @cached_property
    def on_paper(self) -> dict[str, ServiceLoad]:
        """The load of each service from the scenario alone: no faults, and nothing waits."""
        return offered_loads(self.scenario)

    def sent_back(self, topic: str) -> float:
        """Messages per run that redrives took from a topic; without those published before the warm-up.

        At most, where messages may leave the topic otherwise: then no more than their rates allow.
        """
        gone = max(0.0, self.published(topic) - self.content["topics"][topic]["resting"]["value"])
        return min(gone, self.most_sent_back(topic)) if self.may_lose(topic) else gone

    def may_lose(self, topic: str) -> bool:
        """Whether messages may leave a topic unconsumed: they expire, or it refuses them."""
        its = self.scenario.topics[topic]
        return its.message_ttl is not None or (its.capacity is not None and its.when_full != "block")

    def most_sent_back(self, topic: str) -> float:
        """Messages per run that the rates of a topic's redrives allow while these are active."""
        return sum(
            fault.effect.redrive.rate * self._active_s(fault)
            for fault in self.scenario.faults
            if fault.target == f"topics.{topic}" and fault.effect.redrive is not None
        )

    def _active_s(self, fault: Fault) -> float:
        """Seconds per run in which a fault is active."""
        seconds = 0.0
        for one in self.measurements:
            known = np.array(fault.occurrences(self.scenario.run.duration)).reshape(-1, 2)
            times = occurrences_within(fault.name, one) if fault.is_random else known
            seconds += float(np.diff(np.minimum(times, one.ended_s), axis=1).sum())
        return seconds / self.replications

    def mechanisms(self, service: str) -> dict | None:
        """The reported numbers of a service's mechanisms; None where it has none."""
        return self.service(service).get("mechanisms")
