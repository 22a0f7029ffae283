"""What an attempt emits: in order, waiting for topics that are full or unavailable (rules S19, S31, S64)."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.attempts import chosen, is_emitted
from slosim.engine.calendar import schedule_rare
from slosim.engine.chance import G, draw_rare, mix, uniform
from slosim.engine.flows import end_hold, enter
from slosim.engine.jit import rule
from slosim.engine.lines import (
    add_part,
    available_at,
    count_arrival,
    count_publish,
    depart,
    is_delayed,
    join_lag,
    may_be_delayed,
    publish_child,
    start_ttl,
)
from slosim.engine.mechanisms.attempts import drop, fail, leave_slot, succeed
from slosim.engine.mechanisms.joins import become_visible
from slosim.engine.mechanisms.places import add_wait, forget, oldest_waiting, step_out
from slosim.engine.mechanisms.returns import give_up
from slosim.engine.mechanisms.room import room_for, takes_at_once
from slosim.engine.messages import (
    address,
    child_identity,
    child_path,
    copy_of,
    free,
    partition_of,
    trace,
)

NOTHING_LEFT = (1 << 31) - 1
"""In `cursor`: a duplicate emits nothing (rule S50)."""

# Messages reach lines of services with mechanisms.


@rule
def reach(S, g, m, now):
    """A message reaches its line (rules S14, S17, S18)."""
    message = S.messages[m]
    line = S.lines[message.line]
    forget(S, m)
    count_arrival(S, line, m, now)
    if not has_room(S, line, m, now) and not make_room(S, g, line, m, now):
        return
    join_lag(S, line, m)
    S.mechanisms[line.service].concerned = 1
    if line.delays != 0 and is_delayed(S, g, line, m, now):
        return
    become_visible_first(S, g, m, now)


@rule
def become_visible_first(S, g, m, now):
    message = S.messages[m]
    line = S.lines[message.line]
    message.first_visible = now
    if line.ttl >= 0:
        start_ttl(S, line, m, now)
    become_visible(S, g, line.service, m, now)


@rule
def has_room(S, line, m, now):
    """Rule S17: messages that instances hold ahead do not count against the capacity (rule S46)."""
    if line.waiting - line.held_ahead < line.capacity:
        return True
    message = S.messages[m]
    if message.visible > message.published or (line.delay >= 0 and may_be_delayed(S, line, m)):
        return False
    return takes_at_once(S, line.service, message.line, message.queue, now)


@rule
def make_room(S, g, line, m, now):
    """Rule S18. True when the message may stay after all."""
    if line.when_full == P.DROP_OLDEST:
        oldest = oldest_waiting(S, line)
        if oldest >= 0:
            add_wait(S, oldest, now)
            step_out(S, g, oldest)
            give_up(S, g, oldest, now, P.DROPPED)
            return True
        line.dropped += 1
        depart(S, g, line, m, now, P.DROPPED)
    else:
        line.rejected += 1
        depart(S, g, line, m, now, P.REJECTED)
    return False


# Publishing to topics that hold their publishers back.


@rule
def next_partition(S, topic, outlet, key):
    """The partition the next publish goes to, without turning the rotation."""
    if topic.partitions == 0:
        return 0
    if key >= 0:
        return S.key_hashes[key] % topic.partitions
    return S.rotations[outlet.rotation] % topic.partitions


@rule
def has_room_in_all(S, topic, c, now):
    """Is the topic available, and would every line of it accept message c?"""
    if available_at(S, topic, now) > now:
        return False
    for i in range(topic.first_consumer, topic.first_consumer + topic.consumer_count):
        outlet = S.outlets[S.messages[c].outlet]
        address(S, c, S.consumers[i], next_partition(S, topic, outlet, S.messages[c].key))
        if not has_room(S, S.lines[S.consumers[i]], c, now):
            return False
    return True


@rule
def offer(S, g, c, now):
    """Publish message c, which knows its outlet, or let it wait for room. True when it was accepted."""
    message = S.messages[c]
    topic = S.topics[S.outlets[message.outlet].topic]
    if topic.publisher_head < 0 and has_room_in_all(S, topic, c, now):
        accept(S, g, c, now)
        return True
    message.place = P.HELD_BACK
    message.next = -1
    if topic.publisher_head < 0:
        topic.publisher_head = c
    else:
        S.messages[topic.publisher_tail].next = c
    topic.publisher_tail = c
    if message.parent < 0:
        topic.held_back += 1
    if S.run[0].tracing != 0:
        trace_publisher(S, P.BLOCKED, c, now)
    return False


@rule
def trace_publisher(S, what, c, now):
    """Tell of a publish that waits: by the attempt that publishes, or by the producer."""
    message = S.messages[c]
    topic = S.outlets[message.outlet].topic
    if message.parent >= 0:
        service = S.lines[S.messages[message.parent].line].service
        trace(S, what, P.AT_SERVICE, service, message.parent, now, np.float64(topic))
    else:
        trace(S, what, P.AT_PRODUCER, message.origin >> 48, c, now, np.float64(topic))


@rule
def accept(S, g, c, now):
    """The publish happens: the message arrives in every line of its topic."""
    message = S.messages[c]
    outlet = S.outlets[message.outlet]
    topic = S.topics[outlet.topic]
    count_publish(S, outlet, now)
    delay = message.visible - message.published
    part = S.producers[message.origin >> 48].part_held_back
    if message.parent >= 0:
        part = S.services[S.lines[S.messages[message.parent].line].service].part_service
    add_part(S, c, part, now - message.published)
    message.published = now
    message.visible = now + delay
    partition = partition_of(S, topic, outlet, message.key)
    block, is_child = message.instance, message.parent >= 0
    message.parent = P.NONE
    last = topic.first_consumer + topic.consumer_count - 1
    for i in range(topic.first_consumer, last + 1):
        m = c if i == last else copy_of(S, c)
        address(S, m, S.consumers[i], partition)
        if block >= 0:
            S.messages[m].instance = enter(S, block, S.consumers[i])
        reach(S, g, m, now)
    if block >= 0 and not is_child:
        end_hold(S, block)


@rule
def admit(S, g, topic, now):
    """Accept from the line of publishers while there is room; True when any was accepted."""
    changed = False
    # what becomes visible later does not count against the capacity: any number may be accepted at once
    while topic.publisher_head >= 0 and room_for(S, S.groups[g], 1) == P.DONE:
        c = topic.publisher_head
        if not has_room_in_all(S, topic, c, now):
            break
        topic.publisher_head = S.messages[c].next
        changed = True
        parent = S.messages[c].parent
        if S.run[0].tracing != 0:
            trace_publisher(S, P.ACCEPTED, c, now)
        if parent < 0:
            topic.held_back -= 1
        else:
            S.details[parent].pending = -1
        accept(S, g, c, now)
        if parent >= 0:
            publish_on(S, g, parent, now)
    return changed


# Attempts publish.


@rule
def child_of_attempt(S, s, outlet, a, copy, now):
    """A child of attempt a; children of several attempts of one message are not the same (rules S44, S50)."""
    c = copy_of(S, a)
    parent, child = S.messages[a], S.messages[c]
    child.identity = child_identity(parent.identity, outlet.emission, copy)
    child.path = child_path(S, parent.path, outlet.slot + copy)
    repeats = np.int64(parent.attempt - 1)
    if S.mechanisms[s].visibility == np.inf:
        repeats = np.int64(S.details[S.details[a].message].repeats)
    if repeats > 0:
        child.identity = mix(child.identity + np.uint64(repeats) * G)
        for _ in range(repeats):
            child.path *= S.run[0].path_base
    child.published = now
    child.visible = now
    if outlet.delay >= 0:
        child.visible = now + draw_rare(S, outlet.delay, uniform(outlet.delay_stream, child.identity, 0))
    return c


@rule
def publish_all(S, g, s, a, now):
    """Go on publishing what the success of attempt a emits; True when all of it is published."""
    service, message = S.services[s], S.messages[a]
    # the children inherit the time until now
    add_part(S, a, service.part_service, now - message.work_ends)
    message.work_ends = now
    only = chosen(S, service, a) if service.chooses != 0 else P.NONE
    position = 0
    for o in range(service.first_emit, service.first_emit + service.emit_count):
        if (only >= 0 and o != only) or (only < 0 and not is_emitted(S, o, a)):
            continue
        outlet = S.outlets[o]
        topic = S.topics[outlet.topic]
        for copy in range(1 if only >= 0 else outlet.copies):
            position += 1
            if position <= message.cursor:
                continue
            until = available_at(S, topic, now)
            if until > now:
                schedule_rare(S, S.groups[g], a, until, P.PUBLISHES_ON)
                return False
            message.cursor = position
            c = child_of_attempt(S, s, outlet, a, copy, now)
            if topic.blocks == 0:
                publish_child(S, g, o, a, c, now)
                continue
            S.messages[c].outlet = o
            S.messages[c].parent = a
            S.details[a].pending = c
            if not offer(S, g, c, now):
                return False
            S.details[a].pending = -1
    return True


@rule
def end_work(S, g, s, leader, now):
    """The work of a slot has been done, or has failed: what is left to do is to publish."""
    a = leader
    while a >= 0:
        S.details[a].stage = P.PUBLISHING
        if S.details[a].message < 0 and S.mechanisms[s].idempotent != 0:
            S.messages[a].cursor = NOTHING_LEFT
        a = S.details[a].mate
    a = leader
    while a >= 0:
        after = S.details[a].mate
        end_one(S, g, s, a, now)
        a = after


@rule
def end_one(S, g, s, a, now):
    """An attempt of a batch ends, unless it has to wait with publishing; the last one frees the slot."""
    if S.messages[a].outcome == P.SUCCEEDED:
        if not publish_all(S, g, s, a, now):
            return
        succeed(S, g, s, a, now)
    elif fail(S, g, s, a, now):
        return
    leader = np.int64(S.details[a].leader)
    S.details[leader].weight -= 1
    if a == leader:
        S.details[a].stage = P.ENDED
    else:
        drop(S, a)
    if S.details[leader].weight == 0:
        leave_slot(S, g, s, leader, now)


@rule
def withdraw(S, a):
    """A publish of attempt a that waits for room leaves the line of publishers (rule S44)."""
    c, before = np.int64(S.details[a].pending), -1
    if c < 0:
        return
    topic = S.topics[S.outlets[S.messages[c].outlet].topic]
    one = np.int64(topic.publisher_head)
    while one != c:
        before, one = one, np.int64(S.messages[one].next)
    if before < 0:
        topic.publisher_head = S.messages[c].next
    else:
        S.messages[before].next = S.messages[c].next
    if topic.publisher_tail == c:
        topic.publisher_tail = before
    free(S, c)


@rule
def publish_on(S, g, a, now):
    """A publish of attempt a was accepted, or its topic is available again: it goes on."""
    end_one(S, g, S.lines[S.messages[a].line].service, a, now)
