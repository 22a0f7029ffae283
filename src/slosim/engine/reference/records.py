"""The objects of the reference simulation: messages, and the topics, lines and services they pass through."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slosim.engine.reference.flows import Flow, Instance
from slosim.engine.reference.measures import Counts, Durations, TimeAverage
from slosim.engine.reference.order import blocks

DELAYED, WAITING, BACKING_OFF, IN_WORK, SETTLED = "delayed", "waiting", "backing_off", "in_work", "settled"
"""S41: where a message can be in its line."""


@dataclass
class Message:
    """What is published: a producer's message or a child of it. parts: seconds so far, by "service.part"."""

    producer: str
    producer_place: int
    number: int
    start_s: float
    instances: list[Instance]
    path: int
    identity: int
    key: str | None
    priority: int
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(eq=False)
class Entry:
    """A message in one line."""

    message: Message
    line: Line
    partition: int
    published_s: float
    parts: dict[str, float]
    state: str = ""
    attempt: int = 0
    first_visible_s: float = math.nan
    visible_s: float = math.nan
    visible_number: int = -1
    expires_s: float = math.inf
    taken_s: float = math.nan
    failed_s: float = math.nan
    previous_delay_s: float | None = None
    retries_in_place: bool = False  # the next attempt is a blocking retry
    publishing: bool = False  # the attempt is over but for what it publishes

    def order(self) -> tuple[Any, ...]:
        """S3: the message order."""
        m = self.message
        return m.start_s, m.producer_place, m.number, m.path, self.line.service.place, self.attempt


class Publication(NamedTuple):
    """A message on its way to a topic. delay_s: of the emit, before the topic's own."""

    topic: Topic
    message: Message
    delay_s: float


@dataclass(eq=False)
class Publishing:
    """Somebody publishing messages one after the other; `finished` is called when all are accepted (S19).

    where     the service or producer, for the trace
    rotation  the publisher's next partition by topic (S13)
    actor     the message that acts (a producer's own), and its attempt
    parts     the time parts that what is published now inherits
    matters   whether a loss of what is published concerns a flow
    partition of the next message, set when its turn comes
    """

    where: str
    rotation: dict[str, int]
    actor: Message
    attempt: int
    remaining: deque[Publication]
    parts: Callable[[], dict[str, float]]
    matters: Callable[[Flow], bool]
    finished: Callable[[], None]
    partition: int = -1


class Topic:
    def __init__(self, name: str, place: int, topic: Any, is_dead_letter: bool, warmup_s: float) -> None:
        self.name = name
        self.place = place
        self.rules = topic
        self.blocks = blocks(topic)
        self.is_dead_letter = is_dead_letter
        self.lines: list[Line] = []
        self.publishers: deque[Publishing] = deque()
        self.counts = Counts(warmup_s)

    def held_back(self) -> int:
        """Producers' messages waiting at their clients."""
        return sum(
            publishing.attempt == 0 and publishing.where == publishing.actor.producer
            for publishing in self.publishers
        )


