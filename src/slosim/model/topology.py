"""Topics, producers and services: what the system is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slosim.model.arrivals import ARRIVALS, Arrivals, Clients, Trace
from slosim.model.dependencies import Call
from slosim.model.distribution_kind import DISTRIBUTION, share_sum_fault
from slosim.model.distributions import Distribution
from slosim.model.document import ListNode, MapNode, Node, Scalar
from slosim.model.fields import Broken, Record, has_invalid, relation, spec
from slosim.model.kinds import (
    BOOLEAN,
    DURATION,
    INVALID,
    NUMBER,
    RATE,
    SHARE,
    SIZE,
    Choice,
    Count,
    Kind,
    ListOf,
    OneOrMore,
    Quantity,
    Reading,
    Reference,
    item_path,
)
from slosim.model.kinds import Choice as Words
from slosim.model.protection import CircuitBreaker, RetryBudget, Shed
from slosim.model.scaling import Autoscale, Rebalance
from slosim.model.values import write_duration

UNLIMITED_BY_ONE = Count(1, unlimited=True)
TOPIC = Reference("topics")
COST = Quantity(
    "an amount of money",
    "a decimal number such as 0.12",
    NUMBER.parser,
    NUMBER.writer,
    NUMBER.pattern,
    name="amount",
)


# --- topics
# ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Topic:
    """Where messages wait: a log with partitions, or a work queue.

    Each consuming service has a line of its own.
    """

    word = "topic"
    partitions: int | None = spec(
        SIZE,
        "given: a log, each partition in order and owned by one instance of each consuming service; "
        "absent: a work queue, any free slot takes the next message",
        optional=True,
    )
    delay: Distribution = spec(DISTRIBUTION, "from published to visible", default="0")
    capacity: int | None = spec(
        Count(0, unlimited=True), "visible waiting messages per line", default="unlimited"
    )
    when_full: str = spec(
        Words(("reject", "block", "drop_oldest")),
        "what a full line does with one message more: refuse it, let it wait at its publisher, or drop "
        "its oldest",
        default="reject",
    )
    message_ttl: Distribution | None = spec(
        DISTRIBUTION,
        "a message expires the instant it has waited that long since first visible",
        optional=True,
    )
    dead_letter: str | None = spec(
        TOPIC, "topic for expired, dropped and rejected messages; absent: they leave, counted", optional=True
    )
    order: str = spec(Words(("fifo", "lifo", "priority")), "which message of a queue is next", default="fifo")

    @relation("partitions", "order")
    def order_needs_a_queue(self, given: set[str]) -> Iterator[Broken]:
        if self.partitions is not None and self.order != "fifo":
            what = f"a log keeps each partition in order, got {self.order} with partitions {self.partitions}"
            yield Broken("order", what, "lifo and priority are for queues: leave out partitions")

    @relation("capacity", "when_full")
    def full_needs_a_capacity(self, given: set[str]) -> Iterator[Broken]:
        if "when_full" in given and "capacity" not in given:
            what = f"a topic without a capacity is never full, got when_full {self.when_full}"
            yield Broken("when_full", what, "capacity: the number of messages that may wait")

    @relation("capacity", "when_full")
    def oldest_needs_room(self, given: set[str]) -> Iterator[Broken]:
        if self.capacity == 0 and self.when_full == "drop_oldest":
            yield Broken(
                "when_full",
                "a line of capacity 0 holds no oldest message to drop",
                "reject, or block, or a capacity of at least 1",
            )

    @relation("message_ttl", "dead_letter", "capacity")
    def dead_letter_has_a_source(self, given: set[str]) -> Iterator[Broken]:
        if self.dead_letter and self.message_ttl is None and self.capacity is None:
            what = (
                f"nothing can arrive there, got {self.dead_letter} without message_ttl and without capacity"
            )
            yield Broken(
                "dead_letter",
                what,
                "a topic's dead_letter takes what expired or was refused or dropped; failures of a "
                "service go to the dead_letter of that service",
            )


# --- producers
# -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keys:
    """Keys of a producer's messages, by rank: 1 is the most frequent."""

    word = "keys"
    count: int = spec(Count(1, maximum=10_000_000), "number of different keys")
    skew: float = spec(
        NUMBER, "exponent of the Zipf distribution over the ranks; 0 makes all equally frequent", default="0"
    )


