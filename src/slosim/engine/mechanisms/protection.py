"""Circuit breaker (rule S59), retry budget (S60) and load shedding (S61)."""

from __future__ import annotations

import math

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import leaf, rule
from slosim.engine.mechanisms.places import tell


@leaf
def lets_begin(mechanism):
    """Has the breaker a place for an attempt?"""
    return mechanism.breaker == P.CLOSED or (
        mechanism.breaker == P.HALF_OPEN and mechanism.kept < mechanism.half_open_calls
    )


@leaf
def timer_of(mechanism, stage):
    """Message record that is a timer of a service."""
    return mechanism.first_timer + stage - P.STAGE_REBALANCE


@leaf
def begin_call(mechanism):
    """An attempt begins: the half-open state counts it. Returns the epoch it belongs to."""
    if mechanism.breaker == P.HALF_OPEN:
        mechanism.kept += 1
    return mechanism.epoch


@rule
def lose_call(mechanism, epoch):
    """A lost attempt gives its place in the half-open state back."""
    if mechanism.breaker == P.HALF_OPEN and epoch == mechanism.epoch:
        mechanism.kept -= 1


@leaf
def end_call(S, g, s, epoch, failed, now):
    """The outcome of an attempt."""
    if S.mechanisms[s].breaks != 0:
        count_outcome(S, g, s, epoch, failed, now)


@rule
def count_outcome(S, g, s, epoch, failed, now):
    mechanism = S.mechanisms[s]
    if epoch != mechanism.epoch:
        return
    if mechanism.breaker == P.CLOSED:
        keep_outcome(S, mechanism, failed)
        if (
            mechanism.kept >= mechanism.minimum_calls
            and mechanism.kept_failed / mechanism.kept >= mechanism.failure_rate
        ):
            open_breaker(S, g, s, now)
    elif mechanism.breaker == P.HALF_OPEN:
        mechanism.position += 1
        mechanism.kept_failed += failed
        if mechanism.position >= mechanism.half_open_calls:
            if mechanism.kept_failed / mechanism.position >= mechanism.failure_rate:
                open_breaker(S, g, s, now)
            else:
                change_state(mechanism, P.CLOSED)
                if S.run[0].tracing != 0:
                    tell(S, P.BREAKER_CLOSED, s, -1, now, -1)


@rule
def keep_outcome(S, mechanism, failed):
    place = mechanism.first_outcome + mechanism.position
    if mechanism.kept == mechanism.window:
        mechanism.kept_failed -= S.outcomes[place]
    else:
        mechanism.kept += 1
    S.outcomes[place] = failed
    mechanism.kept_failed += failed
    mechanism.position += 1
    if mechanism.position == mechanism.window:
        mechanism.position = 0


@rule
def change_state(mechanism, state):
    mechanism.breaker = state
    mechanism.epoch += 1
    mechanism.kept = 0
    mechanism.position = 0
    mechanism.kept_failed = 0


@rule
def open_breaker(S, g, s, now):
    mechanism = S.mechanisms[s]
    change_state(mechanism, P.OPEN)
    mechanism.opened += 1
    timer = timer_of(mechanism, P.STAGE_BREAKER)
    schedule_rare(S, S.groups[g], timer, now + mechanism.open_for, P.HALF_OPENS)
    if S.run[0].tracing != 0:
        tell(S, P.OPENED, s, -1, now, -1)


@rule
def half_open(S, s, now):
    change_state(S.mechanisms[s], P.HALF_OPEN)
    S.mechanisms[s].concerned = 1
    if S.run[0].tracing != 0:
        tell(S, P.HALF_OPENED, s, -1, now, -1)


# The retry budget.


@leaf
def earn(mechanism, kind):
    """A first attempt (cap) or a success (switch) adds to the budget."""
    if mechanism.budget == kind:
        mechanism.tokens = min(mechanism.budget_burst, mechanism.tokens + mechanism.budget_ratio)


@leaf
def charge_failure(mechanism):
    if mechanism.budget == P.SWITCH:
        mechanism.tokens = max(0.0, mechanism.tokens - 1.0)


@rule
def may_retry(mechanism):
    """Is there a budget for one retry? It is spent."""
    if mechanism.budget == P.SWITCH:
        if mechanism.tokens > mechanism.budget_burst / 2.0:
            return True
    elif mechanism.budget == P.CAP:
        if mechanism.tokens >= 1.0:
            mechanism.tokens -= 1.0
            return True
    else:
        return True
    mechanism.denied_retries += 1
    return False


# Shedding.


@leaf
def is_shed(mechanism, waited, now):
    """Is a message that has waited this long dropped instead of taken?"""
    if mechanism.sheds == P.NO_SHEDDING:
        return False
    if mechanism.sheds == P.WAIT_OVER:
        return waited > mechanism.shed_target
    return is_dropped(mechanism, waited, now)


@rule
def is_dropped(mechanism, waited, now):
    """CoDel."""
    above = False
    if waited < mechanism.shed_target:
        mechanism.first_above = -1.0
    elif mechanism.first_above < 0.0:
        mechanism.first_above = now + mechanism.shed_interval
    else:
        above = now >= mechanism.first_above
    if mechanism.dropping == 0:
        if not above:
            return False
        begin_dropping(mechanism, now)
        return True
    if not above:
        mechanism.dropping = 0
        return False
    if now < mechanism.drop_next:
        return False
    mechanism.drop_count += 1.0
    mechanism.drop_next += mechanism.shed_interval / math.sqrt(mechanism.drop_count)
    return True


@rule
def begin_dropping(mechanism, now):
    """CoDel goes on where it was if it stopped dropping not long ago."""
    count = mechanism.drop_count - mechanism.drop_count_before
    if count <= 1.0 or now - mechanism.drop_next >= 16.0 * mechanism.shed_interval:
        count = 1.0
    mechanism.dropping = 1
    mechanism.drop_count = count
    mechanism.drop_count_before = count
    mechanism.drop_next = now + mechanism.shed_interval / math.sqrt(count)
