"""A coupling group's calendar: a heap of (time, kind, message), each message at most once (rule S1)."""

from __future__ import annotations

from slosim.engine.jit import leaf, rule


@rule
def precedes(S, a, b):
    """Message order (rule S3) of two messages: does a come before b?"""
    first, second = S.messages[a], S.messages[b]
    if first.start != second.start:
        return first.start < second.start
    if first.origin != second.origin:
        return first.origin < second.origin
    if first.path != second.path:
        return first.path < second.path
    if first.line != second.line:
        return first.line < second.line
    if first.attempt != second.attempt:
        return first.attempt < second.attempt
    if first.kind != second.kind:
        return first.kind < second.kind
    return first.cursor < second.cursor  # requests of one attempt


@rule
def entry_precedes(S, a, b):
    """Of two entries of the same instant: by class of kind, then message order."""
    first, second = S.messages[a].kind >> 5, S.messages[b].kind >> 5
    if first != second:
        return first < second
    return precedes(S, a, b)


@leaf
def is_earlier(S, time, m, other_time, other):
    return time < other_time or (time == other_time and entry_precedes(S, m, other))


@leaf
def rise(S, first, i, time, m):
    """Place an entry at i or above; returns where."""
    while i > 0:
        above = (i - 1) >> 1
        other_time, other = S.heap_times[first + above], S.heap_messages[first + above]
        if not is_earlier(S, time, m, other_time, other):
            break
        S.heap_times[first + i] = other_time
        S.heap_messages[first + i] = other
        S.messages[other].heap = i
        i = above
    S.heap_times[first + i] = time
    S.heap_messages[first + i] = m
    S.messages[m].heap = i
    return i


@leaf
def schedule(S, group, m, time, kind):
    """Enter message m at a time; the group has room for it (checked once per event)."""
    S.messages[m].kind = kind
    rise(S, group.heap_first, group.heap_length, time, m)
    group.heap_length += 1


@leaf
def sink(S, first, length, i, time, m):
    """Place an entry at i or below."""
    while True:
        child = 2 * i + 1
        if child >= length:
            break
        if child + 1 < length and is_earlier(
            S,
            S.heap_times[first + child + 1],
            S.heap_messages[first + child + 1],
            S.heap_times[first + child],
            S.heap_messages[first + child],
        ):
            child += 1
        child_time, other = S.heap_times[first + child], S.heap_messages[first + child]
        if not is_earlier(S, child_time, other, time, m):
            break
        S.heap_times[first + i] = child_time
        S.heap_messages[first + i] = other
        S.messages[other].heap = i
        i = child
    S.heap_times[first + i] = time
    S.heap_messages[first + i] = m
    S.messages[m].heap = i


@leaf
def remove_first(S, group):
    """Take the first entry out; its message is no longer in the calendar."""
    first = group.heap_first
    S.messages[S.heap_messages[first]].heap = -1
    length = group.heap_length - 1
    group.heap_length = length
    if length > 0:
        sink(S, first, length, 0, S.heap_times[first + length], S.heap_messages[first + length])


@rule
def schedule_rare(S, group, m, time, kind):
    """`schedule` as a plain call, where it is not on the hot path."""
    schedule(S, group, m, time, kind)


@rule
def cancel(S, group, m):
    """Take message m out of the calendar, wherever it stands."""
    i = S.messages[m].heap
    S.messages[m].heap = -1
    first = group.heap_first
    length = group.heap_length - 1
    group.heap_length = length
    if i == length:
        return
    time, moved = S.heap_times[first + length], S.heap_messages[first + length]
    if rise(S, first, i, time, moved) == i:
        sink(S, first, length, i, time, moved)
