"""Instances take messages: deliveries, batches, the beginning of attempts (rules S23, S24, S46, S55, S67)."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.engine.attempts import is_poison, record, record_event_lag
from slosim.engine.calendar import schedule_rare
from slosim.engine.chance import draw_rare, uniform
from slosim.engine.gates import spend_token, token_at
from slosim.engine.jit import leaf, rule
from slosim.engine.lines import add_part, available_at
from slosim.engine.mechanisms.attempts import drop, fail_at_start, new_attempt
from slosim.engine.mechanisms.instances import stop_if_drained
from slosim.engine.mechanisms.places import (
    add_wait,
    hold_ahead,
    let_go,
    move,
    occupy_slot,
    step_out,
    unlink_attempt,
    unschedule,
)
from slosim.engine.mechanisms.protection import begin_call, earn, is_shed, lets_begin
from slosim.engine.mechanisms.returns import give_up
from slosim.engine.mechanisms.room import (
    comes_first,
    has_slot,
    has_token,
    is_available,
    is_open_now,
    is_working,
    next_holder,
    next_instance,
    next_of_partitions,
    next_of_queues,
    room_for,
)
from slosim.engine.messages import trace


@rule
def is_short(S, g, s):
    """Is an array too full for what a service takes next? All of a batch may fail at the start."""
    messages = 0
    if S.mechanisms[s].batches != 0:
        for line_index in range(S.services[s].line, S.services[s].line + S.services[s].line_count):
            messages += S.lines[line_index].waiting
    if room_for(S, S.groups[g], messages) == P.DONE:
        return False
    S.groups[g].resume = s
    return True


@rule
def take_all(S, g, s, now):
    """The service takes what it can (rule S23); True when anything changed."""
    changed = False
    while True:
        if S.mechanisms[s].prefetch > 0:
            changed |= deliver_all(S, g, s, now)
        took = False
        while take_one(S, g, s, now):
            took = True
        changed |= took
        if not took or S.mechanisms[s].prefetch == 0 or S.groups[g].resume != P.NONE:
            return changed


@rule
def deliver_all(S, g, s, now):
    """Hand messages to instances ahead of their slots while there is room (rule S46)."""
    mechanism, delivered = S.mechanisms[s], False
    while True:
        m = next_of_queues(S, s, now)
        i = next_holder(S, s)
        if m < 0 or i < 0:
            return delivered
        if is_short(S, g, s):
            return delivered
        step_out(S, g, m)
        hold_ahead(S, i, m)
        mechanism.last_instance = S.instances[i].number
        delivered = True
        if mechanism.visibility < math.inf:
            S.details[m].deadline = now + mechanism.visibility
            schedule_rare(S, S.groups[g], m, S.details[m].deadline, P.VISIBILITY_ENDS)
        if S.run[0].tracing != 0:
            trace(S, P.DELIVERED, P.AT_SERVICE, s, m, now, float(S.instances[i].number))


@rule
def take_one(S, g, s, now):
    """One message, or one batch, is taken if there is one that may be."""
    if not is_open_now(S, s, now):
        return False
    i, m = who_takes(S, s, now)
    if m < 0 or not has_token(S, s, now):
        return False
    if is_short(S, g, s):
        return False
    begin(S, g, s, i, m, now)
    return True


@leaf
def who_takes(S, s, now):
    """(instance, message) of what is taken next; the message is -1 when nothing may be."""
    service, mechanism = S.services[s], S.mechanisms[s]
    if mechanism.prefetch == 0 and service.is_log == 0:
        m = next_of_queues(S, s, now)
        i = next_instance(S, s, now) if m >= 0 else -1
        if i < 0 or not is_batch_ready(S, s, i, m, now):
            return -1, -1
        return i, m
    if mechanism.batches == 0 and service.is_log != 0:
        m = next_of_partitions(S, s, -1, now)
        return (S.queues[S.messages[m].queue].owner, m) if m >= 0 else (-1, -1)
    return who_takes_own(S, s, now)


@rule
def who_takes_own(S, s, now):
    """The same where each instance has messages of its own: held ahead, or batches of partitions."""
    service, mechanism = S.services[s], S.mechanisms[s]
    taker, best = -1, -1
    last = mechanism.last_instance if service.is_log == 0 else -1
    for k in range(1, service.instance_count + 1):
        i = service.first_instance + (last + k) % service.instance_count
        if has_slot(S, i, now):
            m = next_for(S, s, i, now)
            if m >= 0 and is_batch_ready(S, s, i, m, now) and comes_first(S, m, best):
                taker, best = i, m
                if mechanism.batches != 0:
                    break
    return taker, best


@rule
def next_for(S, s, i, now):
    """The message that comes next for an instance, -1 when there is none."""
    if S.mechanisms[s].prefetch > 0:
        return S.instances[i].head
    if S.services[s].is_log != 0:
        return next_of_partitions(S, s, i, now)
    return next_of_queues(S, s, now)


@leaf
def is_batch_ready(S, s, i, first, now):
    """Are there enough messages for a whole batch, or has the first waited long enough?"""
    mechanism = S.mechanisms[s]
    if mechanism.batch_max == 1 or now >= S.messages[first].visible + mechanism.batch_wait:
        return True
    return takeable(S, s, i, now) >= mechanism.batch_max


@rule
def takeable(S, s, i, now):
    """How many messages an instance could take into one batch."""
    service, count = S.services[s], 0
    if S.mechanisms[s].prefetch > 0:
        return S.instances[i].held_ahead
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        if not is_available(S, line, now):
            continue
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            if line.is_log == 0 or (queue.owner == i and queue.busy == 0 and queue.stopped == 0):
                count += queue.waiting
    return count


# Attempts begin.


@leaf
def begin(S, g, s, i, first, now):
    """A slot of an instance takes one message after the other, up to a batch."""
    mechanism = S.mechanisms[s]
    leader, last, count = -1, -1, 0
    m = np.int64(first)
    while True:
        a = take(S, g, s, i, m, now)
        if a >= 0:
            if leader < 0:
                leader = a
            else:
                S.details[last].mate = a
            S.details[a].leader = leader
            last = a
            count += 1
        if mechanism.batches == 0 or count == mechanism.batch_max:
            break
        m = next_for(S, s, i, now)
        if m < 0 or not has_token(S, s, now) or not lets_begin(mechanism):
            break
    if leader >= 0:
        S.details[leader].weight = count
        if mechanism.batches != 0 and S.run[0].tracing != 0:
            trace(S, P.BATCH, P.AT_SERVICE, s, leader, now, float(count))
        hold_partitions(S, leader)
        occupy_slot(S, i, 1)
        plan_end(S, g, s, leader, now)


@leaf
def hold_partitions(S, a):
    """The partitions of a batch have messages in work."""
    while a >= 0:
        if S.services[S.lines[S.messages[a].line].service].is_log != 0:
            S.queues[S.messages[a].queue].busy += 1
        a = S.details[a].mate


@leaf
def take(S, g, s, i, m, now):
    """A message is taken by an instance; its attempt, or -1 when it is shed or fails at its start."""
    mechanism, message = S.mechanisms[s], S.messages[m]
    waited = now - message.visible
    was_held = S.details[m].holder >= 0
    if was_held:
        unschedule(S, g, m)
        let_go(S, m)
    else:
        step_out(S, g, m)
    add_wait(S, m, now)
    if is_shed(mechanism, waited, now):
        give_up(S, g, m, now, P.SHED)
        return -1
    if not was_held:
        mechanism.last_instance = S.instances[i].number
    if message.held == 0:
        record(S, s, P.WAIT, waited)
        S.services[s].wait_total += waited
        S.services[s].wait_max = max(S.services[s].wait_max, waited)
    message.held = 0
    spend_token(S.services[s], now)
    epoch = enter_attempt(S, s, i, m, now)
    if fails_now(S, s, i, m):
        fail_at_start(S, g, s, i, m, epoch, now)
        return -1
    if mechanism.visibility < math.inf:  # of what was held ahead it goes on, as a timer of this attempt
        if not was_held:
            S.details[m].deadline = now + mechanism.visibility
        schedule_rare(S, S.groups[g], m, S.details[m].deadline, P.VISIBILITY_ENDS)
    a = new_attempt(S, i, m)
    S.details[a].epoch = epoch
    S.messages[a].outcome = outcome_of(S, s, i, m)
    return a


@rule
def enter_attempt(S, s, i, m, now):
    """An attempt of a message begins; the breaker's epoch it belongs to."""
    service, mechanism, message = S.services[s], S.mechanisms[s], S.messages[m]
    message.taken = now
    if message.attempt == 0:
        service.first_attempts += 1
        record_event_lag(S, S.lines[message.line], message.line, now - message.published)
        earn(mechanism, P.CAP)
    message.attempt += 1
    service.attempts += 1
    mechanism.begun += 1
    mechanism.in_work += 1
    move(S, m, P.IN_WORK)
    if S.run[0].tracing != 0:
        trace(S, P.TAKEN, P.AT_SERVICE, s, m, now, float(S.instances[i].number))
    return begin_call(mechanism)


