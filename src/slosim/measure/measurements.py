"""What one replication measured: counters, histograms, integrals and series, by name.

The engine fills these records and checks conservation and Little's law on them; the report reads nothing
else. Unless a comment says otherwise, numbers count what happens at or after the warm-up. Series have one
value per sample; sample k is taken at k * sample_every, after everything that happens at that instant,
from 0 on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from slosim.measure.histogram import Histogram


@dataclass(frozen=True)
class TimeAverage:
    """A count over time: exact integral and maximum over the measured window, and its samples.

    integral  sum of value x seconds over [warmup, end)
    maximum   largest value in that window
    samples   int32[samples] (see `small_whole`), whole run
    """

    integral: float
    maximum: float
    samples: np.ndarray


@dataclass(frozen=True)
class ServiceMeasurements:
    """One service. failed includes timed_out; failed = retried + dead_lettered; attempts may be in work.

    *_by_sample  int32[samples] (see `small_whole`), whole run: attempts begun (failed, followed by another)
                 in (t[k-1], t[k]]; the first also holds t = 0
    """

    attempts: int
    first_attempts: int
    succeeded: int
    failed: int
    timed_out: int
    lost: int
    retried: int
    dead_lettered: int
    duplicates: int
    first_successes: int
    busy: TimeAverage  # slots in use (work that goes on after a time-out included)
    slot_seconds: float  # slots of instances that are up x seconds; inf for unlimited concurrency
    instance_seconds: float  # of instances that exist: starting, up, down or leaving
    instances_samples: np.ndarray  # instances that are up
    attempts_by_sample: np.ndarray
    failed_by_sample: np.ndarray
    retried_by_sample: np.ndarray
    wait: Histogram  # s
    service: Histogram  # s
    sojourn: Histogram  # s
    mechanisms: Mechanisms | None = None  # None for a service that uses none


@dataclass(frozen=True)
class Mechanisms:
    """What the rarer mechanisms of one service did (rules S42 to S67).

    Averages are exact over the measured window, with their samples. `scalings` covers the whole run: one row
    (time s, instances wanted before, after) for each change that the autoscaler decided.
    """

    starts: int  # instances that began to start
    crashes: int  # instances that went down
    rebalances: int  # begun
    stopped: TimeAverage  # partitions that stand still
    partitions: int
    held_ahead: TimeAverage  # messages delivered to instances ahead of their slots
    opened: int  # times the circuit breaker opened
    open: TimeAverage  # 1 while the breaker is open, 0 otherwise
    denied_retries: int  # failures made final by the retry budget
    wanted: TimeAverage  # instances that exist
    scalings: np.ndarray  # float64[changes, 3]


@dataclass(frozen=True)
class DependencyMeasurements:
    """One dependency. requests = answered + failed + refused + cancelled + waiting + in service (whole run).

    requests, answered, failed, refused, cancelled count requests, hedges included; hedged and timed_out count
    calls.
    """

    requests: int
    answered: int
    failed: int
    refused: int
    cancelled: int
    hedged: int
    timed_out: int
    busy: TimeAverage  # servers in use
    waiting: TimeAverage
    server_seconds: float  # inf for unlimited capacity
    wait: Histogram  # s, request to taken by a server


@dataclass(frozen=True)
class LineMeasurements:
    """One consumer group's line of one topic. published = rejected + finished + ... + in_work (whole run)."""

    published: int
    rejected: int
    finished: int
    dead_lettered: int
    expired: int
    dropped: int
    shed: int
    delayed_at_end: int
    waiting_at_end: int
    backing_off_at_end: int
    in_work_at_end: int
    blocked_at_end: int  # of those in work: done, but waiting for a topic to publish to
    lag: TimeAverage
    waiting: TimeAverage
    age_samples: np.ndarray  # s
    event_lag: Histogram  # s
    partition_lag_max_samples: np.ndarray | None  # messages; None for a queue
    partition_published: np.ndarray | None  # int64[partitions]; None for a queue


@dataclass(frozen=True)
class TopicMeasurements:
    """One topic. resting: kept by a topic that nobody consumes; held_back: publishes queued at clients."""

    published: int
    resting: int
    held_back_at_end: int


@dataclass(frozen=True)
class FlowMeasurements:
    """One flow: its instances started at or after the warm-up (`whole_run` has the counts of all of them).

    parts               names such as "payment.wait", in a fixed order
    buckets             int16[filled], ascending: coarse buckets with a completed instance; coarse bucket i
                        covers histogram buckets 8i .. 8i+7
    parts_by_bucket     float64[filled, parts] s: summed parts of the completed instances whose latency falls
                        in that bucket
    finished_by_bucket  int64[filled]
    in_flight_ages      Histogram, s: age at the end of the run of the instances still in flight
    """

    started: int
    completed: int
    completed_elsewhere: int
    dead_lettered: int
    dropped: int
    in_flight: int
    latency: Histogram
    parts: tuple[str, ...]
    buckets: np.ndarray
    parts_by_bucket: np.ndarray
    finished_by_bucket: np.ndarray
    in_flight_ages: Histogram
    whole_run: dict[str, int]


@dataclass(frozen=True)
class ObjectiveMeasurements:
    """Good and bad of one latency or success objective.

    good, bad  int32[samples] (see `small_whole`): instances that turned good (bad) in (t[k-1], t[k]]; the
    first also holds t = 0. After the last sample until the end of the run: good_after, bad_after
    Instances started before the warm-up are not in them.
    """

    good: np.ndarray
    bad: np.ndarray
    good_after: int
    bad_after: int


@dataclass(frozen=True)
class Measurements:
    """Everything one replication measured."""

    replication: int
    ended_s: float  # the duration, or less when the run was stopped
    warmup_s: float
    sample_times_s: np.ndarray  # float64[samples]
    services: dict[str, ServiceMeasurements]
    topics: dict[str, TopicMeasurements]
    lines: dict[tuple[str, str], LineMeasurements]  # by (topic, service)
    flows: dict[str, FlowMeasurements]
    objectives: dict[str, ObjectiveMeasurements]  # latency and success objectives, by name
    messages: int  # published to lines in the whole run
    dependencies: dict[str, DependencyMeasurements] = field(default_factory=dict)
    occurrences: dict[str, np.ndarray] = field(default_factory=dict)
    """Random faults: float64[n, 2] s, (start, end) of each occurrence, by the fault's name; ends may lie
    after the end of the run."""
