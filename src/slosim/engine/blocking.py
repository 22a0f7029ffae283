"""Topics that hold their publishers back when they are full (rule S19)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.attempts import chosen, is_emitted, record_service, succeed
from slosim.engine.flows import close, enter, leave
from slosim.engine.jit import rule
from slosim.engine.lines import add_part, arrive, child_of, count_publish, has_room, pass_time, publish, wait
from slosim.engine.messages import address, copy_of, free, partition_of, trace


@rule
def has_room_in_all(S, topic, c, now):
    """Would every line of the topic accept message c?"""
    for i in range(topic.first_consumer, topic.first_consumer + topic.consumer_count):
        line_index = S.consumers[i]
        line = S.lines[line_index]
        if line.waiting < line.capacity:
            continue
        partition = next_partition(S, topic, S.outlets[S.messages[c].outlet], S.messages[c].key)
        address(S, c, line_index, partition)
        if not has_room(S, line, c, now):
            return False
    return True


@rule
def next_partition(S, topic, outlet, key):
    """The partition the next publish goes to, without turning the rotation."""
    if topic.partitions == 0:
        return 0
    if key >= 0:
        return S.key_hashes[key] % topic.partitions
    return S.rotations[outlet.rotation] % topic.partitions


@rule
def offer(S, g, c, now):
    """Publish message c, which knows its outlet, or let it wait for room. True when it was accepted."""
    message = S.messages[c]
    outlet = S.outlets[message.outlet]
    topic = S.topics[outlet.topic]
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
        trace(S, what, P.AT_SERVICE, service, message.parent, now, float(topic))
    else:
        trace(S, what, P.AT_PRODUCER, message.origin >> 48, c, now, float(topic))


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
        line = S.lines[S.consumers[i]]
        pass_time(S.services[line.service], line, now)
        if arrive(S, g, line, m, now):
            wait(S, g, line, m, now)
    if block >= 0 and not is_child:
        end_hold(S, block)


@rule
def hold(S, block):
    """A producer's publish on its way to a topic that blocks keeps its instances open until accepted."""
    if block >= 0:
        width = S.run[0].flows_per_producer
        for k in range(block * width, (block + 1) * width):
            if S.flow_instances[k].flow >= 0:
                S.flow_instances[k].open += 1


@rule
def end_hold(S, block):
    width = S.run[0].flows_per_producer
    for k in range(block * width, (block + 1) * width):
        if S.flow_instances[k].flow >= 0:
            S.flow_instances[k].open -= 1
    close(S, block)


@rule
def end_publishing(S, g, s, m, now):
    """Go on publishing what a success emits; True when all is accepted and the attempt has ended."""
    service, message = S.services[s], S.messages[m]
    pass_time(service, S.lines[message.line], now)
    only = chosen(S, service, m) if service.chooses != 0 else P.NONE
    # work_ends: until when the time of this attempt is in the parts, which the children inherit
    add_part(S, m, service.part_service, now - message.work_ends)
    message.work_ends = now
    position = 0
    for o in range(service.first_emit, service.first_emit + service.emit_count):
        if (only >= 0 and o != only) or (only < 0 and not is_emitted(S, o, m)):
            continue
        outlet = S.outlets[o]
        for copy in range(1 if only >= 0 else outlet.copies):
            position += 1
            if position <= message.cursor:
                continue
            message.cursor = position
            if S.topics[outlet.topic].blocks == 0:
                publish(S, g, o, m, copy, now)
                continue
            c = child_of(S, outlet, m, copy, now)
            S.messages[c].outlet = o
            S.messages[c].parent = m
            if not offer(S, g, c, now):
                return False
    record_service(S, s, m, now)
    succeed(S, g, s, S.lines[message.line], m, now)
    leave(S, m, now, True, P.NO_LOSS, P.NONE)
    free(S, m)
    return True


@rule
def admit(S, g, topic, now):
    """Accept from the line of publishers while there is room; True when any was accepted."""
    changed = False
    while topic.publisher_head >= 0 and S.run[0].free_count >= S.run[0].margin:
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
        accept(S, g, c, now)
        if parent >= 0:
            end_publishing(S, g, S.lines[S.messages[parent].line].service, parent, now)
    return changed
