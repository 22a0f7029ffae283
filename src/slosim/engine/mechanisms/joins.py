"""Joins: one message of each topic, for the same producer's message, are taken as one (rule S58)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import rule
from slosim.engine.mechanisms.places import line_up, move, note_visible, show, step_out, take_over_parts
from slosim.engine.messages import join_tail, trace


@rule
def bucket_of_origin(S, line, m):
    """The list, of those of a line, for messages that come from the same producer's message."""
    origin = S.messages[m].origin
    return line.first_bucket + ((origin ^ (origin >> 48)) & (P.BUCKETS_PER_JOIN - 1))


@rule
def partner_in(S, line_index, m):
    """The message of a line put aside first that comes from the same producer's message, -1 if none."""
    line = S.lines[line_index]
    other = S.queues[bucket_of_origin(S, line, m)].head
    while other >= 0:
        if S.messages[other].origin == S.messages[m].origin:
            return other
        other = S.messages[other].next
    return -1


@rule
def become_visible(S, g, s, m, now):
    """A message is visible for the first time: it joins its queue, or waits for its partners."""
    show(S, m, now)
    if S.mechanisms[s].joins == 0:
        line_up(S, g, m)
        return
    service = S.services[s]
    move(S, m, P.WAITING)
    for line_index in range(service.line, service.line + service.line_count):
        if line_index != S.messages[m].line and partner_in(S, line_index, m) < 0:
            set_aside(S, g, s, m, now)
            return
    join_partners(S, g, s, m, now)


@rule
def set_aside(S, g, s, m, now):
    message = S.messages[m]
    line = S.lines[message.line]
    bucket = bucket_of_origin(S, line, m)
    S.details[m].bucket = bucket
    join_tail(S, S.queues[bucket], m)
    if line.ttl >= 0:
        schedule_rare(S, S.groups[g], m, message.expires, P.EXPIRES)
    if S.run[0].tracing != 0:
        trace(S, P.SET_ASIDE, P.AT_SERVICE, s, m, now, -1.0)


@rule
def join_partners(S, g, s, m, now):
    """Message m is the last that was missing: the one of the first topic leads, the others follow."""
    service = S.services[s]
    leader, last = -1, -1
    for line_index in range(service.line, service.line + service.line_count):
        one = m
        if line_index != S.messages[m].line:
            one = partner_in(S, line_index, m)
            step_out(S, g, one)
        if leader < 0:
            leader = one
        else:
            S.details[last].follower = one
        last = one
    if leader != m:
        take_over_parts(S, leader, m)
    note_visible(S, leader, now)
    if S.run[0].tracing != 0:
        trace(S, P.JOINED, P.AT_SERVICE, s, leader, now, -1.0)
    line_up(S, g, leader)
