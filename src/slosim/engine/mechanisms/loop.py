"""The events of a coupling group with mechanisms: what happens next, and who takes afterwards (S1, S19, S23).

The same loop as in engine/kernel.py, one plain call for each kind of event.
"""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.engine.averages import pass_service
from slosim.engine.calendar import remove_first, schedule_rare
from slosim.engine.flows import think
from slosim.engine.jit import entry, leaf, rule
from slosim.engine.kernel import ENDLESS_AT, advance_plain, comes_before, next_edge, pass_boundary
from slosim.engine.lines import add_part
from slosim.engine.mechanisms.attempts import end_abandoned, time_out
from slosim.engine.mechanisms.calls import (
    answer,
    begin_calls,
    call_times_out,
    hedge,
    pass_dependencies,
    times_out,
    wake_dependency,
)
from slosim.engine.mechanisms.instances import come_up
from slosim.engine.mechanisms.owners import change_members, end_rebalance
from slosim.engine.mechanisms.places import add_wait, line_up, line_up_first, show, step_out
from slosim.engine.mechanisms.protection import half_open
from slosim.engine.mechanisms.publishing import (
    admit,
    become_visible_first,
    end_work,
    offer,
    publish_on,
    reach,
)
from slosim.engine.mechanisms.returns import end_visibility, give_up
from slosim.engine.mechanisms.room import room_for
from slosim.engine.mechanisms.scaling import plan_decision, plan_reading, read_metric, scale
from slosim.engine.mechanisms.stops import begin_stop, end_stop
from slosim.engine.mechanisms.taking import plan_wake, start_held, take_all
from slosim.engine.producers import publish_due, root_identity

UNFINISHED = -2
"""In `resume`: services that this event concerned may still take something."""


@entry
def prepare(S):
    """Enter what happens by itself: crashes and restarts, autoscalers, clients."""
    for k in range(S.run[0].stops):
        stop = S.stops[k]
        group = S.groups[S.services[stop.service].group]
        schedule_rare(S, group, stop.timer, stop.at, P.STOP_BEGINS)
    for g in range(S.run[0].groups):
        group = S.groups[g]
        if group.mechanisms == 0:
            continue
        for n in range(group.first_service, group.first_service + group.service_count):
            s = S.members[n]
            if S.mechanisms[s].scales != P.NO_SCALING:
                plan_reading(S, g, s)
                plan_decision(S, g, s)
        for n in range(group.first_closed, group.first_closed + group.closed_count):
            producer = S.producers[S.closed_producers[n]]
            for c in range(producer.clients):
                S.messages[producer.first_client + c].origin += c
                think(S, producer.first_client + c, 0.0)


@entry
def advance(S, until, slice_s):
    """What `advance` of engine/kernel.py does, where groups have mechanisms."""
    run = S.run[0]
    while True:
        code = advance_plain(S, until, slice_s)
        if code != P.NEEDS_MECHANISMS:
            return code
        code = advance_group(S, run.group)
        if code != P.DONE:
            return code
        run.group += 1


@rule
def advance_group(S, g):
    """Handle the events of a group up to the end of the slice; DONE, or what the caller must do before."""
    run, group = S.run[0], S.groups[g]
    while True:
        if run.budget <= 0:
            return P.NEEDS_PAUSE
        if group.resume == P.NONE:
            now, m, e = next_event(S, g)
            if now >= run.slice_until:
                return P.DONE
            code = room_for(S, group, weight_of(S, g, m, e))
            if code != P.DONE:
                return code
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
                pass_all(S, g, now)
            group.now = now
            run.budget -= 1
            if e >= 0:
                S.edges[e].head = S.messages[m].next
                if S.messages[m].next < 0:
                    S.edges[e].tail = -1
                arrive(S, g, m, now)
            else:
                remove_first(S, group)
                handle(S, g, m, now)
        else:
            code = room_for(S, group, weight_of_waiting(S, g))
            if code != P.DONE:
                return code
            group.resume = P.NONE
        let_take(S, g, group.now)


@leaf
def next_event(S, g):
    """(time, message, edge) of what is next: the calendar (edge -1), or a message that comes in."""
    group = S.groups[g]
    now, m = math.inf, -1
    if group.heap_length > 0:
        now, m = S.heap_times[group.heap_first], np.int64(S.heap_messages[group.heap_first])
    e = next_edge(S, group)
    if e >= 0:
        head = np.int64(S.edges[e].head)
        published = S.messages[head].published
        if published < now or (published == now and comes_before(S, head, m)):
            return published, head, e
    return now, m, -1


