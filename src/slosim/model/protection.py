"""What a service does to protect itself and what it calls: circuit breaker, retry budget, load shedding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slosim.model.fields import Broken, Record, relation, spec
from slosim.model.kinds import DURATION, NUMBER, SHARE, Choice, Count


@dataclass(frozen=True)
class CircuitBreaker:
    """Stops taking messages after too many failures: closed, open, half open."""

    word = "circuit breaker"
    failure_rate: float = spec(
        SHARE.above_zero(), "share of failed attempts in the window at which it opens", default="50%"
    )
    window: int = spec(Count(1), "last attempts that are looked at", default="100")
    minimum_calls: int = spec(
        Count(1),
        "attempts in the window before it may open",
        default="100, or the window where that is smaller",
        derive=lambda breaker: min(100, breaker["window"]),
    )
    open_for: float = spec(DURATION.above_zero(), "how long it is open, when nothing is taken", default="60s")
    half_open_calls: int = spec(
        Count(1), "attempts that are let through, and decide whether it closes or opens again", default="10"
    )

    @relation("window", "minimum_calls")
    def window_holds_enough(self, given: set[str]) -> Iterator[Broken]:
        if self.minimum_calls > self.window:
            what = f"it would never open, got {self.minimum_calls} of a window of {self.window}"
            yield Broken("minimum_calls", what, "at most the window")


@dataclass(frozen=True)
class RetryBudget:
    """Limits retries; where there is no budget, the failure is final."""

    word = "retry budget"
    kind: str = spec(
        Choice(("cap", "switch")),
        "cap: a retry costs a token; switch: a failure costs a token, and with half of the burst or less "
        "nothing is retried",
    )
    ratio: float = spec(
        SHARE.above_zero(),
        "tokens that each first attempt (cap) or each success (switch) brings",
    )
    burst: float = spec(NUMBER.between(1), "tokens that the budget holds; it starts full", default="10")


@dataclass(frozen=True)
class Codel:
    """Controlled delay: sheds ever faster while waits stay above the target for an interval."""

    word = "codel"
    target: float = spec(DURATION.above_zero(), "wait that is acceptable for ever", default="5ms")
    interval: float = spec(
        DURATION.above_zero(),
        "how long waits may stay above the target before the first is shed",
        default="100ms",
    )


@dataclass(frozen=True)
class Shed:
    """Which messages are dropped when they are taken, having waited too long."""

    word = "shed"
    wait_over: float | None = spec(DURATION, "dropped after waiting longer than this", optional=True)
    codel: Codel | None = spec(Record(Codel), "dropped by the rule of controlled delay", optional=True)

    @relation("wait_over", "codel")
    def sheds_by_one_rule(self, given: set[str]) -> Iterator[Broken]:
        forms = "for example shed: {wait_over: 5s}, or shed: {codel: {target: 5ms, interval: 100ms}}"
        if self.wait_over is None and self.codel is None:
            yield Broken("", "nothing says what is shed: neither wait_over nor codel is given", forms)
        elif self.wait_over is not None and self.codel is not None:
            yield Broken("codel", "there is one rule for what is shed, got wait_over and codel", forms)
