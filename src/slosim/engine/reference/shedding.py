"""Load shedding: what is dropped when it is about to be taken (S61)."""

from __future__ import annotations

import math
from typing import Any


class Shedding:
    """The state of one service's shedding; all but `rules` is of codel.

    first_above_s  when waits will have been above the target for an interval, None while they are not
    next_s         when the next message is dropped
    count          drops since dropping began
    count_before   count when dropping last began
    """

    def __init__(self, rules: Any) -> None:
        self.rules = rules
        self.first_above_s: float | None = None
        self.is_dropping = False
        self.next_s = -math.inf
        self.count = 0
        self.count_before = 0

    def sheds(self, wait_s: float, now: float) -> bool:
        """S61: whether a message about to be taken is dropped instead."""
        if self.rules.wait_over is not None:
            return wait_s > self.rules.wait_over
        is_above = self.look_at(wait_s, now)
        if self.is_dropping:
            return self.drops_on(is_above, now)
        if is_above:
            self.begin(now)
        return is_above

    def look_at(self, wait_s: float, now: float) -> bool:
        """S61: whether a message is above: its wait is, and has been for an interval."""
        target_s, interval_s = self.rules.codel.target, self.rules.codel.interval
        is_above = wait_s >= target_s and self.first_above_s is not None and now >= self.first_above_s
        if wait_s < target_s:
            self.first_above_s = None
        elif self.first_above_s is None:
            self.first_above_s = now + interval_s
        return is_above

    def begin(self, now: float) -> None:
        """S61: dropping begins, as fast as it ended if that was lately."""
        interval_s = self.rules.codel.interval
        grown = self.count - self.count_before
        lately = now - self.next_s < 16 * interval_s
        self.is_dropping = True
        self.count = self.count_before = grown if grown > 1 and lately else 1
        self.next_s = now + interval_s / math.sqrt(self.count)

    def drops_on(self, is_above: bool, now: float) -> bool:
        """S61: dropping goes on, ever faster, or ends."""
        if not is_above:
            self.is_dropping = False
            return False
        if now < self.next_s:
            return False
        self.count += 1
        self.next_s += self.rules.codel.interval / math.sqrt(self.count)
        return True
