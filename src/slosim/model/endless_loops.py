"""Scenarios in which infinitely many events would happen at one instant: they are refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from slosim.model.arrivals import Clients
from slosim.model.dependencies import Dependency
from slosim.model.graph import components, emitted_topics, flow_arrows, reachable, reverse
from slosim.model.kinds import Reading
from slosim.model.parts import Parts
from slosim.model.promises import Flow
from slosim.model.topology import Producer, Service, Topic


def check_endless_loops(parts: Parts, flows: Mapping[str, Flow], reading: Reading) -> None:
    """Refuse cycles of messages, retries and clients that go round without any time passing."""
    instants = Instants(parts)
    _check_cycles(parts, instants, reading)
    for name, service in parts.services.items():
        if instants.fails_at_once(name) and _retries_at_once_for_ever(service, parts):
            what = "an endless loop without delay: attempts fail at once and are retried at once"
            reading.problem_at(f"services.{name}.retry", what, "a delay, or a number for maximum_attempts")
    for name, producer in parts.producers.items():
        if isinstance(producer.arrivals, Clients) and producer.arrivals.think_time.maximum() == 0:
            to = [service for flow in flows.values() if flow.from_ == name for service in flow.to]
            if why := Answers(parts, instants, name, to).why_at_once(producer.topic):
                what = f"an endless loop without delay: clients that do not think are answered at once: {why}"
                path = f"producers.{name}.arrivals.clients.think_time"
                reading.problem_at(path, what, "a think_time above 0, or work that takes time")


class Instants:
    """What can happen to a message at the very instant at which a slot takes it, in a fault or without."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.callers: dict[str, list[Service]] = {}
        for service in parts.services.values():
            for call in service.calls:
                self.callers.setdefault(call.dependency, []).append(service)

    def passes_at_once(self, service: Service) -> bool:
        """Whether a success takes no time; one must be possible."""
        failures = service.failures
        certain = failures.probability == 1 or failures.poison == 1
        certain = certain or any(one.failures == 1 for one in self.called(service))
        return not certain and not self.takes_time(service)

    def fails_at_once(self, name: str) -> bool:
        """Whether every attempt fails in no time, if only while a fault lasts or a dependency is full."""
        service = self.parts.services[name]
        if service.rate_limit is not None:
            return False
        effects = self.parts.effects_on(f"services.{name}")
        failures = service.failures
        fails = (
            failures.probability == 1 or failures.poison > 0 or any(one.error_rate == 1 for one in effects)
        )
        fails_in_time = fails and (service.failures.at == "start" or not self.takes_time(service))
        return fails_in_time or any(one.outage for one in effects) or self._a_call_fails_at_once(service)

    def can_fail(self, service: Service) -> bool:
        """Whether an attempt may fail outside all faults, and not for its length."""
        own = service.failures.probability > 0 or service.failures.poison > 0
        return own or any(one.failures > 0 for one in self.called(service))

    def takes_time(self, service: Service) -> bool:
        own = service.service_time.maximum() > 0 or (service.batch and service.batch.per_message > 0)
        return bool(own) or any(
            call.time_at(self.parts.dependencies[call.dependency]).maximum() > 0
            for call in service.calls
            if call.dependency in self.parts.dependencies
        )

    def called(self, service: Service) -> list[Dependency]:
        dependencies = self.parts.dependencies
        return [dependencies[one.dependency] for one in service.calls if one.dependency in dependencies]

    def _a_call_fails_at_once(self, service: Service) -> bool:
        if service.service_time.maximum() > 0:
            return False
        for call in service.calls:
            dependency = self.parts.dependencies.get(call.dependency)
            if dependency is None:
                return False
            effects = self.parts.effects_on(f"dependencies.{call.dependency}")
            if any(one.outage for one in effects) or self._refuses(call.dependency, dependency):
                return True
            if dependency.service_time.maximum() > 0:
                return False
            if dependency.failures == 1 or any(one.error_rate == 1 for one in effects):
                return True
        return False

    def _refuses(self, name: str, dependency: Dependency) -> bool:
        """Whether its callers together can find it full."""
        is_paused = any(one.pause for one in self.parts.effects_on(f"dependencies.{name}"))
        at_once = 0 if is_paused else math.inf if dependency.capacity is None else dependency.capacity
        if dependency.queue_limit is None or not (is_paused or dependency.service_time.maximum() > 0):
            return False
        return sum(_slots_at_most(one) for one in self.callers[name]) > at_once + dependency.queue_limit