@dataclass(frozen=True)
class PriorityShare:
    """A share of messages and their priority."""

    word = "priority share"
    share: float = spec(SHARE, "how many of the messages; the shares add up to 100%")
    priority: int = spec(Count(0), "0 is served first")


class PriorityKind(Kind):
    """`0`, or `[{share: 10%, priority: 0}, {share: 90%, priority: 1}]`."""

    noun = "a priority, or a list of {share: …, priority: …}"
    shares = ListOf(Record(PriorityShare))

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, Scalar):
            priority = Count(0).read(node, path, reading)
            return priority if priority is INVALID else (PriorityShare(1.0, priority),)
        found = self.shares.read(node, path, reading)
        if not has_invalid(found) and (fault := share_sum_fault([one.share for one in found])):
            return reading.problem(node, path, *fault)
        return found

    def write(self, value: tuple[PriorityShare, ...]) -> Any:
        return value[0].priority if len(value) == 1 else self.shares.write(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [Count(0).schema(definitions), self.shares.schema(definitions)]}

    def label(self) -> str:
        return f"count, or {self.shares.label()}"

    def parts(self) -> Iterator[type]:
        return self.shares.parts()


@dataclass(frozen=True)
class Producer:
    """Publishes messages to a topic, whatever the state of the system."""

    word = "producer"
    topic: str = spec(TOPIC, "where it publishes")
    arrivals: Arrivals = spec(ARRIVALS, "when it publishes")
    keys: Keys | None = spec(
        Record(Keys), "keys of its messages, which choose the partition; absent: no key", optional=True
    )
    priority: tuple[PriorityShare, ...] = spec(
        PriorityKind(), "order of service in topics of order: priority; 0 is served first", default="0"
    )
    copies: int = spec(
        SIZE, "messages published together, each a flow instance with its own key", default="1"
    )

    @property
    def is_closed(self) -> bool:
        """Whether it publishes only when its clients are answered."""
        return isinstance(self.arrivals, Clients)

    @relation("arrivals", "copies")
    def a_client_waits_for_one_message(self, given: set[str]) -> Iterator[Broken]:
        if self.is_closed and self.copies > 1:
            what = f"a client publishes one message and waits for it, got copies {self.copies}"
            yield Broken("copies", what, "copies: 1, and as many clients as there are messages at once")

    @relation("arrivals", "keys")
    def one_source_of_keys(self, given: set[str]) -> Iterator[Broken]:
        if isinstance(self.arrivals, Trace) and self.arrivals.key is not None and self.keys is not None:
            what = f"the trace brings its own keys, got keys and column {self.arrivals.key}"
            yield Broken("keys", what, "either keys, or key in the trace")


# --- services
# --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Emit:
    """What a service publishes after a success, each entry independently of the others."""

    word = "emit"
    topic: str = spec(TOPIC, "where it is published")
    probability: float = spec(SHARE, "chance that it is published", default="100%")
    copies: int = spec(SIZE, "messages published together; they belong to one flow instance", default="1")
    delay: Distribution = spec(
        DISTRIBUTION, "added to the delay of the topic: published at once, visible later", default="0"
    )


@dataclass(frozen=True)
class Branch:
    """One of the topics of which a success takes exactly one."""

    word = "branch"
    share: float = spec(SHARE, "how often it is taken; the shares add up to 100%")
    topic: str = spec(TOPIC, "where the message is published")


@dataclass(frozen=True)
class Emits:
    """`emits` of a service as read: independent entries, or branches of which one is taken."""

    all: tuple[Emit, ...] = ()
    choose: tuple[Branch, ...] = ()


