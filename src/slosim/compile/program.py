"""The data dictionary: every piece of state the engine has, with its unit. Read this before the kernel.

A Program holds one record array per noun. A run copies them (`engine/state.py`), so fixed fields and those
that change stand side by side; "state" opens the second part of a layout. Indices of -1 mean none. Times are
seconds since the start of the run, shares are 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from slosim.compile.timelines import Timelines

NONE = -1
UNLIMITED = 1 << 60
"""Stands for no limit where a count is compared."""
TICKS_PER_S = float(1 << 30)
"""Sums that several groups add to are kept in whole ticks of 2**-30 s, so their order does not matter."""
FOLD_AT = 1 << 61
"""A sum of ticks beyond it is taken over by Python before it can overflow."""
COARSE = 3
"""Latency is split into parts per 2**COARSE histogram buckets."""


def layout(fields: list[tuple[str, str, str, str]]) -> np.dtype:
    """Record layout from (name, type, unit, meaning) rows; aligned, as compiled code likes it."""
    # uncompiled, fields are read as attributes of np.record, whose own would hide them
    assert not [name for name, *_ in fields if hasattr(np.record, name)]
    return np.dtype([(name, kind) for name, kind, _, _ in fields], align=True)


# Kinds of calendar entries. The class (kind >> 5) orders an instant's: completions, timers, arrivals.
ATTEMPT_ENDS = 0
WORK_ENDS = 1
ANSWERS = 2
BECOMES_VISIBLE = 32
HELD_RETRY_STARTS = 33
EXPIRES = 34
TIMES_OUT = 35
CALL_TIMES_OUT = 36
HEDGES = 37
VISIBILITY_ENDS = 38
PUBLISHES_ON = 39
STOP_BEGINS = 40
STOP_ENDS = 41
COMES_UP = 42
SESSION_ENDS = 43
REBALANCE_ENDS = 44
HALF_OPENS = 45
READS_METRIC = 46
SCALES = 47
SERVICE_WAKES = 48
DEPENDENCY_WAKES = 49
ARRIVES = 64
THINKING_ENDS = 65

# Timers of a service at one instant, in their order (rule S1).
(
    STAGE_STOP_ENDS, STAGE_STOP_BEGINS, STAGE_COMES_UP, STAGE_SESSION, STAGE_REBALANCE, STAGE_BREAKER,
    STAGE_METRIC, STAGE_SCALES,
) = range(8)  # fmt: skip

# Where a message is.
IN_TRANSIT = 0
DELAYED = 1
WAITING = 2
IN_WORK = 3
BACKING_OFF = 4
HELD_BACK = 5

# Where an attempt of a service with mechanisms is.
# ENDED: the first of a batch, whose slot is not free yet. HELD: a blocking retry.
WORKING, CALLING, PUBLISHING, ENDED, ABANDONED, HELD = range(6)

# What `held` of a message says: its next attempt is a blocking retry; and has reserved its token; the
# instance that held it ahead crashed, and does not know it any more.
RETRIES_IN_PLACE, HAS_TOKEN, LOST_HOLDER = 1, 2, 3

# What an instance is doing. RESTARTING leaves too, to start again.
UP, STARTING, DOWN, LEAVING, RESTARTING, GONE = range(6)

# States of a circuit breaker, kinds of retry budgets, of shedding, of metrics, of stops.
CLOSED, OPEN, HALF_OPEN = 0, 1, 2
NO_BUDGET, CAP, SWITCH = 0, 1, 2
NO_SHEDDING, WAIT_OVER, CODEL = 0, 1, 2
NO_SCALING, BY_LAG, BY_AGE, BY_UTILISATION = 0, 1, 2, 3
CRASH, ROLLING_RESTART = 0, 1

# How an attempt ends.
SUCCEEDED = 0
FAILED = 1
TIMED_OUT = 2
FAILED_AT_START = 3

# Queue orders and what a full topic does.
FIFO, LIFO, PRIORITY = 0, 1, 2
REJECT, DROP_OLDEST, BLOCK = 0, 1, 2

# Delays before a retry.
RETRY_NONE, RETRY_EQUAL, RETRY_FULL, RETRY_DECORRELATED, RETRY_DISTRIBUTION = 0, 1, 2, 3, 4

# Inverse distribution functions (compile/quantiles.py).
CONSTANT, UNIFORM, INTEGERS, EXPONENTIAL, TABLE, KNOTS, STEPS = 0, 1, 2, 3, 4, 5, 6

# Arrival processes.
BY_RATE, BY_GAP, EVERY, BERNOULLI, TRACE, BY_CLIENTS = 0, 1, 2, 3, 4, 5

# What the engine returns to Python for.
(
    DONE, NEEDS_MESSAGES, NEEDS_CALENDAR, NEEDS_TRACE, NEEDS_PAUSE, NEEDS_MECHANISMS, IMPOSSIBLE, ENDLESS,
) = range(8)  # fmt: skip

# What happened to a message, as the trace tells it.
TRACE_WORDS = (
    "published", "visible", "taken", "succeeded", "failed", "timed_out", "retry", "rejected", "dropped",
    "expired", "dead_lettered", "rested", "work_ended", "blocked", "accepted", "lost", "shed", "duplicate",
    "delivered", "withdrawn", "called", "hedged", "answered", "call_timed_out", "set_aside", "joined",
    "crashed", "starting", "up", "leaving", "gone", "rebalance_started", "rebalance_over", "opened",
    "half_opened", "closed", "scaled", "batch", "completed",
)  # fmt: skip
(
    PUBLISHED, VISIBLE, TAKEN, SUCCESS, FAILURE, TIMEOUT, RETRY, REJECTED, DROPPED,
    EXPIRED, DEAD_LETTERED, RESTED, WORK_ENDED, BLOCKED, ACCEPTED, LOST, SHED, DUPLICATE,
    DELIVERED, WITHDRAWN, CALLED, HEDGED, ANSWERED, CALL_TIMED_OUT, SET_ASIDE, JOINED, CRASHED,
    STARTS, COMES, LEAVES, GOES, REBALANCE_STARTED, REBALANCE_OVER, OPENED, HALF_OPENED, BREAKER_CLOSED,
    SCALED, BATCH, COMPLETED,
) = range(len(TRACE_WORDS))  # fmt: skip
AT_SERVICE, AT_TOPIC, AT_PRODUCER, AT_FLOW = 0, 1, 2, 3

# Losses of a flow instance.
NO_LOSS, LOST_DEAD_LETTERED, LOST_DROPPED = 0, 1, 2

# Rows of `histograms` per service; fields of `samples` per line, service and dependency.
WAIT, SERVICE, SOJOURN = 0, 1, 2
HISTOGRAMS_PER_SERVICE = 3
SAMPLE_LAG, SAMPLE_WAITING, SAMPLE_AGE, SAMPLE_PARTITION_LAG = 0, 1, 2, 3
SAMPLE_FIELDS = 4
(
    SAMPLE_BUSY, SAMPLE_UP, SAMPLE_ATTEMPTS, SAMPLE_FAILED, SAMPLE_RETRIED,
    SAMPLE_WANTED, SAMPLE_STOPPED, SAMPLE_HELD_AHEAD, SAMPLE_OPEN,
) = range(9)  # fmt: skip
SERVICE_SAMPLE_FIELDS = 9
DEPENDENCY_SAMPLE_FIELDS = 2
BUCKETS_PER_JOIN = 1024
"""Lists, by producer's message, of what waits in a line of a join."""

