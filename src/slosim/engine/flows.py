"""Flow instances (rules S34 to S37): which messages are left, how it ended, where its time went.

Several coupling groups may touch one instance, so only counts, maxima, minima and integer sums are kept here.
"""

from __future__ import annotations

import math

import numpy as np

from slosim.compile.program import (
    AT_FLOW,
    COARSE,
    COMPLETED,
    FOLD_AT,
    LOST_DEAD_LETTERED,
    NO_LOSS,
    NONE,
    THINKING_ENDS,
    TICKS_PER_S,
)
from slosim.engine.calendar import schedule_rare
from slosim.engine.chance import G, draw_rare, mix, uniform
from slosim.engine.jit import branch, leaf, rule
from slosim.engine.messages import trace
from slosim.measure.histogram import BUCKET_COUNT, BUCKETS_PER_OCTAVE_BITS, FIRST_BITS

HISTOGRAM_SHIFT = 52 - BUCKETS_PER_OCTAVE_BITS


@leaf
def bucket_of(value):
    """Histogram bucket of a value >= 0 (measure/histogram.py), read off its bits."""
    bucket = (np.float64(value).view(np.int64) >> HISTOGRAM_SHIFT) - (FIRST_BITS - 1)
    if bucket < 0:
        return 0
    return bucket if bucket < BUCKET_COUNT else BUCKET_COUNT - 1


@leaf
def ticks(seconds):
    return np.int64(seconds * TICKS_PER_S + 0.5)


@branch
def open_block(S, producer, start):
    """Take a free block of flow instances for a producer's message; -1 when its producer has no flow."""
    if producer.flow_count == 0:
        return NONE
    run = S.run[0]
    width = run.flows_per_producer
    block = run.instance_head
    run.instance_head = S.flow_instances[block * width].open
    for k in range(width):
        instance = S.flow_instances[block * width + k]
        instance.open = 0
        instance.start = start
        instance.left = -1.0
        instance.finish = -1.0
        instance.dead_at = math.inf
        instance.dropped_at = math.inf
        instance.client = producer.client
        if k < producer.flow_count:
            instance.flow = producer.first_flow + k
            flow = S.flows[instance.flow]
            flow.started_all += 1
            if start >= run.warmup:
                flow.started += 1
        else:
            instance.flow = NONE
    return block


@rule
def enter(S, block, line_index):
    """A message of a block's instance is in a line; the block it then has, -1 if it matters to none."""
    width = S.run[0].flows_per_producer
    result = NONE
    for k in range(block * width, (block + 1) * width):
        instance = S.flow_instances[k]
        if instance.flow >= 0 and S.matters[line_index, instance.flow] != 0:
            instance.open += 1
            result = block
    return result


@rule
def hold(S, block):
    """A producer's publish that waits for its topic keeps its instances open until it is accepted."""
    if block >= 0:
        width = S.run[0].flows_per_producer
        for k in range(block * width, (block + 1) * width):
            if S.flow_instances[k].flow >= 0:
                S.flow_instances[k].open += 1


@rule
def end_hold(S, block):
    width = S.run[0].flows_per_producer
    for k in range(block * width, (block + 1) * width):
        if S.flow_instances[k].flow >= 0:
            S.flow_instances[k].open -= 1
    close_rare(S, block)


@rule
def leave(S, m, now, succeeded, loss, dead_topic):
    """`leave_for_good` as a plain call, where it is not on the hot path."""
    leave_for_good(S, m, now, succeeded, loss, dead_topic)


@branch
def leave_for_good(S, m, now, succeeded, loss, dead_topic):
    """A message leaves its line for good, with success or a loss; its children have entered already."""
    message = S.messages[m]
    if message.instance < 0:
        return
    width = S.run[0].flows_per_producer
    first = message.instance * width
    is_over = False
    for k in range(first, first + width):
        instance = S.flow_instances[k]
        if instance.flow < 0:
            continue
        if S.matters[message.line, instance.flow] != 0:
            if succeeded and S.ends[message.line, instance.flow] != 0:
                note_finish(S, k, m, now)
            elif loss != NO_LOSS and (dead_topic < 0 or S.topic_matters[dead_topic, instance.flow] == 0):
                if loss == LOST_DEAD_LETTERED or dead_topic >= 0:
                    instance.dead_at = min(instance.dead_at, now)
                else:
                    instance.dropped_at = min(instance.dropped_at, now)
            instance.left = max(instance.left, now)
            instance.open -= 1
            is_over |= instance.open == 0
    if is_over:
        if S.run[0].tracing != 0:
            tell_completed(S, m)
        close(S, message.instance)


@rule
def tell_completed(S, m):
    """A row of the trace for each instance of message m that is complete and counts: its latency."""
    run, block = S.run[0], S.messages[m].instance
    for k in range(block * run.flows_per_producer, (block + 1) * run.flows_per_producer):
        instance = S.flow_instances[k]
        if instance.flow < 0 or instance.open != 0 or instance.finish < 0.0 or instance.start < run.warmup:
            continue
        if min(instance.dead_at, instance.dropped_at) == math.inf:
            latency = instance.finish - instance.start
            trace(S, COMPLETED, AT_FLOW, instance.flow, m, instance.finish, latency)


