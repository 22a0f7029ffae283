"""Relations between the parts of a scenario, and the defaults that follow from the whole of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from slosim.model.faults import OCCURRENCES_MAX, Fault
from slosim.model.fields import has_invalid
from slosim.model.graph import components, consumers, emitted_topics, last_services, reachable, service_arrows
from slosim.model.kinds import INVALID, Reading
from slosim.model.promises import Flow, Objective
from slosim.model.topology import Producer, Service
from slosim.model.values import listed, quoted, write_duration


def default_flows(producers: Mapping[str, Producer], services: Mapping[str, Service]) -> dict[str, Flow]:
    """A flow for each producer, of its name, to the last services reachable; none where nobody consumes."""
    taken_by = consumers(services)
    flows = {}
    for name, producer in producers.items():
        to = last_services(taken_by.get(producer.topic, ()), services)
        if to:
            flows[name] = Flow(from_=name, to=to)
    return flows


def with_default_consumer(
    objectives: tuple[Objective, ...], services: Mapping[str, Service]
) -> tuple[Objective, ...]:
    """Objectives of a topic with the one service that consumes it as their consumer, where none is named."""
    taken_by = consumers(services)

    def filled(objective: Objective) -> Objective:
        if objective.topic is None or objective.consumer is not None:
            return objective
        return dataclasses.replace(objective, consumer=taken_by[objective.topic][0])

    return tuple(filled(objective) for objective in objectives)


def check(values: Mapping[str, Any], reading: Reading) -> None:
    """Note every broken relation between parts; parts that could not be read are left out."""
    producers, services, topics = (_readable(values[key]) for key in ("producers", "services", "topics"))
    _check_anything_to_do(values, reading)
    _check_unique_names(values, reading)
    _check_faults(values, reading)
    whole = len(services) == len(reading.names["services"] or ()) and values["services"] is not INVALID
    faults = [fault for _, fault in _items("faults", values, reading)]
    _check_endless_loops(services, topics, faults, reading)
    _check_dead_letters(services, topics, reading)
    _check_dead_letters_do_not_block(services, topics, reading)
    if whole:
        _check_flows(values, producers, services, reading)
        _check_objectives(values, producers, services, reading)


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


def _check_anything_to_do(values: Mapping[str, Any], reading: Reading) -> None:
    for section, why in (
        ("topics", "there is nowhere to publish"),
        ("producers", "nothing would ever be published"),
    ):
        if values[section] == {}:
            reading.problem(reading.at(section), section, f"no {section} are declared", why)
            return


def _check_unique_names(values: Mapping[str, Any], reading: Reading) -> None:
    for section in ("faults", "objectives"):
        seen: dict[str, str] = {}
        for path, item in _items(section, values, reading):
            if item.name in seen and item.name is not INVALID:
                what = f"two {section} have this name, got {quoted(item.name)} again"
                reading.problem(reading.at(f"{path}.name"), f"{path}.name", what, "names are unique")
            seen.setdefault(item.name, path)


def _check_faults(values: Mapping[str, Any], reading: Reading) -> None:
    run = values["run"]
    if run is INVALID or has_invalid(run.duration):
        return
    for path, fault in _items("faults", values, reading):
        if fault.at is None or has_invalid((fault.at, fault.duration, fault.repeat_every)):
            continue
        if fault.at >= run.duration:
            found = f"got at {write_duration(fault.at)} of duration {write_duration(run.duration)}"
            reading.problem(
                reading.at(f"{path}.at"), f"{path}.at", f"the fault starts after the end of the run, {found}"
            )
        elif fault.occurrence_count(run.duration) > OCCURRENCES_MAX:
            count = fault.occurrence_count(run.duration)
            what = f"the fault would occur {count:,} times, got {write_duration(fault.repeat_every)}"
            reading.problem(
                reading.at(f"{path}.repeat_every"),
                f"{path}.repeat_every",
                what,
                f"at most {OCCURRENCES_MAX:,} times",
            )


def _check_endless_loops(
    services: dict[str, Service], topics: dict[str, Any], faults: Iterable[Fault], reading: Reading
) -> None:
    """Refuse what would handle infinitely many events at one instant: cycles of messages, and retries."""
    taken_by = consumers(services)
    arrows = {}
    for name, service in services.items():
        published = [topic for topic in _certainly_published(service) if _is_instant(topics.get(topic))]
        arrows[name] = tuple(taker for topic in published for taker in taken_by.get(topic, ()))
    for cycle in _cycles(arrows):
        first = next(name for name in services if name in cycle)
        path = f"services.{first}"
        what = f"an endless loop without delay: {' -> '.join([*cycle, cycle[0]])}"
        why = "messages would go round for ever at one instant; give it a delay or a probability below 100%"
        reading.problem(reading.at(path), path, what, why)
    for name, service in services.items():
        at_once = _fails_at_once(service) or _fails_at_once_in_a_fault(name, service, faults)
        if at_once and service.rate_limit is None and _retries_at_once_for_ever(service):
            path = f"services.{name}.retry"
            what = "an endless loop without delay: attempts fail at once and are retried at once"
            reading.problem(reading.at(path), path, what, "a delay, or a number for maximum_attempts")


def _is_instant(topic: Any) -> bool:
    return topic is not None and topic.delay.maximum() == 0


def _fails_at_once(service: Service) -> bool:
    """Whether every attempt fails, and in no time."""
    takes_time = service.failures.at == "end" and service.service_time.maximum() > 0
    return service.failures.probability == 1 and not takes_time


def _fails_at_once_in_a_fault(name: str, service: Service, faults: Iterable[Fault]) -> bool:
    effects = [one.effect for one in faults if not has_invalid(one) and one.target == f"services.{name}"]
    return any(one.outage or (one.error_rate == 1 and service.failures.at == "start") for one in effects)


def _retries_at_once_for_ever(service: Service) -> bool:
    retry = service.retry
    if retry is None or retry.maximum_attempts is not None:
        return False
    return (
        retry.delay.maximum() if retry.delay else min(retry.initial_interval, retry.maximum_interval)
    ) == 0


def _certainly_published(service: Service) -> list[str]:
    """Topics to which the service passes every message on at the instant at which it takes it."""
    if service.rate_limit is not None:
        return []
    if _fails_at_once(service):
        once = service.retry is None or service.retry.maximum_attempts == 1
        return [service.dead_letter] if service.dead_letter and once else []
    if service.failures.probability == 1 or service.service_time.maximum() > 0:
        return []
    always = [emit.topic for emit in service.emits if emit.probability == 1 and emit.delay.maximum() == 0]
    return always + [branch.topic for branch in service.choose if branch.share == 1]


def _cycles(arrows: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """One cycle of each strongly connected component that has one, as the services along it."""
    found = []
    for component in components(arrows):
        start = component[0]
        if len(component) == 1 and start not in arrows[start]:
            continue
        inside = {name: tuple(after for after in arrows[name] if after in component) for name in component}
        trail, name = [start], start
        while True:
            name = inside[name][0]
            if name in trail:
                found.append(tuple(trail[trail.index(name) :]))
                break
            trail.append(name)
    return found


def _check_dead_letters(services: dict[str, Service], topics: dict[str, Any], reading: Reading) -> None:
    """Refuse a service or a topic whose dead letters come straight back to it."""
    for name, service in services.items():
        if service.dead_letter in service.consumes:
            path = f"services.{name}.dead_letter"
            what = f"dead letters would come straight back, got the topic that {name} consumes"
            reading.problem(reading.at(path), path, what, "a topic of their own, or retry with more attempts")
    for start in topics:
        trail = [start]
        while (after := getattr(topics.get(trail[-1]), "dead_letter", None)) and after not in trail:
            trail.append(after)
        if after == start and start == min(trail):
            path = f"topics.{start}.dead_letter"
            what = f"dead letters would come straight back: {' -> '.join([*trail, start])}"
            reading.problem(reading.at(path), path, what, "the last topic of such a chain has no dead_letter")


def _check_dead_letters_do_not_block(
    services: dict[str, Service], topics: dict[str, Any], reading: Reading
) -> None:
    """Nobody could wait: a message that is given up has left its service and its line."""
    named = [(f"services.{name}", service.dead_letter) for name, service in services.items()]
    named += [(f"topics.{name}", topic.dead_letter) for name, topic in topics.items()]
    for owner, dead_letter in named:
        if dead_letter and (topic := topics.get(dead_letter)) and topic.when_full == "block":
            path = f"{owner}.dead_letter"
            name = quoted(dead_letter)
            what = f"the topic {name} has when_full: block, but dead letters cannot wait for room"
            hint = "a topic without capacity, or when_full: reject or drop_oldest"
            reading.problem(reading.at(path), path, what, hint)


def _flow_arrows(services: dict[str, Service], topics: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Arrows of services along emits and dead letters, of which a declared flow may make use."""
    taken_by = consumers(services)
    arrows = service_arrows(services)
    for name, service in services.items():
        ways = [service.dead_letter] if service.dead_letter else []
        ways += [
            getattr(topics.get(topic), "dead_letter", None)
            for topic in (*service.consumes, *emitted_topics(service))
        ]
        arrows[name] = (
            *arrows[name],
            *(taker for topic in ways if topic for taker in taken_by.get(topic, ())),
        )
    return arrows


