"""Topics and lines: where messages wait (S12 to S22)."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import ARRIVAL, ARRIVES, EXPIRES, TIMER, VISIBLE, order_of_message
from slosim.engine.reference.flows import DEAD_LETTERED, DROPPED
from slosim.engine.reference.measures import Counts, Durations, TimeAverage
from slosim.engine.reference.order import blocks, consumers_of
from slosim.engine.reference.records import (
    DELAYED,
    SETTLED,
    WAITING,
    Entry,
    Message,
    Publishing,
    add_part,
    with_part,
)

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service
    from slosim.engine.reference.simulation import World


class Topic:
    """A topic and the publishers that wait for it."""

    def __init__(self, world: World, name: str, place: int, is_dead_letter: bool) -> None:
        self.world = world
        self.name = name
        self.place = place
        self.rules = world.scenario.topics[name]
        self.blocks = blocks(self.rules)
        self.is_dead_letter = is_dead_letter
        self.faults = world.faults.on(f"topics.{name}")
        self.lines: list[Line] = []
        self.publishers: deque[Publishing] = deque()  # S19
        self.waiting_for_end: list[Publishing] = []  # S64
        self.counts = Counts(world.warmup_s)

    def held_back(self) -> int:
        """Producers' messages waiting at their clients."""
        return sum(
            publishing.where == publishing.actor.producer and publishing.attempt == 0
            for publishing in [*self.publishers, *self.waiting_for_end]
        )

    def is_available(self) -> bool:
        """S64."""
        return not any(o.effect.unavailable and o.hits(None, self.world.now) for o in self.faults)

    def available_from_s(self) -> float:
        """S64: when the topic is available again; now if it is."""
        at = self.world.now
        while ends := [o.end_s for o in self.faults if o.effect.unavailable and o.hits(None, at)]:
            at = max(ends)
        return at

    def is_redriven(self) -> bool:
        """S65: whether nobody consumes it but its redrive."""
        return any(line.service.is_redrive for line in self.lines)