# --- cycles
# ----------------------------------------------------------------------------------------------------------


def _check_cycles(parts: Parts, instants: Instants, reading: Reading) -> None:
    arrows = {}
    for name in parts.services:
        topics = dict.fromkeys(_certainly_published(name, parts, instants))
        takers = [taker for topic in topics for taker in parts.taken_by.get(topic, ())]
        arrows[name] = tuple(one for one in takers if _can_act(parts.services[one], topics))
    for cycle in _cycles(arrows):
        first = next(name for name in parts.services if name in cycle)
        what = f"an endless loop without delay: {' -> '.join([*cycle, cycle[0]])}"
        why = "messages would go round for ever at one instant; give it a delay or a probability below 100%"
        reading.problem_at(f"services.{first}", what, why)


def _certainly_published(name: str, parts: Parts, instants: Instants) -> list[str]:
    """Topics in which every message is visible at the instant at which the service takes it.

    A full topic passes it on to its dead-letter topic.
    """
    service = parts.services[name]
    if service.rate_limit is not None:
        return []
    published: list[str] = []
    if instants.passes_at_once(service):
        published += [one.topic for one in service.emits if one.probability == 1 and one.delay.maximum() == 0]
        published += [branch.topic for branch in service.choose if branch.share == 1]
    if service.dead_letter and instants.fails_at_once(name) and _gives_up_at_once(service):
        published.append(service.dead_letter)
    for name in published:  # grows by where full topics pass it on
        topic = parts.topics.get(name)
        if topic and topic.dead_letter and _may_be_full(topic) and topic.dead_letter not in published:
            published.append(topic.dead_letter)
    return [one for one in published if one in parts.topics and parts.topics[one].delay.maximum() == 0]


def _can_act(service: Service, topics: Iterable[str]) -> bool:
    """Whether messages in these topics are enough for it to act."""
    return not service.join or set(service.consumes) <= set(topics)


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


# --- retries
# ---------------------------------------------------------------------------------------------------------


def _retries_at_once_for_ever(service: Service, parts: Parts) -> bool:
    retry = service.retry
    if retry is None or retry.maximum_attempts is not None or service.retry_budget is not None:
        return False
    on_queue = all(topic.partitions is None for topic in parts.topics_of(service).values())
    breaks = service.circuit_breaker is not None and not (retry.blocking and on_queue)
    return not breaks and not _waits_between_attempts(service)


def _gives_up_at_once(service: Service) -> bool:
    retry = service.retry
    if retry is None or retry.maximum_attempts == 1:
        return True
    return retry.maximum_attempts is not None and not _waits_between_attempts(service)


def _waits_between_attempts(service: Service) -> bool:
    retry = service.retry
    if retry is None:
        return False
    if retry.delay is not None:
        return retry.delay.maximum() > 0
    return min(retry.initial_interval, retry.maximum_interval) > 0


# --- clients
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """Why a message may leave a line at once, and the topics from which it must then leave at once too."""

    why: str
    then: tuple[str, ...]


