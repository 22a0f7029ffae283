"""The event loop (docs/semantics.md S1 to S4, S23): what happens next, and who takes afterwards.

`advance` moves every coupling group forward slice by slice, upstream first. Within a group `serve` handles
one event after the other; a group of services with mechanisms has a loop of its own (engine/mechanisms). All
state is in the records of `compile/program.py`; the loop can stop before any event and go on later, so arrays
grow and people interrupt outside.
"""

from __future__ import annotations

import math

from slosim.compile import program as P
from slosim.engine.attempts import (
    emit,
    end_work,
    fail,
    record_service,
    relay,
    start_held,
    succeed,
    take,
)
from slosim.engine.averages import (
    pass_dependency,
    pass_service,
    pass_time,
    reset_dependency,
    reset_line,
    reset_mechanism,
    reset_service,
)
from slosim.engine.calendar import precedes, remove_first
from slosim.engine.flows import leave_for_good, mark_dead
from slosim.engine.gates import is_open, wake_later
from slosim.engine.jit import branch, entry, leaf, rule
from slosim.engine.lines import add_part, arrive, leave_queue, lose, reappear, wait
from slosim.engine.messages import first_of_partitions, first_waiting, free
from slosim.engine.producers import plan_next, produce

ENDLESS_AT = 20_000_000
"""Events of one group at one instant that only an endless loop reaches."""


@entry
def prepare(S):
    """Set every producer's first publish."""
    for p in range(S.run[0].producers):
        plan_next(S, S.producers[p])


@entry
def advance(S, until, slice_s):
    """Advance every group to `until` (s) in slices; DONE, or what the caller must do before calling again."""
    return advance_plain(S, until, slice_s)


@rule
def advance_plain(S, until, slice_s):
    """`advance` up to the next group that has mechanisms, which engine/mechanisms handles in between."""
    run = S.run[0]
    while True:
        while run.group < run.groups:
            if S.groups[run.group].producer >= 0:
                code = produce(S, run.group)
            elif S.groups[run.group].mechanisms == 0:
                code = serve(S, run.group)
            else:
                return P.NEEDS_MECHANISMS
            if code != P.DONE:
                return code
            run.group += 1
        if run.slice_until >= until:
            return P.DONE
        run.group = 0
        run.slice_start = run.slice_until
        # where nothing happens for a while the next slice ends after what happens next
        run.slice_until = min(max(run.slice_until, next_time(S)) + slice_s, until)


@rule
def next_time(S):
    """Time of what happens next anywhere, s."""
    run, time = S.run[0], math.inf
    for g in range(run.groups):
        group = S.groups[g]
        if group.producer >= 0:
            time = min(time, S.producers[group.producer].next_time)
            continue
        if group.heap_length > 0:
            time = min(time, S.heap_times[group.heap_first])
        for e in range(group.first_edge, group.first_edge + group.edge_count):
            if S.edges[e].head >= 0:
                time = min(time, S.messages[S.edges[e].head].published)
    return time


