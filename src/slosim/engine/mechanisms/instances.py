"""Instances come up, leave and stop when they are drained (rules S42, S43, S45)."""

from __future__ import annotations

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.chance import G, draw_rare, mix, uniform
from slosim.engine.jit import rule
from slosim.engine.mechanisms.owners import change_members
from slosim.engine.mechanisms.places import tell, unschedule
from slosim.engine.mechanisms.returns import give_back


@rule
def tell_instance(S, what, i, now):
    if S.run[0].tracing != 0:
        instance = S.instances[i]
        tell(S, what, instance.service, instance.number, now, -1)


@rule
def start(S, g, s, i, now):
    """An instance starts; it is up after its start-up time."""
    mechanism, instance = S.mechanisms[s], S.instances[i]
    instance.state = P.STARTING
    instance.crash = -1
    instance.starts += 1
    mechanism.starts += 1
    mechanism.concerned = 1
    tell_instance(S, P.STARTS, i, now)
    identity = mix(mechanism.startup_key + np.uint64(instance.number + 1) * G)
    seconds = draw_rare(S, mechanism.startup, uniform(mechanism.startup_stream, identity, instance.starts))
    schedule_rare(S, S.groups[g], instance.timer, now + seconds, P.COMES_UP)


@rule
def come_up(S, g, s, i, now):
    mechanism, instance = S.mechanisms[s], S.instances[i]
    instance.state = P.UP
    mechanism.up += 1
    mechanism.with_slots += 1
    mechanism.concerned = 1
    tell_instance(S, P.COMES, i, now)
    unschedule(S, g, instance.timer + 1)  # nobody misses it any more
    go_on_restarting(S, g, i, now)
    change_members(S, g, s, now)


@rule
def go_on_restarting(S, g, i, now):
    """An instance has gone through its turn of a rolling restart."""
    k = S.instances[i].restart
    if k >= 0:
        S.instances[i].restart = -1
        schedule_rare(S, S.groups[g], S.stops[k].timer, now + S.stops[k].pause_between, P.STOP_BEGINS)


@rule
def begin_leaving(S, g, s, i, now, state):
    """An instance that is up takes nothing more, and gives back what it holds ahead (LEAVING, RESTARTING)."""
    instance = S.instances[i]
    instance.state = state
    S.mechanisms[s].up -= 1
    S.mechanisms[s].concerned = 1
    tell_instance(S, P.LEAVES, i, now)
    while instance.tail >= 0:
        give_back(S, g, s, instance.tail, now)
    stop_if_drained(S, g, s, i, now)


@rule
def stop_if_drained(S, g, s, i, now):
    """An instance that leaves stops when its last attempt has ended."""
    instance = S.instances[i]
    if instance.first_work >= 0:
        return
    if instance.state == P.LEAVING:
        S.mechanisms[s].with_slots -= 1
        go(S, g, s, i, now)
    elif instance.state == P.RESTARTING:
        S.mechanisms[s].with_slots -= 1
        start(S, g, s, i, now)


@rule
def go(S, g, s, i, now):
    """An instance is gone."""
    instance = S.instances[i]
    instance.state = P.GONE
    instance.crash = -1
    S.mechanisms[s].existing -= 1
    tell_instance(S, P.GOES, i, now)
    go_on_restarting(S, g, i, now)
