"""The parts of a scenario that could be read, for the checks of relations between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slosim.model.dependencies import Dependency
from slosim.model.faults import Effect, Fault
from slosim.model.fields import has_invalid
from slosim.model.graph import consumers, emitted_topics, reachable
from slosim.model.kinds import INVALID, Reading
from slosim.model.promises import Flow, Objective
from slosim.model.topology import Producer, Service, Topic


@dataclass(frozen=True)
class Parts:
    """Members of each section without mistakes of their own; faults and objectives with their paths.

    Of a fault or an objective, single fields may be INVALID. `run_duration` is None if it could not be read.
    """

    run_duration: float | None
    topics: dict[str, Topic]
    producers: dict[str, Producer]
    services: dict[str, Service]
    dependencies: dict[str, Dependency]
    flows: dict[str, Flow]
    faults: list[tuple[str, Fault]]
    objectives: list[tuple[str, Objective]]
    effects: dict[str, list[Effect]]
    taken_by: dict[str, tuple[str, ...]]
    declares_flows: bool
    has_all_flows: bool
    has_all_services: bool

    def effects_on(self, target: str) -> list[Effect]:
        """What the faults do to `services.X`, `topics.X` …"""
        return self.effects.get(target, [])

    def topics_of(self, service: Service) -> dict[str, Topic]:
        """The topics that a service consumes, as far as they could be read."""
        return {name: self.topics[name] for name in service.consumes if name in self.topics}

    def topics_fed_by(self, producers: Iterable[str]) -> set[str]:
        """Topics that messages of these producers can reach, dead letters and redrives included."""
        redriven = self.redriven_to()
        arrows: dict[str, set[str]] = {}
        for name, topic in self.topics.items():
            takers = [self.services[taker] for taker in self.taken_by.get(name, ())]
            after = {one for taker in takers for one in (*emitted_topics(taker), taker.dead_letter)}
            arrows[name] = {one for one in (*after, topic.dead_letter, redriven.get(name)) if one}
        return set(reachable((self.producers[name].topic for name in producers), arrows))

    def redriven_to(self) -> dict[str, str]:
        """Where the messages of each topic with a redrive go."""
        return {
            topic: effect.redrive.to
            for topic in self.topics
            for effect in self.effects_on(f"topics.{topic}")
            if effect.redrive
        }

    def taken_or_redriven_by(self) -> dict[str, tuple[str, ...]]:
        """Services to which the messages of each topic go, those by way of a redrive included."""
        redriven = {topic: self.taken_by.get(to, ()) for topic, to in self.redriven_to().items()}
        return self.taken_by | redriven


def readable_parts(values: Mapping[str, Any], reading: Reading) -> Parts:
    services, flows = _readable(values["services"]), _readable(values["flows"])
    faults = _items("faults", values, reading)
    effects: dict[str, list[Effect]] = {}
    for _, fault in faults:
        if not has_invalid(fault):
            effects.setdefault(fault.target, []).append(fault.effect)
    declared = reading.names["services"] or ()
    return Parts(
        run_duration=_duration(values["run"]),
        topics=_readable(values["topics"]),
        producers=_readable(values["producers"]),
        services=services,
        dependencies=_readable(values["dependencies"]),
        flows=flows,
        faults=faults,
        objectives=_items("objectives", values, reading),
        effects=effects,
        taken_by=consumers(services),
        declares_flows=values["flows"] is INVALID or bool(values["flows"]),
        has_all_flows=values["flows"] is not INVALID and len(flows) == len(values["flows"]),
        has_all_services=len(services) == len(declared) and values["services"] is not INVALID,
    )


def _duration(run: Any) -> float | None:
    return None if run is INVALID or run.duration is INVALID else run.duration


def _readable(section: Any) -> dict[str, Any]:
    """The members of a section that could be read completely."""
    if not isinstance(section, dict):
        return {}
    return {name: part for name, part in section.items() if not has_invalid(part)}


def _items(section: str, values: Mapping[str, Any], reading: Reading) -> list[tuple[str, Any]]:
    """(path, item) of a list section, as far as it could be read."""
    found = values[section]
    if found is INVALID:
        return []
    pairs = zip(reading.items.get(section, []), found, strict=True)
    return [(path, item) for path, item in pairs if item is not INVALID]
