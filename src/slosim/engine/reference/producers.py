"""Producers: what they publish and when (S8 to S11)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from slosim.engine.reference.arrivals import publish_times
from slosim.engine.reference.calendar import ARRIVAL, ARRIVES, order_of_message
from slosim.engine.reference.chance import identity_of
from slosim.engine.reference.clients import Clients
from slosim.engine.reference.records import Message, Publication, Publishing

if TYPE_CHECKING:
    from slosim.engine.reference.flows import Instance
    from slosim.engine.reference.simulation import Group, World


class Producer:
    """A producer and its clock, or its clients."""

    group: Group

    def __init__(self, world: World, name: str, place: int) -> None:
        self.world = world
        self.name = name
        self.place = place
        self.rules = world.scenario.producers[name]
        self.rotation: dict[str, int] = {}
        self.key_shares: list[float] = []

    def begin(self) -> None:
        """S8, S9, S63: the first publish."""
        if self.rules.arrivals.kind == "clients":
            Clients(self).begin()
            return
        rate_faults = [
            (o.start_s, o.end_s, o.effect.rate_factor)
            for o in self.world.faults.on(f"producers.{self.name}")
            if o.effect.rate_factor != 1
        ]
        world = self.world
        self.schedule_publish(0, publish_times(self.name, self.rules, rate_faults, world.end_s, world.chance))

    def schedule_publish(self, publish: int, times_s: Iterator[float]) -> None:
        due_s = next(times_s, None)
        if due_s is not None:
            order = order_of_message(self.order(due_s, publish * self.rules.copies), ARRIVES)
            self.world.calendar.add(due_s, self, ARRIVAL, order, lambda: self.publish_due(publish, times_s))

    def order(self, start_s: float, number: int, service_place: int = -1) -> tuple[float, ...]:
        """S3: the message order of one of its messages."""
        return start_s, self.place, number, 0, service_place, 0, 0

    def publish_due(self, publish: int, times_s: Iterator[float]) -> None:
        """S10, S11: a publish is due: its messages start their flow instances and go to the topic."""
        for copy in range(self.rules.copies):
            number = publish * self.rules.copies + copy
            self.start_instances(number)
            self.produce(number, publish)
        self.schedule_publish(publish + 1, times_s)

    def start_instances(self, number: int) -> list[Instance]:
        """S11, S34: a message starts an instance of every flow of its producer."""
        self.started = [
            flow.start(self.name, number, self.world.now)
            for flow in self.world.flows
            if flow.producer == self.name
        ]
        for instance in self.started:
            self.world.flow_counts[instance.flow.name].add("started", self.world.now)
        return self.started

    def produce(self, number: int, publish: int) -> None:
        """S10, S11, S19: one message, whose instances were just started."""
        world, name, instances = self.world, self.name, self.started
        identity = identity_of(name, number)
        shares = [p.share for p in self.rules.priority]
        choice = world.chance.choose(shares, f"producers.{name}/priority", identity)
        message = Message(
            name,
            self.place,
            number,
            world.now,
            instances,
            0,
            identity,
            self.key_of(publish, identity),
            self.rules.priority[choice].priority,
        )
        topic = world.topics[self.rules.topic]
        due_s = world.now
        is_event = topic.blocks and bool(topic.lines)  # publishing and arriving are one event then
        service = topic.lines[0].service if is_event else None
        order = self.order(due_s, number, -1 if service is None else service.place)
        publishing = Publishing(
            where=name,
            party=self if service is None else service,
            rotation=self.rotation,
            actor=message,
            attempt=0,
            order=order,
            remaining=deque([Publication(topic, message, 0.0)]),
            parts=lambda: {f"{name}.held_back": world.now - due_s} if world.now > due_s else {},
            matters=lambda flow: True,
            finished=lambda: world.no_longer_matters(instances),
        )
        if service is None:
            world.publishers.go_on(publishing)
        else:
            world.calendar.add(
                due_s,
                service,
                ARRIVAL,
                order_of_message(order, ARRIVES),
                lambda: world.publishers.go_on(publishing),
            )

    def key_of(self, publish: int, identity: int) -> str | None:
        """S10: the key of a message: from the trace, or a rank with Zipf weights."""
        keys, arrivals = self.rules.keys, self.rules.arrivals
        if arrivals.kind == "trace" and arrivals.keys is not None:
            return arrivals.keys[publish]
        if keys is None:
            return None
        if not self.key_shares:
            weights = [rank**-keys.skew for rank in range(1, keys.count + 1)]
            total = math.fsum(weights)
            self.key_shares = [weight / total for weight in weights]
        return str(1 + self.world.chance.choose(self.key_shares, f"producers.{self.name}/key", identity))
