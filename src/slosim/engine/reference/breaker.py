"""The circuit breaker (S59)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import HALF_OPENS, TIMER, order_of_service
from slosim.engine.reference.measures import TimeAverage

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service

CLOSED, OPEN, HALF_OPEN = "closed", "opened", "half_opened"


class Breaker:
    """outcomes: True for a failure; `begun` and `ended` count the attempts of a half-open state."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.rules = service.rules.circuit_breaker
        self.state = CLOSED
        self.number = 0  # of the state: outcomes of an earlier one do not count
        self.outcomes: deque[bool] = deque(maxlen=self.rules.window)
        self.begun = 0
        self.open = TimeAverage(self.world.warmup_s)

    def lets_begin(self) -> bool:
        """S59: whether an attempt may begin."""
        if self.state == HALF_OPEN:
            return self.begun < self.rules.half_open_calls
        return self.state == CLOSED

    def begin(self) -> int:
        """An attempt begins; the number of the state."""
        self.begun += 1
        return self.number

    def lost(self, number: int) -> None:
        """S59: it gives its place back."""
        if number == self.number:
            self.begun -= 1

    def ended(self, number: int, failed: bool) -> None:
        """S59: the outcome of an attempt that began in the state of that number."""
        if number != self.number or self.state == OPEN:
            return
        self.outcomes.append(failed)
        rate = sum(self.outcomes) / len(self.outcomes)
        if self.state == CLOSED:
            if len(self.outcomes) >= self.rules.minimum_calls and rate >= self.rules.failure_rate:
                self.switch(OPEN)
        elif len(self.outcomes) >= self.rules.half_open_calls:
            self.switch(OPEN if rate >= self.rules.failure_rate else CLOSED)

    def switch(self, state: str) -> None:
        """S59: a state begins."""
        self.open.add((state == OPEN) - (self.state == OPEN), self.world.now)
        self.state = state
        self.number += 1
        self.begun = 0
        size = self.rules.half_open_calls if state == HALF_OPEN else self.rules.window
        self.outcomes = deque(maxlen=size)
        self.world.tell_of_service(state, self.service)
        if state == OPEN:
            self.service.counts.add("opened", self.world.now)
            order = order_of_service(self.service.place, HALF_OPENS)
            at_s = self.world.now + self.rules.open_for
            self.world.calendar.add(at_s, self.service, TIMER, order, lambda: self.switch(HALF_OPEN))
