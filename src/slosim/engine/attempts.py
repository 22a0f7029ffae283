"""Attempts: a slot takes a message, works, and ends with success, retry or dead letter (rules S23 to S31)."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import schedule, schedule_rare
from slosim.engine.chance import draw, draw_rare, uniform
from slosim.engine.flows import bucket_of, enter, leave
from slosim.engine.gates import find_effect, spend_token, token_at
from slosim.engine.jit import branch, leaf, rule
from slosim.engine.lines import (
    add_part,
    count_publish,
    lose,
    publish,
    settle,
)
from slosim.engine.messages import (
    address,
    child_identity,
    child_path,
    copy_of,
    free,
    partition_of,
    send,
    trace,
)

# Slots.


@leaf
def change_busy(S, service, m, by):
    """Occupy or free a slot, on a log one of the instance that owns the partition."""
    service.busy += by
    if service.is_log != 0:
        S.instances[S.queues[S.messages[m].queue].owner].busy += by


@leaf
def record(S, s, which, value):
    S.histograms[s * P.HISTOGRAMS_PER_SERVICE + which, bucket_of(value)] += 1


@leaf
def record_event_lag(S, line, line_index, lag):
    S.event_lags[line_index, bucket_of(lag)] += 1
    line.event_lag_total += lag
    line.event_lag_max = max(line.event_lag_max, lag)


# Beginning.


@branch
def take(S, g, s, line, m, now):
    """A free slot takes a visible message that is in no queue any more."""
    service, message = S.services[s], S.messages[m]
    waited = now - message.visible
    add_part(S, m, service.part_wait, waited)
    if message.held == 0:
        record(S, s, P.WAIT, waited)
        service.wait_total += waited
        service.wait_max = max(service.wait_max, waited)
    if message.attempt == 0:
        lag = now - message.published
        record_event_lag(S, line, message.line, lag)
        service.first_attempts += 1
    spend_token(service, now)
    message.held = 0
    line.in_work += 1
    begin(S, g, s, m, now)


@branch
def begin(S, g, s, m, now):
    """Begin an attempt: its time and its outcome are settled now (rules S24, S26, S27)."""
    service, message = S.services[s], S.messages[m]
    message.taken = now
    message.place = P.IN_WORK
    attempt = message.attempt + 1
    message.attempt = attempt
    service.attempts += 1
    if S.run[0].tracing != 0:
        trace(S, P.TAKEN, P.AT_SERVICE, s, m, now, instance_of(S, service, m))
    duration = draw(S, service.service_time, uniform(service.service_stream, message.identity, attempt))
    probability = service.failure_probability
    outage = np.int64(0)
    if service.effect_count > 0:
        effect = S.effects[service.effect]
        duration = duration * effect.slowdown + effect.added_latency
        probability = 1.0 - (1.0 - probability) * (1.0 - effect.error_rate)
        outage = effect.outage
    outcome = P.SUCCEEDED
    if probability > 0.0 and uniform(service.failure_stream, message.identity, attempt) < probability:
        outcome = P.FAILED
    if service.poison > 0.0 and is_poison(service, message.identity):
        outcome = P.FAILED
    if outage != 0 or (outcome == P.FAILED and service.fails_at_start != 0):
        record(S, s, P.SERVICE, 0.0)
        fail(S, g, s, m, now, P.FAILED_AT_START)
        return
    if duration > service.timeout:
        outcome = P.TIMED_OUT
        message.work_ends = now + duration
        duration = service.timeout
    message.outcome = outcome
    change_busy(S, service, m, 1)
    if service.is_log != 0:
        S.queues[message.queue].busy = 1
    schedule(S, S.groups[g], m, now + duration, P.ATTEMPT_ENDS)


@rule
def instance_of(S, service, m):
    """Number of the instance that owns a message's partition; a queue does not tell instances apart: -1."""
    if service.is_log == 0:
        return -1.0
    return float(S.instances[S.queues[S.messages[m].queue].owner].number)


@rule
def is_poison(service, identity):
    """Does every attempt of the message with this identity fail?"""
    return uniform(service.poison_stream, identity, 0) < service.poison


