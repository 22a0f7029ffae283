"""What must hold in every trace, whatever the scenario: checked on the events of one service after the
other."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from slosim.model import with_redrives

Message = tuple[str, int, int]
"""Producer, number, path."""

ENDS = ("succeeded", "duplicate", "failed", "timed_out", "lost")
LEAVES = ("expired", "dropped", "shed", "rejected", "dead_lettered", "succeeded")


def check_trace(scenario: Any, reference: Any) -> None:
    """Every service: instances, slots, partitions, order, limits; and that counters count the events.

    reference  what the reference gives back: its trace and counters
    """
    times = [event.time_s for event in reference.trace]
    assert times == sorted(times)
    assert not times or times[-1] < scenario.run.duration
    whole = with_redrives(scenario)
    events = defaultdict(list)
    for event in reference.trace:
        events[event.where].append(event)
    for name, service in whole.services.items():
        watch = Watch(name, service, whole, reference.occurrences)
        for event in events[name]:
            watch.see(event)
        watch.compare_counters(reference.counters["services"][name]["whole_run"])
        busy = reference.averages[name, "busy"].value
        if service.batch is None and not watch.held_through_retries:
            assert busy == watch.slots.total(), f"{name}: {busy} slots busy, {watch.slots} in the trace"


class Watch:
    """One service as its trace shows it; `see` raises AssertionError at the first event that breaks a rule.

    up          instances that are up
    next        messages in the order in which they are to be taken, by partition (-1: a queue), where that is
                known: one topic, in the order of becoming visible
    held        messages held ahead (S46), by instance (-1: of instances that crashed, with a clock that runs)
    slots       slots in use, by instance (-1 for all of them where the trace does not tell)
    abandoned   attempts whose work goes on, with their instance and when they were taken
    works       attempts that hold a partition: (time, instance) by message, by partition
    """

    def __init__(self, name: str, service: Any, scenario: Any, occurrences: dict[str, Any]) -> None:
        self.name = name
        self.service = service
        self.topics = [scenario.topics[topic] for topic in service.consumes]
        self.is_log = self.topics[0].partitions is not None
        self.blocking = service.retry is not None and service.retry.blocking
        self.held_through_retries = self.blocking and not self.is_log
        self.keeps_order = len(self.topics) == 1 and not service.join and self.topics[0].order != "priority"
        self.takes_last = self.topics[0].order == "lifo"
        self.pauses = list(windows(scenario, f"services.{name}", "pause", occurrences))
        self.unavailable = [
            list(windows(scenario, f"topics.{topic}", "unavailable", occurrences))
            for topic in service.consumes
        ]

        self.up = set(range(service.instances))
        self.partition: dict[Message, int] = {}
        self.words: dict[Message, str] = {}
        self.visible_s: dict[Message, float] = {}
        self.next: dict[int, list[Message]] = defaultdict(list)
        self.held: dict[int, list[Message]] = defaultdict(list)
        self.given_back: set[Message] = set()
        self.attempts: Counter[Message] = Counter()
        self.taken_by: dict[tuple[Message, int], tuple[int, float]] = {}
        self.in_work: Counter[int] = Counter()
        self.abandoned: dict[tuple[Message, int], tuple[int, float]] = {}
        self.works: dict[int, dict[Message, tuple[float, int]]] = defaultdict(dict)
        self.breaker, self.half_open_places = "closed", 0
        self.half_open: set[tuple[Message, int]] = set()
        self.rebalancing = False
        self.next_token_s = 0.0
        self.told: Counter[str] = Counter()

    @property
    def slots(self) -> Counter[int]:
        return self.in_work + Counter(instance for instance, _ in self.abandoned.values())

    def see(self, event: Any) -> None:
        self.told[event.what] += 1
        if event.producer == "":
            self.see_service(event)
            return
        message = event.producer, event.number, event.path
        handle = getattr(self, event.what, None)
        if handle is not None:
            handle(event, message)
        if event.what in ENDS:
            self.ended(event, message)
        if event.what in LEAVES:
            self.withdraw(message)
            self.works[self.partition[message]].pop(message, None)  # of a blocking retry that ends too late
        self.words[message] = event.what

    def holds(self, condition: bool, event: Any, what: str) -> None:
        assert condition, f"{self.name}: {what}: {event}"

    # ------------------------------------------------------------------ instances, breaker, rebalance

    def see_service(self, event: Any) -> None:
        instance = event.number
        match event.what:
            case "up":
                self.holds(instance not in self.up, event, "up twice")
                self.up.add(instance)
            case "crashed" | "leaving" | "gone" | "starting":
                self.up.discard(instance)
                if event.what == "crashed":
                    self.abandoned = {key: at for key, at in self.abandoned.items() if at[0] != instance}
                    if self.service.visibility_timeout is not None:
                        self.held[-1] += self.held.pop(instance, [])
            case "opened" | "half_opened" | "closed":
                self.breaker = event.what
                self.half_open.clear()
                self.half_open_places = 0
            case "rebalance_started" | "rebalance_over":
                self.rebalancing = event.what == "rebalance_started"
            case "scaled":
                scale = self.service.autoscale
                self.holds(scale.minimum <= event.value <= scale.maximum, event, "scaled beyond limits")

    # ------------------------------------------------------------------ messages

    def published(self, event: Any, message: Message) -> None:
        self.partition[message] = int(event.value)

    def visible(self, event: Any, message: Message) -> None:
        """S14, S28, S29, S47, S48: at the tail, or back where the next one is taken from."""
        self.withdraw(message)
        before, partition = self.words[message], self.partition[message]
        self.works[partition].pop(message, None)  # of a blocking retry on a log
        if self.service.join and before == "published":
            return
        self.visible_s[message] = event.time_s
        returned = before == "lost" and self.service.visibility_timeout is None
        returned |= before == "retry" and self.blocking
        returned |= message in self.given_back
        self.given_back.discard(message)
        place = 0 if returned and not self.takes_last else len(self.next[partition])
        self.next[partition].insert(place, message)

    def joined(self, event: Any, message: Message) -> None:
        """S58: the leader of a complete set becomes visible."""
        self.visible_s[message] = event.time_s
        self.next[self.partition[message]].append(message)

    def withdrawn(self, event: Any, message: Message) -> None:
        """S46 to S48: an instance gives back what it holds ahead, or its visibility time-out is over."""
        instance = next(instance for instance, held in self.held.items() if message in held)
        if instance >= 0 and instance not in self.up:
            self.given_back.add(message)
        self.withdraw(message)

    def withdraw(self, message: Message) -> None:
        """It waits no longer, neither in its line nor ahead of a slot."""
        for place in (self.next[self.partition[message]], *self.held.values()):
            if message in place:
                place.remove(message)

    def first_in_line(self, event: Any, message: Message) -> None:
        line = self.next[self.partition[message]]
        if self.keeps_order:
            self.holds(line[-1 if self.takes_last else 0] == message, event, "out of order")
        self.withdraw(message)

    def delivered(self, event: Any, message: Message) -> None:
        """S46."""
        instance = int(event.value)
        self.holds(instance in self.up, event, "delivered to an instance that is not up")
        self.first_in_line(event, message)
        self.held[instance].append(message)
        self.holds(len(self.held[instance]) <= self.service.prefetch, event, "more than prefetch")

    def shed(self, event: Any, message: Message) -> None:
        """S61."""
        wait_s = event.time_s - self.visible_s[message]
        over_s = self.service.shed.wait_over
        self.holds(over_s is None or wait_s > over_s, event, f"shed after {wait_s} s")
        self.taken_from_line(event, message)

    def taken_from_line(self, event: Any, message: Message) -> None:
        if self.service.prefetch is None:
            self.first_in_line(event, message)
            return
        ahead = next((held for held in self.held.values() if message in held), [])
        self.holds(ahead[:1] == [message], event, "not the first of those held ahead")
        ahead.remove(message)

    def taken(self, event: Any, message: Message) -> None:
        service, instance, partition = self.service, int(event.value), self.partition[message]
        key = message, event.attempt
        self.attempts[message] += 1
        self.holds(event.attempt == self.attempts[message], event, "attempts are counted wrongly")
        retries = service.retry
        if retries is not None and retries.maximum_attempts is not None and not self.is_log:
            self.holds(event.attempt <= retries.maximum_attempts, event, "more than maximum_attempts")
        in_place = self.held_through_retries and self.words[message] == "retry"
        if not in_place:
            self.may_take(event)
            self.may_not_be_shed(event, message)
            self.taken_from_line(event, message)
        self.take_token(event)
        self.taken_by[key] = instance, event.time_s
        self.in_work[instance] += 1
        if service.concurrency is not None:
            several = service.batch.max_messages if service.batch is not None else 1
            instances = 1 if instance >= 0 else service.instances
            most = service.concurrency * instances * several
            self.holds(self.slots[instance] <= most, event, f"more than {most} in work")
        if self.is_log:
            self.occupy(event, partition, message)
        if self.breaker == "half_opened" and not in_place:
            self.half_open.add(key)
            self.half_open_places += 1
            most = service.circuit_breaker.half_open_calls
            self.holds(self.half_open_places <= most, event, "too many while half open")

    def may_take(self, event: Any) -> None:
        """S33, S42, S52, S59, S64."""
        instance, now = int(event.value), event.time_s
        self.holds(instance < 0 or instance in self.up, event, "taken by an instance that is not up")
        self.holds(self.breaker != "opened", event, "taken while the breaker is open")
        self.holds(not is_in(now, self.pauses), event, "taken in a pause")
        available = any(not is_in(now, times) for times in self.unavailable)
        self.holds(available or self.service.prefetch is not None, event, "taken while unavailable")
        eager = self.service.rebalance is not None and self.service.rebalance.protocol == "eager"
        self.holds(not (eager and self.rebalancing), event, "taken in a rebalance")

    def may_not_be_shed(self, event: Any, message: Message) -> None:
        shed = self.service.shed
        if shed is not None and shed.wait_over is not None:
            wait_s = event.time_s - self.visible_s[message]
            self.holds(wait_s <= shed.wait_over, event, f"taken after {wait_s} s")

    def take_token(self, event: Any) -> None:
        """S25; a blocking retry reserves its token ahead."""
        limit = self.service.rate_limit
        if limit is None or self.held_through_retries:
            return
        interval_s = 1 / limit.rate
        ready_s = self.next_token_s - (limit.burst - 1) * interval_s
        self.holds(event.time_s >= ready_s - 1e-9, event, "taken without a token")
        self.next_token_s = max(event.time_s, self.next_token_s) + interval_s

    def occupy(self, event: Any, partition: int, message: Message) -> None:
        """S16: one work at a time in a partition of each topic; a batch is one."""
        works = self.works[partition]
        works[message] = event.time_s, int(event.value)
        batched = self.service.batch is not None
        count = len(set(works.values())) if batched else len(works)
        most = sum(partition < topic.partitions for topic in self.topics)
        self.holds(count <= most, event, f"{count} works in partition {partition}")

    def ended(self, event: Any, message: Message) -> None:
        key = message, event.attempt
        self.holds(key in self.taken_by, event, "ended without being taken")
        taken_by = self.taken_by.pop(key)
        self.in_work[taken_by[0]] -= 1
        self.works[self.partition[message]].pop(message, None)
        if event.what == "timed_out" and self.service.on_timeout == "abandon":
            self.abandoned[key] = taken_by
        if event.what == "lost" and key in self.half_open:
            self.half_open_places -= 1

    def work_ended(self, event: Any, message: Message) -> None:
        """That of a batch is told once; of batches taken together by one instance the first to end counts."""
        ended = self.abandoned.get((message, event.attempt))
        if self.service.batch is None:
            del self.abandoned[message, event.attempt]
        else:
            self.abandoned = {key: at for key, at in self.abandoned.items() if at != ended}

    def retry(self, event: Any, message: Message) -> None:
        """S29: a blocking retry on a log holds its partition."""
        if self.blocking and self.is_log:
            self.works[self.partition[message]][message] = event.time_s, -2

    # ------------------------------------------------------------------ counters

    def compare_counters(self, counters: dict[str, int]) -> None:
        """Counters count what the trace tells."""
        expected = {
            "attempts": self.told["taken"],
            "first_attempts": len(self.attempts),
            "succeeded": self.told["succeeded"] + self.told["duplicate"],
            "failed": self.told["failed"] + self.told["timed_out"],
            "timed_out": self.told["timed_out"],
            "duplicates": self.told["duplicate"],
            "lost": self.told["lost"],
        }
        got = {word: counters[word] for word in expected}
        assert got == expected, f"{self.name}: counters {got}, in the trace {expected}"


def windows(
    scenario: Any, target: str, effect: str, occurrences: dict[str, Any]
) -> Iterator[tuple[float, float]]:
    """(start, end) of the faults with an effect on a target as a whole."""
    for fault in scenario.faults:
        if fault.target != target or not getattr(fault.effect, effect):
            continue
        if fault.random is None:
            yield from fault.occurrences(scenario.run.duration)
        elif fault.random.per == "target":
            yield from map(tuple, occurrences[fault.name])


def is_in(now: float, times: list[tuple[float, float]]) -> bool:
    return any(start <= now < end for start, end in times)


def check_flows(scenario: Any, reference: Any) -> None:
    """The parts of a latency add up to it; a client publishes after its message before is over."""
    free_s: dict[tuple[str, str, int], float] = {}
    for instance in sorted(reference.flow_instances, key=lambda one: one.number):
        arrivals = scenario.producers[instance.producer].arrivals
        if arrivals.kind == "clients":
            client = instance.flow, instance.producer, instance.number % arrivals.count
            assert instance.start_s >= free_s.get(client, 0.0), f"a client did not wait: {instance}"
            free_s[client] = math.inf if instance.state == "in_flight" else instance.start_s
        if instance.state == "completed":
            assert math.isclose(sum(instance.parts.values()), instance.latency_s, rel_tol=1e-9, abs_tol=1e-9)
            if arrivals.kind == "clients":
                free_s[client] = instance.start_s + instance.latency_s - 1e-9


def check_dependencies(scenario: Any, reference: Any) -> None:
    """No more servers and no longer lines than there are."""
    for name, dependency in scenario.dependencies.items():
        busy, waiting = (reference.dependency_averages[name, what] for what in ("busy", "waiting"))
        assert dependency.capacity is None or busy.maximum <= dependency.capacity, name
        assert dependency.queue_limit is None or waiting.maximum <= dependency.queue_limit, name