RUN = layout([
    ("duration", "f8", "s", "events at or after it do not happen"),
    ("warmup", "f8", "s", ""),
    ("sample_every", "f8", "s", ""),
    ("samples", "i8", "", "samples of every series"),
    ("path_base", "u8", "", "B of rule S3"),
    ("flows_per_producer", "i8", "", "width of a block of flow instances"),
    ("parts", "i8", "", "columns of `parts`"),
    ("margin", "i8", "", "free messages one event may need"),
    ("fan_out", "i8", "", "most lines of one topic"),
    ("publishes", "i8", "", "most messages that the end of one attempt publishes, with some to spare"),
    ("slice_messages", "i8", "", "messages of one producer after which a slice ends"),
    ("groups", "i8", "", "coupling groups"),
    ("producers", "i8", "", ""),
    ("trace_capacity", "i8", "", "rows of `trace`"),
    ("stops", "i8", "", "rows of `stops`"),
    ("mechanisms", "i8", "", "1: some group has mechanisms, so messages have `details`"),
    # state
    ("slice_start", "f8", "s", "every group has been advanced to here"),
    ("slice_until", "f8", "s", "and is being advanced to here"),
    ("group", "i8", "", "group to go on with"),
    ("free_head", "i8", "", "first free message"),
    ("free_count", "i8", "", ""),
    ("instance_head", "i8", "", "first free block of flow instances"),
    ("tracing", "i8", "", "1: write `trace`"),
    ("trace_count", "i8", "", "rows of `trace` in use"),
    ("budget", "i8", "", "events until the engine comes back to Python"),
    ("shown", "i8", "", "messages that have become visible, where there are mechanisms"),
    ("published", "i8", "", "messages published to lines"),
    ("impossible_time", "f8", "s", "of the event that cannot be"),
    ("impossible_now", "f8", "s", "when it was found"),
    ("impossible_message", "i8", "", ""),
])  # fmt: skip

