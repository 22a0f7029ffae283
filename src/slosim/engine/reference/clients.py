"""Closed-loop clients: each thinks, publishes, and waits until what it started is over (S63)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import ARRIVAL, ARRIVES, order_of_message
from slosim.engine.reference.chance import identity_of

if TYPE_CHECKING:
    from slosim.engine.reference.producers import Producer


class Clients:
    """The clients of one producer."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.world = producer.world
        self.rules = producer.rules.arrivals

    def begin(self) -> None:
        """S63: all start thinking at 0."""
        for client in range(self.rules.count):
            self.think(client, 0)

    def think(self, client: int, turn: int) -> None:
        """S63: the think time before the client's message of that turn, from 0."""
        number = turn * self.rules.count + client
        name, world = self.producer.name, self.world
        think_s = world.chance.draw(
            self.rules.think_time, f"producers.{name}/think_time", identity_of(name, number)
        )
        publish_s = world.now + think_s
        order = order_of_message((publish_s, self.producer.place, number, 0, -1, 0, 0), ARRIVES)
        world.calendar.add(
            publish_s, self.producer, ARRIVAL, order, lambda: self.publish(client, turn, number)
        )

    def publish(self, client: int, turn: int, number: int) -> None:
        """S63: the client waits until every instance that its message starts is over."""
        waiting = 1

        def one_is_over() -> None:
            nonlocal waiting
            waiting -= 1
            if waiting == 0:
                self.think(client, turn + 1)

        for instance in self.producer.start_instances(number):
            waiting += 1
            instance.when_over = one_is_over
        self.producer.produce(number, 0)
        one_is_over()  # the message itself is published
