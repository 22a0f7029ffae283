"""Autoscaling (rule S62)."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import rule
from slosim.engine.mechanisms.instances import begin_leaving, go, start
from slosim.engine.mechanisms.owners import change_members
from slosim.engine.mechanisms.places import tell, unschedule
from slosim.engine.mechanisms.protection import timer_of

ROUNDING = 1e-9
"""A number this little above a whole one is that one."""


@rule
def plan_reading(S, g, s):
    """The next time that the metric is read: `metric_delay` before a decision, and not before 0."""
    mechanism = S.mechanisms[s]
    while True:
        mechanism.readings_taken += 1
        decided = mechanism.readings_taken * mechanism.scale_interval
        if decided >= S.run[0].duration:
            return
        time = decided - mechanism.scale_delay
        if time >= 0.0:
            break
    schedule_rare(S, S.groups[g], timer_of(mechanism, P.STAGE_METRIC), time, P.READS_METRIC)


@rule
def plan_decision(S, g, s):
    mechanism = S.mechanisms[s]
    mechanism.decisions += 1
    time = mechanism.decisions * mechanism.scale_interval
    schedule_rare(S, S.groups[g], timer_of(mechanism, P.STAGE_SCALES), time, P.SCALES)


@rule
def read_metric(S, g, s, now):
    mechanism = S.mechanisms[s]
    place = mechanism.first_reading + mechanism.readings_taken % mechanism.reading_count
    S.readings[place] = metric_now(S, s, now)
    mechanism.busy_since_reading = 0.0
    mechanism.reading_since = now
    plan_reading(S, g, s)


@rule
def metric_now(S, s, now):
    """Lag in messages, age in s, or the mean of busy slots since the last reading."""
    service, mechanism, value = S.services[s], S.mechanisms[s], 0.0
    if mechanism.scales == P.BY_UTILISATION:
        passed = now - mechanism.reading_since
        return mechanism.busy_since_reading / passed if passed > 0.0 else 0.0
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        if mechanism.scales == P.BY_LAG:
            value += line.lag
        elif line.oldest >= 0:
            value = max(value, now - S.messages[line.oldest].published)
    return value


@rule
def scale(S, g, s, now):
    """The autoscaler decides how many instances there should be, and some start or leave."""
    mechanism = S.mechanisms[s]
    k = mechanism.decisions
    plan_decision(S, g, s)
    if k * mechanism.scale_interval - mechanism.scale_delay < 0.0:
        return
    value = S.readings[mechanism.first_reading + k % mechanism.reading_count]
    wanted = within_limits(S, s, steadied(S, s, desired(S, s, value), now))
    if wanted == mechanism.wanted:
        return
    note_scaling(S, s, now, wanted)
    if S.run[0].tracing != 0:
        tell(S, P.SCALED, s, -1, now, wanted)
    if wanted > mechanism.wanted:
        start_some(S, g, s, wanted, now)
    else:
        stop_some(S, g, s, wanted, now)


@rule
def desired(S, s, value):
    """Instances that would bring the metric to its target, as the HPA computes them."""
    mechanism, service = S.mechanisms[s], S.services[s]
    current = float(mechanism.wanted)
    total = value / mechanism.scale_target
    if mechanism.scales == P.BY_AGE:
        total = current * value / mechanism.scale_target
    elif mechanism.scales == P.BY_UTILISATION:
        total = value / service.concurrency / mechanism.scale_target
    wanted = math.ceil(total - ROUNDING)
    if abs(total / current - 1.0) <= mechanism.scale_tolerance:
        wanted = current
    if mechanism.scale_even != 0:
        wanted = next_divisor(wanted, mechanism.partitions_max)
    return wanted


@rule
def next_divisor(value, partitions):
    """The first divisor of the number of partitions from a value on (KEDA's even distribution)."""
    count = value
    while count < partitions:
        if count >= 1.0 and partitions % np.int64(count) == 0:
            return count
        count += 1.0
    return value if value > partitions else float(partitions)


@rule
def steadied(S, s, value, now):
    """Fewer instances only if none of the last decisions within the window wanted more."""
    mechanism = S.mechanisms[s]
    place = mechanism.first_advice + mechanism.advice_given % mechanism.advice_count
    mechanism.advice_given += 1
    S.advice[place, 0] = now
    S.advice[place, 1] = value
    if value >= mechanism.wanted:
        return value
    for n in range(min(mechanism.advice_given, mechanism.advice_count)):
        place = mechanism.first_advice + n
        if S.advice[place, 0] > now - mechanism.scale_window:
            value = max(value, S.advice[place, 1])
    return min(value, float(mechanism.wanted))


@rule
def within_limits(S, s, value):
    """What one decision may change, partitions, minimum and maximum, numbers that are free."""
    mechanism, service = S.mechanisms[s], S.services[s]
    current = float(mechanism.wanted)
    most = max(
        math.ceil(current * mechanism.scale_up_factor - ROUNDING), current + mechanism.scale_up_instances
    )
    least = min(
        math.floor(current * (1.0 - mechanism.scale_down_share) + ROUNDING),
        current - mechanism.scale_down_instances,
    )
    value = max(min(value, most), least)
    if service.is_log != 0:
        value = min(value, float(mechanism.partitions_max))
    value = max(min(value, float(mechanism.scale_maximum)), float(mechanism.scale_minimum))
    free = 0
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        free += S.instances[i].state == P.GONE
    return np.int64(min(value, current + free))


@rule
def note_scaling(S, s, now, wanted):
    mechanism = S.mechanisms[s]
    row = mechanism.first_scaling + mechanism.scaling_count
    mechanism.scaling_count += 1
    S.scalings[row, 0] = now
    S.scalings[row, 1] = mechanism.wanted
    S.scalings[row, 2] = wanted


@rule
def start_some(S, g, s, wanted, now):
    """The lowest numbers that are free start."""
    service, mechanism = S.services[s], S.mechanisms[s]
    for i in range(service.first_instance, service.first_instance + service.instance_count):
        if mechanism.wanted == wanted:
            return
        if S.instances[i].state == P.GONE:
            mechanism.wanted += 1
            mechanism.existing += 1
            start(S, g, s, i, now)


@rule
def stop_some(S, g, s, wanted, now):
    """The highest numbers leave; those that are not up are gone at once."""
    service, mechanism = S.services[s], S.mechanisms[s]
    was_up = mechanism.up
    i = service.first_instance + service.instance_count
    while mechanism.wanted > wanted:
        i -= 1
        instance = S.instances[i]
        if instance.state == P.GONE or instance.state == P.LEAVING:
            continue
        mechanism.wanted -= 1
        if instance.state == P.UP:
            begin_leaving(S, g, s, i, now, P.LEAVING)
        elif instance.state == P.RESTARTING:
            instance.state = P.LEAVING
        else:
            unschedule(S, g, instance.timer)
            go(S, g, s, i, now)
    if mechanism.up < was_up:
        change_members(S, g, s, now)