@leaf
def fails_now(S, s, i, m):
    """Does the attempt fail the instant it is taken (rule S27)?"""
    if in_outage(S, s, i):
        return True
    return S.services[s].fails_at_start != 0 and outcome_of(S, s, i, m) == P.FAILED


@leaf
def in_outage(S, s, i):
    service, instance = S.services[s], S.instances[i]
    if service.effect_count > 0 and S.effects[service.effect].outage != 0:
        return True
    return instance.effect_count > 0 and S.effects[instance.effect].outage != 0


@rule
def outcome_of(S, s, i, m):
    """Does an attempt that begins fail by itself, by the service, its faults and those of the instance?"""
    service, message, instance = S.services[s], S.messages[m], S.instances[i]
    survives = 1.0 - service.failure_probability
    if service.effect_count > 0:
        survives *= 1.0 - S.effects[service.effect].error_rate
    if instance.effect_count > 0:
        survives *= 1.0 - S.effects[instance.effect].error_rate
    probability = 1.0 - survives
    if probability > 0.0 and uniform(service.failure_stream, message.identity, message.attempt) < probability:
        return P.FAILED
    if service.poison > 0.0 and is_poison(service, message.identity):
        return P.FAILED
    return P.SUCCEEDED


@rule
def plan_end(S, g, s, leader, now):
    """The work of a slot begins: when it is over, or its time-out (rules S24, S26, S55, S56)."""
    service, mechanism, detail = S.services[s], S.mechanisms[s], S.details[leader]
    seconds = work_time(S, s, leader)
    detail.work_until = now + seconds
    detail.deadline = now + service.timeout
    if seconds <= service.timeout:
        schedule_rare(S, S.groups[g], leader, detail.work_until, P.ATTEMPT_ENDS)
    elif mechanism.call_count > 0:
        schedule_rare(S, S.groups[g], leader, detail.deadline, P.TIMES_OUT)
    else:
        a = leader
        while a >= 0:
            S.messages[a].outcome = P.TIMED_OUT
            a = S.details[a].mate
        schedule_rare(S, S.groups[g], leader, detail.deadline, P.ATTEMPT_ENDS)


