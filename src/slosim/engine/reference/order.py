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
    for coupled in coupled_parties(scenario, after):
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


def coupled_parties(scenario: Any, after: dict[Party, set[Party]]) -> list[set[Party]]:
    """S2, S57, S63: parties that act on each other within an instant."""
    found = []
    for topic_name, topic in scenario.topics.items():
        consumers = {("service", name) for name in consumers_of(scenario, topic_name)}
        if blocks(topic) and consumers:
            publishers = {
                ("service", name)
                for name, service in scenario.services.items()
                if topic_name in topics_published(scenario, service)
            }
            found.append(consumers | publishers)
    for dependency in scenario.dependencies:
        found.append({("service", name) for name in callers_of(scenario, dependency)})
    for name, producer in scenario.producers.items():
        if producer.arrivals.kind == "clients":
            found.append({("producer", name)} | everything_after(after, ("producer", name)))
    return found


def callers_of(scenario: Any, dependency: str) -> list[str]:
    """Names of the services that call a dependency, in file order."""
    return [
        name
        for name, service in scenario.services.items()
        if any(call.dependency == dependency for call in service.calls)
    ]


def is_rich(scenario: Any, group: list[Party]) -> bool:
    """Whether a group has one of the mechanisms of S42 to S67, so that its instances have numbers that
    matter."""
    for kind, name in group:
        if kind == "producer":
            if scenario.producers[name].arrivals.kind == "clients":
                return True
        elif name.endswith("/redrive") or uses_mechanisms(scenario, name):
            return True
    return False


def uses_mechanisms(scenario: Any, name: str) -> bool:
    """Whether a service has several instances that can differ, or anything else that is new in S42 to S67."""
    service = scenario.services[name]
    stopped = any(
        fault.effect.crash is not None or fault.effect.rolling_restart is not None or is_per_instance(fault)
        for fault in scenario.faults
        if fault.target == f"services.{name}"
    )
    topics = {*service.consumes, *topics_published(scenario, service)}
    unavailable = any(
        fault.effect.unavailable
        for fault in scenario.faults
        if fault.target in {f"topics.{t}" for t in topics}
    )
    used = (
        service.batch,
        service.prefetch,
        service.visibility_timeout,
        service.rebalance,
        service.autoscale,
        service.circuit_breaker,
        service.retry_budget,
        service.shed,
    )
    return (
        stopped
        or unavailable
        or len(service.consumes) > 1
        or service.startup_time.maximum() > 0
        or bool(service.calls)
        or any(mechanism is not None for mechanism in used)
    )


def is_per_instance(fault: Any) -> bool:
    """S67: whether a fault hits the instances of a service one by one."""
    return fault.random is not None and fault.random.per == "instance"


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
