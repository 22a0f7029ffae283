"""Producers: when the next publish is due, and the messages it makes (rules S8 to S11)."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.engine.chance import G, draw_rare, first_above, mix, uniform
from slosim.engine.flows import close, close_rare, enter, hold, open_block
from slosim.engine.jit import branch, leaf, rule
from slosim.engine.lines import add_part, available_at, count_publish
from slosim.engine.messages import address, copy_of, free, partition_of, send, take_free, trace


@leaf
def root_identity(producer, number):
    """Rule S6."""
    return mix(producer.name_key + np.uint64(number + 1) * G)


@branch
def plan_next(S, producer):
    """Set the time of the producer's next publish (rule S9)."""
    process = producer.process
    if process == P.BY_CLIENTS:
        producer.next_time = math.inf
        return
    producer.identity = root_identity(producer, producer.number)
    if process == P.BY_RATE:
        u = uniform(producer.gap_stream, producer.identity, 0)
        producer.reading -= math.log(1.0 - u)
        reading = at_rate(S, producer)
    else:
        reading = next_reading(S, producer)
    producer.next_time = reading if producer.clock_count == 0 else time_of(S, producer, reading)


@rule
def next_reading(S, producer):
    """Clock reading of the next publish of a process that has no rate."""
    process = producer.process
    if process == P.EVERY:
        return producer.publish * producer.interval
    if process == P.TRACE:
        if producer.publish >= producer.time_count:
            return math.inf
        return S.trace_times[producer.first_time + producer.publish]
    u = uniform(producer.gap_stream, producer.identity, 0)
    if process == P.BY_GAP:
        producer.reading += draw_rare(S, producer.gap, u)
        return producer.reading
    trials = (
        1.0
        if producer.probability >= 1.0
        else 1.0 + math.floor(math.log(1.0 - u) / math.log(1.0 - producer.probability))
    )
    producer.reading += trials
    return (producer.reading - 1.0) * producer.interval


@leaf
def at_rate(S, producer):
    """Clock reading at which the integrated rate reaches `reading`."""
    row = producer.rate
    last = producer.first_rate + producer.rate_count - 1
    while row < last and S.rates[row + 1].integral < producer.reading:
        row += 1
    producer.rate = row
    rate = S.rates[row].rate
    if rate <= 0.0:
        return math.inf
    return S.rates[row].at + (producer.reading - S.rates[row].integral) / rate


@rule
def time_of(S, producer, reading):
    """The time at which the integrated factor reaches a clock reading (rule S8)."""
    row = producer.clock
    last = producer.first_clock + producer.clock_count - 1
    while row < last and S.clocks[row + 1].integral < reading:
        row += 1
    producer.clock = row
    clock = S.clocks[row]
    rest = reading - clock.integral
    if rest <= 0.0:
        return clock.at
    if clock.slope == 0.0:
        return clock.at + rest / clock.factor if clock.factor > 0.0 else math.inf
    root = math.sqrt(max(0.0, clock.factor * clock.factor + 2.0 * clock.slope * rest))
    return clock.at + 2.0 * rest / (clock.factor + root)


@leaf
def draw_key(S, producer, identity):
    """Index into `key_hashes`, -1 without keys (rule S10)."""
    if producer.key_count == 0:
        return -1
    if producer.key_shares < 0:
        return S.trace_keys[producer.first_time + producer.publish]
    u = uniform(producer.key_stream, identity, 0)
    return producer.first_key + first_above(S, producer.key_shares, producer.key_count, u)


@rule
def draw_priority(S, producer, identity):
    """Class of priority of a message, 0 first."""
    u = uniform(producer.priority_stream, identity, 0)
    k = producer.first_priority
    while k + 1 < producer.first_priority + producer.priority_count and u >= S.priorities[k].cumulated:
        k += 1
    return S.priorities[k].rank


@branch
def publish_due(S, p):
    """Make the message of a publish that is due and send it to its topic."""
    run, producer = S.run[0], S.producers[p]
    outlet = S.outlets[producer.outlet]
    topic = S.topics[outlet.topic]
    m = take_free(S)
    message = S.messages[m]
    number = producer.number
    producer.number = number + 1
    now = producer.next_time
    message.start = now
    message.published = now
    message.visible = now
    message.origin = (p << 48) | number
    message.path = np.uint64(0)
    message.identity = producer.identity
    if producer.copies_made > 0:
        message.identity = root_identity(producer, number)
    message.key = draw_key(S, producer, message.identity)
    message.priority = 0 if producer.priority_count == 0 else draw_priority(S, producer, message.identity)
    message.heap = -1
    message.parent = -1
    message.outlet = producer.outlet
    for part in range(run.parts):
        S.parts[m, part] = 0.0
    block = open_block(S, producer, now)
    message.instance = block
    if topic.consumer_count != 1 or topic.blocks != 0 or topic.window_count != 0:
        publish_rarely(S, producer, topic, outlet, m, block)
        return
    count_publish(S, outlet, now)
    line = S.consumers[topic.first_consumer]
    address(S, m, line, partition_of(S, topic, outlet, message.key))
    if block >= 0:
        message.instance = enter(S, block, line)
        if message.instance < 0:
            close(S, block)
    send(S, producer.group, m)


@rule
def publish_rarely(S, producer, topic, outlet, m, block):
    """A producer's publish to a topic that blocks, may be unavailable, has several consumers, or none."""
    message = S.messages[m]
    now = available_at(S, topic, message.published)
    if now > message.published:
        add_part(S, m, producer.part_held_back, now - message.published)
        message.published = now
        message.visible = now
        if now >= S.run[0].duration:  # it waits at its client to the end
            topic.held_back += 1
            hold(S, block)
            free(S, m)
            return
    if topic.blocks != 0:
        hold(S, block)
        address(S, m, S.consumers[topic.first_consumer], 0)
        message.place = P.HELD_BACK
        send(S, producer.group, m)
        return
    count_publish(S, outlet, now)
    if topic.consumer_count == 0:
        if S.run[0].tracing != 0:
            trace(S, P.RESTED, P.AT_TOPIC, outlet.topic, m, now, -1.0)
        free(S, m)
    else:
        partition = partition_of(S, topic, outlet, message.key)
        last = topic.first_consumer + topic.consumer_count - 1
        for i in range(topic.first_consumer, last + 1):
            c = m if i == last else copy_of(S, m)
            address(S, c, S.consumers[i], partition)
            if block >= 0:
                S.messages[c].instance = enter(S, block, S.consumers[i])
            send(S, producer.group, c)
    if block >= 0:
        close_rare(S, block)


@branch
def produce(S, g):
    """Publish everything of a producer that is due before the end of the slice.

    The first to publish more than a slice should hold ends the slice there: producers come before all
    services, so what others have published for later waits in the inboxes.
    """
    run = S.run[0]
    producer = S.producers[S.groups[g].producer]
    published = 0
    while producer.next_time < run.slice_until:
        if run.free_count < run.margin:
            return P.NEEDS_MESSAGES
        if run.tracing != 0 and run.trace_count + run.margin > run.trace_capacity:
            return P.NEEDS_TRACE
        if run.budget <= 0:
            return P.NEEDS_PAUSE
        run.budget -= 1
        publish_due(S, S.groups[g].producer)
        producer.copies_made += 1
        published += 1
        if producer.copies_made == producer.copies:
            before = producer.next_time
            producer.copies_made = 0
            producer.publish += 1
            plan_next(S, producer)
            if published > run.slice_messages and producer.next_time > before:
                run.slice_until = min(run.slice_until, producer.next_time)
    return P.DONE
