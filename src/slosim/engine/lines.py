"""Lines: a message is published, arrives, waits, and leaves without success (rules S12 to S22)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.calendar import cancel, schedule_rare
from slosim.engine.chance import draw_rare, uniform
from slosim.engine.flows import enter, leave, mark_dead
from slosim.engine.gates import is_open
from slosim.engine.jit import branch, leaf, rule
from slosim.engine.messages import (
    address,
    child_identity,
    child_path,
    copy_of,
    enter_line,
    free,
    join_head,
    join_tail,
    leave_line,
    oldest_waiting,
    partition_of,
    send,
    trace,
    unlink,
)


@leaf
def settle(S, g, line, m, now):
    """The message leaves the lag of its line."""
    message = S.messages[m]
    line.lag -= 1
    if line.is_log != 0:
        S.queues[message.queue].lag -= 1
    leave_line(S, line, m)
    since = message.published
    if S.groups[g].warm != 0 and since < S.run[0].warmup:
        since = S.run[0].warmup
    line.time_in_line += now - since


@leaf
def count_publish(S, outlet, now):
    outlet.published += 1
    if now < S.run[0].warmup:
        outlet.published_before += 1


@rule
def available_at(S, topic, time):
    """When a publish that is ready at a time happens: at the end of a window without the topic (rule S64)."""
    for i in range(topic.first_window, topic.first_window + topic.window_count):
        if S.windows[i].at <= time and time < S.windows[i].until:
            return S.windows[i].until
    return time


# Publishing.


@rule
def child_of(S, outlet, m, copy, now):
    """A child of message m, published now through an outlet: not yet addressed to a line."""
    c = copy_of(S, m)
    parent, child = S.messages[m], S.messages[c]
    child.identity = child_identity(parent.identity, outlet.emission, copy)
    child.path = child_path(S, parent.path, outlet.slot + copy)
    child.published = now
    child.visible = now
    if outlet.delay >= 0:
        child.visible = now + draw_rare(S, outlet.delay, uniform(outlet.delay_stream, child.identity, 0))
    return c


@rule
def publish(S, g, o, m, copy, now):
    """Publish a child of message m through outlet o to a topic that does not block."""
    publish_child(S, g, o, m, child_of(S, S.outlets[o], m, copy, now), now)


@rule
def publish_child(S, g, o, m, c, now):
    """Publish message c, a child of m."""
    outlet = S.outlets[o]
    topic = S.topics[outlet.topic]
    if now < S.run[0].duration:  # a dead letter may be on its way for longer than the run
        count_publish(S, outlet, now)
    if topic.consumer_count == 0:
        if S.run[0].tracing != 0:
            trace(S, P.RESTED, P.AT_TOPIC, outlet.topic, c, now, -1.0)
        if topic.is_dead_letter != 0:
            mark_dead(S, m, now)
        free(S, c)
        return
    partition = partition_of(S, topic, outlet, S.messages[c].key)
    fan_out(S, g, topic, c, partition)


@rule
def fan_out(S, g, topic, c, partition):
    """One record of the message for every line of the topic, sent on its way (rule S12)."""
    block = S.messages[c].instance
    for i in range(topic.first_consumer + 1, topic.first_consumer + topic.consumer_count):
        other = copy_of(S, c)
        address(S, other, S.consumers[i], partition)
        if block >= 0:
            S.messages[other].instance = enter(S, block, S.consumers[i])
        send(S, g, other)
    address(S, c, S.consumers[topic.first_consumer], partition)
    if block >= 0:
        S.messages[c].instance = enter(S, block, S.consumers[topic.first_consumer])
    send(S, g, c)


# Arriving.


@leaf
def count_arrival(S, line, m, now):
    line.published += 1
    S.run[0].published += 1
    if S.run[0].tracing != 0:
        trace_published(S, line, m, now)


@leaf
def join_lag(S, line, m):
    """The message stays: it counts in the lag of its line until it settles."""
    line.lag += 1
    if line.is_log != 0:
        queue = S.queues[S.messages[m].queue]
        queue.published += 1
        queue.lag += 1
    enter_line(S, line, m)


@branch
def arrive(S, g, line, m, now):
    """A message reaches its line (rules S14, S17, S18); True when it is visible, and joins its queue next."""
    message = S.messages[m]
    count_arrival(S, line, m, now)
    if line.capacity < P.UNLIMITED and not has_room(S, line, m, now):
        if not make_room(S, g, line, m, now):
            return False
    join_lag(S, line, m)
    if line.delays != 0 and is_delayed(S, g, line, m, now):
        return False
    message.first_visible = now
    if line.ttl >= 0:
        start_ttl(S, line, m, now)
    appear(S, line, m, now)
    return True


@rule
def trace_published(S, line, m, now):
    partition = -1.0
    if S.services[line.service].is_log != 0:
        partition = float(S.messages[m].queue - line.first_queue)
    trace(S, P.PUBLISHED, P.AT_SERVICE, line.service, m, now, partition)


@rule
def has_room(S, line, m, now):
    """Rule S17: fewer than `capacity` wait, or a free slot takes the message at once."""
    if line.waiting < line.capacity:
        return True
    service, message = S.services[line.service], S.messages[m]
    queue = S.queues[message.queue]
    if message.visible > message.published or (line.delay >= 0 and may_be_delayed(S, line, m)):
        return False
    if service.busy >= service.slots:
        return False
    if not is_open(S, service, now):
        return False
    if service.is_log == 0:
        return line.waiting == 0
    return queue.head < 0 and queue.busy == 0 and has_free_slot(S, service, queue)


@rule
def has_free_slot(S, service, queue):
    """Has the owner of a partition more free slots than heads of its other partitions to take?"""
    owner = S.instances[queue.owner]
    free_slots = service.concurrency - owner.busy
    for q in range(owner.first_queue, owner.first_queue + owner.queue_count):
        if S.queues[q].head >= 0 and S.queues[q].busy == 0:
            free_slots -= 1
    return free_slots > 0


@rule
def may_be_delayed(S, line, m):
    return draw_rare(S, line.delay, uniform(line.delay_stream, S.messages[m].identity, 0)) > 0.0


@rule
def make_room(S, g, line, m, now):
    """Rule S18. True when the message may stay after all."""
    if line.when_full == P.DROP_OLDEST:
        oldest = oldest_waiting(S, line)
        if oldest >= 0:
            leave_queue(S, g, line, oldest)
            lose(S, g, oldest, now, P.DROPPED)
            return True
        line.dropped += 1
        depart(S, g, line, m, now, P.DROPPED)
        return False
    line.rejected += 1
    depart(S, g, line, m, now, P.REJECTED)
    return False


@rule
def is_delayed(S, g, line, m, now):
    """Rule S14: the message stays out of sight for the emit's delay and the topic's."""
    message = S.messages[m]
    visible = message.visible
    if line.delay >= 0:
        delay = draw_rare(S, line.delay, uniform(line.delay_stream, message.identity, 0))
        visible = visible + delay
    if visible <= now:
        return False
    message.place = P.DELAYED
    message.first_visible = -1.0
    message.visible = visible
    line.delayed += 1
    schedule_rare(S, S.groups[g], m, visible, P.BECOMES_VISIBLE)
    return True


@rule
def start_ttl(S, line, m, now):
    message = S.messages[m]
    message.expires = now + draw_rare(S, line.ttl, uniform(line.ttl_stream, message.identity, 0))


@leaf
def appear(S, line, m, now):
    """The message becomes visible."""
    message = S.messages[m]
    message.visible = now
    message.place = P.WAITING
    if S.run[0].tracing != 0:
        trace(S, P.VISIBLE, P.AT_SERVICE, line.service, m, now, -1.0)


@leaf
def wait(S, g, line, m):
    """A visible message joins the tail of its queue or partition."""
    message = S.messages[m]
    line.waiting += 1
    join_tail(S, S.queues[message.queue], m)
    if line.ttl >= 0:
        schedule_rare(S, S.groups[g], m, message.expires, P.EXPIRES)


@rule
def reappear(S, g, m, now):
    """A delay or a back-off is over (rules S14, S20, S28, S29)."""
    message = S.messages[m]
    line = S.lines[message.line]
    service = S.services[line.service]
    if message.place == P.DELAYED:
        line.delayed -= 1
        message.first_visible = now
        add_part(S, m, service.part_delay, now - message.published)
        if line.ttl >= 0:
            start_ttl(S, line, m, now)
        appear(S, line, m, now)
        wait(S, g, line, m)
        return
    line.backing_off -= 1
    if line.ttl >= 0 and now >= message.expires:
        if message.held != 0:
            S.queues[message.queue].busy = 0
        lose(S, g, m, now, P.EXPIRED)
        return
    if message.held != 0:
        queue = S.queues[message.queue]
        queue.busy = 0
        appear(S, line, m, now)
        line.waiting += 1
        join_head(S, queue, m)
        if line.ttl >= 0:
            schedule_rare(S, S.groups[g], m, message.expires, P.EXPIRES)
        return
    appear(S, line, m, now)
    wait(S, g, line, m)


@leaf
def add_part(S, m, part, seconds):
    """Rule S37: carry a part of the latency along."""
    if part >= 0:
        S.parts[m, part] += seconds


# Leaving without success.


@leaf
def leave_queue(S, g, line, m):
    """Take a waiting message out of its queue."""
    message = S.messages[m]
    unlink(S, S.queues[message.queue], m)
    line.waiting -= 1
    if line.ttl >= 0:
        cancel_expiry(S, g, m)


@rule
def cancel_expiry(S, g, m):
    if S.messages[m].heap >= 0:
        cancel(S, S.groups[g], m)


@rule
def lose(S, g, m, now, word):
    """A message of the lag, in no queue any more, leaves: expired, dropped, shed or dead-lettered."""
    line = S.lines[S.messages[m].line]
    if word == P.EXPIRED:
        line.expired += 1
    elif word == P.DROPPED:
        line.dropped += 1
    elif word == P.SHED:
        line.shed += 1
    else:
        line.dead_lettered += 1
    settle(S, g, line, m, now)
    depart(S, g, line, m, now, word)


@rule
def depart(S, g, line, m, now, word):
    """Publish to the dead letters, if any, and tell the flows (rules S21, S30, S35)."""
    if S.run[0].tracing != 0:
        trace(S, word, P.AT_SERVICE, line.service, m, now, -1.0)
    o = S.services[line.service].dead_letter if word == P.DEAD_LETTERED else line.dead_letter
    topic = P.NONE
    if o >= 0 and word != P.SHED:
        topic = S.outlets[o].topic
        published = available_at(S, S.topics[topic], now)
        waited = wait_so_far(S, m, now) + (published - now)
        add_part(S, m, S.services[line.service].part_wait, waited)
        publish(S, g, o, m, 0, published)
    loss = P.LOST_DEAD_LETTERED if word == P.DEAD_LETTERED else P.LOST_DROPPED
    leave(S, m, now, False, loss, topic)
    free(S, m)


@rule
def wait_so_far(S, m, now):
    """Seconds a message waited that leaves out of the middle of waiting."""
    if S.messages[m].place == P.WAITING:
        return now - S.messages[m].visible
    return 0.0
