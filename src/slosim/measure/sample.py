"""A sample of the messages of one replication, each with all that became of it. Times are simulated s."""

from __future__ import annotations

from dataclasses import dataclass, field

from slosim.measure.measurements import Measurements

Span = tuple[float, float | None]
"""From, until; None: to the end of the run."""


@dataclass
class Call:
    """A call of a dependency.

    outcome  `answered`, `failed` or `timed_out`; None, as `ended_s`: it had no answer when its attempt ended
    """

    dependency: str
    began_s: float
    hedged_s: float | None = None
    ended_s: float | None = None
    outcome: str | None = None


@dataclass
class Attempt:
    """One try of one message.

    instance  None on a queue that does not tell its instances apart
    slot      from 0: the lowest of the instance (else of the service) that was free
    messages  so many were taken together, as a batch
    ended_s   None: it was in work at the end
    outcome   `succeeded`, `failed`, `timed_out`, `lost`, `duplicate`, or None
    freed_s   when its slot was free again: not before abandoned work, the whole batch, or the back-off of a
              blocking retry is over; None: busy at the end
    """

    number: int
    instance: int | None
    slot: int
    messages: int
    taken_s: float
    freed_s: float | None
    ended_s: float | None = None
    outcome: str | None = None
    calls: list[Call] = field(default_factory=list)


@dataclass
class Message:
    """A message in the line of one service, or at rest in a topic.

    service    None: it rests in a topic that nobody consumes
    parent     index in the journey of the message whose attempt (or loss) published it; None at the producer
    attempt    number of that attempt; None: a loss without one
    waits_s    visible and not taken
    back_offs_s  between a failure and becoming visible again
    left_s     when it settled; None: it was there at the end
    outcome    `succeeded`, `dead_lettered`, `rejected`, `expired`, `dropped`, `shed`, `rested`, `joined` (it
               went on with the message that leads its join), or None
    """

    topic: str | None
    service: str | None
    published_s: float
    parent: int | None = None
    attempt: int | None = None
    visible_s: float | None = None
    waits_s: list[Span] = field(default_factory=list)
    back_offs_s: list[Span] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    left_s: float | None = None
    outcome: str | None = None


@dataclass
class Journey:
    """A message of a producer with all its descendants, by the time of their publishing.

    number      from 0, at its producer
    latency_s   by flow: of its instances that are complete and count
    slowest_of  flows of which it is among the slowest; empty: it was taken by its number alone
    """

    producer: str
    number: int
    latency_s: dict[str, float]
    slowest_of: list[str]
    messages: list[Message]


@dataclass
class MessageSample:
    """Whole journeys of one replication: every n-th message of the producers, and the slowest of each flow.

    every  n
    """

    replication: int
    every: int
    journeys: list[Journey]
    measurements: Measurements
