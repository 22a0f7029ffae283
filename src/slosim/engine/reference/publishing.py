"""Publishing: from a publisher to the lines of a topic (S12, S13, S14, S19, S64)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slosim.engine.reference.calendar import ARRIVAL, ARRIVES, PUBLISHING, TIMER, order_of_message
from slosim.engine.reference.chance import (
    WORD,
    identity_of_child,
    identity_of_repeat,
    partition_of_key,
)
from slosim.engine.reference.flows import DEAD_LETTERED
from slosim.engine.reference.order import emission_slots, smallest_odd_above
from slosim.engine.reference.records import Entry, Message, Publication, Publishing

if TYPE_CHECKING:
    from slosim.engine.reference.lines import Topic
    from slosim.engine.reference.simulation import World


class Publishers:
    """What all publishers share: the numbers of emission slots, and the way into a topic."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.slots = emission_slots(world.scenario)
        self.base = smallest_odd_above(self.slots[""])

    def child(
        self,
        parent: Message,
        emission: str,
        copy: int,
        topic: Topic,
        delay: Any = None,
        repeats: int = 0,
    ) -> Publication:
        """S3, S6, S13: what a message publishes through an emission; it inherits key and priority.

        repeats  how many attempts before may have published the same (S44, S50)
        """
        path = (parent.path * self.base + 1 + self.slots[emission] + copy) * pow(self.base, repeats) & WORD
        identity = identity_of_repeat(identity_of_child(parent.identity, emission, copy), repeats)
        message = Message(
            parent.producer,
            parent.producer_place,
            parent.number,
            parent.start_s,
            parent.instances,
            path,
            identity,
            parent.key,
            parent.priority,
        )
        delay_s = 0.0 if delay is None else self.world.chance.draw(delay, f"{emission}/delay", identity)
        return Publication(topic, message, delay_s)

    def visible_s(self, publication: Publication) -> float:
        """S14: when a message published now becomes visible: after the emit's delay and the topic's."""
        topic, message, delay_s = publication
        own_s = self.world.chance.draw(topic.rules.delay, f"topics.{topic.name}/delay", message.identity)
        return self.world.now + delay_s + own_s

    def next_partition(self, topic: Topic, message: Message, rotation: dict[str, int]) -> int:
        """S13: by key, or in turn."""
        if topic.rules.partitions is None:
            return -1
        if message.key is not None:
            return partition_of_key(message.key, topic.rules.partitions)
        return rotation.get(topic.name, 0)

    def take_turn(self, publishing: Publishing) -> None:
        """S13: the next message goes to its partition, and the publisher's next one to the one after."""
        topic, message, _ = publishing.remaining[0]
        publishing.partition = self.next_partition(topic, message, publishing.rotation)
        if topic.rules.partitions is not None and message.key is None:
            publishing.rotation[topic.name] = (publishing.partition + 1) % topic.rules.partitions

    def go_on(self, publishing: Publishing) -> None:
        """S19, S64: publish one after the other, until a topic makes it wait or all is accepted."""
        while publishing.remaining:
            topic = publishing.remaining[0].topic
            if publishing.is_dead_letter and not publishing.has_turn:
                self.take_turn(publishing)
                publishing.has_turn = True
            if not topic.is_available():
                self.wait_for_end(topic, publishing)
                return
            if topic.blocks and (topic.publishers or not self.everyone_has_room(publishing)):
                topic.publishers.append(publishing)
                self.tell("blocked", publishing, topic)
                return
            self.publish(publishing)
        publishing.finished()

    def wait_for_end(self, topic: Topic, publishing: Publishing) -> None:
        """S64: a publish to an unavailable topic goes on when the topic is available: a timer, or of a
        producer to a topic that blocks, an arrival."""

        def go_on() -> bool:
            if publishing not in topic.waiting_for_end:
                return False
            topic.waiting_for_end.remove(publishing)
            self.go_on(publishing)
            return not publishing.is_dead_letter  # its message has left: nobody takes because of it

        topic.waiting_for_end.append(publishing)
        at_s, arrives = topic.available_from_s(), topic.blocks and publishing.attempt == 0
        order = order_of_message(publishing.order, ARRIVES if arrives else PUBLISHING)
        self.world.calendar.add(at_s, publishing.party, ARRIVAL if arrives else TIMER, order, go_on)

    def withdraw(self, publishing: Publishing) -> None:
        """S44: what waits to be published is lost with its publisher."""
        topic = publishing.remaining[0].topic
        waiting = topic.publishers if publishing in topic.publishers else topic.waiting_for_end
        waiting.remove(publishing)

    def accept(self, topic: Topic) -> bool:
        """S19: a topic accepts from its line of publishers, first come first served, while there is room."""
        accepted = False
        while topic.publishers and topic.is_available() and self.everyone_has_room(topic.publishers[0]):
            publishing = topic.publishers.popleft()
            self.tell("accepted", publishing, topic)
            self.publish(publishing)
            self.go_on(publishing)
            accepted = True
        return accepted

    def tell(self, what: str, publishing: Publishing, topic: Topic) -> None:
        self.world.tell(what, publishing.where, publishing.actor, publishing.attempt, topic.place)

    def everyone_has_room(self, publishing: Publishing) -> bool:
        publication = publishing.remaining[0]
        partition = self.next_partition(publication.topic, publication.message, publishing.rotation)
        visible_s = self.visible_s(publication)
        return all(line.has_room(partition, visible_s) for line in publication.topic.lines)

    def publish(self, publishing: Publishing) -> None:
        """S12: the next message reaches every line of its topic, or rests (S22)."""
        if not publishing.has_turn:
            self.take_turn(publishing)
        publication = publishing.remaining.popleft()
        topic, message = publication.topic, publication.message
        visible_s = self.visible_s(publication)
        message.parts = publishing.parts()
        if publishing.is_outside():
            message.instances = []
        topic.counts.add("published", self.world.now)
        if not topic.lines:
            topic.counts.add("resting", self.world.now)
            self.world.tell("rested", topic.name, message, 0)
        if not topic.lines or topic.is_redriven():
            self.rest(topic, message, publishing)
        for line in topic.lines:
            for instance in message.instances:
                instance.outstanding += line.service.name in instance.flow.matters
        for line in topic.lines:
            if topic.blocks:
                line.reach(
                    Entry(message, line, publishing.partition, self.world.now, dict(message.parts)), visible_s
                )
            else:
                line.schedule_arrival(message, publishing.partition, visible_s)

    def rest(self, topic: Topic, message: Message, publishing: Publishing) -> None:
        """S22, S35, S65: a topic that nobody consumes keeps its messages; so does, for a flow, one whose
        redrive does not lead to its end."""
        for instance in message.instances:
            leads_on = any(line.service.name in instance.flow.matters for line in topic.lines)
            if topic.is_dead_letter and publishing.matters(instance.flow) and not leads_on:
                instance.losses.setdefault(DEAD_LETTERED, self.world.now)
