"""Which instance could take a message now: free slots, faults, owners (rules S42, S46, S54, S67)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.gates import find_effect, move_on, token_at
from slosim.engine.jit import leaf, rule
from slosim.engine.lines import available_at
from slosim.engine.mechanisms.protection import lets_begin
from slosim.engine.messages import first_waiting, precedes


@leaf
def room_for(S, group, messages):
    """Is there room in the arrays for an event that handles so many messages? DONE, or what is needed."""
    run = S.run[0]
    records = run.margin + messages * run.fan_out
    if run.free_count < records:
        return P.NEEDS_MESSAGES
    if group.heap_length + records > group.heap_capacity:
        return P.NEEDS_CALENDAR
    if run.tracing != 0 and run.trace_count + 16 * records > run.trace_capacity:
        return P.NEEDS_TRACE
    return P.DONE


@rule
def find_instance_effect(S, i, now):
    """`move_on` for one instance."""
    move_on(S, S.instances[i], now)


@leaf
def is_working(S, i, now):
    """Is an instance up, and not paused by a fault of its own?"""
    instance = S.instances[i]
    if now >= instance.effect_until:
        find_instance_effect(S, i, now)
    return instance.state == P.UP and instance.paused == 0


@leaf
def has_slot(S, i, now):
    """May an instance begin something now?"""
    instance = S.instances[i]
    return is_working(S, i, now) and instance.busy < S.services[instance.service].concurrency


@leaf
def next_instance(S, s, now):
    """Round the instances: the next one with a free slot, -1 when there is none (rule S42)."""
    service, last = S.services[s], S.mechanisms[s].last_instance
    for k in range(1, service.instance_count + 1):
        i = service.first_instance + (last + k) % service.instance_count
        if has_slot(S, i, now):
            return i
    return -1


@rule
def next_holder(S, s):
    """Round the instances: the next one that may hold one message more ahead of its slots, -1 if none."""
    service, mechanism = S.services[s], S.mechanisms[s]
    for k in range(1, service.instance_count + 1):
        i = service.first_instance + (mechanism.last_instance + k) % service.instance_count
        if S.instances[i].state == P.UP and S.instances[i].held_ahead < mechanism.prefetch:
            return i
    return -1


@leaf
def is_available(S, line, now):
    topic = S.topics[line.topic]
    return topic.window_count == 0 or available_at(S, topic, now) <= now


@leaf
def is_open_now(S, s, now):
    """Do pauses and the circuit breaker let the service begin an attempt?"""
    service = S.services[s]
    if now >= service.effect_until:
        find_effect(S, service, now)
    return service.paused == 0 and lets_begin(S.mechanisms[s])


@leaf
def has_token(S, s, now):
    service = S.services[s]
    return service.token_interval == 0.0 or now >= token_at(service)


@leaf
def comes_first(S, m, best):
    """Of two messages that could be taken: the one that became visible first, then by message order."""
    if best < 0:
        return True
    a, b = S.messages[m].visible, S.messages[best].visible
    return a < b or (a == b and precedes(S, m, best))


@rule
def next_of_queues(S, s, now):
    """The message of its queues that the service takes next, -1 when none waits (rules S15, S54)."""
    service, best = S.services[s], -1
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        m = first_waiting(S, line)
        if m >= 0 and is_available(S, line, now) and comes_first(S, m, best):
            best = m
    return best


@rule
def next_of_partitions(S, s, owner, now):
    """The head that comes next of the idle partitions of instance `owner`, or of any with a slot (-1)."""
    service, best = S.services[s], -1
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        if line.waiting == 0 or not is_available(S, line, now):
            continue
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            if queue.head < 0 or queue.busy != 0 or queue.stopped != 0:
                continue
            if (queue.owner == owner or (owner < 0 and has_slot(S, queue.owner, now))) and comes_first(
                S, queue.head, best
            ):
                best = queue.head
    return best


@rule
def takes_at_once(S, s, line_index, q, now):
    """Would a slot take a message that becomes visible in this queue or partition now (rule S17)?"""
    service, mechanism = S.services[s], S.mechanisms[s]
    if mechanism.joins != 0 or not is_available(S, S.lines[line_index], now):
        return False
    if mechanism.batch_max > 1 and mechanism.batch_wait > 0.0:
        return False
    if not is_open_now(S, s, now) or not has_token(S, s, now):
        return False
    if service.is_log != 0:
        return partition_takes_at_once(S, s, q, now)
    if waits_in_queues(S, s):
        return False
    if mechanism.prefetch > 0 and next_holder(S, s) >= 0:
        return True
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        if has_slot(S, i, now) and S.instances[i].held_ahead == 0:
            return True
    return False


@rule
def waits_in_queues(S, s):
    """Does any message wait in a queue of the service, held ahead by nobody?"""
    service = S.services[s]
    for line_index in range(service.line, service.line + service.line_count):
        if S.lines[line_index].waiting > S.lines[line_index].held_ahead:
            return True
    return False


@rule
def partition_takes_at_once(S, s, q, now):
    """Is the partition idle, and has its owner more free slots than other heads to take?"""
    queue, service = S.queues[q], S.services[s]
    if queue.head >= 0 or queue.busy != 0 or queue.stopped != 0 or not has_slot(S, queue.owner, now):
        return False
    free_slots = service.concurrency - S.instances[queue.owner].busy
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        if not is_available(S, line, now):
            continue
        for other in range(line.first_queue, line.first_queue + line.queue_count):
            ahead = S.queues[other]
            if ahead.owner == queue.owner and ahead.head >= 0 and ahead.busy == 0 and ahead.stopped == 0:
                free_slots -= 1
    return free_slots > 0