class EmitsKind(Kind):
    """A topic, a list of topics and {topic: …}, or {choose: [{share: …, topic: …}]}."""

    noun = "a topic, a list of topics or {topic: …}, or {choose: […]}"
    accepted = (
        "for example payments, or [{topic: payments, probability: 30%}], or {choose: [{share: 70%, topic: "
        "a}, {share: 30%, topic: b}]}"
    )
    branches = ListOf(Record(Branch))
    emit = Record(Emit, short="topic")

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if isinstance(node, MapNode) and "choose" in node.entries:
            return self.read_choose(node, path, reading)
        if isinstance(node, MapNode):
            emit = self.emit.read(node, path, reading)
            return INVALID if has_invalid(emit) else Emits(all=(emit,))
        if isinstance(node, Scalar):
            topic = TOPIC.read(node, path, reading)
            return topic if topic is INVALID else Emits(all=(Emit(topic),))
        assert isinstance(node, ListNode)
        found = tuple(self.emit.read(item, item_path(path, item, reading), reading) for item in node.items)
        return INVALID if has_invalid(found) else Emits(all=found)

    def read_choose(self, node: MapNode, path: str, reading: Reading) -> Any:
        others = [key for key in node.entries if key != "choose"]
        if others:
            what = f"nothing may stand beside choose, got {others[0]}"
            return reading.problem(node.key_node(others[0]), f"{path}.{others[0]}", what, self.accepted)
        where, inner = f"{path}.choose", node.entries["choose"]
        reading.nodes[where] = node.key_node("choose")
        found = self.branches.read(inner, where, reading)
        if has_invalid(found):
            return INVALID
        if fault := share_sum_fault([one.share for one in found]):
            return reading.problem(inner, where, *fault)
        return Emits(choose=found)

    def write(self, value: Emits) -> Any:
        if value.choose:
            return {"choose": self.branches.write(value.choose)}
        return [self.emit.write(one) for one in value.all]

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        emit = self.emit.schema(definitions)
        branches = self.branches.schema(definitions)
        choose = {
            "type": "object",
            "properties": {"choose": branches},
            "required": ["choose"],
            "additionalProperties": False,
        }
        return {"anyOf": [emit, {"type": "array", "items": emit}, choose]}

    def label(self) -> str:
        some = "name of a topic, or list of names and [emit](#emit)s"
        return f"{some}, or `{{choose: […]}}` with a list of [branch](#branch)es"

    def parts(self) -> Iterator[type]:
        yield from (Emit, Branch)


@dataclass(frozen=True)
class Failures:
    """How often an attempt fails by itself, and when that shows."""

    word = "failures"
    probability: float = spec(SHARE, "chance that an attempt fails", default="0%")
    poison: float = spec(
        SHARE, "share of the messages of which every attempt fails, as no retry can help", default="0%"
    )
    at: str = spec(
        Choice(("end", "start")),
        "end: after the service time; start: at once, which costs no time",
        default="end",
    )


@dataclass(frozen=True)
class Retry:
    """When a failed message is tried again. With `delay` the four fields of the backoff are not used."""

    word = "retry"
    maximum_attempts: int | None = spec(UNLIMITED_BY_ONE, "attempts of one message, the first try included")
    initial_interval: float = spec(
        DURATION, "delay before the second attempt", default="1s", written_if=lambda r: r.delay is None
    )
    backoff_coefficient: float = spec(
        NUMBER.between(1),
        "factor from one delay to the next",
        default="2",
        written_if=lambda r: r.delay is None,
    )
    maximum_interval: float = spec(
        DURATION,
        "largest delay",
        default="100 x initial_interval",
        derive=lambda retry: 100 * retry["initial_interval"],
        written_if=lambda r: r.delay is None,
    )
    jitter: str = spec(
        Choice(("none", "equal", "full", "decorrelated")),
        "none: the delay itself; equal: half of it plus a random part of the other half; full: a random "
        "part of it; "
        "decorrelated: random between the initial interval and three times the delay before",
        default="none",
        written_if=lambda r: r.delay is None,
    )
    delay: Distribution | None = spec(
        DISTRIBUTION, "a distribution of the delay, instead of the four fields above", optional=True
    )
    blocking: bool = spec(
        BOOLEAN,
        "true: the slot of a queue, the partition of a log, is held through the wait",
        default="false",
    )

    @relation("delay")
    def delay_stands_alone(self, given: set[str]) -> Iterator[Broken]:
        backoff = ("initial_interval", "backoff_coefficient", "maximum_interval", "jitter")
        both = [name for name in backoff if name in given and self.delay is not None]
        for name in both:
            yield Broken(
                name, f"{name} is not used beside delay", "either delay, or the fields of the backoff"
            )

    @relation("initial_interval", "maximum_interval", "delay")
    def intervals_grow(self, given: set[str]) -> Iterator[Broken]:
        if self.delay is None and self.maximum_interval < self.initial_interval:
            found = (
                f"got {write_duration(self.maximum_interval)} below {write_duration(self.initial_interval)}"
            )
            yield Broken("maximum_interval", f"the maximum is below the initial interval, {found}")


@dataclass(frozen=True)
class RateLimit:
    """A token bucket that starts full; every attempt of every message costs one token."""

    word = "rate limit"
    rate: float = spec(RATE.above_zero(), "tokens per second, for the whole service")
    burst: int = spec(Count(1), "tokens that the bucket holds", default="1")


