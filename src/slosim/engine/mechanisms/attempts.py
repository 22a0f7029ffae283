"""How attempts end: success, retry, dead letter; and their slots (rules S26 to S31, S50, S55)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.attempts import record, record_service, record_sojourn, retry_delay
from slosim.engine.calendar import schedule_rare
from slosim.engine.flows import leave
from slosim.engine.jit import leaf, rule
from slosim.engine.lines import add_part, settle
from slosim.engine.mechanisms.instances import stop_if_drained
from slosim.engine.mechanisms.places import (
    begin_at,
    end_at,
    is_current,
    link_attempt,
    move,
    occupy_slot,
    record_beside,
    step_out,
    take_over_parts,
    unlink_attempt,
    unschedule,
)
from slosim.engine.mechanisms.protection import charge_failure, earn, end_call, may_retry
from slosim.engine.mechanisms.returns import finish_followers, give_up, let_attempts_go_on
from slosim.engine.messages import free, trace


@rule
def new_attempt(S, i, m):
    """A record for an attempt of message m at instance i, with a batch of its own."""
    a = record_beside(S, m)
    S.messages[a].taken = S.messages[m].taken
    S.messages[a].work_ends = S.messages[m].taken
    S.messages[a].cursor = 0
    S.details[a].leader = a
    link_attempt(S, m, a)
    begin_at(S, i, a)
    return a


@leaf
def count_service(S, s, a, now):
    """The time of an attempt, taken to ended."""
    add_part(S, a, S.services[s].part_service, now - S.messages[a].work_ends)
    S.messages[a].work_ends = now
    record_service(S, s, a, now)


@leaf
def succeed(S, g, s, a, now):
    """The attempt has published what it emits: the first success settles its message (rules S31, S50)."""
    mechanism = S.mechanisms[s]
    count_service(S, s, a, now)
    S.services[s].succeeded += 1
    mechanism.succeeded_all += 1
    mechanism.in_work -= 1
    m = S.details[a].message
    if S.run[0].tracing != 0:
        trace(S, P.SUCCESS if m >= 0 else P.DUPLICATE, P.AT_SERVICE, s, a, now, -1.0)
    end_call(S, g, s, S.details[a].epoch, 0, now)
    release_partition(S, a)
    if m < 0:
        mechanism.duplicates += 1
        return
    if is_current(S, a):
        earn(mechanism, P.SWITCH)
    unlink_attempt(S, a)
    take_over_parts(S, m, a)
    finish(S, g, s, m, now)


@leaf
def finish(S, g, s, m, now):
    """A message leaves its line with success."""
    line = S.lines[S.messages[m].line]
    if S.messages[m].place == P.WAITING:
        step_out(S, g, m)
    unschedule(S, g, m)
    if S.details[m].attempt >= 0:
        let_attempts_go_on(S, m)
    move(S, m, P.IN_TRANSIT)
    record_sojourn(S, s, m, now)
    line.finished += 1
    settle(S, g, line, m, now)
    leave(S, m, now, True, P.NO_LOSS, P.NONE)
    if S.details[m].follower >= 0:
        finish_followers(S, g, m, now)
    free(S, m)


@leaf
def release_partition(S, a):
    if S.services[S.lines[S.messages[a].line].service].is_log != 0:
        S.queues[S.messages[a].queue].busy -= 1


@rule
def fail(S, g, s, a, now):
    """An attempt that held a slot fails; its outcome says how. True when it keeps the slot (rule S29)."""
    count_service(S, s, a, now)
    m, was_current = S.details[a].message, is_current(S, a)
    outcome = S.messages[a].outcome
    count_failure(S, g, s, a, S.details[a].epoch, now, outcome)
    if outcome == P.TIMED_OUT:
        S.services[s].timed_out += 1
    release_partition(S, a)
    unlink_attempt(S, a)
    if not was_current:
        S.services[s].retried += 1
        return False
    take_over_parts(S, m, a)
    charge_failure(S.mechanisms[s])
    return retry_or_give_up(S, g, s, m, a, now)


@rule
def fail_at_start(S, g, s, i, m, epoch, now):
    """An attempt fails the instant it is taken: it never held a slot (rule S27)."""
    record(S, s, P.SERVICE, 0.0)
    count_failure(S, g, s, m, epoch, now, P.FAILED_AT_START)
    charge_failure(S.mechanisms[s])
    if S.services[s].retry_blocks != 0 and S.services[s].is_log == 0:
        a = new_attempt(S, i, m)
        unlink_attempt(S, a)
        if retry_or_give_up(S, g, s, m, a, now):
            occupy_slot(S, i, 1)
        else:
            drop(S, a)
    else:
        retry_or_give_up(S, g, s, m, -1, now)


@rule
def count_failure(S, g, s, m, epoch, now, outcome):
    """m: the record of the attempt, or of its message when it failed at the start."""
    mechanism = S.mechanisms[s]
    S.services[s].failed += 1
    mechanism.failed_all += 1
    mechanism.in_work -= 1
    if S.run[0].tracing != 0:
        word = P.TIMEOUT if outcome == P.TIMED_OUT else P.FAILURE
        trace(S, word, P.AT_SERVICE, s, m, now, -1.0)
    end_call(S, g, s, epoch, 1, now)


@rule
def retry_or_give_up(S, g, s, m, a, now):
    """Rules S28 to S30, S60. True when attempt a goes on holding its slot through the wait."""
    service = S.services[s]
    unschedule(S, g, m)
    if S.messages[m].attempt < service.attempts_max and may_retry(S.mechanisms[s]):
        return back_off(S, g, s, m, a, now)
    service.dead_lettered += 1
    record_sojourn(S, s, m, now)
    give_up(S, g, m, now, P.DEAD_LETTERED)
    return False


@rule
def back_off(S, g, s, m, a, now):
    """The message waits for its next attempt, and may hold its slot or its partition meanwhile."""
    service, message, group = S.services[s], S.messages[m], S.groups[g]
    service.retried += 1
    move(S, m, P.BACKING_OFF)
    message.work_ends = now  # from here on its time is the part `retry`
    until = now + retry_delay(S, service, message)
    if S.run[0].tracing != 0:
        trace(S, P.RETRY, P.AT_SERVICE, s, m, now, until)
    if service.retry_blocks == 0:
        schedule_rare(S, group, m, until, P.BECOMES_VISIBLE)
        return False
    message.held = P.RETRIES_IN_PLACE
    if service.is_log != 0:
        S.queues[message.queue].busy += 1
        schedule_rare(S, group, m, until, P.BECOMES_VISIBLE)
        return False
    S.details[a].stage = P.HELD
    link_attempt(S, m, a)
    schedule_rare(S, group, m, until, P.HELD_RETRY_STARTS)
    return True


# Slots.


@rule
def drop(S, a):
    """The record of an attempt that has ended and holds no slot."""
    end_at(S, a)
    free(S, a)


@rule
def leave_slot(S, g, s, a, now):
    """The work of a slot is over: attempt a led its batch."""
    i = S.details[a].instance
    occupy_slot(S, i, -1)
    drop(S, a)
    S.mechanisms[s].concerned = 1
    if S.instances[i].state != P.UP:
        stop_if_drained(S, g, s, i, now)


@rule
def time_out(S, g, s, leader, now):
    """The messages of a batch time out; its work goes on, abandoned, and holds its slot (rule S26)."""
    a = leader
    while a >= 0:
        after = S.details[a].mate
        S.messages[a].outcome = P.TIMED_OUT
        fail(S, g, s, a, now)
        if a != leader:
            drop(S, a)
        a = after
    S.details[leader].stage = P.ABANDONED
    S.details[leader].mate = -1
    S.details[leader].weight = 1


@rule
def end_abandoned(S, g, s, a, now):
    """Abandoned work ends; its result counts for nothing."""
    if S.run[0].tracing != 0:
        trace(S, P.WORK_ENDED, P.AT_SERVICE, s, a, now, -1.0)
    leave_slot(S, g, s, a, now)