def _check_flows(
    values: Mapping[str, Any], producers: dict[str, Producer], services: dict[str, Service], reading: Reading
) -> None:
    topics = _readable(values["topics"])
    arrows, taken_by = _flow_arrows(services, topics), consumers(services)
    for name, flow in _readable(values["flows"]).items():
        if flow.from_ not in producers:
            continue
        topic = producers[flow.from_].topic
        late = getattr(topics.get(topic), "dead_letter", None)
        starts = (*taken_by.get(topic, ()), *(taken_by.get(late, ()) if late else ()))
        inside = reachable(starts, arrows)
        missed = [service for service in flow.to if service not in inside]
        if missed:
            path = f"flows.{name}.to"
            what = f"no message of {flow.from_} can reach {listed(missed)}"
            can = (
                f"reachable from {flow.from_}: {listed(s for s in services if s in inside)}"
                if inside
                else f"nobody consumes {topic}"
            )
            reading.problem(reading.at(path), path, what, can)


def _check_objectives(
    values: Mapping[str, Any], producers: dict[str, Producer], services: dict[str, Service], reading: Reading
) -> None:
    taken_by = consumers(services)
    for path, objective in _items("objectives", values, reading):
        if has_invalid((objective.topic, objective.consumer, objective.flow)):
            continue
        if objective.topic is not None:
            _check_consumer(objective, path, taken_by.get(objective.topic, ()), reading)
        elif (
            objective.flow in producers
            and not values["flows"]
            and not taken_by.get(producers[objective.flow].topic)
        ):
            topic = producers[objective.flow].topic
            what = f"nobody consumes {topic}, where {objective.flow} publishes, so the flow goes nowhere"
            reading.problem(
                reading.at(f"{path}.flow"), f"{path}.flow", what, f"a service with consumes: {topic}"
            )


def _check_consumer(objective: Objective, path: str, takers: tuple[str, ...], reading: Reading) -> None:
    topic = objective.topic
    if not takers:
        what = f"nobody consumes {topic}, so it has no lag and no age"
        reading.problem(
            reading.at(f"{path}.topic"), f"{path}.topic", what, f"a service with consumes: {topic}"
        )
    elif objective.consumer is None and len(takers) > 1:
        what = (
            f"{len(takers)} services consume {topic}, each with a line of its own, and consumer names none "
            f"of them"
        )
        reading.problem(reading.at(path), path, what, f"consumer: one of {listed(takers)}")
    elif objective.consumer is not None and objective.consumer not in takers:
        what = f"service {quoted(objective.consumer)} does not consume {topic}"
        reading.problem(
            reading.at(f"{path}.consumer"),
            f"{path}.consumer",
            what,
            f"consumers of {topic}: {listed(takers)}",
        )
