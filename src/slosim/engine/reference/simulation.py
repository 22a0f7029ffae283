"""The reference simulation: one calendar, plain objects, one short function per rule of docs/semantics.md."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from slosim.engine.reference.arrivals import publish_times
from slosim.engine.reference.chance import WORD, Chance, identity_of, identity_of_child, partition_of_key
from slosim.engine.reference.flows import (
    DEAD_LETTERED,
    DROPPED,
    Flow,
    FlowInstance,
    Instance,
    Judgement,
    Success,
    judge,
)
from slosim.engine.reference.measures import Counts, Durations, TimeAverage, check_lines
from slosim.engine.reference.order import (
    consumers_of,
    coupling_groups,
    emission_slots,
    smallest_odd_above,
)
from slosim.engine.reference.records import (
    BACKING_OFF,
    DELAYED,
    IN_WORK,
    SETTLED,
    WAITING,
    Entry,
    Group,
    Line,
    Message,
    Publication,
    Publishing,
    Service,
    Topic,
)

COMPLETION, TIMER, ARRIVAL = range(3)
"""S1: kinds of events at one instant, in the order of handling."""


class Event(NamedTuple):
    """One line of the trace.

    where    the service whose line it is; "rested": the topic; "blocked", "accepted": the publisher
    attempt  attempts of the message begun so far
    value    "published": partition or -1; "retry": when the back-off is over, s; "blocked", "accepted": the
             topic's place in the file; otherwise -1
    """

    time_s: float
    what: str
    where: str
    producer: str
    number: int
    path: int
    attempt: int
    value: float


class Simulation:
    def __init__(self, scenario: Any, seed: int | None, replication: int) -> None:
        self.scenario = scenario
        self.end_s: float = scenario.run.duration
        self.warmup_s: float = scenario.run.warmup
        self.chance = Chance(scenario.run.seed if seed is None else seed, replication)
        self.now = 0.0
        self.trace: list[Event] = []
        self.calendar: list[tuple[Any, ...]] = []
        self.serial = count()
        self.visible_numbers = count()
        self.rotation_of_producer: dict[str, dict[str, int]] = {}
        self.key_shares: dict[str, list[float]] = {}
        self.slots = emission_slots(scenario)
        self.base = smallest_odd_above(self.slots[""])
        self.build()

    # ------------------------------------------------------------------ the system

    def build(self) -> None:
        """Topics, services, lines, groups and flows as the scenario declares them."""
        scenario = self.scenario
        outlets = {service.dead_letter for service in scenario.services.values()}
        outlets |= {topic.dead_letter for topic in scenario.topics.values()}
        self.topics = {
            name: Topic(name, place, topic, name in outlets, self.warmup_s)
            for place, (name, topic) in enumerate(scenario.topics.items())
        }
        self.services = {
            name: Service(name, place, service, scenario, self.faults_on(f"services.{name}"))
            for place, (name, service) in enumerate(scenario.services.items())
        }
        for topic in self.topics.values():
            for name in consumers_of(scenario, topic.name):
                service = self.services[name]
                service.line = Line(topic, service, self.warmup_s)
                topic.lines.append(service.line)
        self.flows = [Flow(name, flow, scenario) for name, flow in scenario.flows.items()]
        self.flow_counts = {flow.name: Counts(self.warmup_s) for flow in self.flows}
        self.group_of: dict[tuple[str, str], Group] = {}
        for rank, members in enumerate(coupling_groups(scenario)):
            services = [self.services[name] for kind, name in members if kind == "service"]
            blocking = [
                topic
                for topic in self.topics.values()
                if topic.blocks and any(service.line.topic is topic for service in services)
            ]
            self.group_of.update(dict.fromkeys(members, Group(rank, services, blocking)))

    def faults_on(self, target: str) -> list[tuple[float, float, Any]]:
        """S32: (start, end, effect) of every occurrence of the faults of a target."""
        return [
            (start, stop, fault.effect)
            for fault in self.scenario.faults
            if fault.target == target
            for start, stop in fault.occurrences(self.end_s)
        ]

    # ------------------------------------------------------------------ the calendar

    def run(self) -> None:
        """S1, S4: handle every event before the end of the run, with samples between the instants."""
        self.sample_times_s = []
        while len(self.sample_times_s) * self.scenario.run.sample_every < self.end_s:
            self.sample_times_s.append(len(self.sample_times_s) * self.scenario.run.sample_every)
        unsampled = deque(self.sample_times_s)
        for name in self.scenario.producers:
            self.start_producer(name)
        for service in self.services.values():
            for _, stop, effect in service.faults:
                if effect.pause:
                    self.schedule(stop, TIMER, service_order(service), service, lambda: None)
        while self.calendar and self.calendar[0][0] < self.end_s:
            time_s, _, _, _, _, service, action = heapq.heappop(self.calendar)
            assert time_s >= self.now, "the clock went back"
            while unsampled and unsampled[0] < time_s:
                self.sample(unsampled.popleft())
            self.now = time_s
            happened = action()
            if service is not None and happened is not False:
                self.after_event(service)
        for time_s in unsampled:
            self.sample(time_s)
        self.finish()

    def schedule(
        self,
        time_s: float,
        kind: int,
        order: tuple[Any, ...],
        service: Service | None,
        action: Callable[[], bool | None],
        producer: str = "",
    ) -> None:
        """S1: an event at a service, or (service None) at a producer."""
        party = ("producer", producer) if service is None else ("service", service.name)
        rank = self.group_of[party].rank
        heapq.heappush(self.calendar, (time_s, rank, kind, order, next(self.serial), service, action))

    def after_event(self, service: Service) -> None:
        """S19, S23: take what can be taken; in a group with a blocking topic, until nothing changes."""
        group = self.group_of["service", service.name]
        if not group.blocking_topics:
            self.take(service)
            return
        changed = True
        while changed:
            changed = False
            for member in group.services:
                changed |= self.take(member)
            for topic in group.blocking_topics:
                changed |= self.accept(topic)

    def tell(self, what: str, where: str, message: Message, attempt: int, value: float = -1) -> None:
        self.trace.append(
            Event(self.now, what, where, message.producer, message.number, message.path, attempt, value)
        )

    # ------------------------------------------------------------------ producers

    def start_producer(self, name: str) -> None:
        """S8, S9: the first publish of a producer."""
        rate_faults = [
            (start, stop, effect.rate_factor)
            for start, stop, effect in self.faults_on(f"producers.{name}")
            if effect.rate_factor != 1
        ]
        producer = self.scenario.producers[name]
        times_s = publish_times(name, producer, rate_faults, self.end_s, self.chance)
        self.schedule_publish(name, 0, times_s)

    def schedule_publish(self, name: str, publish: int, times_s: Any) -> None:
        due_s = next(times_s, None)
        if due_s is not None:
            number = publish * self.scenario.producers[name].copies
            place = list(self.scenario.producers).index(name)
            order = (due_s, place, number, 0, -1, 0)
            self.schedule(due_s, ARRIVAL, order, None, lambda: self.publish_due(name, publish, times_s), name)

    def publish_due(self, name: str, publish: int, times_s: Any) -> None:
        """S10, S11: a publish is due: its messages start their flow instances and go to the topic."""
        producer = self.scenario.producers[name]
        for copy in range(producer.copies):
            self.produce(name, producer, publish, publish * producer.copies + copy)
        self.schedule_publish(name, publish + 1, times_s)

    def produce(self, name: str, producer: Any, publish: int, number: int) -> None:
        """S10, S11, S19: one message of a producer."""
        identity = identity_of(name, number)
        priority = producer.priority[
            self.chance.choose([p.share for p in producer.priority], f"producers.{name}/priority", identity)
        ].priority
        instances = [flow.start(name, number, self.now) for flow in self.flows if flow.producer == name]
        for instance in instances:
            self.flow_counts[instance.flow.name].add("started", self.now)
        place = list(self.scenario.producers).index(name)
        message = Message(
            name,
            place,
            number,
            self.now,
            instances,
            0,
            identity,
            self.key_of(name, publish, identity),
            priority,
        )
        topic = self.topics[producer.topic]
        due_s = self.now
        publishing = Publishing(
            where=name,
            rotation=self.rotation_of_producer.setdefault(name, {}),
            actor=message,
            attempt=0,
            remaining=deque([Publication(topic, message, 0.0)]),
            parts=lambda: {f"{name}.held_back": self.now - due_s} if self.now > due_s else {},
            matters=lambda flow: True,
            finished=lambda: self.no_longer_matters(instances),
        )
        if topic.blocks and topic.lines:
            service = topic.lines[0].service
            order = (self.now, place, number, 0, service.place, 0)
            self.schedule(self.now, ARRIVAL, order, service, lambda: self.go_on_publishing(publishing))
        else:
            self.go_on_publishing(publishing)

    def key_of(self, name: str, publish: int, identity: int) -> str | None:
        """S10: the key of a producer's message: from the trace, or a rank with Zipf weights."""
        producer = self.scenario.producers[name]
        if producer.arrivals.kind == "trace" and producer.arrivals.keys is not None:
            return producer.arrivals.keys[publish]
        if producer.keys is None:
            return None
        if name not in self.key_shares:
            weights = [rank**-producer.keys.skew for rank in range(1, producer.keys.count + 1)]
            total = math.fsum(weights)
            self.key_shares[name] = [weight / total for weight in weights]
        return str(1 + self.chance.choose(self.key_shares[name], f"producers.{name}/key", identity))

    # ------------------------------------------------------------------ publishing

    def visible_s(self, publication: Publication) -> float:
        """S14: when a message published now becomes visible: after the emit's delay and the topic's."""
        topic, message, delay_s = publication
        own_s = self.chance.draw(topic.rules.delay, f"topics.{topic.name}/delay", message.identity)
        return self.now + delay_s + own_s

    def partition_of(self, topic: Topic, message: Message, rotation: dict[str, int]) -> int:
        """S13: by key, or in turn."""
        if topic.rules.partitions is None:
            return -1
        if message.key is not None:
            return partition_of_key(message.key, topic.rules.partitions)
        partition = rotation.get(topic.name, 0)
        rotation[topic.name] = (partition + 1) % topic.rules.partitions
        return partition

    def go_on_publishing(self, publishing: Publishing) -> None:
        """S19: publish one after the other, until a full topic blocks or all is accepted."""
        while publishing.remaining:
            topic, message, _ = publishing.remaining[0]
            publishing.partition = self.partition_of(topic, message, publishing.rotation)
            if topic.blocks and (topic.publishers or not self.everyone_has_room(publishing)):
                topic.publishers.append(publishing)
                self.tell("blocked", publishing.where, publishing.actor, publishing.attempt, topic.place)
                return
            self.publish(publishing)
        publishing.finished()

    def accept(self, topic: Topic) -> bool:
        """S19: a topic accepts from its line of publishers, first come first served, while there is room."""
        accepted = False
        while topic.publishers and self.everyone_has_room(topic.publishers[0]):
            publishing = topic.publishers.popleft()
            self.tell("accepted", publishing.where, publishing.actor, publishing.attempt, topic.place)
            self.publish(publishing)
            self.go_on_publishing(publishing)
            accepted = True
        return accepted

    def everyone_has_room(self, publishing: Publishing) -> bool:
        publication = publishing.remaining[0]
        partition, visible_s = publishing.partition, self.visible_s(publication)
        return all(self.has_room(line, partition, visible_s) for line in publication.topic.lines)

    def publish(self, publishing: Publishing) -> None:
        """S12: the next message reaches every line of its topic, or rests (S22)."""
        publication = publishing.remaining.popleft()
        topic, message = publication.topic, publication.message
        visible_s = self.visible_s(publication)
        message.parts = publishing.parts()
        topic.counts.add("published", self.now)
        if not topic.lines:
            self.rest(topic, message, publishing)
        for line in topic.lines:
            for instance in message.instances:
                instance.outstanding += line.service.name in instance.flow.matters
        for line in topic.lines:
            partition = publishing.partition
            if topic.blocks:
                self.reach(line, message, partition, visible_s)
            else:
                self.schedule_arrival(line, message, partition, visible_s)

    def schedule_arrival(self, line: Line, message: Message, partition: int, visible_s: float) -> None:
        """S1: a message reaches a line in an event of the consumer's group."""
        order = (message.start_s, message.producer_place, message.number, message.path, line.service.place, 0)
        self.schedule(
            self.now, ARRIVAL, order, line.service, lambda: self.reach(line, message, partition, visible_s)
        )

    def rest(self, topic: Topic, message: Message, publishing: Publishing) -> None:
        """S22, S35: a topic that nobody consumes keeps its messages."""
        topic.counts.add("resting", self.now)
        self.tell("rested", topic.name, message, 0)
        for instance in message.instances:
            if topic.is_dead_letter and publishing.matters(instance.flow):
                instance.losses.setdefault(DEAD_LETTERED, self.now)

    # ------------------------------------------------------------------ lines

    def reach(self, line: Line, message: Message, partition: int, visible_s: float) -> None:
        """S14, S17, S18: a message is published to a line: it stays if there is room."""
        entry = Entry(message, line, partition, self.now, dict(message.parts))
        line.lag.add(1, self.now)
        line.unsettled[entry] = None
        line.counts.add("published", self.now)
        self.tell("published", line.service.name, message, 0, partition)
        if not line.topic.blocks and not self.has_room(line, partition, visible_s):
            loser, word = self.without_room(line, entry)
            self.leave_unserved(loser, word)
            if loser is entry:
                return
        if visible_s > self.now:
            entry.state = DELAYED
            self.schedule(visible_s, TIMER, entry.order(), line.service, lambda: self.become_visible(entry))
        else:
            self.become_visible(entry)

    def has_room(self, line: Line, partition: int, visible_s: float) -> bool:
        """S17: fewer than `capacity` wait, or a free slot takes it at once."""
        capacity = line.topic.rules.capacity
        if capacity is None or line.waiting.value < capacity:
            return True
        service = line.service
        return (
            visible_s <= self.now
            and not line.someone_ahead(partition)
            and partition not in line.held
            and service.has_free_slot(partition)
            and not service.is_paused(self.now)
            and self.token_is_there(service)
        )

    def without_room(self, line: Line, entry: Entry) -> tuple[Entry, str]:
        """S18: who leaves a full line, and how it is counted."""
        if line.topic.rules.when_full == "reject":
            return entry, "rejected"
        assert line.topic.rules.when_full == "drop_oldest"
        return line.oldest_waiting() or entry, "dropped"

    def become_visible(self, entry: Entry) -> None:
        """S14, S20, S28: a message can be taken from now on, unless it comes back too late."""
        line = entry.line
        if self.now >= entry.expires_s:
            self.leave_unserved(entry, "expired")
            return
        self.tell("visible", line.service.name, entry.message, entry.attempt)
        entry.state = WAITING
        entry.visible_s = self.now
        entry.visible_number = next(self.visible_numbers)
        line.waiting.add(1, self.now)
        line.waiting_entries.insert(self.place_in_line(entry), entry)
        if math.isnan(entry.first_visible_s):
            self.become_visible_first(entry)

    def place_in_line(self, entry: Entry) -> int:
        """S28, S29: at the tail; a blocking retry on a log is the head of its partition again."""
        entries = entry.line.waiting_entries
        if entry.retries_in_place:
            for place, other in enumerate(entries):
                if other.partition == entry.partition:
                    return place
        return len(entries)

    def become_visible_first(self, entry: Entry) -> None:
        """S20, S37: the message's delay is over and its time to live begins."""
        service, ttl = entry.line.service, entry.line.topic.rules.message_ttl
        entry.first_visible_s = self.now
        add_part(entry.parts, service, "delay", self.now - entry.published_s)
        if ttl is not None:
            stream = f"topics.{entry.line.topic.name}/message_ttl"
            entry.expires_s = self.now + self.chance.draw(ttl, stream, entry.message.identity)
            self.schedule(entry.expires_s, TIMER, entry.order(), service, lambda: self.expire(entry))

    def expire(self, entry: Entry) -> bool:
        """S20: it leaves if it still waits; if not, nothing happens."""
        if entry.state != WAITING:
            return False
        self.leave_unserved(entry, "expired")
        return True

    def leave_unserved(self, entry: Entry, word: str) -> None:
        """S18, S20, S21: rejected, dropped or expired: it leaves, for the topic's dead letters if any."""
        line, message = entry.line, entry.message
        if entry.state == WAITING:
            line.waiting.add(-1, self.now)
            line.waiting_entries.remove(entry)
            add_part(entry.parts, line.service, "wait", self.now - entry.visible_s)
        self.settle(entry, word)
        outlet = line.topic.rules.dead_letter
        self.lose(entry, outlet, DROPPED if outlet is None else DEAD_LETTERED)
        left_s = self.now
        emission = f"topics.{line.topic.name}/dead_letter/{line.service.name}"
        publishing = Publishing(
            where=line.service.name,
            rotation=line.rotation,
            actor=message,
            attempt=entry.attempt,
            remaining=deque([] if outlet is None else [self.child(message, emission, 0, outlet)]),
            parts=lambda: with_part(entry.parts, line.service, "wait", self.now - left_s),
            matters=lambda flow: line.service.name in flow.matters,
            finished=lambda: self.left(entry),
        )
        self.go_on_publishing(publishing)

    def settle(self, entry: Entry, word: str) -> None:
        """S38: a message is no longer in its line."""
        line = entry.line
        entry.state = SETTLED
        line.lag.add(-1, self.now)
        del line.unsettled[entry]
        line.counts.add("finished" if word == "succeeded" else word, self.now)
        if word != "succeeded":
            self.tell(word, line.service.name, entry.message, entry.attempt)

    def child(self, parent: Message, emission: str, copy: int, topic: str, delay: Any = None) -> Publication:
        """S3, S6, S13: what a message publishes through an emission; it inherits key and priority."""
        path = (parent.path * self.base + 1 + self.slots[emission] + copy) & WORD
        identity = identity_of_child(parent.identity, emission, copy)
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
        delay_s = 0.0 if delay is None else self.chance.draw(delay, f"{emission}/delay", identity)
        return Publication(self.topics[topic], message, delay_s)

    # ------------------------------------------------------------------ services

    def take(self, service: Service) -> bool:
        """S23: take one message after the other, until a pause, the slots, the line or the tokens say no."""
        took = False
        while not service.is_paused(self.now):
            entry = service.next_to_take()
            if entry is None or not self.token_is_there(service):
                break
            service.line.waiting_entries.remove(entry)
            service.line.waiting.add(-1, self.now)
            self.occupy_slot(entry)
            service.use_token(self.now)
            self.start_attempt(entry)
            took = True
        return took

    def token_is_there(self, service: Service) -> bool:
        """S25: if not, the service takes again when the next token is there."""
        ready_s = service.token_ready_s()
        if self.now >= ready_s:
            return True
        if service.token_timer_s != ready_s:
            service.token_timer_s = ready_s
            self.schedule(ready_s, TIMER, service_order(service), service, lambda: None)
        return False

    def occupy_slot(self, entry: Entry) -> None:
        """S16, S23: a slot of the owner; a partition has one message in work."""
        service = entry.line.service
        service.busy_slots[service.slot_of(entry.partition)] += 1
        service.busy.add(1, self.now)
        if entry.line.is_log:
            entry.line.held.add(entry.partition)

    def start_attempt(self, entry: Entry) -> None:
        """S24, S39: a slot takes a message: wait and event lag are recorded."""
        service = entry.line.service
        entry.attempt += 1
        entry.state = IN_WORK
        entry.taken_s = self.now
        add_part(entry.parts, service, "wait", self.now - entry.visible_s)
        if not entry.retries_in_place:
            service.durations.record("wait", self.now - entry.visible_s, self.now)
        entry.retries_in_place = False
        service.counts.add("attempts", self.now)
        if entry.attempt == 1:
            service.counts.add("first_attempts", self.now)
            service.durations.record("event_lag", self.now - entry.published_s, self.now)
        self.tell("taken", service.name, entry.message, entry.attempt)
        self.schedule_end(entry)

    def schedule_end(self, entry: Entry) -> None:
        """S24, S26, S27: when and how the attempt ends, by the faults active now."""
        service, rules = entry.line.service, entry.line.service.rules
        identity, attempt = entry.message.identity, entry.attempt
        effects = service.active_effects(self.now)
        survives = math.prod(
            (1 - effect.error_rate for effect in effects), start=1 - rules.failures.probability
        )
        fails = self.chance.happens(1 - survives, f"services.{service.name}/failure", identity, attempt)
        outcome = "failed" if fails else "succeeded"
        if any(effect.outage for effect in effects) or (fails and rules.failures.at == "start"):
            self.end_attempt(entry, "failed")
            return
        time_s = self.chance.draw(
            rules.service_time, f"services.{service.name}/service_time", identity, attempt
        )
        for effect in effects:
            time_s *= effect.slowdown
        for effect in effects:
            time_s += effect.added_latency
        if rules.timeout is None or time_s <= rules.timeout:
            self.schedule_completion(entry, time_s, outcome)
        elif rules.on_timeout == "cancel":
            self.schedule_completion(entry, rules.timeout, "timed_out")
        else:
            self.schedule_completion(entry, rules.timeout, "abandoned")
            self.schedule(
                self.now + time_s, COMPLETION, entry.order(), service, lambda: self.end_work(entry, attempt)
            )

    def schedule_completion(self, entry: Entry, time_s: float, outcome: str) -> None:
        self.schedule(
            self.now + time_s,
            COMPLETION,
            entry.order(),
            entry.line.service,
            lambda: self.end_attempt(entry, outcome),
        )

    def end_work(self, entry: Entry, attempt: int) -> None:
        """S26: abandoned work ends and frees its slot."""
        self.tell("work_ended", entry.line.service.name, entry.message, attempt)
        self.free_slot(entry)

    def free_slot(self, entry: Entry) -> None:
        service = entry.line.service
        service.busy_slots[service.slot_of(entry.partition)] -= 1
        service.busy.add(-1, self.now)

    def end_attempt(self, entry: Entry, outcome: str) -> None:
        """S19, S30, S31: the attempt publishes what its outcome brings, and ends when all is accepted."""
        service = entry.line.service
        if outcome == "succeeded":
            publications = self.emitted(entry)
        elif self.is_last_attempt(entry) and service.rules.dead_letter is not None:
            emission = f"services.{service.name}/dead_letter"
            publications = [self.child(entry.message, emission, 0, service.rules.dead_letter)]
        else:
            publications = []
        entry.publishing = True
        publishing = Publishing(
            where=service.name,
            rotation=service.rotation,
            actor=entry.message,
            attempt=entry.attempt,
            remaining=deque(publications),
            parts=lambda: with_part(entry.parts, service, "service", self.now - entry.taken_s),
            matters=lambda flow: service.name in flow.matters,
            finished=lambda: self.attempt_is_over(entry, outcome),
        )
        self.go_on_publishing(publishing)

    def emitted(self, entry: Entry) -> list[Publication]:
        """S31: every emit with its probability, or one choice."""
        name, rules, message = entry.line.service.name, entry.line.service.rules, entry.message
        if rules.choose:
            stream = f"services.{name}/choose"
            i = self.chance.choose([choice.share for choice in rules.choose], stream, message.identity)
            return [self.child(message, f"{stream}[{i}]", 0, rules.choose[i].topic)]
        publications = []
        for i, emit in enumerate(rules.emits):
            emission = f"services.{name}/emits[{i}]"
            if self.chance.happens(emit.probability, f"{emission}/probability", message.identity):
                for copy in range(emit.copies):
                    publications.append(self.child(message, emission, copy, emit.topic, delay=emit.delay))
        return publications

    def is_last_attempt(self, entry: Entry) -> bool:
        """S28."""
        retry = entry.line.service.rules.retry
        return retry is None or (
            retry.maximum_attempts is not None and entry.attempt >= retry.maximum_attempts
        )

    def attempt_is_over(self, entry: Entry, outcome: str) -> None:
        """S26, S29, S39: the attempt ends; its slot and partition are free unless something holds them."""
        service, line = entry.line.service, entry.line
        abandoned = outcome == "abandoned"
        outcome = "timed_out" if abandoned else outcome
        entry.publishing = False
        add_part(entry.parts, service, "service", self.now - entry.taken_s)
        service.durations.record("service", self.now - entry.taken_s, self.now)
        service.counts.add("succeeded" if outcome == "succeeded" else "failed", self.now)
        if outcome == "timed_out":
            service.counts.add("timed_out", self.now)
        self.tell(outcome, service.name, entry.message, entry.attempt)

        in_place = False
        if outcome == "succeeded":
            service.counts.add("first_successes", self.now)
            self.succeed(entry)
        elif self.is_last_attempt(entry):
            self.dead_letter(entry)
        else:
            in_place = service.rules.retry.blocking
            self.retry(entry)
        if not (in_place and line.is_log):
            line.held.discard(entry.partition)
        if not abandoned and (line.is_log or not in_place):
            self.free_slot(entry)

    def succeed(self, entry: Entry) -> None:
        """S31, S34: the message settles; at `to` it may end the latency of its instances."""
        service = entry.line.service
        service.durations.record("sojourn", self.now - entry.first_visible_s, self.now)
        self.settle(entry, "succeeded")
        for instance in entry.message.instances:
            if service.name in instance.flow.to:
                success = Success(self.now, entry.order(), entry.parts)
                if instance.last_success is None or instance.last_success[:2] < success[:2]:
                    instance.last_success = success
        self.left(entry)

    def dead_letter(self, entry: Entry) -> None:
        """S30: the last attempt failed."""
        service = entry.line.service
        service.counts.add("dead_lettered", self.now)
        service.durations.record("sojourn", self.now - entry.first_visible_s, self.now)
        self.settle(entry, "dead_lettered")
        self.lose(entry, service.rules.dead_letter, DEAD_LETTERED)
        self.left(entry)

    # ------------------------------------------------------------------ retries

    def retry(self, entry: Entry) -> None:
        """S28, S29: the message backs off."""
        service = entry.line.service
        service.counts.add("retried", self.now)
        entry.state = BACKING_OFF
        entry.failed_s = self.now
        entry.retries_in_place = service.rules.retry.blocking
        over_s = self.now + self.back_off_s(entry)
        self.tell("retry", service.name, entry.message, entry.attempt, over_s)
        self.schedule(over_s, TIMER, entry.order(), service, lambda: self.end_back_off(entry))

    def back_off_s(self, entry: Entry) -> float:
        """S28: the delay before the next attempt, s."""
        name, retry, n = entry.line.service.name, entry.line.service.rules.retry, entry.attempt
        stream, identity = f"services.{name}/retry", entry.message.identity
        if retry.delay is not None:
            return self.chance.draw(retry.delay, stream, identity, n)
        u = self.chance.uniform(stream, identity, n).p
        initial = retry.initial_interval
        base = min(retry.maximum_interval, initial * power(retry.backoff_coefficient, n - 1))
        match retry.jitter:
            case "none":
                return base
            case "equal":
                return base / 2 + u * base / 2
            case "full":
                return u * base
            case "decorrelated":
                previous = initial if entry.previous_delay_s is None else entry.previous_delay_s
                delay_s = min(retry.maximum_interval, initial + u * (3 * previous - initial))
                entry.previous_delay_s = delay_s
                return delay_s
            case other:
                raise AssertionError(f"no such jitter: {other}")

    def end_back_off(self, entry: Entry) -> None:
        """S28, S29: the message becomes visible again, or the slot that it held starts the next attempt."""
        add_part(entry.parts, entry.line.service, "retry", self.now - entry.failed_s)
        if not entry.retries_in_place:
            self.become_visible(entry)
        elif entry.line.is_log:
            entry.line.held.discard(entry.partition)
            self.become_visible(entry)
        else:
            self.start_in_place(entry)

    def start_in_place(self, entry: Entry) -> None:
        """S29: the next attempt starts; with a rate limit at the first token, which it reserves."""
        service = entry.line.service
        entry.visible_s = self.now
        start_s = max(self.now, service.token_ready_s())
        service.use_token(start_s)
        if start_s > self.now:
            self.schedule(start_s, TIMER, entry.order(), service, lambda: self.start_attempt(entry))
        else:
            self.start_attempt(entry)

    # ------------------------------------------------------------------ flows

    def lose(self, entry: Entry, outlet: str | None, kind: str) -> None:
        """S35: a message leaves without success: a loss where it matters, unless `to` is still ahead."""
        service = entry.line.service.name
        consumers = [] if outlet is None else consumers_of(self.scenario, outlet)
        for instance in entry.message.instances:
            matters = instance.flow.matters
            if service in matters and not any(consumer in matters for consumer in consumers):
                instance.losses.setdefault(kind, self.now)

    def left(self, entry: Entry) -> None:
        """S34: one message less that matters."""
        service = entry.line.service.name
        self.no_longer_matters([i for i in entry.message.instances if service in i.flow.matters])

    def no_longer_matters(self, instances: list[Instance]) -> None:
        """S34: the instance is complete when none is left."""
        for instance in instances:
            instance.outstanding -= 1
            assert instance.outstanding >= 0
            assert instance.ended_s is None
            if instance.outstanding == 0:
                instance.ended_s = self.now

    # ------------------------------------------------------------------ measures

    def sample(self, time_s: float) -> None:
        """S4, S38: the state after everything that happens at this instant."""
        for service in self.services.values():
            service.busy.samples.append(service.busy.value)
            line = service.line
            line.lag.samples.append(line.lag.value)
            line.waiting.samples.append(line.waiting.value)
            oldest = next(iter(line.unsettled), None)
            line.age_samples.append(0.0 if oldest is None else time_s - oldest.published_s)
            line.partition_lag_max_samples.append(max(line.partition_lags().values(), default=0))

    def finish(self) -> None:
        """S36, S41: close the integrals, count what is left, judge the instances, check conservation."""
        for service in self.services.values():
            line = service.line
            for average in (service.busy, line.lag, line.waiting):
                average.hold(self.end_s)
            states = [entry.state for entry in line.unsettled]
            line.at_end = {state: states.count(state) for state in (DELAYED, WAITING, BACKING_OFF, IN_WORK)}
            line.blocked_at_end = sum(entry.publishing for entry in line.unsettled)
            assert line.waiting.value == len(line.waiting_entries) == line.at_end[WAITING]
        check_lines(
            self.trace,
            {(s.line.topic.name, s.name): s.line for s in self.services.values()},
            self.warmup_s,
            self.end_s,
        )
        self.judgements = {
            objective.name: Judgement(len(self.sample_times_s))
            for objective in self.scenario.objectives
            if objective.flow is not None
        }
        for flow in self.flows:
            counts = self.flow_counts[flow.name]
            for instance in flow.instances:
                assert (instance.outstanding == 0) == (instance.ended_s is not None)
                counts.add(instance.state(), instance.start_s)
                self.judge(flow, instance)
            for period in (counts.whole_run, counts.measured):
                assert period["started"] == sum(period.values()) - period["started"], (
                    f"flow {flow.name}: {period}"
                )

    def judge(self, flow: Flow, instance: Instance) -> None:
        """S36, S40."""
        for objective in self.scenario.objectives:
            if objective.flow == flow.name and instance.start_s >= self.warmup_s:
                verdict = judge(objective, instance, self.end_s)
                if verdict is not None:
                    self.judgements[objective.name].count(*verdict, self.sample_times_s)


