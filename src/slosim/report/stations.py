"""Stations: what a closed form of queueing theory has to know of a service or a dependency.

A station is one queue, or several side by side that share nothing, each before its slots. A work queue is one
for all slots of a service. On a log a message waits for its partition alone, so a service has as many queues
as partitions where each has a slot, and as many as instances where these have one slot each.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from slosim.compile.offered_load import Requests, useful_slots
from slosim.compile.topology import consumers_of, outputs_of
from slosim.measure.measurements import Measurements
from slosim.model import Clients, Dependency, Distribution, Scenario, Service, Topic
from slosim.model.distributions import Constant, Exponential

ROOM_MAX = 10_000
"""A larger room counts as endless: the sum over all its states would only be slow."""


class Queue(NamedTuple):
    """One queue of a station: the share of all messages that come to it, and the slots that serve it."""

    share: float
    slots: int | None  # None: unlimited


class SlotTime(NamedTuple):
    """How long one message holds a slot."""

    mean_s: float
    squared_cv: float  # infinite where the variance does not exist
    letter: str  # of Kendall's notation: M exponential, D constant, G any other


@dataclass(frozen=True)
class Station:
    """A service or a dependency as queueing theory sees it.

    queues      at least one
    time        of one attempt or request
    room        who may wait before further ones are refused; None: none is refused
    patience_s  who has waited so long leaves; None: nobody leaves
    clients     who alone use it, and wait for their answers; None: arrivals do not depend on it
    """

    queues: tuple[Queue, ...]
    time: SlotTime
    room: int | None = None
    patience_s: float | None = None
    clients: Clients | None = None

    @property
    def is_regulated(self) -> bool:
        """Whether less comes, or stays, the more wait: there is a steady state at every load."""
        return (self.room, self.patience_s, self.clients) != (None, None, None)


def station_of_service(scenario: Scenario, name: str, measurements: Sequence[Measurements]) -> Station | None:
    """A service as a station; None for batches and joins, which have no closed form here."""
    service = scenario.services[name]
    if service.batch is not None or service.join:
        return None
    station = Station(_queues(scenario, name, measurements), _slot_time(scenario, service))
    (topic, *more) = service.consumes
    clients = _clients_of(scenario, name)
    if clients is not None and station.time.letter == "M" and station.queues[0].slots is not None:
        return dataclasses.replace(station, clients=clients)
    return station if more else _limited(station, scenario.topics[topic])


def _clients_of(scenario: Scenario, name: str) -> Clients | None:
    """The clients of a service that nobody else uses, and that answers them by itself and at once."""
    (name_of_topic, *more), service = scenario.services[name].consumes, scenario.services[name]
    topic = scenario.topics[name_of_topic]
    users = [one.arrivals for one in scenario.producers.values() if one.topic == name_of_topic]
    fed = any(name_of_topic in topics for topics in outputs_of(scenario).values())
    shared = fed or consumers_of(scenario)[name_of_topic] != (name,)
    passes_on = service.emits or service.choose or service.dead_letter
    limited = topic.partitions or topic.capacity is not None or topic.message_ttl or topic.delay.maximum()
    if more or shared or passes_on or limited or len(users) != 1:
        return None
    (arrivals,) = users
    return arrivals if isinstance(arrivals, Clients) and arrivals.think_time.mean() > 0 else None


def _limited(station: Station, topic: Topic) -> Station:
    """The station with the room or the patience of a work queue, where a formula knows it."""
    exponential = station.time.letter == "M"
    if topic.partitions is not None or station.queues[0].slots is None:
        return station
    room = topic.capacity if topic.when_full == "reject" else None
    if room == 0 or (room is not None and room <= ROOM_MAX and exponential):
        return dataclasses.replace(station, room=room)
    if isinstance(topic.message_ttl, Constant) and exponential and topic.order == "fifo":
        return dataclasses.replace(station, patience_s=topic.message_ttl.mean())
    return station


def station_of_dependency(dependency: Dependency, requests: Sequence[Requests]) -> Station:
    """A dependency as a station; calls of different length count with their requests on paper."""
    times = [(one.rate_per_s, one.call.time_at(dependency)) for one in requests if one.rate_per_s > 0]
    different = {distribution for _, distribution in times}
    if not times or len(different) == 1 or any(math.isinf(rate) for rate, _ in times):
        time = _time_of([times[0][1] if times else dependency.service_time])
    else:
        total = sum(rate for rate, _ in times)
        mean = sum(rate / total * one.mean() for rate, one in times)
        square = sum(rate / total * (1 + one.squared_cv()) * one.mean() ** 2 for rate, one in times)
        time = SlotTime(mean, square / mean**2 - 1 if mean > 0 else 0.0, "G")
    room = None if dependency.capacity is None else dependency.queue_limit
    has_formula = room == 0 or (room is not None and room <= ROOM_MAX and time.letter == "M")
    return Station((Queue(1.0, dependency.capacity),), time, room if has_formula else None)


# ---- queues ----------------------------------------------------------------------------------------------


def _queues(scenario: Scenario, name: str, measurements: Sequence[Measurements]) -> tuple[Queue, ...]:
    """The queues of a service; of several topics, or where owners change, one for all its usable slots."""
    service = scenario.services[name]
    (topic, *more) = service.consumes
    partitions = scenario.topics[topic].partitions
    if more or partitions is None:
        return (Queue(1.0, useful_slots(scenario, name)),)
    shares = _partition_shares(partitions, topic, name, measurements)
    queues, first = [], 0
    for owned in _owned_partitions(partitions, service.instances):
        its = shares[first : first + owned]
        first += owned
        if service.concurrency is None or service.concurrency >= owned:
            queues += [Queue(share, 1) for share in its]
        else:
            queues.append(Queue(math.fsum(its), service.concurrency))
    return tuple(queues)


def _owned_partitions(partitions: int, instances: int) -> list[int]:
    """How many partitions each instance owns at the start, by number; some may own none."""
    each, more = divmod(partitions, instances)
    return [each + (i < more) for i in range(min(instances, partitions))]


def _partition_shares(
    partitions: int, topic: str, service: str, measurements: Sequence[Measurements]
) -> list[float]:
    """Share of the messages that each partition got in the whole run; even, where there was none."""
    pooled = np.zeros(partitions)
    for one in measurements:
        counts = one.lines[topic, service].partition_published
        pooled += 0 if counts is None else counts
    total = pooled.sum()
    return (pooled / total if total else np.full(partitions, 1 / partitions)).tolist()


# ---- times -----------------------------------------------------------------------------------------------


def _slot_time(scenario: Scenario, service: Service) -> SlotTime:
    """Time of one attempt: its service time, cut off by a time-out, and its calls, if none waits or fails.

    A failure at the start takes none.
    """
    own = service.service_time
    if service.timeout is not None and service.on_timeout == "cancel" and not service.calls:
        own = _at_most(own, service.timeout)
    calls = [
        _at_most(call.time_at(scenario.dependencies[call.dependency]), call.timeout) for call in service.calls
    ]
    starts = 1.0 - service.failures.probability if service.failures.at == "start" else 1.0
    return _time_of([own, *calls], starts)


def _at_most(distribution: Distribution, limit: float | None) -> Distribution:
    """The distribution cut off at a limit, if that can be reached."""
    if limit is None or distribution.maximum() <= limit:
        return distribution
    return dataclasses.replace(distribution, cap=limit)


def _time_of(parts: Sequence[Distribution], starts: float = 1.0) -> SlotTime:
    """Time of independent parts one after the other, or, with probability 1 - starts, none."""
    mean = math.fsum(one.mean() for one in parts)
    if mean * starts == 0 or not math.isfinite(mean):
        return SlotTime(mean * starts, 0.0 if math.isfinite(mean) else math.inf, "G")
    variance = math.fsum(one.squared_cv() * one.mean() ** 2 for one in parts if one.mean() > 0)
    squared_cv = (1 + variance / mean**2) / starts - 1
    return SlotTime(mean * starts, squared_cv, _letter(parts) if starts == 1.0 else "G")


def _letter(parts: Iterable[Distribution]) -> str:
    lasting = [one for one in parts if one.maximum() > 0]
    if all(one.minimum() == one.maximum() for one in lasting):
        return "D"
    return "M" if len(lasting) == 1 and is_exponential(lasting[0]) else "G"


def is_exponential(distribution: Distribution) -> bool:
    return isinstance(distribution, Exponential) and distribution.shift == 0 and distribution.cap is None