@leaf
def work_time(S, s, leader):
    """Service time of a batch, s, stretched by the faults of the service and the instance (rule S67)."""
    service, mechanism, message = S.services[s], S.mechanisms[s], S.messages[leader]
    instance = S.instances[S.details[leader].instance]
    u = uniform(service.service_stream, message.identity, message.attempt)
    seconds = draw_rare(S, service.service_time, u)
    if mechanism.batches != 0:
        seconds += S.details[leader].weight * mechanism.batch_each
    added = 0.0
    if service.effect_count > 0:
        seconds *= S.effects[service.effect].slowdown
        added += S.effects[service.effect].added_latency
    if instance.effect_count > 0:
        seconds *= S.effects[instance.effect].slowdown
        added += S.effects[instance.effect].added_latency
    return seconds + added


@rule
def start_held(S, g, s, m, now):
    """The back-off of a blocking retry on a queue is over: its slot starts the next attempt (rule S29)."""
    service, message = S.services[s], S.messages[m]
    a = S.details[m].attempt
    if message.held == P.RETRIES_IN_PLACE:
        add_part(S, m, service.part_retry, now - message.work_ends)
        time = max(now, token_at(service)) if service.token_interval > 0.0 else now
        spend_token(service, time)
        message.held = P.HAS_TOKEN
        message.visible = now
        if time > now:
            schedule_rare(S, S.groups[g], m, time, P.HELD_RETRY_STARTS)
            return
    add_part(S, m, service.part_wait, now - message.visible)
    message.held = 0
    i = S.details[a].instance
    is_open_now(S, s, now)
    is_working(S, i, now)
    epoch = enter_attempt(S, s, i, m, now)
    begin_held(S, g, s, i, m, a, epoch, now)


