"""Calls of dependencies: requests, servers, hedges, time-outs (rules S56, S57)."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.engine.averages import pass_dependency
from slosim.engine.calendar import schedule_rare
from slosim.engine.chance import draw_rare, uniform
from slosim.engine.flows import bucket_of
from slosim.engine.gates import move_on
from slosim.engine.jit import leaf, rule
from slosim.engine.lines import add_part
from slosim.engine.mechanisms.attempts import end_abandoned, time_out
from slosim.engine.mechanisms.places import record_beside, unschedule
from slosim.engine.mechanisms.publishing import end_work
from slosim.engine.messages import child_identity, free, join_tail, trace, unlink

NO_REQUEST = -1


@rule
def service_of(S, a):
    return S.lines[S.messages[a].line].service


@rule
def call_of(S, a):
    """Index of the call an attempt is making."""
    return S.mechanisms[service_of(S, a)].first_call + S.details[a].call


@rule
def tell_call(S, what, a, now, value):
    if S.run[0].tracing != 0:
        trace(S, what, P.AT_SERVICE, service_of(S, a), a, now, np.float64(value))


# A dependency's servers.


@rule
def find_dependency_effect(S, d, now):
    """`move_on` for a dependency."""
    move_on(S, S.dependencies[d], now)


@rule
def has_server(S, g, d, now):
    """May a request be taken now? If a pause is in the way, the dependency looks again at its end."""
    dependency = S.dependencies[d]
    if now >= dependency.effect_until:
        find_dependency_effect(S, d, now)
    if dependency.paused != 0:
        if S.messages[dependency.timer].heap < 0:
            schedule_rare(S, S.groups[g], dependency.timer, dependency.effect_until, P.DEPENDENCY_WAKES)
        return False
    return dependency.busy < dependency.capacity


@rule
def start_request(S, g, d, q, now):
    """A server takes a request; False when it fails at once, in an outage."""
    dependency, message = S.dependencies[d], S.messages[q]
    waited = now - message.visible
    S.dependency_waits[d, bucket_of(waited)] += 1
    dependency.wait_total += waited
    dependency.wait_max = max(dependency.wait_max, waited)
    u = uniform(dependency.service_stream, message.identity, message.attempt)
    seconds = draw_rare(S, S.details[q].service_time, u)
    survives = 1.0 - dependency.failure_probability
    if dependency.effect_count > 0:
        effect = S.effects[dependency.effect]
        if effect.outage != 0:
            dependency.failed += 1
            dependency.ended_all += 1
            return False
        seconds = seconds * effect.slowdown + effect.added_latency
        survives *= 1.0 - effect.error_rate
    message.outcome = P.SUCCEEDED
    probability = 1.0 - survives
    if probability > 0.0:
        if uniform(dependency.failure_stream, message.identity, message.attempt) < probability:
            message.outcome = P.FAILED
    dependency.busy += 1
    message.place = P.IN_WORK
    schedule_rare(S, S.groups[g], q, now + seconds, P.ANSWERS)
    return True


@rule
def join_requests(S, d, q):
    S.messages[q].place = P.WAITING
    join_tail(S, S.dependencies[d], q)
    S.dependencies[d].waiting += 1


@rule
def leave_requests(S, d, q):
    unlink(S, S.dependencies[d], q)
    S.dependencies[d].waiting -= 1


@rule
def serve_next(S, g, d, now):
    """Servers that are free take the requests that wait, first come first served."""
    dependency = S.dependencies[d]
    while dependency.head >= 0 and has_server(S, g, d, now):
        q = dependency.head
        leave_requests(S, d, q)
        if not start_request(S, g, d, q, now):
            a = S.details[q].message
            free(S, q)
            if a >= 0:
                request_failed(S, g, a, q, now)


# An attempt's calls.


@rule
def request(S, g, a, r, now):
    """Make a request (r: 0, or 1 for the hedge); its record, or NO_REQUEST when it fails at once."""
    call = S.calls[call_of(S, a)]
    d = call.dependency
    dependency = S.dependencies[d]
    dependency.requests += 1
    dependency.requests_all += 1
    q = record_beside(S, a)
    message = S.messages[q]
    message.identity = child_identity(S.messages[a].identity, call.key, r)
    message.cursor = 2 * S.details[a].call + r
    message.visible = now
    message.instance = -1
    S.details[q].message = a
    S.details[q].call = d
    S.details[q].service_time = call.service_time
    if r == 1:
        S.details[a].hedge = q  # the call is not over if the first request fails now
    serve_next(S, g, d, now)  # a pause may just be over
    if dependency.head < 0 and has_server(S, g, d, now):
        if start_request(S, g, d, q, now):
            return q
    elif dependency.waiting < dependency.queue_limit:
        join_requests(S, d, q)
        has_server(S, g, d, now)  # sees to it that a pause ends
        return q
    else:
        dependency.refused += 1
        dependency.ended_all += 1
    free(S, q)
    return NO_REQUEST


@rule
def begin_calls(S, g, s, a, now):
    """The service time of an attempt is over: its calls begin."""
    detail = S.details[a]
    if detail.stage != P.ABANDONED:
        detail.stage = P.CALLING
        add_part(S, a, S.services[s].part_service, now - S.messages[a].work_ends)
    S.messages[a].work_ends = now
    detail.call = 0
    go_on_calling(S, g, s, a, now)


@rule
def go_on_calling(S, g, s, a, now):
    """Make the next call, or end the attempt after the last one."""
    detail = S.details[a]
    if detail.call == S.mechanisms[s].call_count:
        end_calls(S, g, s, a, now, 0)
        return
    call = S.calls[call_of(S, a)]
    tell_call(S, P.CALLED, a, now, call.dependency)
    detail.call_deadline = now + call.timeout
    detail.hedge_at = now + call.hedge_after
    detail.hedge = NO_REQUEST
    detail.request = request(S, g, a, 0, now)
    if detail.request == NO_REQUEST:
        tell_call(S, P.ANSWERED, a, now, 0)
        end_calls(S, g, s, a, now, 1)
    else:
        plan_timer(S, g, a)


@rule
def plan_timer(S, g, a):
    """What an attempt that waits for an answer does by itself next: time out, or hedge."""
    detail = S.details[a]
    unschedule(S, g, a)
    time, kind = math.inf, P.TIMES_OUT
    if detail.stage != P.ABANDONED:
        time = detail.deadline
    if detail.call_deadline < time:
        time, kind = detail.call_deadline, P.CALL_TIMES_OUT
    if detail.hedge_at < time:
        time, kind = detail.hedge_at, P.HEDGES
    if time < math.inf:
        schedule_rare(S, S.groups[g], a, time, kind)


@rule
def end_calls(S, g, s, a, now, failed):
    """The calls of an attempt are over: all succeeded, or one failed."""
    unschedule(S, g, a)
    S.mechanisms[s].concerned = 1
    if S.details[a].stage == P.ABANDONED:
        end_abandoned(S, g, s, a, now)
        return
    spend_in_calls(S, s, a, now)
    if failed != 0:
        S.messages[a].outcome = P.FAILED
    end_work(S, g, s, a, now)


@rule
def spend_in_calls(S, s, a, now):
    """The time of an attempt's calls is a part of its own."""
    add_part(S, a, S.mechanisms[s].part_dependency, now - S.messages[a].work_ends)
    S.messages[a].work_ends = now