GROUP = layout([
    ("producer", "i8", "", "of a producer's group, else -1"),
    ("mechanisms", "i8", "", "1: handled by engine/mechanisms"),
    ("first_dependency", "i8", "", "in `group_dependencies`"),
    ("dependency_count", "i8", "", ""),
    ("first_closed", "i8", "", "in `closed_producers`: producers whose clients wait for answers"),
    ("closed_count", "i8", "", ""),
    ("first_service", "i8", "", "in `members`"),
    ("service_count", "i8", "", ""),
    ("first_edge", "i8", "", "its inbox: edges into its lines"),
    ("edge_count", "i8", "", ""),
    ("first_topic", "i8", "", "in `blocking_topics`: topics inside it that block"),
    ("topic_count", "i8", "", ""),
    ("heap_first", "i8", "", "its part of the calendar"),
    ("heap_capacity", "i8", "", ""),
    # state
    ("heap_length", "i8", "", ""),
    ("now", "f8", "s", "time of the event handled last"),
    ("boundary", "f8", "s", "next sample or the warm-up"),
    ("sample", "i8", "", "next sample"),
    ("warm", "i8", "", "1 after the warm-up"),
    ("resume", "i8", "", "service whose taking was interrupted by a full array; UNFINISHED: several"),
    ("same_instant", "i8", "", "events in a row at `now`"),
])  # fmt: skip

EDGE = layout([
    ("line", "i8", "", "the messages are for this line"),
    # state
    ("head", "i8", "", "first message on its way, by (published, message order)"),
    ("tail", "i8", "", ""),
])  # fmt: skip

SERVICE_RECORD = layout([
    ("group", "i8", "", ""),
    ("line", "i8", "", "the first of its lines, which stand side by side"),
    ("line_count", "i8", "", ""),
    ("is_log", "i8", "", ""),
    ("first_instance", "i8", "", "in `instances`"),
    ("instance_count", "i8", "", ""),
    ("slots", "i8", "", "instances x concurrency"),
    ("concurrency", "i8", "", "slots per instance"),
    ("service_time", "i8", "", "distribution"),
    ("service_stream", "u8", "", ""),
    ("failure_probability", "f8", "", ""),
    ("failure_stream", "u8", "", ""),
    ("poison", "f8", "", "share of the messages of which every attempt fails"),
    ("poison_stream", "u8", "", ""),
    ("fails_at_start", "i8", "", ""),
    ("attempts_max", "i8", "", ""),
    ("retry_kind", "i8", "", ""),
    ("retry_initial", "f8", "s", ""),
    ("retry_coefficient", "f8", "", ""),
    ("retry_maximum", "f8", "s", ""),
    ("retry_delay", "i8", "", "distribution"),
    ("retry_stream", "u8", "", ""),
    ("retry_blocks", "i8", "", ""),
    ("timeout", "f8", "s", "inf when absent"),
    ("abandons", "i8", "", "work goes on after the time-out"),
    ("token_interval", "f8", "s", "1 / rate, 0 without a limit"),
    ("token_burst", "f8", "", ""),
    ("first_emit", "i8", "", "in `outlets`"),
    ("emit_count", "i8", "", ""),
    ("chooses", "i8", "", "1: exactly one of the emits is taken"),
    ("choose_stream", "u8", "", ""),
    ("dead_letter", "i8", "", "outlet"),
    ("relay_line", "i8", "", "the only line its only certain emit reaches: the message itself moves on"),
    ("relay_keeps_flows", "i8", "", "1: moving on changes no flow"),
    ("first_effect", "i8", "", "in `effects`"),
    ("effect_count", "i8", "", ""),
    ("part_delay", "i8", "", "columns of `parts`, -1 when it cannot occur"),
    ("part_wait", "i8", "", ""),
    ("part_service", "i8", "", ""),
    ("part_retry", "i8", "", ""),
    # state
    ("busy", "i8", "", "slots in use"),
    ("busy_max", "i8", "", "since the warm-up"),
    ("busy_integral", "f8", "s", "slots x time since the warm-up"),
    ("next_token", "f8", "s", "of rule S25"),
    ("effect", "i8", "", "current row of `effects`"),
    ("effect_until", "f8", "s", ""),
    ("paused", "i8", "", ""),
    ("attempts", "i8", "", "counters: since the warm-up"),
    ("first_attempts", "i8", "", ""),
    ("succeeded", "i8", "", ""),
    ("failed", "i8", "", ""),
    ("timed_out", "i8", "", ""),
    ("retried", "i8", "", ""),
    ("dead_lettered", "i8", "", ""),
    ("attempts_before", "i8", "", "counters: before the warm-up"),
    ("failed_before", "i8", "", ""),
    ("retried_before", "i8", "", ""),
    ("wait_total", "f8", "s", ""),
    ("wait_max", "f8", "s", ""),
    ("service_total", "f8", "s", ""),
    ("service_max", "f8", "s", ""),
    ("sojourn_total", "f8", "s", ""),
    ("sojourn_max", "f8", "s", ""),
])  # fmt: skip

