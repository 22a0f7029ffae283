"""Relations between the parts of a scenario, and the defaults that follow from the whole of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from slosim.model.check_faults import check_faults
from slosim.model.check_services import check_services
from slosim.model.endless_loops import check_endless_loops
from slosim.model.fields import has_invalid
from slosim.model.graph import consumers, flow_arrows, last_services, reachable
from slosim.model.kinds import INVALID, Reading
from slosim.model.parts import Parts, readable_parts
from slosim.model.promises import Flow, Objective
from slosim.model.rates import MESSAGES_MOST, expected_messages
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
    parts = readable_parts(values, reading)
    _check_anything_to_do(values, reading)
    _check_unique_names(parts, reading)
    check_faults(parts, reading)
    check_services(parts, reading)
    _check_dead_letters(parts, reading)
    _check_dead_letters_do_not_block(parts, reading)
    flows = parts.flows if parts.declares_flows else default_flows(parts.producers, parts.services)
    check_endless_loops(parts, flows, reading)
    if parts.has_all_services:
        _check_flows(parts, reading)
        _check_objectives(parts, reading)
        if parts.has_all_flows:
            _check_clients_have_a_flow(parts, flows, reading)
    if not reading.problems:
        _check_messages(parts, values["run"].duration, reading)


def _check_anything_to_do(values: Mapping[str, Any], reading: Reading) -> None:
    for section, why in (
        ("topics", "there is nowhere to publish"),
        ("producers", "nothing would ever be published"),
    ):
        if values[section] == {}:
            reading.problem_at(section, f"no {section} are declared", why)
            return


def _check_unique_names(parts: Parts, reading: Reading) -> None:
    for section, items in (("faults", parts.faults), ("objectives", parts.objectives)):
        seen: set[str] = set()
        for path, item in items:
            if item.name in seen and item.name is not INVALID:
                what = f"two {section} have this name, got {quoted(item.name)} again"
                reading.problem_at(f"{path}.name", what, "names are unique")
            seen.add(item.name)


def _check_messages(parts: Parts, duration_s: float, reading: Reading) -> None:
    """Refuse rates that no run would see the end of, in a scenario without other mistakes."""
    counts = {name: expected_messages(its, duration_s) for name, its in parts.producers.items()}
    found = [
        (f"producers.{name}.arrivals.{parts.producers[name].arrivals.kind}", count)
        for name, count in counts.items()
    ]
    found += [
        (f"{path}.effect.rate_factor", fault.effect.rate_factor * counts[name])
        for path, fault in parts.faults
        if (name := fault.target_in("producers")) is not None
    ]
    for path, count in found:
        if count > MESSAGES_MOST:
            what = f"about {count:.3g} messages in the {write_duration(duration_s)} of a run"
            hint = "a smaller rate, profile or copies, or a shorter run.duration"
            reading.problem_at(path, what, f"at most {MESSAGES_MOST:.0e}: {hint}")


def _check_dead_letters(parts: Parts, reading: Reading) -> None:
    """Refuse a service or a topic whose dead letters come straight back to it."""
    for name, service in parts.services.items():
        if service.dead_letter in service.consumes:
            what = f"dead letters would come straight back, got the topic that {name} consumes"
            hint = "a topic of their own, or retry with more attempts"
            reading.problem_at(f"services.{name}.dead_letter", what, hint)
    for start in parts.topics:
        trail = [start]
        while (after := getattr(parts.topics.get(trail[-1]), "dead_letter", None)) and after not in trail:
            trail.append(after)
        if after == start and start == min(trail):
            what = f"dead letters would come straight back: {' -> '.join([*trail, start])}"
            hint = "the last topic of such a chain has no dead_letter"
            reading.problem_at(f"topics.{start}.dead_letter", what, hint)


def _check_dead_letters_do_not_block(parts: Parts, reading: Reading) -> None:
    """Nobody could wait: a message that is given up has left its service and its line."""
    named = [(f"services.{name}", service.dead_letter) for name, service in parts.services.items()]
    named += [(f"topics.{name}", topic.dead_letter) for name, topic in parts.topics.items()]
    for owner, dead_letter in named:
        if dead_letter and (topic := parts.topics.get(dead_letter)) and topic.when_full == "block":
            name = quoted(dead_letter)
            what = f"the topic {name} has when_full: block, but dead letters cannot wait for room"
            hint = "a topic without capacity, or when_full: reject or drop_oldest"
            reading.problem_at(f"{owner}.dead_letter", what, hint)


# --- flows and objectives
# --------------------------------------------------------------------------------------------


def _check_flows(parts: Parts, reading: Reading) -> None:
    taken_by = parts.taken_or_redriven_by()
    arrows = flow_arrows(parts.services, parts.topics, taken_by)
    for name, flow in parts.flows.items():
        if flow.from_ not in parts.producers:
            continue
        topic = parts.producers[flow.from_].topic
        late = getattr(parts.topics.get(topic), "dead_letter", None)
        starts = (*taken_by.get(topic, ()), *(taken_by.get(late, ()) if late else ()))
        inside = reachable(starts, arrows)
        missed = [service for service in flow.to if service not in inside]
        if missed:
            what = f"no message of {flow.from_} can reach {listed(missed)}"
            can = (
                f"reachable from {flow.from_}: {listed(s for s in parts.services if s in inside)}"
                if inside
                else f"nobody consumes {topic}"
            )
            reading.problem_at(f"flows.{name}.to", what, can)


def _check_clients_have_a_flow(parts: Parts, flows: Mapping[str, Flow], reading: Reading) -> None:
    """Refuse clients that nobody would ever answer."""
    answered = {flow.from_ for flow in flows.values()}
    for name, producer in parts.producers.items():
        if not producer.is_closed or name in answered:
            continue
        path, topic = f"producers.{name}.arrivals.clients", producer.topic
        if parts.taken_by.get(topic):
            what = f"clients wait until their flow instance ends, but no flow starts at {name}"
            reading.problem_at(path, what, f"a flow with from: {name}; or no flows at all")
        else:
            what = f"nobody consumes {topic}, so no client would ever be answered"
            reading.problem_at(path, what, f"a service with consumes: {topic}")


def _check_objectives(parts: Parts, reading: Reading) -> None:
    for path, objective in parts.objectives:
        if has_invalid((objective.topic, objective.consumer, objective.flow)):
            continue
        if objective.topic is not None:
            _check_consumer(objective, path, parts.taken_by.get(objective.topic, ()), reading)
            continue
        producer = parts.producers.get(objective.flow or "")
        if producer and not parts.declares_flows and not parts.taken_by.get(producer.topic):
            topic = producer.topic
            what = f"nobody consumes {topic}, where {objective.flow} publishes, so the flow goes nowhere"
            reading.problem_at(f"{path}.flow", what, f"a service with consumes: {topic}")


def _check_consumer(objective: Objective, path: str, takers: tuple[str, ...], reading: Reading) -> None:
    topic = objective.topic
    if not takers:
        what = f"nobody consumes {topic}, so it has no lag and no age"
        reading.problem_at(f"{path}.topic", what, f"a service with consumes: {topic}")
    elif objective.consumer is None and len(takers) > 1:
        what = (
            f"{len(takers)} services consume {topic}, each with a line of its own, and consumer names none "
            f"of them"
        )
        reading.problem_at(path, what, f"consumer: one of {listed(takers)}")
    elif objective.consumer is not None and objective.consumer not in takers:
        what = f"service {quoted(objective.consumer)} does not consume {topic}"
        reading.problem_at(f"{path}.consumer", what, f"consumers of {topic}: {listed(takers)}")