@branch
def serve(S, g):
    """Handle the events of a group of services up to the end of the slice."""
    run, group = S.run[0], S.groups[g]
    first = group.heap_first
    only = S.members[group.first_service] if group.service_count == 1 else -1
    single_edge = group.edge_count == 1
    while True:
        if run.free_count < run.margin:
            return P.NEEDS_MESSAGES
        if group.heap_length + run.margin > group.heap_capacity:
            return P.NEEDS_CALENDAR
        if run.budget <= 0:
            return P.NEEDS_PAUSE
        if run.tracing != 0 and run.trace_count + 16 * run.margin > run.trace_capacity:
            return P.NEEDS_TRACE
        direct = -1  # a message that arrives and is taken without joining a queue
        if group.resume != P.NONE:
            s, first_queue, queue_count = resumed(S, group)
            now = group.now
        else:
            # What is next: the calendar, or a message that comes in (after the calendar at the same instant).
            now, m = math.inf, -1
            if group.heap_length > 0:
                now, m = S.heap_times[first], S.heap_messages[first]
            e = group.first_edge if single_edge else next_edge(S, group)
            arrives = False
            if e >= 0:
                head = S.edges[e].head
                if head >= 0:
                    published = S.messages[head].published
                    if published < now or (published == now and comes_before(S, head, m)):
                        now, m, arrives = published, head, True
            if now >= run.slice_until:
                return P.DONE
            if now >= group.boundary:
                pass_boundary(S, g, now)
            if now <= group.now:
                if now < group.now:
                    run.impossible_time, run.impossible_now, run.impossible_message = now, group.now, m
                    return P.IMPOSSIBLE
                group.same_instant += 1
                if group.same_instant > ENDLESS_AT:
                    return P.ENDLESS
            else:
                group.same_instant = 0
            group.now = now
            run.budget -= 1
            message = S.messages[m]
            if only >= 0:
                s = only
                line = S.lines[S.services[only].line]
            else:
                line = S.lines[message.line]
                s = line.service
            service = S.services[s]
            pass_time(service, line, now)
            first_queue, queue_count = line.first_queue, line.queue_count
            if service.is_log != 0:
                owner = S.instances[S.queues[message.queue].owner]
                first_queue, queue_count = owner.first_queue, owner.queue_count
            if arrives:
                S.edges[e].head = message.next
                if message.next < 0:
                    S.edges[e].tail = -1
                kind = P.ARRIVES
            else:
                remove_first(S, group)
                kind = message.kind

            if kind == P.ARRIVES:
                if arrive(S, g, line, m, now):
                    if is_free(S, service, line, message, now):
                        direct = m
                    else:
                        wait(S, g, line, m)
            elif kind == P.ATTEMPT_ENDS:
                add_part(S, m, service.part_service, now - message.taken)
                record_service(S, s, m, now)
                if message.outcome != P.SUCCEEDED:
                    fail(S, g, s, m, now, message.outcome)
                else:
                    succeed(S, g, s, line, m, now)
                    if service.relay_line >= 0:
                        relay(S, g, s, m, now)
                    elif service.emit_count == 0:
                        leave_for_good(S, m, now, True, P.NO_LOSS, P.NONE)
                        free(S, m)
                    else:
                        emit(S, g, s, m, now)
            elif kind == P.BECOMES_VISIBLE:
                reappear(S, g, m, now)
            elif kind == P.HELD_RETRY_STARTS:
                start_held(S, g, s, m, now)
            elif kind == P.EXPIRES:
                expire(S, g, m, now)
            elif kind == P.WORK_ENDS:
                end_work(S, s, m, now)
            else:  # SERVICE_WAKES
                first_queue, queue_count = line.first_queue, line.queue_count

        # Rule S23: the service takes what it can.
        service = S.services[s]
        line = S.lines[service.line]
        while direct >= 0 or (service.busy < service.slots and line.waiting > 0):
            m = direct
            if direct < 0:
                m = next_message(S, service, line, first_queue, queue_count)
                if m < 0:
                    break
                if not is_open(S, service, now):
                    wake_later(S, g, s)
                    break
                if is_short(S, group):
                    group.resume = s
                    break
                leave_queue(S, g, line, m)
            direct = -1
            take(S, g, s, line, m, now)


@leaf
def is_free(S, service, line, message, now):
    """Would the service take a message that has just become visible, before any other?"""
    if service.busy >= service.slots or line.waiting > 0 or not is_open(S, service, now):
        return False
    if service.is_log == 0:
        return True
    queue = S.queues[message.queue]
    return queue.busy == 0 and S.instances[queue.owner].busy < service.concurrency


@leaf
def next_message(S, service, line, first_queue, queue_count):
    """The message the service takes next, -1 when there is none it may take."""
    if service.is_log != 0:
        if service.token_interval > 0.0 or service.effect_count > 0:  # others may have been kept waiting too
            return first_of_partitions(S, service, line.first_queue, line.queue_count)
        return first_of_partitions(S, service, first_queue, queue_count)
    return first_waiting(S, line)


@leaf
def is_short(S, group):
    """Is an array too full for one more attempt?"""
    run = S.run[0]
    return (
        run.free_count < run.margin
        or group.heap_length + run.margin > group.heap_capacity
        or (run.tracing != 0 and run.trace_count + 16 * run.margin > run.trace_capacity)
    )


@rule
def resumed(S, group):
    """Go on with the taking that a full array interrupted: (service, first queue, queues)."""
    s = group.resume
    group.resume = P.NONE
    line = S.lines[S.services[s].line]
    return s, line.first_queue, line.queue_count


@rule
def next_edge(S, group):
    """The inbox whose first message comes first, -1 when all are empty."""
    best = -1
    for e in range(group.first_edge, group.first_edge + group.edge_count):
        head = S.edges[e].head
        if head < 0:
            continue
        if best < 0:
            best = e
            continue
        published, other = S.messages[head].published, S.messages[S.edges[best].head].published
        if published < other or (published == other and precedes(S, head, S.edges[best].head)):
            best = e
    return best


@rule
def comes_before(S, head, m):
    """Does an arrival precede the calendar's first entry of the same instant? Only before a later arrival."""
    if S.messages[m].kind != P.ARRIVES:
        return False
    return precedes(S, head, m)


@rule
def expire(S, g, m, now):
    """Rule S20."""
    line = S.lines[S.messages[m].line]
    leave_queue(S, g, line, m)
    lose(S, g, m, now, P.EXPIRED)