MECHANISM = layout([
    ("prefetch", "i8", "", "messages an instance holds ahead of its slots"),
    ("visibility", "f8", "s", "inf when absent"),
    ("idempotent", "i8", "", ""),
    ("limits_deliveries", "i8", "", "1: a queue with retry (rule S49)"),
    ("batches", "i8", "", "1: slots take batches"),
    ("batch_max", "i8", "", ""),
    ("batch_wait", "f8", "s", ""),
    ("batch_each", "f8", "s", "time of each message"),
    ("startup", "i8", "", "distribution"),
    ("startup_stream", "u8", "", ""),
    ("startup_key", "u8", "", "for identities"),
    ("rebalances", "i8", "", "1: a change of owners takes time"),
    ("cooperative", "i8", "", ""),
    ("rebalance_pause", "f8", "s", ""),
    ("session", "f8", "s", ""),
    ("breaks", "i8", "", "1: has a circuit breaker"),
    ("failure_rate", "f8", "", ""),
    ("window", "i8", "", ""),
    ("minimum_calls", "i8", "", ""),
    ("open_for", "f8", "s", ""),
    ("half_open_calls", "i8", "", ""),
    ("first_outcome", "i8", "", "in `outcomes`"),
    ("budget", "i8", "", "NO_BUDGET, CAP, SWITCH"),
    ("budget_ratio", "f8", "", ""),
    ("budget_burst", "f8", "", ""),
    ("sheds", "i8", "", "NO_SHEDDING, WAIT_OVER, CODEL"),
    ("shed_target", "f8", "s", "or the longest wait"),
    ("shed_interval", "f8", "s", ""),
    ("scales", "i8", "", "NO_SCALING, BY_LAG, BY_AGE, BY_UTILISATION"),
    ("scale_target", "f8", "", ""),
    ("scale_minimum", "i8", "", ""),
    ("scale_maximum", "i8", "", ""),
    ("scale_interval", "f8", "s", ""),
    ("scale_delay", "f8", "s", ""),
    ("scale_tolerance", "f8", "", ""),
    ("scale_window", "f8", "s", "of scaling down"),
    ("scale_up_factor", "f8", "", ""),
    ("scale_up_instances", "f8", "", ""),
    ("scale_down_share", "f8", "", ""),
    ("scale_down_instances", "f8", "", ""),
    ("scale_even", "i8", "", "1: only divisors of the number of partitions"),
    ("partitions_max", "i8", "", "of its topics"),
    ("first_reading", "i8", "", "in `readings`"),
    ("reading_count", "i8", "", "room for them"),
    ("first_advice", "i8", "", "in `advice`: (time, instances)"),
    ("advice_count", "i8", "", ""),
    ("first_scaling", "i8", "", "in `scalings`"),
    ("first_call", "i8", "", "in `calls`"),
    ("call_count", "i8", "", ""),
    ("joins", "i8", "", ""),
    ("is_redrive", "i8", "", ""),
    ("part_dependency", "i8", "", "columns of `parts`, -1 when it cannot occur"),
    ("part_rebalance", "i8", "", ""),
    ("first_timer", "i8", "", "message records of its timers, by STAGE - STAGE_REBALANCE"),
    # state
    ("since", "f8", "s", "until when the integrals are summed up"),
    ("concerned", "i8", "", "1: takes after this event"),
    ("last_instance", "i8", "", "that got the last message of a queue"),
    ("wanted", "i8", "", "instances that exist and stay"),
    ("existing", "i8", "", "wanted and those that leave"),
    ("up", "i8", "", ""),
    ("with_slots", "i8", "", "up, or leaving with work"),
    ("stopped", "i8", "", "partitions that stand still"),
    ("held_ahead", "i8", "", "messages its instances hold ahead of their slots"),
    ("held_ahead_max", "i8", "", ""),
    ("stopped_max", "i8", "", ""),
    ("wanted_max", "i8", "", ""),
    ("slots_integral", "f8", "s", "instances with slots x time since the warm-up"),
    ("existing_integral", "f8", "s", ""),
    ("stopped_integral", "f8", "s", ""),
    ("held_ahead_integral", "f8", "s", ""),
    ("open_integral", "f8", "s", "time the breaker was open"),
    ("open_max", "i8", "", ""),
    ("breaker", "i8", "", "CLOSED, OPEN, HALF_OPEN"),
    ("epoch", "i8", "", "changes of the breaker's state"),
    ("kept", "i8", "", "outcomes in the window; half open: attempts begun"),
    ("position", "i8", "", "in the window; half open: attempts ended"),
    ("kept_failed", "i8", "", ""),
    ("tokens", "f8", "", "of the retry budget"),
    ("first_above", "f8", "s", "CoDel; -1 unset"),
    ("dropping", "i8", "", ""),
    ("drop_next", "f8", "s", ""),
    ("drop_count", "f8", "", ""),
    ("drop_count_before", "f8", "", "when dropping last began"),
    ("busy_since_reading", "f8", "s", "slots x time"),
    ("reading_since", "f8", "s", ""),
    ("readings_taken", "i8", "", ""),
    ("decisions", "i8", "", ""),
    ("advice_given", "i8", "", ""),
    ("scaling_count", "i8", "", ""),
    ("in_work", "i8", "", "attempts that have begun and not ended: conservation"),
    ("begun", "i8", "", "counters: whole run"),
    ("succeeded_all", "i8", "", ""),
    ("failed_all", "i8", "", ""),
    ("lost_all", "i8", "", ""),
    ("lost", "i8", "", "counters: since the warm-up"),
    ("duplicates", "i8", "", ""),
    ("denied_retries", "i8", "", ""),
    ("starts", "i8", "", ""),
    ("crashes", "i8", "", ""),
    ("rebalance_count", "i8", "", ""),
    ("opened", "i8", "", ""),
])  # fmt: skip

