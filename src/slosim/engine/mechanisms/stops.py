"""Faults that stop instances: crashes and rolling restarts (rules S44, S45, S67)."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import leaf, rule
from slosim.engine.mechanisms.attempts import drop, release_partition
from slosim.engine.mechanisms.calls import NO_REQUEST, leave_dependency, serve_next
from slosim.engine.mechanisms.instances import begin_leaving, go, start, tell_instance
from slosim.engine.mechanisms.owners import change_members, look_who_stands
from slosim.engine.mechanisms.places import is_current, occupy_slot, unlink_attempt, unschedule
from slosim.engine.mechanisms.protection import lose_call
from slosim.engine.mechanisms.publishing import withdraw
from slosim.engine.mechanisms.returns import give_back, send_back
from slosim.engine.messages import trace, unlink


@rule
def begin_stop(S, g, k, now):
    """A crash begins, or the next turn of a rolling restart."""
    stop = S.stops[k]
    if stop.kind == P.CRASH:
        crash(S, g, k, now)
        timer = S.messages[stop.timer]
        timer.origin += (P.STAGE_STOP_ENDS - P.STAGE_STOP_BEGINS) << 44
        schedule_rare(S, S.groups[g], stop.timer, stop.until, P.STOP_ENDS)
    else:
        restart_next(S, g, k, now)


@rule
def end_stop(S, g, k, now):
    """The instances that a crash stopped start again."""
    service = S.services[S.stops[k].service]
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        if S.instances[i].state == P.DOWN and S.instances[i].crash == k:
            start(S, g, S.stops[k].service, i, now)


# Crashes.


@rule
def crash(S, g, k, now):
    stop = S.stops[k]
    s = stop.service
    service, crashed = S.services[s], 0
    first, last = service.first_instance, service.first_instance + service.instance_count
    left_behind = NO_REQUEST
    for i in range(first, last):
        instance = S.instances[i]
        state = instance.state
        if stop.instance >= 0 and instance.number != stop.instance:
            continue
        if state == P.DOWN or state == P.GONE:
            continue
        if stop.instance < 0 and stop.instances != P.UNLIMITED:
            if crashed == stop.instances or not (state == P.UP or state == P.STARTING):
                continue
            crashed += 1
        go_down(S, g, s, i, k, now)
        left_behind = lose_attempts(S, g, s, i, left_behind, now)
        if state == P.LEAVING:
            go(S, g, s, i, now)
        elif state == P.RESTARTING:
            start(S, g, s, i, now)
    if S.mechanisms[s].rebalances == 0:
        change_members(S, g, s, now)
    elif service.is_log != 0:
        look_who_stands(S, s, now)
    S.mechanisms[s].concerned = 1
    leave_all_behind(S, g, s, left_behind, now)


@rule
def go_down(S, g, s, i, k, now):
    mechanism, instance = S.mechanisms[s], S.instances[i]
    if instance.state == P.STARTING:
        unschedule(S, g, instance.timer)
    else:
        mechanism.with_slots -= 1
    if instance.state == P.UP:
        mechanism.up -= 1
        if mechanism.rebalances != 0 and S.services[s].is_log != 0:
            schedule_rare(S, S.groups[g], instance.timer + 1, now + mechanism.session, P.SESSION_ENDS)
    instance.state = P.DOWN
    instance.crash = k
    mechanism.crashes += 1
    tell_instance(S, P.CRASHED, i, now)


@rule
def lose_attempts(S, g, s, i, left_behind, now):
    """Lose what an instance works on and holds; the last of a chain of requests to be left behind."""
    tell_lost(S, s, i, now)
    lose_held_ahead(S, g, s, i, now)
    a = S.instances[i].last_work
    chain = NO_REQUEST
    while a >= 0:
        before = S.details[a].before
        chain = chain_request(S, S.details[a].hedge, chain)
        chain = chain_request(S, S.details[a].request, chain)
        lose_attempt(S, g, s, a, now)
        a = before
    if chain == NO_REQUEST:
        return left_behind
    return append_chain(S, left_behind, chain)


@rule
def chain_request(S, q, chain):
    """Put a request before a chain of those to be left behind."""
    if q == NO_REQUEST:
        return chain
    S.details[q].message = -1
    S.details[q].after = chain
    return q


@rule
def append_chain(S, chain, more):
    """Two chains as one."""
    if chain == NO_REQUEST:
        return more
    last = chain
    while S.details[last].after >= 0:
        last = S.details[last].after
    S.details[last].after = more
    return chain


@rule
def leave_all_behind(S, g, s, chain, now):
    """Calls of lost attempts, in the order in which they were taken; then free servers take again."""
    mechanism, q = S.mechanisms[s], chain
    while q != NO_REQUEST:
        after = S.details[q].after
        call = S.calls[mechanism.first_call + S.messages[q].cursor // 2]
        leave_dependency(S, g, q, call.cancel)
        q = after
    for k in range(S.groups[g].first_dependency, S.groups[g].first_dependency + S.groups[g].dependency_count):
        d = S.group_dependencies[k]
        if S.dependencies[d].is_left != 0:
            S.dependencies[d].is_left = 0
            serve_next(S, g, d, now)


@leaf
def is_in_work(stage):
    """Is an attempt one that has not ended?"""
    return stage == P.WORKING or stage == P.CALLING or stage == P.PUBLISHING


@rule
def tell_lost(S, s, i, now):
    """Attempts in work are lost, in the order in which they were taken."""
    mechanism, a = S.mechanisms[s], S.instances[i].first_work
    while a >= 0:
        detail = S.details[a]
        if is_in_work(detail.stage):
            mechanism.lost += 1
            mechanism.lost_all += 1
            mechanism.in_work -= 1
            lose_call(mechanism, detail.epoch)
            if S.run[0].tracing != 0:
                trace(S, P.LOST, P.AT_SERVICE, s, a, now, -1.0)
        a = detail.after


@rule
def lose_held_ahead(S, g, s, i, now):
    """What an instance held ahead goes back, or with a visibility time-out stays unseen until that."""
    instance = S.instances[i]
    while instance.tail >= 0:
        m = instance.tail
        if S.mechanisms[s].visibility == np.inf:
            give_back(S, g, s, m, now)
        else:
            unlink(S, instance, m)
            instance.held_ahead -= 1
            S.messages[m].held = P.LOST_HOLDER


@rule
def lose_attempt(S, g, s, a, now):
    """The record of an attempt goes; its message goes back, unless it has been overtaken or is unseen."""
    detail = S.details[a]
    m, i, stage = detail.message, detail.instance, detail.stage
    goes_back = m >= 0 and (is_current(S, a) or stage == P.HELD)
    unschedule(S, g, a)
    if detail.leader == a:
        occupy_slot(S, i, -1)
    if is_in_work(stage):
        release_partition(S, a)
    if stage == P.PUBLISHING:
        withdraw(S, a)
        if m >= 0:
            S.details[m].repeats += 1
    unlink_attempt(S, a)
    drop(S, a)
    if goes_back and S.mechanisms[s].visibility == np.inf:
        send_back(S, g, s, m, now)


# Rolling restarts.


@rule
def restart_next(S, g, k, now):
    """The next instance that is up leaves, to start again."""
    stop = S.stops[k]
    s = stop.service
    first = S.services[s].first_instance
    if now == stop.at and stop.turns == 0:
        for n in range(S.services[s].instance_count):
            if S.instances[first + n].state != P.GONE:
                stop.turns = n + 1
    if now >= stop.until:
        return
    while stop.turn < stop.turns:
        i = first + stop.turn
        stop.turn += 1
        if S.instances[i].state == P.UP:
            S.instances[i].restart = k
            begin_leaving(S, g, s, i, now, P.RESTARTING)
            change_members(S, g, s, now)
            return
