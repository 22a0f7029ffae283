"""Logs whose partitions change hands: who owns them, rebalances, standing still (rules S51 to S53)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.calendar import schedule_rare
from slosim.engine.jit import rule
from slosim.engine.mechanisms.places import tell, unschedule
from slosim.engine.mechanisms.protection import timer_of


@rule
def look_who_stands(S, s, now):
    """Every partition stands still while its owner is not up, or a rebalance stops it."""
    service, mechanism = S.services[s], S.mechanisms[s]
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            stands = queue.rebalancing != 0 or S.instances[queue.owner].state != P.UP
            if stands and queue.stopped == 0:
                queue.stopped = 1
                queue.stopped_since = now
                mechanism.stopped += 1
            elif not stands and queue.stopped != 0:
                queue.stopped = 0
                queue.stopped_total += now - queue.stopped_since
                mechanism.stopped -= 1


@rule
def change_members(S, g, s, now):
    """An instance came, left or is missed: partitions change hands, if somebody is up to take them."""
    service, mechanism = S.services[s], S.mechanisms[s]
    if service.is_log == 0:
        return
    if mechanism.up > 0:
        if mechanism.cooperative != 0:
            settle_sticky(S, s)
        else:
            settle_range(S, s)
        if mechanism.rebalances != 0:
            start_rebalance(S, g, s, now)
        else:
            hand_over(S, s)
    look_who_stands(S, s, now)
    mechanism.concerned = 1


@rule
def start_rebalance(S, g, s, now):
    service, mechanism = S.services[s], S.mechanisms[s]
    mechanism.rebalance_count += 1
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            queue.rebalancing = mechanism.cooperative == 0 or queue.next_owner != queue.owner
    timer = timer_of(mechanism, P.STAGE_REBALANCE)
    unschedule(S, g, timer)
    schedule_rare(S, S.groups[g], timer, now + mechanism.rebalance_pause, P.REBALANCE_ENDS)
    if S.run[0].tracing != 0:
        tell(S, P.REBALANCE_STARTED, s, -1, now, -1)


@rule
def end_rebalance(S, s, now):
    """The new owners take over."""
    mechanism = S.mechanisms[s]
    hand_over(S, s)
    look_who_stands(S, s, now)
    mechanism.concerned = 1
    if S.run[0].tracing != 0:
        tell(S, P.REBALANCE_OVER, s, -1, now, -1)


@rule
def hand_over(S, s):
    service = S.services[s]
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            queue.rebalancing = 0
            queue.owner = queue.next_owner


@rule
def settle_range(S, s):
    """Range assignment of each topic over the instances that are up (rule S16)."""
    service, up = S.services[s], S.mechanisms[s].up
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        share, larger = line.queue_count // up, line.queue_count % up
        q, place = line.first_queue, 0
        for i in range(service.first_instance, service.first_instance + service.instance_count):
            if S.instances[i].state == P.UP:
                end = q + share + (1 if place < larger else 0)
                while q < end:
                    S.queues[q].next_owner = i
                    q += 1
                place += 1


@rule
def settle_sticky(S, s):
    """Balanced within one over all topics; each keeps what it owns up to its share (rule S51)."""
    service = S.services[s]
    first, last = service.first_instance, service.first_instance + service.instance_count
    share_out(S, s)
    for i in range(first, last):
        S.instances[i].owned = 0
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            owner = S.instances[queue.owner]
            if owner.owned < owner.share:
                owner.owned += 1
                queue.next_owner = queue.owner
            else:
                queue.next_owner = -1
    i = first
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            queue = S.queues[q]
            if queue.next_owner < 0:
                while S.instances[i].owned >= S.instances[i].share:
                    i += 1
                S.instances[i].owned += 1
                queue.next_owner = i


@rule
def share_out(S, s):
    """How many partitions each instance may own: the larger shares go to those that own most."""
    service = S.services[s]
    first, last = service.first_instance, service.first_instance + service.instance_count
    for i in range(first, last):
        S.instances[i].owned = 0
    partitions = 0
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        partitions += line.queue_count
        for q in range(line.first_queue, line.first_queue + line.queue_count):
            S.instances[S.queues[q].owner].owned += 1
    share, larger = partitions // S.mechanisms[s].up, partitions % S.mechanisms[s].up
    for i in range(first, last):
        instance = S.instances[i]
        instance.share = 0
        if instance.state != P.UP:
            continue
        ahead = 0
        for k in range(first, last):
            other = S.instances[k]
            if other.state == P.UP and (
                other.owned > instance.owned or (other.owned == instance.owned and k < i)
            ):
                ahead += 1
        instance.share = share + (1 if ahead < larger else 0)