INSTANCE = layout([
    ("first_queue", "i8", "", "the partitions it owns, without mechanisms"),
    ("queue_count", "i8", "", ""),
    ("service", "i8", "", ""),
    ("number", "i8", "", "at its service"),
    ("first_effect", "i8", "", "in `effects`: of faults on this instance"),
    ("effect_count", "i8", "", ""),
    ("timer", "i8", "", "message record of its start; the next one is that of its session"),
    # state
    ("busy", "i8", "", "slots in use"),
    ("state", "i8", "", "UP, STARTING, DOWN, LEAVING, RESTARTING, GONE"),
    ("starts", "i8", "", "how often it has started"),
    ("crash", "i8", "", "row of `stops` by which it is down, -1"),
    ("restart", "i8", "", "row of `stops` by which it restarts, -1"),
    ("owned", "i8", "", "partitions, while owners are settled"),
    ("share", "i8", "", "that it may own then"),
    ("head", "i8", "", "messages held ahead, in the order of delivery"),
    ("tail", "i8", "", ""),
    ("held_ahead", "i8", "", ""),
    ("first_work", "i8", "", "attempts that have begun here, in that order"),
    ("last_work", "i8", "", ""),
    ("effect", "i8", "", "current row of `effects`"),
    ("effect_until", "f8", "s", ""),
    ("paused", "i8", "", ""),
])  # fmt: skip

CALL = layout([
    ("dependency", "i8", "", ""),
    ("service_time", "i8", "", "distribution: its own, or the dependency's"),
    ("timeout", "f8", "s", "inf when absent"),
    ("hedge_after", "f8", "s", "inf when absent"),
    ("cancel", "i8", "", ""),
    ("key", "u8", "", "for identities"),
])  # fmt: skip

DEPENDENCY = layout([
    ("capacity", "i8", "", ""),
    ("queue_limit", "i8", "", ""),
    ("service_stream", "u8", "", ""),
    ("failure_probability", "f8", "", ""),
    ("failure_stream", "u8", "", ""),
    ("first_effect", "i8", "", "in `effects`"),
    ("effect_count", "i8", "", ""),
    ("timer", "i8", "", "message record"),
    # state
    ("busy", "i8", "", "servers in use"),
    ("head", "i8", "", "requests that wait"),
    ("tail", "i8", "", ""),
    ("waiting", "i8", "", ""),
    ("effect", "i8", "", "current row of `effects`"),
    ("effect_until", "f8", "s", ""),
    ("paused", "i8", "", ""),
    ("since", "f8", "s", "until when the integrals are summed up"),
    ("busy_integral", "f8", "s", "since the warm-up"),
    ("busy_max", "i8", "", ""),
    ("waiting_integral", "f8", "s", ""),
    ("waiting_max", "i8", "", ""),
    ("is_left", "i8", "", "1: a request has left it, so a server may be free"),
    ("requests_all", "i8", "", "counters: whole run"),
    ("ended_all", "i8", "", "answered, failed, refused or cancelled"),
    ("requests", "i8", "", "counters: since the warm-up"),
    ("answered", "i8", "", ""),
    ("failed", "i8", "", ""),
    ("refused", "i8", "", ""),
    ("cancelled", "i8", "", ""),
    ("hedged", "i8", "", ""),
    ("timed_out", "i8", "", ""),
    ("wait_total", "f8", "s", ""),
    ("wait_max", "f8", "s", ""),
])  # fmt: skip

STOP = layout([
    ("service", "i8", "", ""),
    ("kind", "i8", "", "CRASH or ROLLING_RESTART"),
    ("instances", "i8", "", "how many crash; UNLIMITED for all"),
    ("instance", "i8", "", "the only one it hits, by number, -1"),
    ("at", "f8", "s", ""),
    ("until", "f8", "s", ""),
    ("pause_between", "f8", "s", ""),
    ("place", "i8", "", "of the fault in the file"),
    ("timer", "i8", "", "message record"),
    # state
    ("turn", "i8", "", "number of the instance whose restart may come next"),
    ("turns", "i8", "", "instances there were at the start"),
])  # fmt: skip