# Ending.


@leaf
def record_service(S, s, m, now):
    """The attempt's time, taken to ended."""
    service = S.services[s]
    worked = now - S.messages[m].taken
    record(S, s, P.SERVICE, worked)
    service.service_total += worked
    service.service_max = max(service.service_max, worked)


@leaf
def record_sojourn(S, s, m, now):
    service = S.services[s]
    sojourn = now - S.messages[m].first_visible
    record(S, s, P.SOJOURN, sojourn)
    service.sojourn_total += sojourn
    service.sojourn_max = max(service.sojourn_max, sojourn)


@leaf
def release(S, service, m):
    """Free the slot and the partition."""
    change_busy(S, service, m, -1)
    if service.is_log != 0:
        S.queues[S.messages[m].queue].busy = 0


@branch
def succeed(S, g, s, line, m, now):
    """First success: the message settles (rule S31)."""
    service = S.services[s]
    service.succeeded += 1
    record_sojourn(S, s, m, now)
    line.finished += 1
    line.in_work -= 1
    if S.run[0].tracing != 0:
        trace(S, P.SUCCESS, P.AT_SERVICE, s, m, now, -1.0)
    release(S, service, m)
    settle(S, g, line, m, now)


@branch
def relay(S, g, s, m, now):
    """The only child of a success takes over its parent's record."""
    service, message = S.services[s], S.messages[m]
    outlet = S.outlets[service.first_emit]
    count_publish(S, outlet, now)
    message.identity = child_identity(message.identity, outlet.emission, 0)
    message.path = child_path(S, message.path, outlet.slot)
    message.published = now
    message.visible = now
    if service.relay_keeps_flows == 0:
        change_flows(S, m, service.relay_line, now)
    address(S, m, service.relay_line, partition_of(S, S.topics[outlet.topic], outlet, message.key))
    send(S, g, m)


@rule
def change_flows(S, m, line_index, now):
    """A message moves on to a line that does not matter to the same flows as its own, or ends a flow."""
    message = S.messages[m]
    if message.instance < 0:
        return
    entered = enter(S, message.instance, line_index)
    leave(S, m, now, True, P.NO_LOSS, P.NONE)
    message.instance = entered


@rule
def emit(S, g, s, m, now):
    """Publish what a success emits, and let go of the message."""
    service = S.services[s]
    if service.chooses != 0:
        publish(S, g, chosen(S, service, m), m, 0, now)
    else:
        for o in range(service.first_emit, service.first_emit + service.emit_count):
            if is_emitted(S, o, m):
                for copy in range(S.outlets[o].copies):
                    publish(S, g, o, m, copy, now)
    leave(S, m, now, True, P.NO_LOSS, P.NONE)
    free(S, m)


@rule
def chosen(S, service, m):
    """The outlet a choice falls on."""
    u = uniform(service.choose_stream, S.messages[m].identity, 0)
    o = service.first_emit
    while o + 1 < service.first_emit + service.emit_count and u >= S.outlets[o].probability:
        o += 1
    return o


@rule
def is_emitted(S, o, m):
    outlet = S.outlets[o]
    if outlet.probability >= 1.0:
        return True
    return uniform(outlet.probability_stream, S.messages[m].identity, 0) < outlet.probability


@rule
def fail(S, g, s, m, now, outcome):
    """A failed attempt: retried or dead-lettered (S26 to S30). Has its slot unless it failed at the start."""
    service, message = S.services[s], S.messages[m]
    line = S.lines[message.line]
    has_slot = outcome != P.FAILED_AT_START
    service.failed += 1
    if outcome == P.TIMED_OUT:
        service.timed_out += 1
    if S.run[0].tracing != 0:
        trace(S, P.TIMEOUT if outcome == P.TIMED_OUT else P.FAILURE, P.AT_SERVICE, s, m, now, -1.0)
    if outcome == P.TIMED_OUT and service.abandons != 0:
        abandon(S, g, m)
        S.queues[message.queue].busy = 0
        has_slot = False
    line.in_work -= 1
    if message.attempt < service.attempts_max:
        back_off(S, g, s, m, now, has_slot)
        return
    if has_slot:
        release(S, service, m)
    service.dead_lettered += 1
    record_sojourn(S, s, m, now)
    lose(S, g, m, now, P.DEAD_LETTERED)


