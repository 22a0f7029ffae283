"""The one calendar of the reference and the order of what happens at the same instant (S1)."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

COMPLETION, TIMER, ARRIVAL = range(3)
"""S1: the classes of events at one instant, in the order of handling."""

ATTEMPT_ENDS, WORK_ENDS, ANSWER = range(3)
"""Completions of one message."""
VISIBLE, RETRY_STARTS, EXPIRES, ATTEMPT_TIMES_OUT, CALL_TIMES_OUT, HEDGE, VISIBILITY_ENDS, PUBLISHING = range(
    8
)
"""Timers of one message."""
ARRIVES = 0
"""The arrival of a message."""
FAULT, COMES_UP, SESSION, REBALANCE, HALF_OPENS, READS, DECIDES = range(1, 8)
"""Timers of a service, which come after those of all messages."""


class Happening(NamedTuple):
    """An entry of the calendar. `action` returns False when its reason has gone and nothing happens."""

    time_s: float
    rank: int
    kind: int
    order: tuple[Any, ...]
    serial: int
    party: Any
    action: Callable[[], bool | None]


class Calendar:
    """What is still to come. A party is whatever has a rank: a producer, a service or a dependency."""

    def __init__(self) -> None:
        self.heap: list[Happening] = []
        self.serial = count()

    def add(
        self, time_s: float, party: Any, kind: int, order: tuple[Any, ...], action: Callable[[], bool | None]
    ) -> None:
        """S1: an event takes its place among those still to come."""
        heapq.heappush(
            self.heap, Happening(time_s, party.group.rank, kind, order, next(self.serial), party, action)
        )

    def next_before(self, end_s: float) -> Happening | None:
        """S4: what happens next, if it does before the end."""
        if not self.heap or self.heap[0].time_s >= end_s:
            return None
        return heapq.heappop(self.heap)


def order_of_message(
    message_order: tuple[Any, ...], kind: int, call: int = 0, request: int = 0
) -> tuple[Any, ...]:
    """S1, S3, S57: by message, then by kind, then by call, then the first request before the hedge."""
    return *message_order, kind, call, request


def order_of_service(place: int, kind: int, *among: float) -> tuple[Any, ...]:
    """S1: a service's own timers come after those of all messages, by its place, then by kind."""
    return math.inf, place, kind, *among


def order_of_taking(place: int) -> tuple[Any, ...]:
    """S1: that services take again comes after the other timers of all of them, by place."""
    return math.inf, math.inf, 0, place


def order_of_dependency(place: int) -> tuple[Any, ...]:
    """S57: after the timers of all services."""
    return math.inf, math.inf, 1, place
