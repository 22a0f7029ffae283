"""Which slot each attempt held, found from the trace of a whole replication.

The engine counts busy slots and does not number them. Here an attempt is given the lowest slot of its
instance that is free when it is taken; on a queue without mechanisms the slots of all instances are one pool.
A slot is held until the work is over: to the end of abandoned work, of all messages of a batch, and through
the back-off of a blocking retry on a queue. Every attempt is followed, though only a few are asked for.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import numpy as np

from slosim.compile import program as P

Key = tuple[int, int, int]
"""An attempt of a service: (origin, path, number)."""

ENDS = (P.SUCCESS, P.FAILURE, P.TIMEOUT, P.DUPLICATE, P.LOST)
_TOLD = np.zeros(len(P.TRACE_WORDS), bool)
_TOLD[[P.TAKEN, P.BATCH, P.WORK_ENDED, P.RETRY, P.CRASHED, *ENDS]] = True


@dataclass(slots=True, eq=False)
class Holding:
    """The slot of an attempt: its instance (-1: not told apart), its number from 0, how many messages were
    taken together, and when it was freed, s (None: busy at the end)."""

    instance: int
    slot: int
    messages: int = 1
    freed_s: float | None = None


@dataclass(slots=True)
class _Pool:
    """Slots that are alike: those of one instance, or of a whole queue."""

    free: list[int] = field(default_factory=list)  # a heap of those below `used` that are free
    used: int = 0

    def lowest(self) -> int:
        if self.free:
            return heappop(self.free)
        self.used += 1
        return self.used - 1


@dataclass(slots=True)
class _Work:
    """What holds a slot: an attempt, or those of a batch."""

    pool: _Pool
    slot: int
    left: int = 0  # attempts that go on
    leader: Key | None = None
    holdings: list[Holding] = field(default_factory=list)  # of the attempts that are asked for


class _Service:
    """The slots of one service, row by row."""

    def __init__(self, abandons: bool, batches: bool, holds: bool) -> None:
        self.abandons, self.batches, self.holds = abandons, batches, holds
        self.pools: dict[int, _Pool] = {}
        self.works: dict[Key, _Work] = {}
        self.filling: list[Key] = []  # taken into a batch that has not begun
        # A failure that may keep its slot, and when it was, s: the next row tells.
        self.failing: tuple[_Work, float] | None = None
        self.held: dict[tuple[int, int], _Work] = {}  # through the back-off of a message
        self.abandoned: dict[Key, _Work] = {}
        self.holdings: dict[Key, Holding] = {}

    def take(self, key: Key, instance: int, time: float, is_wanted: bool) -> None:
        """An attempt begins."""
        before = self.held.pop(key[:2], None) if self.held else None
        if before is not None:
            self.note_freed(before, time)
            work = _Work(before.pool, before.slot)
        elif self.filling:
            work = self.works[self.filling[-1]]
        else:
            pool = self.pools.get(instance)
            if pool is None:
                pool = self.pools[instance] = _Pool()
            work = _Work(pool, pool.lowest())
        self.works[key] = work
        work.left += 1
        if self.batches:
            self.filling.append(key)
        else:
            work.leader = key
        if is_wanted:
            self.holdings[key] = holding = Holding(instance, work.slot)
            work.holdings.append(holding)

    def begin_batch(self, leader: Key, messages: int) -> None:
        work = self.works[leader]
        work.leader = leader
        for holding in work.holdings:
            holding.messages = messages
        self.filling.clear()

    def end(self, key: Key, what: int, time: float) -> None:
        """An attempt ends, one way or another."""
        work = self.works.pop(key, None)
        if work is None:  # its instance has crashed
            return
        work.left -= 1
        if self.filling and self.filling[-1] == key:  # failed at its start: no part of the batch
            self.filling.pop()
            if key in self.holdings:
                work.holdings.remove(self.holdings[key])
                self.holdings[key].freed_s = time
        if what == P.TIMEOUT and self.abandons:
            if key == work.leader:
                self.abandoned[key] = work
        elif work.left == 0:
            if self.holds and (what == P.FAILURE or what == P.TIMEOUT):
                self.failing = work, time
            else:
                self.free(work, time)

    def hold(self, key: Key) -> None:
        """The attempt that just failed is followed by another, and its slot waits for it."""
        if self.failing is not None:
            self.held[key[:2]] = self.failing[0]
            self.failing = None

    def settle(self) -> None:
        """The attempt that just failed was the last of its message."""
        if self.failing is not None:
            self.free(*self.failing)
            self.failing = None

    def crash(self, instance: int, time: float) -> None:
        """All slots of an instance are free at once."""
        self.settle()
        pool = self.pools.pop(instance, None)
        for those in (self.works, self.held, self.abandoned):
            self.drop(those, pool, time)

    def drop(self, those: dict[Any, _Work], pool: _Pool | None, time: float) -> None:
        for key in [key for key, work in those.items() if work.pool is pool]:
            self.note_freed(those.pop(key), time)

    def note_freed(self, work: _Work, time: float) -> None:
        for holding in work.holdings:
            holding.freed_s = time

    def free(self, work: _Work, time: float) -> None:
        heappush(work.pool.free, work.slot)
        self.note_freed(work, time)


class Slots:
    """The slots of all services.

    program  what runs
    wanted   origins of the messages whose attempts are asked for
    """

    def __init__(self, program: P.Program, wanted: Container[int]) -> None:
        services, mechanisms = (program.arrays[name] for name in ("services", "mechanisms"))
        self.wanted = wanted
        self.services = [
            _Service(
                bool(service["abandons"]),
                bool(mechanism["batches"]),
                bool(service["retry_blocks"]) and not service["is_log"],
            )
            for service, mechanism in zip(services, mechanisms[: len(services)], strict=True)
        ]

    def follow(self, rows: np.ndarray) -> None:
        """The next rows of the trace, in their order."""
        rows = rows[(rows["where_kind"] == P.AT_SERVICE) & _TOLD[rows["what"]]]
        names = ("where", "what", "time", "origin", "path", "attempt", "value")
        for where, what, time, origin, path, attempt, value in zip(
            *(rows[name].tolist() for name in names), strict=True
        ):
            service, key = self.services[where], (origin, path, attempt)
            if what == P.RETRY:
                service.hold(key)
                continue
            service.settle()
            if what == P.TAKEN:
                service.take(key, int(value), time, origin in self.wanted)
            elif what == P.BATCH:
                service.begin_batch(key, int(value))
            elif what == P.CRASHED:
                service.crash(attempt, time)
            elif what == P.WORK_ENDED:
                if (work := service.abandoned.pop(key, None)) is not None:
                    service.free(work, time)
            else:
                service.end(key, what, time)

    def finish(self) -> None:
        """There are no more rows."""
        for service in self.services:
            service.settle()

    def holding(self, service: int, key: Key) -> Holding:
        """The slot of an attempt that was asked for."""
        return self.services[service].holdings[key]