@rule
def mark_dead(S, m, time):
    """The instances that message m matters to have a dead letter since a time."""
    message = S.messages[m]
    if message.instance < 0:
        return
    width = S.run[0].flows_per_producer
    for k in range(message.instance * width, (message.instance + 1) * width):
        instance = S.flow_instances[k]
        if instance.flow >= 0 and S.matters[message.line, instance.flow] != 0:
            instance.dead_at = min(instance.dead_at, time)


@leaf
def note_finish(S, k, m, now):
    """A success at the end of the flow: the last one gives the latency and its parts."""
    instance, message = S.flow_instances[k], S.messages[m]
    if instance.finish > now:
        return
    if instance.finish == now:
        if instance.finish_path > message.path:
            return
        if instance.finish_path == message.path and instance.finish_line > message.line:
            return
    instance.finish = now
    instance.finish_path = message.path
    instance.finish_line = message.line
    for part in range(S.run[0].parts):
        S.finish_parts[k, part] = S.parts[m, part]


@branch
def close(S, block):
    """Judge the instances of a block of which no message is left; free the block when that is all of them."""
    run = S.run[0]
    width = run.flows_per_producer
    is_over = True
    for k in range(block * width, (block + 1) * width):
        instance = S.flow_instances[k]
        if instance.flow < 0:
            continue
        if instance.open == 0:
            judge(S, k)
            instance.flow = NONE
        else:
            is_over = False
    if is_over:
        if S.flow_instances[block * width].client >= 0:
            think_again(S, block)
        S.flow_instances[block * width].open = run.instance_head
        run.instance_head = block


@rule
def think_again(S, block):
    """The message of a client is over: it thinks, and publishes its next one (rule S63)."""
    width = S.run[0].flows_per_producer
    now = S.flow_instances[block * width].start
    for k in range(block * width, (block + 1) * width):
        now = max(now, S.flow_instances[k].left)
    think(S, S.flow_instances[block * width].client, now)


@rule
def think(S, client, now):
    """A client thinks before its next message; its timer has the place of that message in the order."""
    timer = S.messages[client]
    producer = S.producers[timer.origin >> 48]
    number = timer.origin & ((1 << 48) - 1)
    identity = mix(producer.name_key + np.uint64(number + 1) * G)
    timer.start = now + draw_rare(S, producer.think_time, uniform(producer.think_stream, identity, 0))
    schedule_rare(S, S.groups[producer.group], client, timer.start, THINKING_ENDS)


@rule
def close_rare(S, block):
    """`close` as a plain call, where it is not on the hot path."""
    close(S, block)


@leaf
def judge(S, k):
    """Count an instance in its state (rule S35) and in the objectives of its flow (rule S36)."""
    run, instance = S.run[0], S.flow_instances[k]
    flow = S.flows[instance.flow]
    measured = instance.start >= run.warmup
    is_complete = False
    if instance.dead_at < math.inf:
        flow.dead_lettered_all += 1
        flow.dead_lettered += measured
    elif instance.dropped_at < math.inf:
        flow.dropped_all += 1
        flow.dropped += measured
    elif instance.finish >= 0.0:
        is_complete = True
        flow.completed_all += 1
        flow.completed += measured
    else:
        flow.completed_elsewhere_all += 1
        flow.completed_elsewhere += measured
        return
    if not measured:
        return
    latency = math.inf
    if is_complete:
        latency = instance.finish - instance.start
        record_latency(S, k, flow, latency)
    lost_at = min(instance.dead_at, instance.dropped_at)
    for i in range(flow.first_objective, flow.first_objective + flow.objective_count):
        objective = S.objectives[i]
        if latency <= objective.within and is_complete:
            turn(S, i, 0, instance.left)
        else:
            turn(S, i, 1, min(lost_at, instance.start + objective.within))


@leaf
def record_latency(S, k, flow, latency):
    bucket = bucket_of(latency)
    f = S.flow_instances[k].flow
    S.latencies[f, bucket] += 1
    flow.latency_max = max(flow.latency_max, latency)
    flow.latency_ticks += ticks(latency)
    if flow.latency_ticks > FOLD_AT:
        S.run[0].budget = 0
    coarse = bucket >> COARSE
    S.finished[f, coarse] += 1
    for part in range(S.run[0].parts):
        S.part_ticks[f, coarse, part] += ticks(S.finish_parts[k, part])


@leaf
def turn(S, objective, bad, time):
    """Count an instance as good or bad in the sample interval (t[k-1], t[k]] that holds the time."""
    run = S.run[0]
    k = np.int64(math.ceil(time / run.sample_every))
    if k > 0 and time <= (k - 1) * run.sample_every:
        k -= 1
    elif time > k * run.sample_every:
        k += 1
    S.turned[objective, bad, min(k, run.samples)] += 1