def service_order(service: Service) -> tuple[Any, ...]:
    """S1: a service's own timers come after those of all messages, by its place."""
    return math.inf, service.place


def add_part(parts: dict[str, float], service: Service, name: str, seconds: float) -> None:
    """S37: time goes to a part of a service."""
    if seconds > 0:
        parts[f"{service.name}.{name}"] = parts.get(f"{service.name}.{name}", 0.0) + seconds


def with_part(parts: dict[str, float], service: Service, name: str, seconds: float) -> dict[str, float]:
    """A copy of the parts with some more time in one of them."""
    grown = dict(parts)
    add_part(grown, service, name, seconds)
    return grown


def power(base: float, exponent: int) -> float:
    """base^exponent, infinite where a float cannot hold it."""
    try:
        return float(base) ** exponent
    except OverflowError:
        return math.inf


class Reference(NamedTuple):
    """What one replication did.

    trace           events in the order of handling
    counters        ["services" | "lines" | "topics" | "flows"][name]["whole_run" | "measured"][counter];
                    lines by (topic, service), the names of measure/measurements.py
    flow_instances  one per message of a flow's producer
    averages        (service, "lag" | "waiting" | "busy") -> TimeAverage: integral, maximum, samples
    age_samples     by service, s
    partition_lag_max_samples  by service; only for logs
    durations       by service: lists wait, service, sojourn, event_lag, s
    judgements      by objective of a flow: good and bad per sample, the last entry after the last sample
    """

    trace: list[Event]
    counters: dict[str, dict[Any, dict[str, dict[str, int]]]]
    flow_instances: list[FlowInstance]
    sample_times_s: list[float]
    averages: dict[tuple[str, str], TimeAverage]
    age_samples: dict[str, list[float]]
    partition_lag_max_samples: dict[str, list[int]]
    durations: dict[str, Durations]
    judgements: dict[str, Judgement]