class Line:
    """The messages of one topic for one service.

    queues     what can be taken, in order: by partition, or all under -1
    held       by partition: messages in work or in a blocking back-off
    ahead      how many are delivered to instances ahead of their slots (S46)
    unsettled  everything that counts in the lag, as it was published
    """

    def __init__(self, world: World, topic: Topic, service: Service, place: int) -> None:
        self.world = world
        self.topic = topic
        self.service = service
        self.place = place  # of the topic among those that the service consumes
        self.is_log = topic.rules.partitions is not None
        self.queues: dict[int, list[Entry]] = defaultdict(list)
        self.held: dict[int, int] = defaultdict(int)
        self.ahead = 0
        self.unsettled: dict[Entry, None] = {}
        self.rotation: dict[str, int] = {}  # of the dead-letter outlet
        self.counts = Counts(world.warmup_s)
        self.durations = Durations(world.warmup_s)
        self.lag = TimeAverage(world.warmup_s)
        self.waiting = TimeAverage(world.warmup_s)
        self.age_samples: list[float] = []
        self.partition_lag_max_samples: list[int] = []
        self.at_end: dict[str, int] = {}
        self.blocked_at_end = 0

    # ------------------------------------------------------------------ what comes next

    def heads(self) -> list[Entry]:
        """S15, S16: what could be taken next: one message, or the heads of the idle partitions."""
        if self.is_log:
            return [queue[0] for p, queue in self.queues.items() if queue and not self.held[p]]
        queue = self.queues[-1]
        if not queue:
            return []
        match self.topic.rules.order:
            case "fifo":
                return [queue[0]]
            case "lifo":
                return [queue[-1]]
            case "priority":
                return [min(queue, key=lambda e: e.message.priority)]  # the first of the lowest
            case other:
                raise AssertionError(f"no such order: {other}")

    def in_queues(self) -> list[Entry]:
        """Everything that can be taken, now or later."""
        return [entry for queue in self.queues.values() for entry in queue]

    def remove(self, entry: Entry) -> None:
        """It is no longer in the line's queues."""
        self.queues[entry.partition].remove(entry)

    def oldest_age_s(self, now: float) -> float:
        """S38."""
        oldest = next(iter(self.unsettled), None)
        return 0.0 if oldest is None else now - oldest.published_s

    def partition_lags(self) -> dict[int, int]:
        lags: dict[int, int] = defaultdict(int)
        for entry in self.unsettled:
            lags[entry.partition] += 1
        return lags

    # ------------------------------------------------------------------ in

    def schedule_arrival(self, message: Message, partition: int, visible_s: float) -> None:
        """S1: a message reaches a line in an event of the consumer's group."""
        entry = Entry(message, self, partition, self.world.now, dict(message.parts))
        self.world.calendar.add(
            self.world.now,
            self.service,
            ARRIVAL,
            order_of_message(entry.order(), ARRIVES),
            lambda: self.reach(entry, visible_s),
        )

    def reach(self, entry: Entry, visible_s: float) -> None:
        """S14, S17, S18: a message is published to a line: it stays if there is room."""
        world, message = self.world, entry.message
        self.lag.add(1, world.now)
        self.unsettled[entry] = None
        self.counts.add("published", world.now)
        world.tell("published", self.service.name, message, 0, entry.partition)
        if not self.topic.blocks and not self.has_room(entry.partition, visible_s):
            loser, word = self.without_room(entry)
            self.leave_unserved(loser, word)
            if loser is entry:
                return
        if visible_s > world.now:
            entry.state = DELAYED
            order = order_of_message(entry.order(), VISIBLE)
            world.calendar.add(visible_s, self.service, TIMER, order, lambda: self.become_visible(entry))
        else:
            self.become_visible(entry)

    def has_room(self, partition: int, visible_s: float) -> bool:
        """S17: fewer than `capacity` wait, or a free slot takes it at once."""
        capacity = self.topic.rules.capacity
        return (
            capacity is None
            or self.waiting.value - self.ahead < capacity
            or (visible_s <= self.world.now and self.service.takes_at_once(self, partition))
        )

    def without_room(self, entry: Entry) -> tuple[Entry, str]:
        """S18: who leaves a full line, and how it is counted."""
        if self.topic.rules.when_full == "reject":
            return entry, "rejected"
        assert self.topic.rules.when_full == "drop_oldest"
        oldest = min(self.in_queues(), key=lambda e: e.visible_number, default=None)
        return oldest or entry, "dropped"

    def become_visible(self, entry: Entry, returns_first: bool = False) -> None:
        """S14, S20, S28, S47: a message can be taken from now on, unless it comes back too late."""
        world = self.world
        if world.now >= entry.expires_s:
            self.leave_unserved(entry, "expired")
            return
        world.tell("visible", self.service.name, entry.message, entry.attempt)
        self.note_visible(entry)
        entry.set_state(WAITING)
        self.change_waiting(entry, 1)
        is_first = math.isnan(entry.first_visible_s)
        if is_first:
            self.become_visible_first(entry)
        if is_first and self.service.joins is not None:
            self.service.joins.put_aside(entry)
        else:
            self.enqueue(entry, returns_first or entry.retries_in_place)

    def note_visible(self, entry: Entry) -> None:
        """Since when it can be taken, and where that stands among the others."""
        world = self.world
        entry.visible_s = world.now
        entry.visible_number = next(world.visible_numbers)
        entry.still_s = self.service.partitions.stood_still_s(self, entry.partition)

    def enqueue(self, entry: Entry, is_next: bool) -> None:
        """S28, S29, S47: at the tail; what returns is the next one to be taken."""
        queue = self.queues[entry.partition]
        if is_next and self.topic.rules.order != "lifo":
            queue.insert(0, entry)
        else:
            queue.append(entry)

    def become_visible_first(self, entry: Entry) -> None:
        """S20, S37: the message's delay is over and its time to live begins."""
        world, ttl = self.world, self.topic.rules.message_ttl
        entry.first_visible_s = world.now
        add_part(entry.parts, self.service.name, "delay", world.now - entry.published_s)
        if ttl is not None:
            stream = f"topics.{self.topic.name}/message_ttl"
            entry.expires_s = world.now + world.chance.draw(ttl, stream, entry.message.identity)
            order = order_of_message(entry.order(), EXPIRES)
            world.calendar.add(entry.expires_s, self.service, TIMER, order, lambda: self.expire(entry))

    # ------------------------------------------------------------------ out

    def change_waiting(self, entry: Entry, change: int) -> None:
        """S58: those that follow a message wait where it waits."""
        for one in (entry, *entry.followers):
            one.line.waiting.add(change, self.world.now)

    def end_wait(self, entry: Entry) -> None:
        """S37, S53: a message no longer waits: the time its partition stood still is not the slots' fault."""
        stood_still_s = self.service.partitions.stood_still_s(self, entry.partition) - entry.still_s
        add_part(entry.parts, self.service.name, "rebalance", stood_still_s)
        add_part(
            entry.parts, self.service.name, "wait", self.world.now - entry.visible_s - max(0.0, stood_still_s)
        )

    def stop_waiting(self, entry: Entry) -> None:
        """A waiting message is taken out of wherever it waits."""
        if entry.holder is not None:
            self.service.deliveries.let_go(entry)
        elif entry.is_aside:
            assert self.service.joins is not None
            self.service.joins.forget(entry)
        else:
            self.remove(entry)
        self.change_waiting(entry, -1)

    def expire(self, entry: Entry) -> bool:
        """S20, S46, S58: it leaves if it still waits; if not, nothing happens."""
        if entry.state != WAITING or entry.holder is not None or self.world.now < entry.expires_s:
            return False
        self.leave_unserved(entry, "expired")
        return True

    def leave_unserved(self, entry: Entry, word: str) -> None:
        """S18, S20, S21, S61: rejected, dropped, expired or shed: it leaves, for the topic's dead letters
        if any."""
        if entry.state == WAITING:
            self.stop_waiting(entry)
            self.end_wait(entry)
        self.settle(entry, word)
        outlet = None if word == "shed" else self.topic.rules.dead_letter
        emission = f"topics.{self.topic.name}/dead_letter/{self.service.name}"
        self.lose(entry, outlet, emission, DROPPED if outlet is None else DEAD_LETTERED, self.rotation)

    def settle(self, entry: Entry, word: str) -> None:
        """S38, S58: a message is no longer in its line, nor those that follow it in theirs."""
        world = self.world
        entry.set_state(SETTLED)
        entry.clock_runs = False
        for one in (entry, *entry.followers):
            line = one.line
            line.lag.add(-1, world.now)
            del line.unsettled[one]
            line.counts.add("finished" if word == "succeeded" else word, world.now)
            if one is not entry:
                world.settled_silently.append((line.service.name, one.message, world.now, word))
        if word != "succeeded":
            world.tell(word, self.service.name, entry.message, entry.attempt)

    def lose(
        self, entry: Entry, outlet: str | None, emission: str, kind: str, rotation: dict[str, int]
    ) -> None:
        """S21, S30, S35: a message leaves without success, as a dead letter if there is an outlet: a loss
        where it matters, unless `to` is still ahead."""
        world, service = self.world, self.service
        consumers = [] if outlet is None else consumers_of(world.scenario, outlet)
        for instance in (i for one in (entry, *entry.followers) for i in one.message.instances):
            matters = instance.flow.matters
            if service.name in matters and not any(consumer in matters for consumer in consumers):
                instance.losses.setdefault(kind, world.now)
        left_s = world.now
        still_alive = [  # for these the dead letter matters, also while it is on its way (S64)
            instance
            for instance in entry.message.instances
            if any(consumer in instance.flow.matters for consumer in consumers)
        ]
        for instance in still_alive:
            instance.outstanding += 1
        letters = (
            []
            if outlet is None
            else [world.publishers.child(entry.message, emission, 0, world.topics[outlet])]
        )
        publishing = Publishing(
            where=service.name,
            party=service,
            rotation=rotation,
            actor=entry.message,
            attempt=entry.attempt,
            order=entry.order(),
            remaining=deque(letters),
            parts=lambda: with_part(entry.parts, service.name, "wait", world.now - left_s),
            matters=lambda flow: service.name in flow.matters,
            finished=lambda: world.no_longer_matters(still_alive),
            is_dead_letter=True,
        )
        world.publishers.go_on(publishing)
        self.left(entry)

    def left(self, entry: Entry) -> None:
        """S34: one message less that matters."""
        name = self.service.name
        for one in (entry, *entry.followers):
            self.world.no_longer_matters([i for i in one.message.instances if name in i.flow.matters])

    # ------------------------------------------------------------------ measures

    def sample(self, time_s: float) -> None:
        """S4, S38."""
        self.lag.samples.append(self.lag.value)
        self.waiting.samples.append(self.waiting.value)
        self.age_samples.append(self.oldest_age_s(time_s))
        self.partition_lag_max_samples.append(max(self.partition_lags().values(), default=0))

    def finish(self, end_s: float) -> None:
        """S41: what is left at the end, by state; the queues hold what waits."""
        self.lag.hold(end_s)
        self.waiting.hold(end_s)
        states = [entry.state for entry in self.unsettled]
        self.at_end = {state: states.count(state) for state in (DELAYED, WAITING, "backing_off", "in_work")}
        self.blocked_at_end = sum(
            a.publishing is not None and not a.is_overtaken() for a in self.service.in_work_of(self)
        )
        assert self.waiting.value == self.at_end[WAITING]
        assert self.ahead == sum(entry.holder is not None for entry in self.unsettled)