@dataclass(frozen=True)
class Batch:
    """Messages that one slot takes together; all of them end when the batch does."""

    word = "batch"
    max_messages: int = spec(Count(1), "most messages of a batch")
    wait: float = spec(DURATION, "how long a slot waits for a batch to fill", default="0s")
    per_message: float = spec(DURATION, "added to the service time for each message", default="0s")


@dataclass(frozen=True, kw_only=True)
class Service:
    """Takes messages from topics, works on them, and publishes what follows."""

    word = "service"
    consumes: tuple[str, ...] = spec(
        OneOrMore(TOPIC),
        "topics from which it takes messages, with a line of its own in each; of several heads, the one that "
        "became visible first is taken",
    )
    instances: int = spec(SIZE, "running copies of the service", default="1")
    concurrency: int | None = spec(
        UNLIMITED_BY_ONE,
        "slots of one instance: messages in work at once; on a log, partitions at once",
        default="1",
    )
    service_time: Distribution = spec(DISTRIBUTION, "how long one attempt holds its slot")
    emitted: Emits = spec(EmitsKind(), "what a success publishes; absent: nothing", default="[]", key="emits")
    failures: Failures = spec(
        Record(Failures, short="probability"), "attempts that fail by themselves", default="0%"
    )
    retry: Retry | None = spec(
        Record(Retry, likely="maximum_attempts"),
        "what happens to a failed attempt; absent: one attempt",
        optional=True,
    )
    dead_letter: str | None = spec(
        TOPIC,
        "topic for messages out of attempts; absent: they leave, counted as dead-lettered",
        optional=True,
    )
    timeout: float | None = spec(
        DURATION.above_zero(),
        "from taken, waits between attempts not included; equal is success; beyond it the attempt fails",
        optional=True,
    )
    on_timeout: str = spec(
        Choice(("cancel", "abandon")),
        "cancel: the slot is free at the timeout; abandon: the work goes on and holds its slot",
        default="cancel",
        written_if=lambda service: service.timeout is not None,
    )
    rate_limit: RateLimit | None = spec(
        Record(RateLimit, likely="rate"),
        "limit on attempts started; waiting for it is waiting",
        optional=True,
    )
    batch: Batch | None = spec(
        Record(Batch, likely="max_messages"),
        "a slot takes several messages at once, for one service time; absent: one",
        optional=True,
    )
    prefetch: int | None = spec(
        Count(1),
        "of a queue: messages that an instance holds ahead of its slots; absent: none",
        optional=True,
    )
    visibility_timeout: float | None = spec(
        DURATION.above_zero(),
        "of a queue: a message not settled this long after its delivery is delivered again, while the first "
        "attempt goes on; absent: never",
        optional=True,
    )
    idempotent: bool = spec(
        BOOLEAN,
        "true: a later success of a settled message emits nothing and is counted as a duplicate; false: it "
        "emits again",
        default="true",
        written_if=lambda service: service.visibility_timeout is not None,
    )
    startup_time: Distribution = spec(
        DISTRIBUTION, "how long a new or restarted instance takes before it serves", default="0s"
    )
    rebalance: Rebalance | None = spec(
        Record(Rebalance, likely="protocol"),
        "of a log: how partitions change hands; absent: at once",
        optional=True,
    )
    autoscale: Autoscale | None = spec(
        Record(Autoscale, likely="metric"),
        "changes the number of instances, which begins at instances; absent: it stays",
        optional=True,
    )
    circuit_breaker: CircuitBreaker | None = spec(
        Record(CircuitBreaker, likely="failure_rate"),
        "after too many failures nothing is taken for a while; absent: never",
        optional=True,
    )
    retry_budget: RetryBudget | None = spec(
        Record(RetryBudget, likely="kind"), "limit on retries; absent: none", optional=True
    )
    shed: Shed | None = spec(
        Record(Shed, likely="wait_over"),
        "messages dropped when they are taken, having waited too long; absent: none",
        optional=True,
    )
    calls: tuple[Call, ...] = spec(
        ListOf(Record(Call), 0),
        "dependencies called in order, after the service time and inside the attempt",
        default="[]",
    )
    join: bool = spec(
        BOOLEAN,
        "with several topics: acts when one message of each has come for the same flow instance",
        default="false",
        written_if=lambda service: len(service.consumes) > 1,
    )
    cost_per_instance_hour: float | None = spec(
        COST, "money per instance and hour, in any currency", optional=True
    )

    @property
    def emits(self) -> tuple[Emit, ...]:
        """What a success publishes, each entry independently; empty where `choose` is used."""
        return self.emitted.all

    @property
    def choose(self) -> tuple[Branch, ...]:
        """Branches of which a success takes exactly one; empty where `emits` is used."""
        return self.emitted.choose

    @property
    def instances_at_most(self) -> int:
        """The number of instances, or the most that its autoscaler may make of them."""
        return self.autoscale.maximum if self.autoscale else self.instances

    @property
    def has_blocking_retry(self) -> bool:
        return self.retry is not None and self.retry.blocking

    @relation("retry")
    def abandoned_work_has_no_blocking_retry(self, given: set[str]) -> Iterator[Broken]:
        if self.on_timeout == "abandon" and self.has_blocking_retry:
            yield Broken(
                "retry.blocking",
                "a blocking retry needs the slot that on_timeout: abandon leaves to the old work, got true",
                "blocking: false, or on_timeout: cancel",
            )

    @relation("timeout")
    def on_timeout_needs_timeout(self, given: set[str]) -> Iterator[Broken]:
        if "on_timeout" in given and self.timeout is None:
            yield Broken(
                "on_timeout",
                f"there is no timeout, got on_timeout {self.on_timeout}",
                "timeout: how long an attempt may take",
            )

    @relation("consumes", "join")
    def join_needs_several_topics(self, given: set[str]) -> Iterator[Broken]:
        if self.join and len(self.consumes) == 1:
            what = f"there is nothing to wait for, got one topic, {self.consumes[0]}"
            yield Broken("join", what, "several topics in consumes")

    @relation("batch", "calls", "join", "retry")
    def batch_is_worked_on_as_one(self, given: set[str]) -> Iterator[Broken]:
        if self.batch is None:
            return
        accepted = "either batch, or "
        if self.calls:
            yield Broken(
                "calls", "the messages of a batch make no calls of their own, got both", f"{accepted}calls"
            )
        if self.join:
            yield Broken("join", "a batch holds messages that were not joined, got true", f"{accepted}join")
        if self.has_blocking_retry:
            what = "one message of a batch cannot hold the slot of all, got true"
            yield Broken("retry.blocking", what, "blocking: false, or no batch")

    @relation("visibility_timeout", "retry")
    def held_messages_do_not_reappear(self, given: set[str]) -> Iterator[Broken]:
        if self.visibility_timeout is not None and self.has_blocking_retry:
            what = "the slot cannot hold a message that visibility_timeout gives to another, got true"
            yield Broken("retry.blocking", what, "blocking: false, or no visibility_timeout")

    @relation("visibility_timeout", "idempotent")
    def duplicates_need_a_second_delivery(self, given: set[str]) -> Iterator[Broken]:
        if not self.idempotent and self.visibility_timeout is None:
            what = "nothing is ever delivered a second time while the first attempt goes on, got false"
            yield Broken("idempotent", what, "visibility_timeout: the time after which that happens")

    @relation("retry", "retry_budget")
    def budget_needs_retries(self, given: set[str]) -> Iterator[Broken]:
        if self.retry_budget is not None and self.retry is None:
            what = "there are no retries that it could limit"
            yield Broken("retry_budget", what, "retry: when a failed attempt is tried again")

    @relation("concurrency", "prefetch", "rate_limit", "circuit_breaker")
    def slots_leave_something_to_prefetch(self, given: set[str]) -> Iterator[Broken]:
        always_taken = self.concurrency is None and self.rate_limit is None and self.circuit_breaker is None
        if self.prefetch is not None and always_taken:
            what = "nothing is ever held ahead of unlimited slots"
            yield Broken("prefetch", what, "concurrency: how many messages an instance works on at once")

    @relation("instances", "concurrency", "autoscale")
    def autoscaler_can_work(self, given: set[str]) -> Iterator[Broken]:
        scale = self.autoscale
        if scale is None:
            return
        if scale.minimum <= scale.maximum and not scale.minimum <= self.instances <= scale.maximum:
            what = f"the autoscaler begins outside its bounds, got instances {self.instances}"
            yield Broken("instances", what, f"instances: {scale.minimum} to {scale.maximum}")
        if scale.metric == "utilisation" and self.concurrency is None:
            what = "unlimited slots have no utilisation"
            yield Broken("autoscale.metric", what, "lag or age; or a number for concurrency")