def simulate(scenario: Any, seed: int | None = None, replication: int = 0) -> Reference:
    """Simulate one replication of a resolved scenario; seed: instead of the scenario's own.

    Raises:
        AssertionError: the clock went back, or conservation or Little's law is broken (S41): a bug of slosim.
    """
    simulation = Simulation(scenario, seed, replication)
    simulation.run()
    services = simulation.services
    return Reference(
        trace=simulation.trace,
        counters=counters_of(simulation),
        flow_instances=[instance.result() for flow in simulation.flows for instance in flow.instances],
        sample_times_s=simulation.sample_times_s,
        averages={
            (name, what): average
            for name, s in services.items()
            for what, average in (("lag", s.line.lag), ("waiting", s.line.waiting), ("busy", s.busy))
        },
        age_samples={name: s.line.age_samples for name, s in services.items()},
        partition_lag_max_samples={
            name: s.line.partition_lag_max_samples for name, s in services.items() if s.line.is_log
        },
        durations={name: s.durations for name, s in services.items()},
        judgements=simulation.judgements,
    )


def counters_of(simulation: Simulation) -> dict[str, dict[Any, dict[str, dict[str, int]]]]:
    """All counters, with what the lines hold at the end."""
    services, topics, lines, flows = {}, {}, {}, {}
    for name, service in simulation.services.items():
        services[name] = periods(service.counts)
        line = service.line
        held = {f"{state}_at_end": number for state, number in line.at_end.items()}
        held["blocked_at_end"] = line.blocked_at_end
        lines[line.topic.name, name] = {p: c | held for p, c in periods(line.counts).items()}
    for name, topic in simulation.topics.items():
        held = {"held_back_at_end": topic.held_back(), "resting": topic.counts.whole_run["resting"]}
        topics[name] = {p: c | held for p, c in periods(topic.counts).items()}
    for name, counts in simulation.flow_counts.items():
        flows[name] = periods(counts)
    return {"services": services, "lines": lines, "topics": topics, "flows": flows}


def periods(counts: Counts) -> dict[str, dict[str, int]]:
    """Counters that were never touched read as 0."""
    return {
        "whole_run": defaultdict(int, counts.whole_run),
        "measured": defaultdict(int, counts.measured),
    }
