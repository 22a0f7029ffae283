"""Messages that come back, and messages that leave for good (rules S47 to S50)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.attempts import record_sojourn
from slosim.engine.flows import leave
from slosim.engine.jit import rule
from slosim.engine.lines import add_part, lose, settle
from slosim.engine.mechanisms.places import (
    add_wait,
    line_up,
    line_up_first,
    move,
    show,
    step_out,
    unschedule,
)
from slosim.engine.messages import free, trace


@rule
def let_attempts_go_on(S, m):
    """The message leaves its line: attempts of it that go on are on their own, outside all flows."""
    a = S.details[m].attempt
    while a >= 0:
        detail = S.details[a]
        detail.message = -1
        S.messages[a].instance = -1
        if detail.pending >= 0:
            S.messages[detail.pending].instance = -1
        a = detail.other
    S.details[m].attempt = -1


@rule
def give_up(S, g, m, now, word):
    """A message that stands in no list leaves for good: expired, dropped, shed or dead-lettered."""
    line = S.lines[S.messages[m].line]
    unschedule(S, g, m)
    let_attempts_go_on(S, m)
    move(S, m, P.IN_TRANSIT)
    o = S.services[line.service].dead_letter if word == P.DEAD_LETTERED else line.dead_letter
    dead_topic = S.outlets[o].topic if o >= 0 and word != P.SHED else -1
    follower = S.details[m].follower
    while follower >= 0:
        after = S.details[follower].follower
        lose_follower(S, g, follower, now, word, dead_topic)
        follower = after
    lose(S, g, m, now, word)


@rule
def lose_follower(S, g, m, now, word, dead_topic):
    """What has been joined leaves in the same way; the dead letter is published once, for the leader."""
    line = S.lines[S.messages[m].line]
    if word == P.SHED:
        line.shed += 1
    elif word == P.DROPPED:
        line.dropped += 1
    else:
        line.dead_lettered += 1
    settle(S, g, line, m, now)
    loss = P.LOST_DEAD_LETTERED if word == P.DEAD_LETTERED else P.LOST_DROPPED
    leave(S, m, now, False, loss, dead_topic)
    free(S, m)


@rule
def finish_followers(S, g, m, now):
    """The leader of a join has succeeded, and with it those that follow it."""
    follower = S.details[m].follower
    while follower >= 0:
        after = S.details[follower].follower
        line = S.lines[S.messages[follower].line]
        line.finished += 1
        settle(S, g, line, follower, now)
        leave(S, follower, now, False, P.NO_LOSS, P.NONE)
        free(S, follower)
        follower = after


@rule
def may_return(S, g, s, m, now):
    """Is the message not over its delivery limit (rule S49), nor expired? Else it leaves for good."""
    service, message = S.services[s], S.messages[m]
    line = S.lines[message.line]
    if S.mechanisms[s].limits_deliveries != 0 and message.attempt >= service.attempts_max:
        record_sojourn(S, s, m, now)
        give_up(S, g, m, now, P.DEAD_LETTERED)
        return False
    if line.ttl >= 0 and S.details[m].follower < 0 and now >= message.expires:
        give_up(S, g, m, now, P.EXPIRED)
        return False
    return True


@rule
def send_back(S, g, s, m, now):
    """A message returns to where the next one is taken from (rule S47)."""
    unschedule(S, g, m)
    spend_as_retry(S, s, m, now)
    S.messages[m].held = 0
    if may_return(S, g, s, m, now):
        show(S, m, now)
        line_up_first(S, g, m)


@rule
def spend_as_retry(S, s, m, now):
    """Time of an attempt that has come to nothing, or of a back-off, or of being held ahead."""
    message = S.messages[m]
    if message.place == P.WAITING:
        add_wait(S, m, now)
    elif message.place == P.IN_WORK:
        add_part(S, m, S.services[s].part_retry, now - message.taken)
    elif message.held == P.HAS_TOKEN:
        add_part(S, m, S.services[s].part_wait, now - message.visible)
    else:
        add_part(S, m, S.services[s].part_retry, now - message.work_ends)


@rule
def give_back(S, g, s, m, now):
    """An instance gives a message back that it held ahead of its slots."""
    if S.run[0].tracing != 0:
        trace(S, P.WITHDRAWN, P.AT_SERVICE, s, m, now, -1.0)
    step_out(S, g, m)
    send_back(S, g, s, m, now)


@rule
def end_visibility(S, g, s, m, now):
    """The visibility time-out of a message is over: it is visible again at the tail (rule S48)."""
    if S.messages[m].place == P.WAITING:
        if S.run[0].tracing != 0:
            trace(S, P.WITHDRAWN, P.AT_SERVICE, s, m, now, -1.0)
        step_out(S, g, m)
    spend_as_retry(S, s, m, now)
    if may_return(S, g, s, m, now):
        show(S, m, now)
        line_up(S, g, m)