LINE = layout([
    ("topic", "i8", "", ""),
    ("service", "i8", "", ""),
    ("order", "i8", "", "FIFO, LIFO or PRIORITY"),
    ("first_queue", "i8", "", "in `queues`: partitions, or classes of priority"),
    ("queue_count", "i8", "", ""),
    ("is_log", "i8", "", ""),
    ("capacity", "i8", "", "UNLIMITED when absent"),
    ("when_full", "i8", "", ""),
    ("delay", "i8", "", "distribution of the topic's delay, -1 when 0"),
    ("delay_stream", "u8", "", ""),
    ("delays", "i8", "", "1: messages may become visible after they are published"),
    ("ttl", "i8", "", "distribution, -1 when absent"),
    ("ttl_stream", "u8", "", ""),
    ("dead_letter", "i8", "", "outlet of the topic's dead letters from this line"),
    ("first_bucket", "i8", "", "in `queues`: what waits for its partners of a join, by producer's message"),
    # state
    ("oldest", "i8", "", "of the messages that are not settled"),
    ("newest", "i8", "", ""),
    ("since", "f8", "s", "until when the integrals are summed up"),
    ("lag", "i8", "", ""),
    ("lag_max", "i8", "", "since the warm-up"),
    ("lag_integral", "f8", "s", "messages x time since the warm-up"),
    ("waiting", "i8", "", ""),
    ("waiting_max", "i8", "", ""),
    ("waiting_integral", "f8", "s", ""),
    ("held_ahead", "i8", "", "of the waiting: held by instances ahead of their slots"),
    ("delayed", "i8", "", ""),
    ("backing_off", "i8", "", ""),
    ("in_work", "i8", "", ""),
    ("published", "i8", "", "counters: whole run"),
    ("rejected", "i8", "", ""),
    ("finished", "i8", "", ""),
    ("dead_lettered", "i8", "", ""),
    ("expired", "i8", "", ""),
    ("dropped", "i8", "", ""),
    ("shed", "i8", "", ""),
    ("published_before", "i8", "", "the same before the warm-up"),
    ("rejected_before", "i8", "", ""),
    ("finished_before", "i8", "", ""),
    ("dead_lettered_before", "i8", "", ""),
    ("expired_before", "i8", "", ""),
    ("dropped_before", "i8", "", ""),
    ("shed_before", "i8", "", ""),
    ("time_in_line", "f8", "s", "of the messages that left, at the end of all, cut to the window"),
    ("unsettled", "i8", "", "counted at the end: messages of the lag"),
    ("unsettled_waiting", "i8", "", "of these waiting"),
    ("event_lag_total", "f8", "s", ""),
    ("event_lag_max", "f8", "s", ""),
])  # fmt: skip

QUEUE = layout([
    ("owner", "i8", "", "instance that owns the partition, -1 for a queue"),
    # state
    ("head", "i8", "", "first waiting message"),
    ("tail", "i8", "", ""),
    ("busy", "i8", "", "messages of the partition in work or held"),
    ("lag", "i8", "", ""),
    ("published", "i8", "", "since the warm-up"),
    ("waiting", "i8", "", "with mechanisms: in its list"),
    ("next_owner", "i8", "", "after the rebalance that goes on"),
    ("rebalancing", "i8", "", "1: nothing is taken until its end"),
    ("stopped", "i8", "", "1: stands still"),
    ("stopped_since", "f8", "s", ""),
    ("stopped_total", "f8", "s", "before that"),
])  # fmt: skip

TOPIC = layout([
    ("partitions", "i8", "", "0 for a queue"),
    ("first_consumer", "i8", "", "in `consumers`"),
    ("consumer_count", "i8", "", ""),
    ("blocks", "i8", "", ""),
    ("is_dead_letter", "i8", "", "named as a dead letter anywhere"),
    ("first_window", "i8", "", "in `windows`: when it is unavailable"),
    ("window_count", "i8", "", ""),
    # state
    ("publisher_head", "i8", "", "publishes that wait for room, first come first served"),
    ("publisher_tail", "i8", "", ""),
    ("held_back", "i8", "", "publishes of producers that wait"),
])  # fmt: skip

OUTLET = layout([
    ("topic", "i8", "", ""),
    ("probability", "f8", "", "emits; the cumulated share of a choice"),
    ("probability_stream", "u8", "", ""),
    ("copies", "i8", "", ""),
    ("delay", "i8", "", "distribution, -1 when 0"),
    ("delay_stream", "u8", "", ""),
    ("emission", "u8", "", "key of the emission, for identities"),
    ("slot", "i8", "", "first emission slot"),
    ("rotation", "i8", "", "in `rotations`"),
    # state
    ("published", "i8", "", "whole run"),
    ("published_before", "i8", "", "before the warm-up"),
])  # fmt: skip

