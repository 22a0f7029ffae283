"""Attempts: how they begin, end, fail, retry and are lost (S24 to S31, S47, S50)."""

from __future__ import annotations

import math
from collections import deque
from itertools import count
from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import (
    ATTEMPT_ENDS,
    ATTEMPT_TIMES_OUT,
    COMPLETION,
    RETRY_STARTS,
    TIMER,
    VISIBLE,
    WORK_ENDS,
    order_of_message,
)
from slosim.engine.reference.flows import DEAD_LETTERED, Success
from slosim.engine.reference.instances import ServiceInstance
from slosim.engine.reference.records import (
    BACKING_OFF,
    IN_WORK,
    WAITING,
    Attempt,
    Entry,
    Publication,
    Publishing,
    Slot,
    add_part,
    with_part,
)

if TYPE_CHECKING:
    from slosim.engine.reference.calls import Call
    from slosim.engine.reference.services import Service


class Attempts:
    """The attempts of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.rules = service.rules
        self.serial = count()
        self.in_work: dict[Attempt, None] = {}

    # ------------------------------------------------------------------ begin

    def take(self, entry: Entry, slot: Slot) -> Attempt:
        """S23: a slot takes a message from its line, and a token."""
        entry.line.stop_waiting(entry)
        self.service.use_token(self.world.now)
        return self.begin(entry, slot)

    def begin(self, entry: Entry, slot: Slot) -> Attempt:
        """S24, S39: the attempt begins: wait and event lag are recorded."""
        service, world, line = self.service, self.world, entry.line
        entry.attempt += 1
        entry.set_state(IN_WORK)
        line.end_wait(entry)
        if not entry.retries_in_place:
            service.durations.record("wait", world.now - entry.visible_s, world.now)
        entry.retries_in_place = False
        service.counts.add("attempts", world.now)
        if entry.attempt == 1:
            service.counts.add("first_attempts", world.now)
            line.durations.record("event_lag", world.now - entry.published_s, world.now)
        if line.is_log:
            line.held[entry.partition] += 1
        attempt = Attempt(
            entry,
            entry.attempt,
            slot,
            next(self.serial),
            world.now,
            dict(entry.parts),
            service.breaker.begin() if service.breaker is not None else 0,
        )
        slot.attempts.append(attempt)
        slot.holders += 1
        entry.current = attempt
        self.in_work[attempt] = None
        number = slot.instance.number if service.group.is_rich or line.is_log else -1
        world.tell("taken", service.name, entry.message, attempt.number, number)
        if service.budget is not None and attempt.number == 1:
            service.budget.first_attempt()
        service.deliveries.start_clock(entry)
        return attempt

    def fails_at_start(self, attempt: Attempt) -> bool:
        """S27, S32, S67: by the faults active now; what chance decides for the end is kept."""
        failures = self.rules.failures
        effects = self.effects(attempt.slot.instance)
        survives = math.prod((1 - effect.error_rate for effect in effects), start=1 - failures.probability)
        stream = f"services.{self.service.name}/failure"
        identity = attempt.entry.message.identity
        attempt.fails = self.world.chance.happens(1 - survives, stream, identity, attempt.number)
        attempt.fails |= self.world.chance.happens(
            failures.poison, f"services.{self.service.name}/poison", identity
        )
        return any(effect.outage for effect in effects) or (attempt.fails and failures.at == "start")

    def effects(self, instance: ServiceInstance) -> list:
        """S32, S67: the effects that bind an attempt which this instance begins now."""
        return [occurrence.effect for occurrence in self.service.active_faults(instance.number)]

    def work_s(self, attempt: Attempt, messages: int = 1) -> float:
        """S24, S55: how long the work takes before any calls, by the faults active now."""
        stream = f"services.{self.service.name}/service_time"
        identity = attempt.entry.message.identity
        time_s = self.world.chance.draw(self.rules.service_time, stream, identity, attempt.number)
        if self.rules.batch is not None:
            time_s += messages * self.rules.batch.per_message
        effects = self.effects(attempt.slot.instance)
        for effect in effects:
            time_s *= effect.slowdown
        for effect in effects:
            time_s += effect.added_latency
        return time_s

    def start(self, attempt: Attempt) -> None:
        """S27: it fails at once, or its end is planned."""
        if self.fails_at_start(attempt):
            self.end(attempt, "failed")
        elif self.rules.calls:
            self.plan_with_calls(attempt)
        else:
            self.plan([attempt], self.work_s(attempt))

    def plan(self, attempts: list[Attempt], time_s: float) -> None:
        """S26, S55: when the attempts of one slot end; they do so together, in the order taken."""
        timeout_s, first = self.rules.timeout, attempts[0]
        if timeout_s is None or time_s <= timeout_s:
            self.plan_end(attempts, time_s, None)
        elif self.rules.on_timeout == "cancel":
            self.plan_end(attempts, timeout_s, "timed_out")
        else:
            self.plan_end(attempts, timeout_s, "abandoned")
            order = order_of_message(first.order(), WORK_ENDS)
            self.world.calendar.add(
                self.world.now + time_s, self.service, COMPLETION, order, lambda: self.end_work(first)
            )

    def plan_end(self, attempts: list[Attempt], time_s: float, outcome: str | None) -> None:
        """An end that does not happen to attempts which were lost. outcome: None: what chance decided."""

        def happens() -> bool:
            left = [attempt for attempt in attempts if not attempt.lost]
            for attempt in left:
                self.end(attempt, outcome or ("failed" if attempt.fails else "succeeded"))
            return bool(left)

        order = order_of_message(attempts[0].order(), ATTEMPT_ENDS)
        self.world.calendar.add(self.world.now + time_s, self.service, COMPLETION, order, happens)

    # ------------------------------------------------------------------ with calls

    def plan_with_calls(self, attempt: Attempt) -> None:
        """S56: the service time, then the calls; the time-out is a timer that covers everything."""
        now, calendar = self.world.now, self.world.calendar

        def service_time_over() -> bool:
            if attempt.lost or (attempt.ended and not attempt.abandoned):
                return False
            attempt.calls_since_s = self.world.now
            self.service.calls.make(attempt, 0)
            return True

        def times_out() -> bool:
            if attempt.lost or attempt.ended or attempt.publishing is not None:
                return False
            self.time_out(attempt)
            return True

        order = order_of_message(attempt.order(), ATTEMPT_ENDS)
        calendar.add(now + self.work_s(attempt), self.service, COMPLETION, order, service_time_over)
        if self.rules.timeout is not None:
            order = order_of_message(attempt.order(), ATTEMPT_TIMES_OUT)
            calendar.add(now + self.rules.timeout, self.service, TIMER, order, times_out)

    def time_out(self, attempt: Attempt) -> None:
        """S26, S56: work abandoned goes on with its calls; work cancelled leaves its call behind."""
        self.count_calls(attempt)
        if self.rules.on_timeout == "abandon":
            self.end(attempt, "abandoned")
        else:
            call = self.service.calls.abandoned_by(attempt)
            self.end(attempt, "timed_out")
            self.service.calls.leave_behind(call)

    def calls_over(self, attempt: Attempt, succeeded: bool) -> None:
        """S23, S56: the share of failures is decided after the last call; a failed call fails the attempt."""
        self.world.concern(self.service)
        if attempt.abandoned:
            self.end_work(attempt)
        else:
            self.count_calls(attempt)
            self.end(attempt, "succeeded" if succeeded and not attempt.fails else "failed")

    def count_calls(self, attempt: Attempt) -> None:
        """S57: the time from the end of the service time to the end of the calls."""
        if attempt.calls_since_s is not None:
            attempt.calls_s = self.world.now - attempt.calls_since_s

    # ------------------------------------------------------------------ end

    def end(self, attempt: Attempt, outcome: str) -> None:
        """S19, S31: an attempt publishes what its success brings, and ends when all is accepted."""
        if outcome != "succeeded":
            self.is_over(attempt, outcome)
            return
        service, entry = self.service, attempt.entry
        attempt.publishing = Publishing(
            where=service.name,
            party=service,
            rotation=service.rotation,
            actor=entry.message,
            attempt=attempt.number,
            order=attempt.order(),
            remaining=deque(self.emitted(attempt)),
            parts=lambda: self.parts_so_far(attempt),
            matters=lambda flow: service.name in flow.matters,
            finished=lambda: self.is_over(attempt, outcome),
            is_outside=entry.is_settled,
        )
        self.world.publishers.go_on(attempt.publishing)

    def parts_so_far(self, attempt: Attempt) -> dict[str, float]:
        """S37, S57: service is from taken on, without the time of the calls."""
        spent_s, name = self.world.now - attempt.taken_s, self.service.name
        parts = with_part(attempt.parts, name, "service", spent_s - attempt.calls_s)
        add_part(parts, name, "dependency", attempt.calls_s)
        return parts

    def emitted(self, attempt: Attempt) -> list[Publication]:
        """S31, S50: every emit with its probability, or one choice; of a duplicate nothing, or everything
        outside all flows."""
        rules, world, message = self.rules, self.world, attempt.entry.message
        if attempt.entry.is_settled() and rules.idempotent:
            return []
        repeats = attempt.entry.repeats if rules.visibility_timeout is None else attempt.number - 1
        if rules.choose:
            stream = f"services.{self.service.name}/choose"
            i = world.chance.choose([choice.share for choice in rules.choose], stream, message.identity)
            topic = world.topics[rules.choose[i].topic]
            return [world.publishers.child(message, f"{stream}[{i}]", 0, topic, None, repeats)]
        publications = []
        for i, emit in enumerate(rules.emits):
            emission = f"services.{self.service.name}/emits[{i}]"
            if world.chance.happens(emit.probability, f"{emission}/probability", message.identity):
                publications += [
                    world.publishers.child(
                        message, emission, copy, world.topics[emit.topic], emit.delay, repeats
                    )
                    for copy in range(emit.copies)
                ]
        return publications

    def is_over(self, attempt: Attempt, outcome: str) -> None:
        """S26, S39, S50, S59: the attempt ends, and the message goes on from there."""
        service, world = self.service, self.world
        attempt.publishing = None
        attempt.ended = True
        attempt.abandoned = outcome == "abandoned"
        outcome = "timed_out" if attempt.abandoned else outcome
        del self.in_work[attempt]
        attempt.parts = self.parts_so_far(attempt)
        world.concern(service)
        service.durations.record("service", world.now - attempt.taken_s, world.now)
        service.counts.add("succeeded" if outcome == "succeeded" else "failed", world.now)
        if outcome == "timed_out":
            service.counts.add("timed_out", world.now)
        is_duplicate = outcome == "succeeded" and attempt.entry.is_settled()
        world.tell(
            "duplicate" if is_duplicate else outcome, service.name, attempt.entry.message, attempt.number
        )
        if service.breaker is not None:
            service.breaker.ended(attempt.breaker_state, outcome != "succeeded")
        if outcome == "succeeded":
            self.has_succeeded(attempt, is_duplicate)
            in_place = False
        else:
            in_place = self.has_failed(attempt)
        self.let_go(attempt, in_place)

    def has_succeeded(self, attempt: Attempt, is_duplicate: bool) -> None:
        """S31, S50: the first success settles the message."""
        service, now = self.service, self.world.now
        if service.budget is not None and not attempt.is_overtaken():
            service.budget.succeeded()
        if is_duplicate:
            service.counts.add("duplicates", now)
        else:
            service.counts.add("first_successes", now)
            self.settle(attempt)

    def has_failed(self, attempt: Attempt) -> bool:
        """S28, S30, S50, S60: final or not; whether it is a retry that holds its slot or partition."""
        service, entry, now = self.service, attempt.entry, self.world.now
        if attempt.is_overtaken():
            service.counts.add("retried", now)
            return False
        entry.clock_runs = False
        entry.parts = dict(attempt.parts)
        budget = service.budget
        if budget is not None:
            budget.failed()
        is_final = self.is_last(entry)
        if not is_final and budget is not None and not budget.lets_retry():
            service.counts.add("denied_retries", now)
            is_final = True
        if is_final:
            self.dead_letter(entry)
            return False
        self.retry(attempt)
        return self.rules.retry.blocking

    def let_go(self, attempt: Attempt, in_place: bool) -> None:
        """S26, S29: slot and partition are free unless a blocking retry or abandoned work holds them."""
        line = attempt.entry.line
        if line.is_log and not in_place and not attempt.lost:
            line.held[attempt.entry.partition] -= 1
        if not attempt.abandoned and (line.is_log or not in_place):
            self.service.instances.release(attempt.slot)

    def end_work(self, attempt: Attempt) -> bool:
        """S26, S44: abandoned work ends and frees its slot, unless a crash did."""
        if attempt.slot.is_free:
            return False
        self.world.tell("work_ended", self.service.name, attempt.entry.message, attempt.number)
        attempt.abandoned = False
        self.service.instances.release(attempt.slot, attempt.slot.holders)
        self.world.concern(self.service)
        return True

    def settle(self, attempt: Attempt) -> None:
        """S31, S34, S50: the message settles, wherever it is; at `to` it may end the latency of its
        instances."""
        service, entry, now = self.service, attempt.entry, self.world.now
        if entry.state == WAITING:
            entry.line.stop_waiting(entry)
        elif entry.slot is not None:
            service.instances.release(entry.slot)  # of a blocking retry
            entry.slot = None
        entry.parts = attempt.parts
        service.durations.record("sojourn", now - entry.first_visible_s, now)
        entry.line.settle(entry, "succeeded")
        for instance in entry.message.instances:
            if service.name in instance.flow.to:
                success = Success(now, attempt.order(), entry.parts)
                if instance.last_success is None or instance.last_success[:2] < success[:2]:
                    instance.last_success = success
        entry.line.left(entry)

    def dead_letter(self, entry: Entry) -> None:
        """S30: the last attempt failed."""
        service, now = self.service, self.world.now
        service.counts.add("dead_lettered", now)
        service.durations.record("sojourn", now - entry.first_visible_s, now)
        entry.line.settle(entry, "dead_lettered")
        emission = f"services.{service.name}/dead_letter"
        entry.line.lose(entry, self.rules.dead_letter, emission, DEAD_LETTERED, service.rotation)

    # ------------------------------------------------------------------ retries

    def is_last(self, entry: Entry) -> bool:
        """S28."""
        retry = self.rules.retry
        return retry is None or (
            retry.maximum_attempts is not None and entry.attempt >= retry.maximum_attempts
        )

    def retry(self, attempt: Attempt) -> None:
        """S28, S29: the message backs off; a blocking retry on a queue holds its slot."""
        service, entry, world = self.service, attempt.entry, self.world
        service.counts.add("retried", world.now)
        entry.set_state(BACKING_OFF)
        entry.failed_s = world.now
        entry.retries_in_place = self.rules.retry.blocking
        over_s = world.now + self.back_off_s(entry)
        world.tell("retry", service.name, entry.message, attempt.number, over_s)
        kind = VISIBLE
        if entry.retries_in_place and not entry.line.is_log:
            entry.slot = attempt.slot
            attempt.slot.retrying = entry
            kind = RETRY_STARTS
        changes = entry.changes

        def is_over() -> bool:
            if entry.changes != changes:
                return False
            self.end_back_off(entry)
            return True

        world.calendar.add(over_s, service, TIMER, order_of_message(entry.order(), kind), is_over)

    def back_off_s(self, entry: Entry) -> float:
        """S28: the delay before the next attempt, s."""
        retry, n, chance = self.rules.retry, entry.attempt, self.world.chance
        stream, identity = f"services.{self.service.name}/retry", entry.message.identity
        if retry.delay is not None:
            return chance.draw(retry.delay, stream, identity, n)
        u = chance.uniform(stream, identity, n).p
        initial = retry.initial_interval
        base = min(retry.maximum_interval, initial * power(retry.backoff_coefficient, n - 1))
        match retry.jitter:
            case "none":
                return base
            case "equal":
                return base / 2 + u * base / 2
            case "full":
                return u * base
            case "decorrelated":
                previous = initial if entry.previous_delay_s is None else entry.previous_delay_s
                delay_s = min(retry.maximum_interval, initial + u * (3 * previous - initial))
                entry.previous_delay_s = delay_s
                return delay_s
            case other:
                raise AssertionError(f"no such jitter: {other}")

    def end_back_off(self, entry: Entry) -> None:
        """S28, S29: the message becomes visible again, or the slot that it held starts the next attempt."""
        add_part(entry.parts, self.service.name, "retry", self.world.now - entry.failed_s)
        if entry.slot is not None:
            self.start_in_place(entry)
            return
        if entry.retries_in_place:
            entry.line.held[entry.partition] -= 1
        entry.line.become_visible(entry)

    def start_in_place(self, entry: Entry) -> None:
        """S29: the next attempt starts; with a rate limit at the first token, which it reserves."""
        service, world = self.service, self.world
        entry.visible_s = world.now
        start_s = max(world.now, service.token_ready_s())
        service.use_token(start_s)
        if start_s == world.now:
            self.begin_in_place(entry)
            return
        entry.token_s = start_s
        changes = entry.changes

        def token_is_there() -> bool:
            if entry.changes != changes:
                return False
            self.begin_in_place(entry)
            return True

        order = order_of_message(entry.order(), RETRY_STARTS)
        world.calendar.add(start_s, service, TIMER, order, token_is_there)

    def begin_in_place(self, entry: Entry) -> None:
        """S29: a blocking retry begins in the slot that it held."""
        slot = entry.slot
        assert slot is not None
        entry.slot = slot.retrying = entry.token_s = None
        attempt = self.begin(entry, slot)
        slot.holders -= 1  # its own place in the slot
        self.start(attempt)

    # ------------------------------------------------------------------ crashes

    def lose_all(self, instance: ServiceInstance, calls: list[Call | None]) -> list[Entry]:
        """S44: the attempts in work of an instance are lost, in the order taken. Returns the messages that go
        back, in the order taken; `calls` gets those that are left behind."""
        returning: list[tuple[int, Entry]] = []
        attempts = [attempt for slot in instance.slots for attempt in slot.attempts]
        for attempt in sorted(attempts, key=lambda a: a.serial):
            if attempt.abandoned:
                attempt.abandoned = False
                calls.append(self.service.calls.abandoned_by(attempt))
            if attempt.ended or attempt.lost:
                continue
            if not attempt.is_overtaken():
                returning.append((attempt.serial, attempt.entry))
            self.lose(attempt)
            calls.append(self.service.calls.abandoned_by(attempt))
        for slot in list(instance.slots):
            if slot.retrying is not None:
                returning.append((slot.attempts[-1].serial, slot.retrying))
                slot.retrying = None
            self.service.instances.release(slot, slot.holders)
        return [entry for _, entry in sorted(returning, key=lambda pair: pair[0])]

    def lose(self, attempt: Attempt) -> None:
        """S44, S59: nothing comes of it, but what it has published already."""
        service, world = self.service, self.world
        attempt.lost = True
        if attempt.publishing is not None:
            world.publishers.withdraw(attempt.publishing)
            attempt.entry.repeats += 1
        del self.in_work[attempt]
        service.counts.add("lost", world.now)
        world.tell("lost", service.name, attempt.entry.message, attempt.number)
        if service.breaker is not None:
            service.breaker.lost(attempt.breaker_state)


def power(base: float, exponent: int) -> float:
    """base^exponent, infinite where a float cannot hold it."""
    try:
        return float(base) ** exponent
    except OverflowError:
        return math.inf
