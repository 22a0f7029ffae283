"""Dependencies and the calls that attempts make (S56, S57)."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slosim.engine.reference.calendar import (
    ANSWER,
    CALL_TIMES_OUT,
    COMPLETION,
    HEDGE,
    TIMER,
    order_of_dependency,
    order_of_message,
)
from slosim.engine.reference.chance import identity_of_request
from slosim.engine.reference.measures import Counts, Durations, TimeAverage
from slosim.engine.reference.records import Attempt

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service
    from slosim.engine.reference.simulation import Group, World

WAITING, IN_SERVICE, ANSWERED, OVER = "waiting", "in_service", "answered", "over"
"""What a request can be; an answer is heard after the server has taken the next request."""


@dataclass(eq=False)
class Call:
    """One call of an attempt: place i in `calls` of its service."""

    attempt: Attempt
    place: int
    rules: Any
    dependency: Dependency
    requests: list[Request] = field(default_factory=list)
    is_over: bool = False


@dataclass(eq=False)
class Request:
    """One request of a call: 0 is the first, 1 the hedge."""

    call: Call
    number: int
    made_s: float
    state: str = WAITING


class Dependency:
    """What services call: so many servers, and a queue."""

    group: Group

    def __init__(self, world: World, name: str, place: int) -> None:
        self.world = world
        self.name = name
        self.place = place
        self.rules = world.scenario.dependencies[name]
        self.faults = world.faults.on(f"dependencies.{name}")
        self.queue: deque[Request] = deque()
        self.counts = Counts(world.warmup_s)
        self.busy = TimeAverage(world.warmup_s)
        self.waiting = TimeAverage(world.warmup_s)
        self.durations = Durations(world.warmup_s)

    def begin(self) -> None:
        """S57: at the end of a pause it starts again."""
        for occurrence in self.faults:
            if occurrence.effect.pause:
                order = order_of_dependency(self.place)
                self.world.calendar.add(occurrence.end_s, self, TIMER, order, self.serve)

    def effects(self) -> list[Any]:
        """S32: of the faults that are active now."""
        return [o.effect for o in self.faults if o.hits(None, self.world.now)]

    def has_free_server(self) -> bool:
        capacity = self.rules.capacity
        return (capacity is None or self.busy.value < capacity) and not any(e.pause for e in self.effects())

    def request(self, request: Request) -> None:
        """S56: it is taken at once, waits, or is refused."""
        self.counts.add("requests", self.world.now)
        request.call.requests.append(request)
        self.serve()
        limit = self.rules.queue_limit
        if self.has_free_server():
            self.take(request)
        elif limit is not None and len(self.queue) >= limit:
            self.counts.add("refused", self.world.now)
            self.is_over(request, False)
        else:
            self.queue.append(request)
            self.waiting.add(1, self.world.now)

    def serve(self) -> None:
        """S56: free servers take what waits, first come first served."""
        while self.queue and self.has_free_server():
            self.waiting.add(-1, self.world.now)
            self.take(self.queue.popleft())

    def take(self, request: Request) -> None:
        """S56, S57: a server takes a request: its time and its failure by the faults active now; in an outage
        it fails and occupies none."""
        world, effects, stream = self.world, self.effects(), f"dependencies.{self.name}"
        self.durations.record("wait", world.now - request.made_s, world.now)
        if any(effect.outage for effect in effects):
            self.counts.add("failed", world.now)
            self.is_over(request, False)
            return
        request.state = IN_SERVICE
        self.busy.add(1, world.now)
        call, number = request.call, request.call.attempt.number
        name = f"services.{call.attempt.entry.line.service.name}/calls[{call.place}]"
        identity = identity_of_request(call.attempt.entry.message.identity, name, request.number)
        service_time = call.rules.time_at(self.rules)
        time_s = world.chance.draw(service_time, f"{stream}/service_time", identity, number)
        time_s = time_s * math.prod(e.slowdown for e in effects) + sum(e.added_latency for e in effects)
        survives = math.prod((1 - e.error_rate for e in effects), start=1 - self.rules.failures)
        fails = world.chance.happens(1 - survives, f"{stream}/failure", identity, number)

        def answers() -> bool:
            if request.state != IN_SERVICE:
                return False
            self.answer(request, not fails)
            return True

        order = order_of_message(call.attempt.order(), ANSWER, call.place, request.number)
        world.calendar.add(world.now + time_s, self, COMPLETION, order, answers)

    def answer(self, request: Request, succeeded: bool) -> None:
        """S56: the server is free and takes the next; then the call goes on."""
        self.counts.add("answered" if succeeded else "failed", self.world.now)
        request.state = ANSWERED
        self.busy.add(-1, self.world.now)
        self.serve()
        self.is_over(request, succeeded)

    def is_over(self, request: Request, succeeded: bool) -> None:
        request.state = OVER
        call = request.call
        if not call.is_over:
            call.attempt.entry.line.service.calls.answered(call, succeeded)

    def cancel(self, request: Request) -> None:
        """S56: a request that nobody waits for leaves at once."""
        self.counts.add("cancelled", self.world.now)
        if request.state == WAITING:
            self.queue.remove(request)
            self.waiting.add(-1, self.world.now)
        else:
            self.busy.add(-1, self.world.now)
        request.state = OVER

    def finish(self, end_s: float) -> None:
        """S41: requests are somewhere."""
        self.busy.hold(end_s)
        self.waiting.hold(end_s)
        c = self.counts.whole_run
        left = len(self.queue) + self.busy.value
        assert c["requests"] == c["answered"] + c["failed"] + c["refused"] + c["cancelled"] + left, (
            f"requests to {self.name}: {c}, {left} left"
        )


class Calls:
    """The calls of one service's attempts."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world

    def make(self, attempt: Attempt, place: int) -> None:
        """S56: the next call: its first request, its time-out and its hedge."""
        world, rules = self.world, self.service.rules.calls[place]
        dependency = world.dependencies[rules.dependency]
        call = attempt.call = Call(attempt, place, rules, dependency)
        self.tell("called", call, dependency.place)
        for kind, after_s, action in (
            (CALL_TIMES_OUT, rules.timeout, self.time_out),
            (HEDGE, rules.hedge_after, self.hedge),
        ):
            if after_s is not None:
                order = order_of_message(attempt.order(), kind, place)
                self.at(world.now + after_s, order, call, action)
        dependency.request(Request(call, 0, world.now))

    def at(self, time_s: float, order: tuple[Any, ...], call: Call, action: Any) -> None:
        """A timer of a call, void when the call is over."""

        def happens() -> bool:
            if call.is_over:
                return False
            action(call)
            return True

        self.world.calendar.add(time_s, self.service, TIMER, order, happens)

    def tell(self, what: str, call: Call, value: float) -> None:
        attempt = call.attempt
        self.world.tell(what, self.service.name, attempt.entry.message, attempt.number, value)

    def hedge(self, call: Call) -> None:
        """S56: a second request, while the first goes on."""
        self.tell("hedged", call, call.dependency.place)
        call.dependency.counts.add("hedged", self.world.now)
        call.dependency.request(Request(call, 1, self.world.now))

    def time_out(self, call: Call) -> None:
        """S56: an unanswered call fails."""
        self.tell("call_timed_out", call, call.dependency.place)
        call.dependency.counts.add("timed_out", self.world.now)
        self.end(call, False)

    def answered(self, call: Call, succeeded: bool) -> None:
        """S56: the first success ends a call; it fails when all its requests have failed."""
        if succeeded or all(request.state == OVER for request in call.requests):
            self.tell("answered", call, int(succeeded))
            self.end(call, succeeded)

    def end(self, call: Call, succeeded: bool) -> None:
        """S56: after a success what the call leaves behind may be cancelled, then the next call is made or
        the attempt ends; an attempt that fails ends first."""
        attempt = call.attempt
        call.is_over = True
        if succeeded:
            self.leave_behind(call)
        if succeeded and call.place + 1 < len(self.service.rules.calls):
            self.make(attempt, call.place + 1)
        else:
            self.service.attempts.calls_over(attempt, succeeded)
        if not succeeded:
            self.leave_behind(call)

    def abandoned_by(self, attempt: Attempt) -> Call | None:
        """S44, S56: nobody waits for the call that an attempt makes any more."""
        call = attempt.call
        if call is None or call.is_over:
            return None
        call.is_over = True
        return call

    def leave_behind(self, *calls: Call | None) -> None:
        """S56: what is left of calls goes on or, with `cancel`, leaves at once; then free servers take again,
        dependencies in file order."""
        cancelled = [call for call in calls if call is not None and call.rules.cancel]
        left = [request for call in cancelled for request in call.requests if request.state != OVER]
        for request in left:
            request.call.dependency.cancel(request)
        for dependency in sorted({request.call.dependency for request in left}, key=lambda d: d.place):
            dependency.serve()