@leaf
def weight_of(S, g, m, e):
    """How many messages an event may handle."""
    group = S.groups[g]
    if m < 0 or e >= 0:
        return 1
    kind = S.messages[m].kind
    if kind == P.ATTEMPT_ENDS:
        return np.int64(S.details[m].weight) * S.run[0].publishes
    if kind == P.STOP_BEGINS or kind == P.SCALES:
        return weight_of_hands(S, g)
    if group.dependency_count > 0:
        return weight_of_requests(S, g)
    return 1


@rule
def weight_of_hands(S, g):
    """Messages that instances of the group work on or hold."""
    group, weight = S.groups[g], 1
    for n in range(group.first_service, group.first_service + group.service_count):
        mechanism = S.mechanisms[S.members[n]]
        weight += mechanism.held_ahead + mechanism.in_work
    return weight + weight_of_requests(S, g)


@rule
def weight_of_requests(S, g):
    """Requests that wait: in an outage all of them may fail at once."""
    group, weight = S.groups[g], 1
    for n in range(group.first_dependency, group.first_dependency + group.dependency_count):
        weight += S.dependencies[S.group_dependencies[n]].waiting
    return weight


@rule
def weight_of_waiting(S, g):
    """Messages that wait in lines of services with batches: all may fail at their start."""
    group, weight = S.groups[g], 1
    for n in range(group.first_service, group.first_service + group.service_count):
        s = S.members[n]
        if S.mechanisms[s].batches != 0:
            for line_index in range(S.services[s].line, S.services[s].line + S.services[s].line_count):
                weight += S.lines[line_index].waiting
    return weight


@leaf
def pass_all(S, g, now):
    """Time passes for everything of the group."""
    group = S.groups[g]
    for n in range(group.first_service, group.first_service + group.service_count):
        pass_service(S, S.members[n], now)
    pass_dependencies(S, g, now)


@leaf
def arrive(S, g, m, now):
    """A message comes in: it reaches its line, or its producer offers it to a topic that blocks."""
    if S.messages[m].place == P.HELD_BACK:
        offer(S, g, m, now)
        S.mechanisms[S.lines[S.messages[m].line].service].concerned = 1
    else:
        reach(S, g, m, now)


@leaf
def concerns_its_service(kind):
    """Does the service always take what it can after such an event? After others only if it says so."""
    return (
        kind != P.ANSWERS
        and kind != P.STOP_BEGINS
        and kind != P.STOP_ENDS
        and kind != P.DEPENDENCY_WAKES
        and kind != P.THINKING_ENDS
    )


@rule
def handle(S, g, m, now):
    """An entry of the calendar; m is its message, attempt, request or timer."""
    kind = S.messages[m].kind
    if kind == P.ARRIVES:
        arrive(S, g, m, now)
        return
    s = S.lines[S.messages[m].line].service
    if concerns_its_service(kind):
        S.mechanisms[s].concerned = 1
    if kind == P.ATTEMPT_ENDS:
        end_attempt(S, g, s, m, now)
    elif kind == P.WORK_ENDS:
        end_abandoned(S, g, s, m, now)
    elif kind == P.ANSWERS:
        answer(S, g, m, now)
    elif kind == P.BECOMES_VISIBLE:
        reappear(S, g, s, m, now)
    elif kind == P.HELD_RETRY_STARTS:
        start_held(S, g, s, m, now)
    elif kind == P.EXPIRES:
        add_wait(S, m, now)
        step_out(S, g, m)
        give_up(S, g, m, now, P.EXPIRED)
    elif kind == P.TIMES_OUT:
        times_out(S, g, s, m, now)
    elif kind == P.CALL_TIMES_OUT:
        call_times_out(S, g, m, now)
    elif kind == P.HEDGES:
        hedge(S, g, m, now)
    elif kind == P.VISIBILITY_ENDS:
        end_visibility(S, g, s, m, now)
    elif kind == P.PUBLISHES_ON:
        publish_on(S, g, m, now)
    else:
        handle_timer(S, g, s, m, kind, now)