class Answers:
    """How the flow instances of clients that do not think can end at the instant at which they start."""

    def __init__(self, parts: Parts, instants: Instants, producer: str, to: Iterable[str]) -> None:
        self.parts = parts
        self.instants = instants
        self.count = _clients_of(parts.producers[producer])
        self.fed_by_others = parts.topics_fed_by(name for name in parts.producers if name != producer)
        arrows = flow_arrows(parts.services, parts.topics, parts.taken_or_redriven_by())
        self.matter = reachable(to, reverse(arrows))
        self.lines = {topic: self._lines(topic) for topic in parts.topics}

    def why_at_once(self, topic: str) -> str:
        """Why a message in a topic can leave all lines that matter in no time; empty if it cannot."""
        slow = self._slow_topics()
        if topic in slow or not self.lines.get(topic):
            return ""
        return next(answer.why for answer in self.lines[topic][0] if slow.isdisjoint(answer.then))

    def _slow_topics(self) -> set[str]:
        """Topics with a line in which every message that matters spends time, or in what follows."""
        needed_by: dict[str, set[str]] = {}
        for topic, lines in self.lines.items():
            for after in (after for line in lines for answer in line for after in answer.then):
                needed_by.setdefault(after, set()).add(topic)
        slow: set[str] = set()
        waiting = list(self.lines)
        while waiting:
            topic = waiting.pop()
            at_once = all(any(slow.isdisjoint(one.then) for one in line) for line in self.lines[topic])
            if topic not in slow and not at_once:
                slow.add(topic)
                waiting += needed_by.get(topic, ())
        return slow

    def _lines(self, topic: str) -> list[list[Answer]]:
        takers = [name for name in self.parts.taken_by.get(topic, ()) if name in self.matter]
        return [list(self._answers(topic, name)) for name in takers]

    def _answers(self, topic_name: str, name: str) -> Iterator[Answer]:
        topic, service = self.parts.topics[topic_name], self.parts.services[name]
        if self._may_overflow(topic_name, name):
            yield Answer(f"{topic_name} can be full and lose messages", _existing(topic.dead_letter))
        waits = service.batch is not None and service.batch.max_messages > 1 and service.batch.wait > 0
        if topic.delay.maximum() > 0 or service.rate_limit is not None or service.join or waits:
            return
        if self.instants.fails_at_once(name) and _gives_up_at_once(service):
            yield Answer(f"attempts of {name} can fail in no time", _existing(service.dead_letter))
        can_fail = self.instants.can_fail(service)
        delayed = any(emit.probability > 0 and emit.delay.maximum() > 0 for emit in service.emits)
        if delayed or not self.instants.passes_at_once(service):
            return
        if not (can_fail and _waits_between_attempts(service)):
            given_up = _existing(service.dead_letter) if can_fail else ()
            yield Answer(f"the work of {name} takes no time", (*emitted_topics(service), *given_up))

    def _may_overflow(self, topic_name: str, name: str) -> bool:
        """Whether a message can find its line full: for those of others, or of more clients than places."""
        topic, service = self.parts.topics[topic_name], self.parts.services[name]
        if topic.capacity is None or not _may_be_full(topic):
            return False
        effects = self.parts.effects_on(f"services.{name}")
        stops = any(one.pause or one.crash or one.rolling_restart for one in effects)
        throttled = service.rate_limit is not None or service.circuit_breaker is not None
        is_log = topic.partitions is not None
        places = 0 if stops or throttled or is_log or service.join else service.instances * _slots_of(service)
        return topic_name in self.fed_by_others or self.count > topic.capacity + places


def _clients_of(producer: Producer) -> int:
    return producer.arrivals.count if isinstance(producer.arrivals, Clients) else 0


def _existing(topic: str | None) -> tuple[str, ...]:
    return () if topic is None else (topic,)


def _may_be_full(topic: Topic) -> bool:
    return topic.capacity is not None and topic.when_full != "block"


def _slots_of(service: Service) -> float:
    return math.inf if service.concurrency is None else service.concurrency


def _slots_at_most(service: Service) -> float:
    return service.instances_at_most * _slots_of(service)