PRODUCER = layout([
    ("group", "i8", "", ""),
    ("outlet", "i8", "", ""),
    ("name_key", "u8", "", "for identities"),
    ("gap_stream", "u8", "", ""),
    ("key_stream", "u8", "", ""),
    ("priority_stream", "u8", "", ""),
    ("process", "i8", "", "BY_RATE, BY_GAP, EVERY, BERNOULLI, TRACE"),
    ("gap", "i8", "", "distribution (BY_GAP)"),
    ("interval", "f8", "s", "EVERY, BERNOULLI"),
    ("probability", "f8", "", "BERNOULLI"),
    ("first_rate", "i8", "", "in `rates` (BY_RATE)"),
    ("rate_count", "i8", "", ""),
    ("first_clock", "i8", "", "in `clocks`; none when the clock is the time"),
    ("clock_count", "i8", "", ""),
    ("first_time", "i8", "", "in `trace_times`"),
    ("time_count", "i8", "", ""),
    ("copies", "i8", "", ""),
    ("first_key", "i8", "", "in `key_hashes`"),
    ("key_count", "i8", "", "0 without keys"),
    ("key_shares", "i8", "", "first of its cumulated shares, -1 when the trace has the keys"),
    ("first_priority", "i8", "", "in `priorities`"),
    ("priority_count", "i8", "", ""),
    ("first_flow", "i8", "", "its flows stand side by side in `flows`"),
    ("flow_count", "i8", "", ""),
    ("part_held_back", "i8", "", "column of `parts`"),
    ("clients", "i8", "", "BY_CLIENTS"),
    ("first_client", "i8", "", "message record of the first one's timer; the others follow"),
    ("think_time", "i8", "", "distribution"),
    ("think_stream", "u8", "", ""),
    # state
    ("publish", "i8", "", "publishes so far"),
    ("copies_made", "i8", "", "of the next publish"),
    ("number", "i8", "", "messages so far"),
    ("reading", "f8", "s", "of its clock, at the next publish (BY_RATE: of the integrated rate)"),
    ("rate", "i8", "", "current row of `rates`"),
    ("clock", "i8", "", "current row of `clocks`"),
    ("next_time", "f8", "s", "of the next publish"),
    ("identity", "u8", "", "of its first message"),
    ("client", "i8", "", "timer of the client that publishes, -1"),
])  # fmt: skip

RATE = layout([
    ("at", "f8", "s", "start, on the producer's clock"),
    ("rate", "f8", "1/s", ""),
    ("integral", "f8", "", "of the rate up to `at`"),
])  # fmt: skip

CLOCK = layout([
    ("at", "f8", "s", "start"),
    ("factor", "f8", "", "at the start"),
    ("slope", "f8", "1/s", "of the factor"),
    ("integral", "f8", "s", "of the factor up to `at`"),
])  # fmt: skip

EFFECT = layout([
    ("at", "f8", "s", "in force from here to the next row"),
    ("until", "f8", "s", ""),
    ("outage", "i8", "", ""),
    ("paused", "i8", "", ""),
    ("error_rate", "f8", "", ""),
    ("slowdown", "f8", "", ""),
    ("added_latency", "f8", "s", ""),
])  # fmt: skip

WINDOW = layout([
    ("at", "f8", "s", "a topic is unavailable from here"),
    ("until", "f8", "s", "to here; windows do not touch"),
])  # fmt: skip

DISTRIBUTION = layout([
    ("kind", "i8", "", "CONSTANT, UNIFORM, INTEGERS, EXPONENTIAL, TABLE, KNOTS, STEPS"),
    ("a", "f8", "s", "value, low, first, mean"),
    ("b", "f8", "s", "high, number of integers"),
    ("shift", "f8", "s", "of the closed forms; tables include it"),
    ("cap", "f8", "s", ""),
    ("first", "i8", "", "in `knots`"),
    ("lower_count", "i8", "", "knots of the lower half, each (tail probability, value)"),
    ("upper_count", "i8", "", "knots of the upper half"),
])  # fmt: skip

PRIORITY_SHARE = layout([
    ("cumulated", "f8", "", "share of this class and those before"),
    ("rank", "i8", "", "0 is served first"),
])  # fmt: skip

FLOW = layout([
    ("first_objective", "i8", "", "in `objectives`"),
    ("objective_count", "i8", "", ""),
    # state
    ("started", "i8", "", "after the warm-up"),
    ("completed", "i8", "", ""),
    ("completed_elsewhere", "i8", "", ""),
    ("dead_lettered", "i8", "", ""),
    ("dropped", "i8", "", ""),
    ("started_all", "i8", "", "whole run"),
    ("completed_all", "i8", "", ""),
    ("completed_elsewhere_all", "i8", "", ""),
    ("dead_lettered_all", "i8", "", ""),
    ("dropped_all", "i8", "", ""),
    ("latency_ticks", "i8", "2**-30 s", "sum since the last fold"),
    ("latency_max", "f8", "s", ""),
])  # fmt: skip

OBJECTIVE = layout([
    ("within", "f8", "s", "inf without a limit"),
])  # fmt: skip

FLOW_INSTANCE = layout([
    ("open", "i8", "", "messages that matter and are left"),
    ("flow", "i8", "", ""),
    ("start", "f8", "s", "intended publish time"),
    ("left", "f8", "s", "latest time a message that matters left"),
    ("finish", "f8", "s", "latest success at `to`, -1 before the first"),
    ("finish_path", "u8", "", "of that message"),
    ("finish_line", "i8", "", ""),
    ("dead_at", "f8", "s", "first loss as dead letter, inf"),
    ("dropped_at", "f8", "s", "first other loss, inf"),
    ("client", "i8", "", "timer of the client that waits for this block, -1"),
])  # fmt: skip