@rule
def handle_timer(S, g, s, m, kind, now):
    """Something that happens by itself."""
    if kind == P.STOP_BEGINS:
        begin_stop(S, g, np.int64(S.details[m].call), now)
    elif kind == P.STOP_ENDS:
        end_stop(S, g, np.int64(S.details[m].call), now)
    elif kind == P.COMES_UP:
        come_up(S, g, s, np.int64(S.details[m].instance), now)
    elif kind == P.SESSION_ENDS:
        change_members(S, g, s, now)
    elif kind == P.REBALANCE_ENDS:
        end_rebalance(S, s, now)
    elif kind == P.HALF_OPENS:
        half_open(S, s, now)
    elif kind == P.READS_METRIC:
        read_metric(S, g, s, now)
    elif kind == P.SCALES:
        scale(S, g, s, now)
    elif kind == P.DEPENDENCY_WAKES:
        wake_dependency(S, g, np.int64(S.details[m].call), now)
    elif kind == P.THINKING_ENDS:
        publish_from_client(S, m)
    # else SERVICE_WAKES: the service takes what it can


@rule
def end_attempt(S, g, s, a, now):
    """The service time of an attempt is over, or its time-out where that was known when it began."""
    if S.mechanisms[s].call_count > 0:
        begin_calls(S, g, s, a, now)
    elif S.messages[a].outcome == P.TIMED_OUT and S.services[s].abandons != 0:
        time_out(S, g, s, a, now)
        schedule_rare(S, S.groups[g], a, S.details[a].work_until, P.WORK_ENDS)
    else:
        end_work(S, g, s, a, now)


@rule
def reappear(S, g, s, m, now):
    """A delay or a back-off is over (rules S14, S20, S28, S29)."""
    message = S.messages[m]
    line, service = S.lines[message.line], S.services[s]
    if message.place == P.DELAYED:
        add_part(S, m, service.part_delay, now - message.published)
        become_visible_first(S, g, m, now)
        return
    add_part(S, m, service.part_retry, now - message.work_ends)
    if message.held != 0:
        S.queues[message.queue].busy -= 1
    if line.ttl >= 0 and S.details[m].follower < 0 and now >= message.expires:
        give_up(S, g, m, now, P.EXPIRED)
        return
    show(S, m, now)
    if message.held != 0:
        line_up_first(S, g, m)
    else:
        line_up(S, g, m)


@rule
def publish_from_client(S, client):
    """A client has thought, and publishes (rule S63); its next message has the next of its numbers."""
    timer = S.messages[client]
    p = timer.origin >> 48
    producer = S.producers[p]
    number = timer.origin & ((1 << 48) - 1)
    producer.number = number
    producer.identity = root_identity(producer, number)
    producer.next_time = timer.start
    producer.client = client
    timer.origin += producer.clients
    publish_due(S, p)
    producer.client = P.NONE


@leaf
def let_take(S, g, now):
    """The services that this event concerned take what they can (S23); full topics accept (S19)."""
    group = S.groups[g]
    if group.topic_count > 0:
        if is_concerned(S, g):
            relieve(S, g, now)
    else:
        for n in range(group.first_service, group.first_service + group.service_count):
            s = S.members[n]
            if S.mechanisms[s].concerned != 0:
                take_all(S, g, s, now)
                if group.resume != P.NONE:
                    return
                S.mechanisms[s].concerned = 0
                plan_wake(S, g, s, now)


@rule
def is_concerned(S, g):
    """Did this event concern any service of the group?"""
    group = S.groups[g]
    for n in range(group.first_service, group.first_service + group.service_count):
        if S.mechanisms[S.members[n]].concerned != 0:
            return True
    return False


@rule
def relieve(S, g, now):
    """Rule S19: services take and full topics accept until nothing changes."""
    group = S.groups[g]
    changed = True
    while changed:
        changed = False
        for n in range(group.first_service, group.first_service + group.service_count):
            changed |= take_all(S, g, S.members[n], now)
        for n in range(group.first_topic, group.first_topic + group.topic_count):
            changed |= admit(S, g, S.topics[S.blocking_topics[n]], now)
        if group.resume != P.NONE or room_for(S, group, 1) != P.DONE:
            group.resume = UNFINISHED
            return
    for n in range(group.first_service, group.first_service + group.service_count):
        S.mechanisms[S.members[n]].concerned = 0
        plan_wake(S, g, S.members[n], now)
