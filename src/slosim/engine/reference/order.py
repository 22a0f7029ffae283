"""The order of things at the same instant: ranks of coupling groups (S2) and emission slots (S3)."""

from __future__ import annotations

from typing import Any

Party = tuple[str, str]
"""("producer" | "service", name)"""


def consumers_of(scenario: Any, topic: str | None) -> list[str]:
    """Names of the services that consume a topic, in file order."""
    return [name for name, service in scenario.services.items() if topic in service.consumes]


def topics_emitted(service: Any) -> list[str]:
    """Topics that a success may publish to, in emit order."""
    return [emit.topic for emit in service.emits] + [choice.topic for choice in service.choose]


def topics_published(scenario: Any, service: Any) -> list[str]:
    """Every topic that a service or its lines may publish to: emits and all dead letters."""
    outlets = [service.dead_letter] + [scenario.topics[topic].dead_letter for topic in service.consumes]
    return topics_emitted(service) + [topic for topic in outlets if topic is not None]


def blocks(topic: Any) -> bool:
    """S19: a full topic makes its publishers wait."""
    return topic.when_full == "block" and topic.capacity is not None


def coupling_groups(scenario: Any) -> list[list[Party]]:
    """S2: the coupling groups by rank; members in file order, producers before services."""
    parties = [("producer", name) for name in scenario.producers] + [
        ("service", name) for name in scenario.services
    ]
    after = {party: set() for party in parties}
    for name, producer in scenario.producers.items():
        after["producer", name] = {("service", to) for to in consumers_of(scenario, producer.topic)}
    for name, service in scenario.services.items():
        for topic in topics_published(scenario, service):
            after["service", name] |= {("service", to) for to in consumers_of(scenario, topic)}
    for topic_name, topic in scenario.topics.items():
        if blocks(topic):
            coupled = {("service", name) for name in consumers_of(scenario, topic_name)}
            coupled |= {
                ("service", name)
                for name, service in scenario.services.items()
                if coupled and topic_name in topics_published(scenario, service)
            }
            for party in coupled:
                after[party] |= coupled - {party}

    reached = {party: everything_after(after, party) for party in parties}
    groups: list[list[Party]] = []
    for party in parties:
        if not any(party in group for group in groups):
            groups.append([p for p in parties if p == party or (p in reached[party] and party in reached[p])])
    ranked: list[list[Party]] = []
    while len(ranked) < len(groups):
        # groups stand in file order of their first member, so the first that could come next is the next
        ranked.append(
            next(
                group
                for group in groups
                if group not in ranked
                and all(
                    other in ranked or other is group or group[0] not in reached[other[0]] for other in groups
                )
            )
        )
    return ranked


def everything_after(after: dict[Party, set[Party]], start: Party) -> set[Party]:
    """What can be reached from a party along one arrow or more."""
    found: set[Party] = set()
    edge = [start]
    while edge:
        for party in after[edge.pop()]:
            if party not in found:
                found.add(party)
                edge.append(party)
    return found


def emission_slots(scenario: Any) -> dict[str, int]:
    """S3: the first slot of every emission, by the emission's name (S6); "" is the number of slots."""
    slots: dict[str, int] = {}
    count = 0
    for name, service in scenario.services.items():
        for i, emit in enumerate(service.emits):
            slots[f"services.{name}/emits[{i}]"] = count
            count += emit.copies
        for i in range(len(service.choose)):
            slots[f"services.{name}/choose[{i}]"] = count
            count += 1
        if service.dead_letter is not None:
            slots[f"services.{name}/dead_letter"] = count
            count += 1
        for topic in service.consumes:
            if scenario.topics[topic].dead_letter is not None:
                slots[f"topics.{topic}/dead_letter/{name}"] = count
                count += 1
    slots[""] = count
    return slots


def smallest_odd_above(count: int) -> int:
    """S3: the base B of paths."""
    return count + 1 + count % 2