@rule
def forget_request(S, a, q):
    """Attempt a has heard of request q; the other one of the call, or NO_REQUEST."""
    detail = S.details[a]
    if detail.request == q:
        detail.request = NO_REQUEST
        return detail.hedge
    detail.hedge = NO_REQUEST
    return detail.request


@rule
def request_failed(S, g, a, q, now):
    """The call fails when no other request of it is left."""
    if forget_request(S, a, q) == NO_REQUEST:
        tell_call(S, P.ANSWERED, a, now, 0)
        end_calls(S, g, service_of(S, a), a, now, 1)


@rule
def request_succeeded(S, g, a, q, now):
    other = forget_request(S, a, q)
    call = S.calls[call_of(S, a)]
    tell_call(S, P.ANSWERED, a, now, 1)
    S.details[a].request = NO_REQUEST
    S.details[a].hedge = NO_REQUEST
    leave_behind(S, g, call.dependency, other, NO_REQUEST, call.cancel, now)
    S.details[a].call += 1
    go_on_calling(S, g, service_of(S, a), a, now)


@rule
def leave_behind(S, g, d, first, second, cancels, now):
    """Nobody waits for the requests of a call any more; then a server that they free takes the next."""
    leave_dependency(S, g, first, cancels)
    leave_dependency(S, g, second, cancels)
    if S.dependencies[d].is_left != 0:
        S.dependencies[d].is_left = 0
        serve_next(S, g, d, now)