@rule
def pass_boundary(S, g, now):
    """Samples before `now`, and the warm-up if it is over (rules S4, S40)."""
    run, group = S.run[0], S.groups[g]
    while True:
        sample_time = math.inf
        if group.sample < run.samples:
            sample_time = group.sample * run.sample_every
        if group.warm == 0 and run.warmup <= now and run.warmup <= sample_time:
            end_warmup(S, g)
        elif sample_time < now:
            take_sample(S, g, sample_time)
            group.sample += 1
        else:
            break
    group.boundary = sample_time if group.warm != 0 else min(sample_time, run.warmup)


@rule
def take_sample(S, g, time):
    group = S.groups[g]
    k = group.sample
    for i in range(group.first_service, group.first_service + group.service_count):
        s = S.members[i]
        service, mechanism = S.services[s], S.mechanisms[s]
        S.service_samples[s, P.SAMPLE_BUSY, k] = service.busy
        S.service_samples[s, P.SAMPLE_UP, k] = mechanism.up
        S.service_samples[s, P.SAMPLE_ATTEMPTS, k] = service.attempts_before + service.attempts
        S.service_samples[s, P.SAMPLE_FAILED, k] = service.failed_before + service.failed
        S.service_samples[s, P.SAMPLE_RETRIED, k] = service.retried_before + service.retried
        if group.mechanisms != 0:
            S.service_samples[s, P.SAMPLE_WANTED, k] = mechanism.existing
            S.service_samples[s, P.SAMPLE_STOPPED, k] = mechanism.stopped
            S.service_samples[s, P.SAMPLE_HELD_AHEAD, k] = mechanism.held_ahead
            S.service_samples[s, P.SAMPLE_OPEN, k] = mechanism.breaker == P.OPEN
        for line_index in range(service.line, service.line + service.line_count):
            line = S.lines[line_index]
            S.samples[line_index, P.SAMPLE_LAG, k] = line.lag
            S.samples[line_index, P.SAMPLE_WAITING, k] = line.waiting
            if line.oldest >= 0:
                S.samples[line_index, P.SAMPLE_AGE, k] = time - S.messages[line.oldest].published
            if service.is_log != 0:
                largest = 0
                for q in range(line.first_queue, line.first_queue + line.queue_count):
                    largest = max(largest, S.queues[q].lag)
                S.samples[line_index, P.SAMPLE_PARTITION_LAG, k] = largest
    for i in range(group.first_dependency, group.first_dependency + group.dependency_count):
        d = S.group_dependencies[i]
        S.dependency_samples[d, 0, k] = S.dependencies[d].busy
        S.dependency_samples[d, 1, k] = S.dependencies[d].waiting


@rule
def end_warmup(S, g):
    """Counting starts anew; what describes the present stays."""
    group = S.groups[g]
    group.warm = 1
    now = S.run[0].warmup
    for i in range(group.first_service, group.first_service + group.service_count):
        s = S.members[i]
        service = S.services[s]
        reset_service(S, s, service)
        for line_index in range(service.line, service.line + service.line_count):
            reset_line(S, line_index, now)
        if group.mechanisms != 0:
            reset_mechanism(S, s, now)
    for i in range(group.first_dependency, group.first_dependency + group.dependency_count):
        reset_dependency(S, S.group_dependencies[i], now)


@entry
def finish(S, end):
    """Take the samples that are left before `end` (s), and bring every count over time up to it.

    If the run was stopped within a slice, upstream groups are further: they count up to where they are.
    """
    for g in range(S.run[0].groups):
        group = S.groups[g]
        if group.producer >= 0:
            continue
        reached = max(end, group.now)
        pass_boundary(S, g, reached)
        if group.warm == 0:  # stopped before the warm-up was over: nothing counts
            end_warmup(S, g)
        for i in range(group.first_service, group.first_service + group.service_count):
            s = S.members[i]
            service = S.services[s]
            if group.mechanisms == 0:
                pass_time(service, S.lines[service.line], reached)
            else:
                pass_service(S, s, reached)
            for line_index in range(service.line, service.line + service.line_count):
                count_unsettled(S, S.lines[line_index], min(S.run[0].warmup, reached), reached)
        for i in range(group.first_dependency, group.first_dependency + group.dependency_count):
            pass_dependency(S, S.group_dependencies[i], reached)


@leaf
def count_unsettled(S, line, since, end):
    """Walk the messages of a line, for the checks of rule S41; their time in it is cut to the window."""
    m = line.oldest
    while m >= 0:
        message = S.messages[m]
        line.unsettled += 1
        line.unsettled_waiting += message.place == P.WAITING
        line.time_in_line += end - max(message.published, since)
        if S.mechanisms[line.service].is_redrive != 0 and message.place != P.IN_WORK:  # rule S65
            mark_dead(S, m, message.published)
        m = message.newer