MESSAGE = layout([
    ("start", "f8", "s", "of its flow instance"),
    ("published", "f8", "s", ""),
    ("visible", "f8", "s", "since when this time"),
    ("first_visible", "f8", "s", ""),
    ("taken", "f8", "s", ""),
    ("backoff", "f8", "s", "previous delay (decorrelated jitter)"),
    ("expires", "f8", "s", "when it leaves if it still waits"),
    ("work_ends", "f8", "s", "end of abandoned work; with mechanisms: until when its time is in `parts`"),
    ("origin", "i8", "", "producer << 48 | number"),
    ("path", "u8", "", "of rule S3"),
    ("identity", "u8", "", "of rule S6"),
    ("attempt", "i4", "", "attempts begun"),
    ("line", "i4", "", ""),
    ("queue", "i4", "", "partition or class of priority"),
    ("key", "i4", "", "in `key_hashes`, -1 without"),
    ("priority", "i4", "", ""),
    ("instance", "i4", "", "block of flow instances"),
    ("next", "i4", "", "waiting list, inbox, publishers of a full topic, free list"),
    ("previous", "i4", "", ""),
    ("newer", "i4", "", "list of the messages of a line, by publishing"),
    ("older", "i4", "", ""),
    ("heap", "i4", "", "place in the calendar, -1"),
    ("parent", "i4", "", "the attempt that waits for this publish to be accepted, -1"),
    ("cursor", "i4", "", "emission slot an attempt publishes next"),
    ("outlet", "i4", "", "of a publish that waits for room"),
    ("kind", "i1", "", "of its calendar entry"),
    ("place", "i1", "", "IN_TRANSIT ... HELD_BACK"),
    ("outcome", "i1", "", "of the attempt in work"),
    ("held", "i1", "", "RETRIES_IN_PLACE, HAS_TOKEN, LOST_HOLDER, or 0"),
])  # fmt: skip

DETAIL = layout([
    # a message
    ("attempt", "i4", "", "its latest attempt that goes on, -1"),
    ("holder", "i4", "", "instance that holds it ahead of its slots, -1"),
    ("follower", "i4", "", "of a join: the next message that goes the way of this one, -1"),
    ("bucket", "i4", "", "in `queues`: the list it was set aside in, -1"),
    ("returned", "i4", "", "1: it came back to where the next one is taken from"),
    ("repeats", "i4", "", "of its attempts so many were lost while they published"),
    ("shown", "i8", "", "number of its becoming visible, in the order of handling"),
    ("stopped_before", "f8", "s", "time its partition had stood still when it became visible"),
    # an attempt
    ("message", "i4", "", "what it works on (a request: its attempt), -1 when that goes on without it"),
    ("other", "i4", "", "an older attempt of the message that goes on, -1"),
    ("instance", "i4", "", "where it works (a timer: the instance it is of)"),
    ("before", "i4", "", "attempts of the instance"),
    ("after", "i4", "", ""),
    ("leader", "i4", "", "first attempt of its batch: itself without one"),
    ("mate", "i4", "", "next attempt of its batch, -1"),
    ("weight", "i4", "", "attempts in the batch"),
    ("stage", "i4", "", "WORKING ... HELD"),
    ("call", "i4", "", "which of its calls (a request, a timer: its dependency; or row of `stops`)"),
    ("service_time", "i4", "", "of a request: distribution"),
    ("request", "i4", "", "of the call, -1"),
    ("hedge", "i4", "", "its second request, -1"),
    ("pending", "i4", "", "message it publishes, waiting for room, -1"),
    ("epoch", "i8", "", "of the breaker when it began"),
    ("deadline", "f8", "s", "when it times out, inf"),
    ("work_until", "f8", "s", "when its service time is over"),
    ("call_deadline", "f8", "s", ""),
    ("hedge_at", "f8", "s", ""),
])  # fmt: skip

TRACE_ROW = layout([
    ("time", "f8", "s", ""),
    ("value", "f8", "", ""),
    ("origin", "i8", "", ""),
    ("path", "u8", "", ""),
    ("what", "i4", "", ""),
    ("where_kind", "i4", "", ""),
    ("where", "i4", "", ""),
    ("attempt", "i4", "", ""),
])  # fmt: skip


@dataclass(frozen=True)
class Names:
    """The names behind the indices."""

    producers: tuple[str, ...]
    services: tuple[str, ...]
    topics: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]  # (topic, service)
    flows: tuple[str, ...]
    objectives: tuple[str, ...]  # latency and success objectives, by flow
    parts: tuple[tuple[str, ...], ...]  # of each flow
    dependencies: tuple[str, ...]
    random_faults: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A scenario the engine can run: record arrays by name, as `engine/state.py` copies them.

    arrays   name -> array over the layouts above, streams without their run (engine/state.py mixes it in)
    streams  (array, field) pairs whose keys depend on the seed
    """

    names: Names
    arrays: dict[str, np.ndarray]
    streams: tuple[tuple[str, str], ...]
    bursts: tuple  # producers whose rates are drawn anew for each run
    timelines: Timelines  # faults in time; those at random are drawn anew for each run
    expected_messages_per_s: float