@rule
def back_off(S, g, s, m, now, has_slot):
    """Rule S28, and S29 for a blocking retry."""
    service, message = S.services[s], S.messages[m]
    line = S.lines[message.line]
    service.retried += 1
    line.backing_off += 1
    message.place = P.BACKING_OFF
    delay = retry_delay(S, service, message)
    add_part(S, m, service.part_retry, delay)
    if S.run[0].tracing != 0:
        trace(S, P.RETRY, P.AT_SERVICE, s, m, now, now + delay)
    holds_slot = service.retry_blocks != 0 and service.is_log == 0
    if holds_slot and not has_slot:
        change_busy(S, service, m, 1)
    elif has_slot and not holds_slot:
        release(S, service, m)
    if service.retry_blocks == 0:
        schedule_rare(S, S.groups[g], m, now + delay, P.BECOMES_VISIBLE)
        return
    message.held = P.RETRIES_IN_PLACE
    if service.is_log != 0:
        S.queues[message.queue].busy = 1
        schedule_rare(S, S.groups[g], m, now + delay, P.BECOMES_VISIBLE)
    else:
        schedule_rare(S, S.groups[g], m, now + delay, P.HELD_RETRY_STARTS)


@rule
def retry_delay(S, service, message):
    """Seconds before the next attempt, by the kind of jitter."""
    u = uniform(service.retry_stream, message.identity, message.attempt)
    kind = service.retry_kind
    if kind == P.RETRY_DISTRIBUTION:
        return draw_rare(S, service.retry_delay, u)
    if kind == P.RETRY_DECORRELATED:
        previous = message.backoff if message.backoff > 0.0 else service.retry_initial
        low = service.retry_initial
        message.backoff = min(service.retry_maximum, low + u * (3.0 * previous - low))
        return message.backoff
    base = service.retry_initial * service.retry_coefficient ** np.float64(message.attempt - 1)
    base = min(service.retry_maximum, base)
    if kind == P.RETRY_EQUAL:
        return base / 2.0 + u * base / 2.0
    if kind == P.RETRY_FULL:
        return u * base
    return base


@rule
def start_held(S, g, s, m, now):
    """The back-off of a blocking retry is over; its slot starts the next attempt, at a token if limited."""
    service, message = S.services[s], S.messages[m]
    if message.held == P.RETRIES_IN_PLACE:
        time = max(now, token_at(service)) if service.token_interval > 0.0 else now
        spend_token(service, time)
        message.held = P.HAS_TOKEN
        if time > now:
            add_part(S, m, service.part_wait, time - now)
            schedule_rare(S, S.groups[g], m, time, P.HELD_RETRY_STARTS)
            return
    line = S.lines[message.line]
    line.backing_off -= 1
    line.in_work += 1
    message.held = 0
    change_busy(S, service, m, -1)
    begin_rare(S, g, s, m, now)


@rule
def begin_rare(S, g, s, m, now):
    """`begin` as a plain call; faults may have changed since the gate was last looked at."""
    service = S.services[s]
    if now >= service.effect_until:
        find_effect(S, service, now)
    begin(S, g, s, m, now)


@rule
def abandon(S, g, m):
    """Rule S26: the work of a timed-out attempt goes on, in a record of its own that holds the slot."""
    c = copy_of(S, m)
    message, work = S.messages[m], S.messages[c]
    work.queue = message.queue
    work.attempt = message.attempt
    schedule_rare(S, S.groups[g], c, message.work_ends, P.WORK_ENDS)


@rule
def end_work(S, s, m, now):
    """Abandoned work ends; its result counts for nothing."""
    change_busy(S, S.services[s], m, -1)
    if S.run[0].tracing != 0:
        trace(S, P.WORK_ENDED, P.AT_SERVICE, s, m, now, -1.0)
    free(S, m)
