"""Messages: taking and freeing records, identities, waiting lists, a line's list, the way between groups."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import precedes, schedule
from slosim.engine.chance import G, mix
from slosim.engine.jit import leaf, rule


@leaf
def take_free(S):
    """A message record from the free list; `margin` are there (checked once per event)."""
    run = S.run[0]
    m = run.free_head
    run.free_head = S.messages[m].next
    run.free_count -= 1
    return m


@leaf
def free(S, m):
    run = S.run[0]
    S.messages[m].next = run.free_head
    run.free_head = m
    run.free_count += 1


@leaf
def child_identity(identity, emission, copy):
    """Rule S6. u8, u8, integer -> u8."""
    return mix((identity ^ emission) + np.uint64(copy + 1) * G)


@leaf
def child_path(S, path, slot):
    """Rule S3. u8, integer -> u8."""
    return path * S.run[0].path_base + np.uint64(slot + 1)


@rule
def copy_of(S, m):
    """A second record of a message, with its parts so far."""
    c = take_free(S)
    original, copy = S.messages[m], S.messages[c]
    copy.start = original.start
    copy.published = original.published
    copy.visible = original.visible
    copy.origin = original.origin
    copy.path = original.path
    copy.identity = original.identity
    copy.line = original.line
    copy.key = original.key
    copy.priority = original.priority
    copy.instance = original.instance
    copy.place = P.IN_TRANSIT
    copy.attempt = 0
    copy.heap = -1
    copy.parent = -1
    for part in range(S.run[0].parts):
        S.parts[c, part] = S.parts[m, part]
    return c


@rule
def trace(S, what, where_kind, where, m, now, value):
    """Write a row of the trace; the caller has checked `tracing`, and that there is room (once per event)."""
    run, message = S.run[0], S.messages[m]
    row = S.trace[run.trace_count]
    run.trace_count += 1
    row.time = now
    row.value = value
    row.origin = message.origin
    row.path = message.path
    row.what = what
    row.where_kind = where_kind
    row.where = where
    row.attempt = message.attempt


@leaf
def partition_of(S, topic, outlet, key):
    """Rule S13: index of the partition, 0 for a queue."""
    if topic.partitions == 0:
        return 0
    if key >= 0:
        return S.key_hashes[key] % topic.partitions
    turn = S.rotations[outlet.rotation]
    S.rotations[outlet.rotation] = turn + 1
    return turn % topic.partitions


@leaf
def address(S, m, line_index, partition):
    """Point a message at a line: attempts start again, its queue is its partition or class of priority."""
    message, line = S.messages[m], S.lines[line_index]
    message.line = line_index
    message.attempt = 0
    message.backoff = 0.0
    message.held = 0
    message.place = P.IN_TRANSIT
    if line.order == P.PRIORITY:
        message.queue = line.first_queue + message.priority
    else:
        message.queue = line.first_queue + partition


@leaf
def send(S, g, m):
    """Send a published message to its line: over the edge to another group, or in its own calendar."""
    message = S.messages[m]
    e = S.edge_of[g, message.line]
    if e < 0:
        schedule(S, S.groups[g], m, message.published, P.ARRIVES)
        return
    edge = S.edges[e]
    message.next = -1
    tail = edge.tail
    if tail < 0:
        edge.head = m
        edge.tail = m
    elif S.messages[tail].published < message.published or precedes(S, tail, m):
        S.messages[tail].next = m
        message.previous = tail
        edge.tail = m
    else:
        send_in_order(S, edge, m)


@rule
def send_in_order(S, edge, m):
    """Insert among the messages published at the same instant (rule S1: arrivals by message order)."""
    message = S.messages[m]
    after = edge.tail
    while after != edge.head:
        before = S.messages[after].previous
        if S.messages[before].published < message.published or precedes(S, before, m):
            break
        after = before
    message.next = after
    if after == edge.head:
        edge.head = m
    else:
        message.previous = S.messages[after].previous
        S.messages[message.previous].next = m
    S.messages[after].previous = m


@leaf
def join_tail(S, queue, m):
    """Add to the waiting list of a queue."""
    message = S.messages[m]
    tail = queue.tail
    message.next = -1
    message.previous = tail
    if tail < 0:
        queue.head = m
    else:
        S.messages[tail].next = m
    queue.tail = m


@rule
def join_head(S, queue, m):
    """Put back at the head of a partition (rule S29)."""
    message = S.messages[m]
    head = queue.head
    message.previous = -1
    message.next = head
    if head < 0:
        queue.tail = m
    else:
        S.messages[head].previous = m
    queue.head = m


@leaf
def unlink(S, queue, m):
    """Take out of a waiting list, wherever it stands."""
    message = S.messages[m]
    if message.previous < 0:
        queue.head = message.next
    else:
        S.messages[message.previous].next = message.next
    if message.next < 0:
        queue.tail = message.previous
    else:
        S.messages[message.next].previous = message.previous


@leaf
def enter_line(S, line, m):
    """Append to the messages of a line, in order of publishing: the oldest gives the age."""
    message = S.messages[m]
    newest = line.newest
    message.newer = -1
    message.older = newest
    if newest < 0:
        line.oldest = m
    else:
        S.messages[newest].newer = m
    line.newest = m


@leaf
def leave_line(S, line, m):
    message = S.messages[m]
    if message.older < 0:
        line.oldest = message.newer
    else:
        S.messages[message.older].newer = message.newer
    if message.newer < 0:
        line.newest = message.older
    else:
        S.messages[message.newer].older = message.older


@leaf
def first_waiting(S, line):
    """The message a queue serves next (rule S15), -1 when none waits."""
    if line.order == P.LIFO:
        return S.queues[line.first_queue].tail
    if line.order == P.PRIORITY:
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            if S.queues[q].head >= 0:
                return S.queues[q].head
        return -1
    return S.queues[line.first_queue].head


@rule
def first_of_partitions(S, service, first, count):
    """The head a log serves next among some partitions (rule S16), -1 when none may be taken."""
    best = -1
    for q in range(first, first + count):
        queue = S.queues[q]
        m = queue.head
        if m < 0 or queue.busy != 0 or S.instances[queue.owner].busy >= service.concurrency:
            continue
        if best < 0 or S.messages[m].visible < S.messages[best].visible:
            best = m
        elif S.messages[m].visible == S.messages[best].visible and precedes(S, m, best):
            best = m
    return best


@rule
def oldest_waiting(S, line):
    """The waiting message of a line that became visible first, -1 when none waits (rule S18)."""
    best = -1
    for q in range(line.first_queue, line.first_queue + line.queue_count):
        m = S.queues[q].head
        for _ in range(2):  # a blocking retry comes back to the head, before one that became visible earlier
            if m < 0:
                break
            if best < 0 or S.messages[m].visible < S.messages[best].visible:
                best = m
            elif (
                S.messages[m].visible == S.messages[best].visible
                and S.messages[m].queue != S.messages[best].queue
            ):
                if precedes(S, m, best):
                    best = m
            m = S.messages[m].next
    return best