class Line:
    """The messages of one topic for one service."""

    def __init__(self, topic: Topic, service: Service, warmup_s: float) -> None:
        self.topic = topic
        self.service = service
        self.is_log = topic.rules.partitions is not None
        self.waiting_entries: list[
            Entry
        ] = []  # as they became visible; a log's blocking retry: head of its partition
        self.held: set[int] = set()  # partitions with a message in work or in a blocking back-off
        self.unsettled: dict[Entry, None] = {}  # as they were published
        self.rotation: dict[str, int] = {}  # of the dead-letter outlet
        self.counts = Counts(warmup_s)
        self.lag = TimeAverage(warmup_s)
        self.waiting = TimeAverage(warmup_s)
        self.age_samples: list[float] = []
        self.partition_lag_max_samples: list[int] = []
        self.at_end: dict[str, int] = {}
        self.blocked_at_end = 0

    def heads(self) -> list[Entry]:
        """S15, S16: what a free slot could take next: one message, or the heads of the idle partitions."""
        if self.is_log:
            first: dict[int, Entry] = {}
            for entry in self.waiting_entries:
                first.setdefault(entry.partition, entry)
            return [entry for partition, entry in first.items() if partition not in self.held]
        if not self.waiting_entries:
            return []
        match self.topic.rules.order:
            case "fifo":
                return [self.waiting_entries[0]]
            case "lifo":
                return [self.waiting_entries[-1]]
            case "priority":
                return [min(self.waiting_entries, key=lambda e: (e.message.priority, e.visible_number))]
            case other:
                raise AssertionError(f"no such order: {other}")

    def oldest_waiting(self) -> Entry | None:
        """S18: the waiting message that became visible first; at one time, the first that was handled."""
        return min(self.waiting_entries, key=lambda e: e.visible_number, default=None)

    def someone_ahead(self, partition: int) -> bool:
        """S17: whether waiting messages leave no free slot for one that is published now."""
        if self.is_log:
            owner = self.service.slot_of(partition)
            first = [e for e in self.heads() if self.service.slot_of(e.partition) == owner]
            return any(e.partition == partition for e in self.waiting_entries) or (
                len(first) >= self.service.free_slots(partition)
            )
        return bool(self.waiting_entries)

    def partition_lags(self) -> dict[int, int]:
        lags: dict[int, int] = defaultdict(int)
        for entry in self.unsettled:
            lags[entry.partition] += 1
        return lags


class Service:
    def __init__(self, name: str, place: int, service: Any, scenario: Any, faults: list[Any]) -> None:
        warmup_s = scenario.run.warmup
        self.name = name
        self.place = place
        self.rules = service
        self.faults = faults  # (start_s, end_s, effect) of every occurrence
        self.line: Line
        self.partitions = scenario.topics[service.consumes[0]].partitions
        self.busy_slots: dict[int, int] = defaultdict(int)  # by instance on a log, else all under 0
        self.rotation: dict[str, int] = {}
        self.next_token_s = 0.0  # S25's `next`
        self.token_timer_s: float | None = None
        self.counts = Counts(warmup_s)
        self.durations = Durations(warmup_s)
        self.busy = TimeAverage(warmup_s)

    def slot_of(self, partition: int) -> int:
        """S16: the instance that owns a partition (range assignment); 0 on a queue: its slots are alike."""
        if self.partitions is None:
            return 0
        small, larger = divmod(self.partitions, self.rules.instances)
        of_larger = larger * (small + 1)
        if partition < of_larger:
            return partition // (small + 1)
        return larger + (partition - of_larger) // small

    def free_slots(self, partition: int) -> float:
        """S15, S16: how many slots are free, on a log of the instance that owns the partition."""
        if self.rules.concurrency is None:
            return math.inf
        slots = self.rules.concurrency * (self.rules.instances if self.partitions is None else 1)
        return slots - self.busy_slots[self.slot_of(partition)]

    def has_free_slot(self, partition: int) -> bool:
        """S15, S16, S23."""
        return self.free_slots(partition) > 0

    def next_to_take(self) -> Entry | None:
        """S15, S16: of what could be taken, the one that became visible first (then message order)."""
        takeable = [entry for entry in self.line.heads() if self.has_free_slot(entry.partition)]
        return min(takeable, key=lambda e: (e.visible_s, e.order()), default=None)

    def active_effects(self, now: float) -> list[Any]:
        """S32: the effects of the faults that are active now."""
        return [effect for start, stop, effect in self.faults if start <= now < stop]

    def is_paused(self, now: float) -> bool:
        """S33."""
        return any(effect.pause for effect in self.active_effects(now))

    def token_ready_s(self) -> float:
        """S25: the first time at which an attempt may start."""
        limit = self.rules.rate_limit
        return -math.inf if limit is None else self.next_token_s - (limit.burst - 1) * (1 / limit.rate)

    def use_token(self, at: float) -> None:
        """S25."""
        if self.rules.rate_limit is not None:
            self.next_token_s = max(at, self.next_token_s) + 1 / self.rules.rate_limit.rate


@dataclass
class Group:
    """S2: services that act on each other within an instant, and the blocking topics they consume (S19)."""

    rank: int
    services: list[Service]
    blocking_topics: list[Topic]