@rule
def begin_held(S, g, s, i, m, a, epoch, now):
    """The next attempt in a slot that has been held: its record takes the place of the old one."""
    unlink_attempt(S, a)
    drop(S, a)
    if fails_now(S, s, i, m):
        occupy_slot(S, i, -1)
        fail_at_start(S, g, s, i, m, epoch, now)
        S.mechanisms[s].concerned = 1
        stop_if_drained(S, g, s, i, now)
        return
    new = new_attempt(S, i, m)
    S.details[new].epoch = epoch
    S.messages[new].outcome = outcome_of(S, s, i, m)
    plan_end(S, g, s, new, now)


@rule
def plan_wake(S, g, s, now):
    """Something waits that may not be taken yet: look again when that may change with time alone."""
    service = S.services[s]
    if not is_expected(S, s):
        return
    # a pause does not keep messages from being delivered ahead of the slots: what else may change counts too
    time = service.effect_until if service.paused != 0 else math.inf
    if service.token_interval > 0.0 and token_at(service) > now:
        time = min(time, token_at(service))
    for line_index in range(service.line, service.line + service.line_count):
        topic = S.topics[S.lines[line_index].topic]
        if topic.window_count > 0:
            until = available_at(S, topic, now)
            if until > now:
                time = min(time, until)
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        if not is_working(S, i, now) and S.instances[i].state == P.UP:
            time = min(time, S.instances[i].effect_until)
    if S.mechanisms[s].batch_max > 1:
        begins = batch_begins(S, s, now)
        if begins > now:
            time = min(time, begins)
    if time > now and time < math.inf:
        wake_at(S, g, s, time)


@leaf
def is_expected(S, s):
    """Does anything wait for the service, in its lines or before full topics?"""
    service = S.services[s]
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        if line.waiting > 0 or S.topics[line.topic].publisher_head >= 0:
            return True
    return False


@rule
def batch_begins(S, s, now):
    """When the first batch that is not full yet has waited long enough, s."""
    service, wait, time = S.services[s], S.mechanisms[s].batch_wait, math.inf
    if service.is_log == 0 and S.mechanisms[s].prefetch == 0:
        m = next_of_queues(S, s, now)
        return S.messages[m].visible + wait if m >= 0 else time
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        if has_slot(S, i, now):
            m = next_for(S, s, i, now)
            if m >= 0:
                time = min(time, S.messages[m].visible + wait)
    return time


@rule
def wake_at(S, g, s, time):
    """The service takes again at a time, if nothing makes it take before."""
    timer = S.messages[s]
    if timer.heap >= 0:
        if timer.visible <= time:
            return
        unschedule(S, g, s)
    timer.visible = time
    schedule_rare(S, S.groups[g], s, time, P.SERVICE_WAKES)
