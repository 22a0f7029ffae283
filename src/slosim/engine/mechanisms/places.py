"""Where a message is: its line counts it, and it stands in one list, or in none."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import cancel, schedule_rare
from slosim.engine.jit import leaf, rule
from slosim.engine.lines import add_part
from slosim.engine.messages import copy_of, join_head, join_tail, trace, unlink


@rule
def tell(S, what, s, number, now, value):
    """A row of the trace about an instance of a service, or the service (number -1); the caller checked."""
    run = S.run[0]
    row = S.trace[run.trace_count]
    run.trace_count += 1
    row.time = now
    row.value = np.float64(value)
    row.origin = -1
    row.path = np.uint64(0)
    row.what = what
    row.where_kind = P.AT_SERVICE
    row.where = s
    row.attempt = number


@leaf
def count_place(line, place, by):
    if place == P.WAITING:
        line.waiting += by
    elif place == P.IN_WORK:
        line.in_work += by
    elif place == P.BACKING_OFF:
        line.backing_off += by
    elif place == P.DELAYED:
        line.delayed += by


@rule
def move(S, m, place):
    """The message, and those that follow it through a join, are somewhere else from now on."""
    while m >= 0:
        message = S.messages[m]
        line = S.lines[message.line]
        count_place(line, message.place, -1)
        count_place(line, place, 1)
        message.place = place
        m = S.details[m].follower


@leaf
def forget(S, m):
    """A record that has just been taken has no details yet."""
    detail = S.details[m]
    detail.attempt = -1
    detail.holder = -1
    detail.follower = -1
    detail.bucket = -1
    detail.returned = 0
    detail.repeats = 0
    detail.message = -1
    detail.other = -1
    detail.before = -1
    detail.after = -1
    detail.leader = -1
    detail.mate = -1
    detail.weight = 1
    detail.stage = P.WORKING
    detail.call = 0
    detail.request = -1
    detail.hedge = -1
    detail.pending = -1
    detail.epoch = -1


@rule
def record_beside(S, m):
    """A record for an attempt or a request of message m, with its place in the order and its parts."""
    c = copy_of(S, m)
    S.messages[c].queue = S.messages[m].queue
    S.messages[c].attempt = S.messages[m].attempt
    forget(S, c)
    return c


@leaf
def unschedule(S, g, m):
    if S.messages[m].heap >= 0:
        cancel(S, S.groups[g], m)


# Standing still (rule S53).


@leaf
def time_stopped(S, q, now):
    """Seconds a partition has stood still."""
    queue = S.queues[q]
    if queue.stopped != 0:
        return queue.stopped_total + (now - queue.stopped_since)
    return queue.stopped_total


@leaf
def note_visible(S, m, now):
    """From when, and in which order of all, the message is visible."""
    S.messages[m].visible = now
    S.run[0].shown += 1
    S.details[m].shown = S.run[0].shown
    S.details[m].stopped_before = time_stopped(S, S.messages[m].queue, now)


@rule
def show(S, m, now):
    """The message is visible from now on."""
    note_visible(S, m, now)
    if S.run[0].tracing != 0:
        trace(S, P.VISIBLE, P.AT_SERVICE, S.lines[S.messages[m].line].service, m, now, -1.0)


@rule
def add_wait(S, m, now):
    """The wait since the message became visible goes to its parts."""
    message = S.messages[m]
    s = S.lines[message.line].service
    stopped = time_stopped(S, message.queue, now) - S.details[m].stopped_before
    add_part(S, m, S.mechanisms[s].part_rebalance, stopped)
    add_part(S, m, S.services[s].part_wait, now - message.visible - stopped)


# Lists.


@leaf
def watch_expiry(S, g, line, m):
    """What has been joined does not expire (rule S58)."""
    if line.ttl >= 0 and S.details[m].follower < 0:
        schedule_rare(S, S.groups[g], m, S.messages[m].expires, P.EXPIRES)


@rule
def line_up(S, g, m):
    """A visible message joins the tail of its queue or partition."""
    message = S.messages[m]
    line, queue = S.lines[message.line], S.queues[message.queue]
    move(S, m, P.WAITING)
    join_tail(S, queue, m)
    S.details[m].returned = 0
    queue.waiting += 1
    watch_expiry(S, g, line, m)
    S.mechanisms[line.service].concerned = 1


@rule
def line_up_first(S, g, m):
    """A visible message goes to where the next one is taken from."""
    message = S.messages[m]
    line, queue = S.lines[message.line], S.queues[message.queue]
    move(S, m, P.WAITING)
    if line.order == P.LIFO:
        join_tail(S, queue, m)
    else:
        join_head(S, queue, m)
    S.details[m].returned = 1
    queue.waiting += 1
    watch_expiry(S, g, line, m)
    S.mechanisms[line.service].concerned = 1


@rule
def oldest_waiting(S, line):
    """The message in the queues of a line that became visible first, -1 when none waits (rule S18).

    In a list they stand in the order of becoming visible, but for those that returned to either end.
    """
    best = -1
    for q in range(line.first_queue, line.first_queue + line.queue_count):
        m = np.int64(S.queues[q].head)
        while m >= 0:
            if best < 0 or S.details[m].shown < S.details[best].shown:
                best = m
            if S.details[m].returned == 0:
                break
            m = np.int64(S.messages[m].next)
        m = np.int64(S.queues[q].tail)
        while m >= 0 and S.details[m].returned != 0:
            if S.details[m].shown < S.details[best].shown:
                best = m
            m = np.int64(S.messages[m].previous)
    return best


@rule
def hold_ahead(S, i, m):
    """An instance holds a waiting message ahead of its slots."""
    message, instance = S.messages[m], S.instances[i]
    line = S.lines[message.line]
    S.details[m].holder = i
    join_tail(S, instance, m)
    instance.held_ahead += 1
    line.held_ahead += 1
    S.mechanisms[line.service].held_ahead += 1


@rule
def let_go(S, m):
    """The instance that held a message ahead holds it no more; the message is in no list."""
    message = S.messages[m]
    line, instance = S.lines[message.line], S.instances[S.details[m].holder]
    if message.held == P.LOST_HOLDER:
        message.held = 0
    else:
        unlink(S, instance, m)
        instance.held_ahead -= 1
    S.details[m].holder = -1
    line.held_ahead -= 1
    S.mechanisms[line.service].held_ahead -= 1


@rule
def step_out(S, g, m):
    """Take a waiting message out of the list it stands in; what would have happened to it there does not."""
    message, detail = S.messages[m], S.details[m]
    if detail.holder >= 0:
        let_go(S, m)
        return
    if message.heap >= 0:
        cancel(S, S.groups[g], m)
    if detail.bucket >= 0:
        unlink(S, S.queues[detail.bucket], m)
        detail.bucket = -1
        return
    queue = S.queues[message.queue]
    unlink(S, queue, m)
    queue.waiting -= 1


# The attempts of an instance, in the order in which they began.


@leaf
def begin_at(S, i, a):
    """Attempt a is the latest of an instance."""
    instance, detail = S.instances[i], S.details[a]
    detail.instance = i
    detail.before = instance.last_work
    detail.after = -1
    if instance.last_work < 0:
        instance.first_work = a
    else:
        S.details[instance.last_work].after = a
    instance.last_work = a


@leaf
def end_at(S, a):
    """Attempt a is none of its instance any more."""
    detail = S.details[a]
    instance = S.instances[detail.instance]
    if detail.before < 0:
        instance.first_work = detail.after
    else:
        S.details[detail.before].after = detail.after
    if detail.after < 0:
        instance.last_work = detail.before
    else:
        S.details[detail.after].before = detail.before


@leaf
def link_attempt(S, m, a):
    """Attempt a is the latest of message m."""
    S.details[a].message = m
    S.details[a].other = S.details[m].attempt
    S.details[m].attempt = a


@rule
def unlink_attempt(S, a):
    """Attempt a goes on, or not, without its message."""
    m = S.details[a].message
    S.details[a].message = -1
    if m < 0:
        return
    if S.details[m].attempt == a:
        S.details[m].attempt = S.details[a].other
        return
    before = S.details[m].attempt
    while S.details[before].other != a:
        before = S.details[before].other
    S.details[before].other = S.details[a].other


@leaf
def is_current(S, a):
    """Is attempt a what its message is in work with, or has it been overtaken (rule S50)?"""
    m = S.details[a].message
    return m >= 0 and S.messages[m].place == P.IN_WORK and S.messages[m].attempt == S.messages[a].attempt


@leaf
def occupy_slot(S, i, by):
    """Occupy or free a slot of an instance."""
    S.instances[i].busy += by
    S.services[S.instances[i].service].busy += by


@leaf
def take_over_parts(S, m, a):
    """The message has spent its time as attempt a says."""
    for part in range(S.run[0].parts):
        S.parts[m, part] = S.parts[a, part]