@rule
def leave_dependency(S, g, q, cancels):
    """Nobody waits for a request any more: it goes on, or with `cancel` leaves its dependency."""
    if q == NO_REQUEST:
        return
    S.details[q].message = -1
    if cancels == 0:
        return
    d = S.details[q].call
    dependency = S.dependencies[d]
    dependency.is_left = 1
    dependency.cancelled += 1
    dependency.ended_all += 1
    if S.messages[q].place == P.WAITING:
        leave_requests(S, d, q)
    else:
        unschedule(S, g, q)
        dependency.busy -= 1
    free(S, q)


# Events.


@rule
def answer(S, g, q, now):
    """A dependency has done a request: its server takes the next one, then the attempt goes on."""
    d, a = S.details[q].call, S.details[q].message
    dependency = S.dependencies[d]
    succeeded = S.messages[q].outcome == P.SUCCEEDED
    dependency.busy -= 1
    dependency.ended_all += 1
    if succeeded:
        dependency.answered += 1
    else:
        dependency.failed += 1
    serve_next(S, g, d, now)
    if a >= 0:
        if succeeded:
            request_succeeded(S, g, a, q, now)
        else:
            request_failed(S, g, a, q, now)
    free(S, q)


@rule
def call_times_out(S, g, a, now):
    detail = S.details[a]
    call = S.calls[call_of(S, a)]
    S.dependencies[call.dependency].timed_out += 1
    tell_call(S, P.CALL_TIMED_OUT, a, now, call.dependency)
    first, second = detail.request, detail.hedge
    detail.request = NO_REQUEST
    detail.hedge = NO_REQUEST
    end_calls(S, g, service_of(S, a), a, now, 1)
    leave_behind(S, g, call.dependency, first, second, call.cancel, now)


@rule
def hedge(S, g, a, now):
    """No answer yet: a second request is made."""
    detail = S.details[a]
    call = S.calls[call_of(S, a)]
    S.dependencies[call.dependency].hedged += 1
    tell_call(S, P.HEDGED, a, now, call.dependency)
    detail.hedge_at = math.inf
    detail.hedge = request(S, g, a, 1, now)
    if detail.hedge == NO_REQUEST and detail.request == NO_REQUEST:
        tell_call(S, P.ANSWERED, a, now, 0)
        end_calls(S, g, service_of(S, a), a, now, 1)
    else:
        plan_timer(S, g, a)


@rule
def times_out(S, g, s, a, now):
    """The time-out of a service with calls is over (rules S26, S56)."""
    service, detail = S.services[s], S.details[a]
    was_calling = detail.stage == P.CALLING
    call, first, second = S.calls[call_of(S, a)], detail.request, detail.hedge
    if was_calling:
        spend_in_calls(S, s, a, now)
    if service.abandons != 0:
        time_out(S, g, s, a, now)
        if was_calling:
            plan_timer(S, g, a)
        else:
            schedule_rare(S, S.groups[g], a, detail.work_until, P.ATTEMPT_ENDS)
        return
    S.messages[a].outcome = P.TIMED_OUT
    end_work(S, g, s, a, now)
    leave_behind(S, g, call.dependency, first, second, call.cancel, now)


@leaf
def pass_dependencies(S, g, now):
    group = S.groups[g]
    for k in range(group.first_dependency, group.first_dependency + group.dependency_count):
        pass_dependency(S, S.group_dependencies[k], now)


@rule
def wake_dependency(S, g, d, now):
    """The pause of a dependency may be over."""
    serve_next(S, g, d, now)
    if S.dependencies[d].head >= 0:
        has_server(S, g, d, now)
