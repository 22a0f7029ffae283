"""What moves through the reference simulation: messages, their places in lines, attempts and slots."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from slosim.engine.reference.flows import Flow, Instance

if TYPE_CHECKING:
    from slosim.engine.reference.calls import Call
    from slosim.engine.reference.instances import ServiceInstance
    from slosim.engine.reference.lines import Line, Topic

DELAYED, WAITING, BACKING_OFF, IN_WORK, SETTLED = "delayed", "waiting", "backing_off", "in_work", "settled"
"""S41: where a message can be in its line."""
RETURNING = "returning"
"""Between two of these, within an event."""


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
    """A message in one line.

    attempt    attempts begun
    current    the last attempt, unless the message has become visible again since (S50)
    slot       held by a blocking retry on a queue (S29)
    holder     the instance that holds it ahead of its slots (S46)
    delivery   counts the starts of its visibility clock, which runs while clock_runs (S48)
    still_s    how long its partition had stood still when it became visible (S53)
    changes    counts what makes timers of a back-off void
    repeats    how many of its attempts were lost while they published (S44)
    followers  the others of a joined message, of which this one leads (S58)
    """

    message: Message
    line: Line
    partition: int
    published_s: float
    parts: dict[str, float]
    state: str = ""
    attempt: int = 0
    current: Attempt | None = None
    slot: Slot | None = None
    holder: ServiceInstance | None = None
    delivery: int = 0
    delivered_serial: int = -1
    clock_runs: bool = False
    clock_ends_s: float = math.nan
    first_visible_s: float = math.nan
    visible_s: float = math.nan
    visible_number: int = -1
    still_s: float = 0.0
    expires_s: float = math.inf
    failed_s: float = math.nan
    token_s: float | None = None  # when the token that a blocking retry has reserved is there
    previous_delay_s: float | None = None
    retries_in_place: bool = False  # the next attempt is a blocking retry
    changes: int = 0
    repeats: int = 0
    is_aside: bool = False
    followers: list[Entry] = field(default_factory=list)

    def order(self, attempt: int | None = None) -> tuple[Any, ...]:
        """S3: the message order."""
        m, line = self.message, self.line
        begun = self.attempt if attempt is None else attempt
        return m.start_s, m.producer_place, m.number, m.path, line.service.place, line.place, begun

    def is_settled(self) -> bool:
        return self.state == SETTLED

    def set_state(self, state: str) -> None:
        """S58: those that follow are where their leader is. Timers of another state are void."""
        self.state = state
        self.changes += 1
        for follower in self.followers:
            follower.state = state


@dataclass(eq=False)
class Slot:
    """One busy slot of an instance. holders: attempts (of a batch several) and what goes on behind them."""

    instance: ServiceInstance
    serial: int  # slots in the order in which they were taken
    holders: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    retrying: Entry | None = None  # a blocking retry in its back-off
    is_free: bool = False


@dataclass(eq=False)
class Attempt:
    """One try of one message.

    parts       those of the message when it was taken
    state       of the circuit breaker when it began
    fails       what chance decided for its end (S27)
    calls_s     how long its calls have taken
    publishing  what it has still to publish, when it is over but for that
    lost        its instance crashed
    abandoned   it timed out, and its work goes on
    """

    entry: Entry
    number: int
    slot: Slot
    serial: int
    taken_s: float
    parts: dict[str, float]
    breaker_state: int
    fails: bool = False
    call: Call | None = None
    calls_since_s: float | None = None
    calls_s: float = 0.0
    publishing: Publishing | None = None
    ended: bool = False
    lost: bool = False
    abandoned: bool = False

    def order(self) -> tuple[Any, ...]:
        """S3."""
        return self.entry.order(self.number)

    def is_overtaken(self) -> bool:
        """S50: its message has become visible again, or is settled."""
        return self.entry.current is not self or self.entry.is_settled()


class Publication(NamedTuple):
    """A message on its way to a topic. delay_s: of the emit, before the topic's own."""

    topic: Topic
    message: Message
    delay_s: float


@dataclass(eq=False)
class Publishing:
    """Somebody publishing messages one after the other; `finished` is called when all are accepted (S19).

    where     the service or producer, for the trace
    party     in whose events it goes on
    rotation  the publisher's next partition by topic (S13)
    actor     the message that acts (a producer's own), and its attempt
    order     the message order of the actor
    parts     the time parts that what is published now inherits
    matters   whether a loss of what is published concerns a flow
    partition of the message that is published, set when its turn comes
    is_dead_letter  its turn comes when the message leaves, even if the topic is not available then (S64)
    is_outside  whether what is published now belongs to no flow (S50)
    """

    where: str
    party: Any
    rotation: dict[str, int]
    actor: Message
    attempt: int
    order: tuple[Any, ...]
    remaining: deque[Publication]
    parts: Callable[[], dict[str, float]]
    matters: Callable[[Flow], bool]
    finished: Callable[[], None]
    partition: int = -1
    is_dead_letter: bool = False
    has_turn: bool = False
    is_outside: Callable[[], bool] = lambda: False


def add_part(parts: dict[str, float], owner: str, name: str, seconds: float) -> None:
    """S37: time goes to a part of a service or producer."""
    if seconds > 0:
        parts[f"{owner}.{name}"] = parts.get(f"{owner}.{name}", 0.0) + seconds


def with_part(parts: dict[str, float], owner: str, name: str, seconds: float) -> dict[str, float]:
    """A copy of the parts with some more time in one of them."""
    grown = dict(parts)
    add_part(grown, owner, name, seconds)
    return grown
