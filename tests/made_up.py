"""Measurements written by hand, for tests of the report: every number in them can be checked on paper."""

from __future__ import annotations

import dataclasses

import numpy as np

from slosim.measure.histogram import BUCKET_COUNT, Histogram, buckets_of
from slosim.measure.measurements import (
    DependencyMeasurements,
    FlowMeasurements,
    LineMeasurements,
    Measurements,
    Mechanisms,
    ObjectiveMeasurements,
    ServiceMeasurements,
    TimeAverage,
    TopicMeasurements,
)

COARSE_BUCKETS = (BUCKET_COUNT + 7) // 8
PARTS = ("work.wait", "work.service")

SCENARIO = """
name: made up
run: {duration: 1000s, sample_every: 10s, replications: 2}
topics: {jobs: {}}
producers: {source: {topic: jobs, arrivals: {poisson: 1/s}}}
services: {work: {consumes: jobs, concurrency: 2, service_time: 1s}}
flows: {done: {from: source, to: work}}
"""


def sample_times(duration_s: float = 1000.0, every_s: float = 10.0) -> np.ndarray:
    return np.arange(int(duration_s / every_s)) * every_s


def over_time(values: float | np.ndarray, seconds: float = 1000.0, samples: int = 100) -> TimeAverage:
    """A constant, or samples that each hold until the next."""
    values = np.full(samples, float(values)) if np.isscalar(values) else np.asarray(values, dtype=np.float64)
    return TimeAverage(float(values.mean() * seconds), float(values.max()), values)


def service(**numbers: object) -> ServiceMeasurements:
    """1000 attempts of 1 s at 2 slots, without failures, unless told otherwise."""
    attempts = int(numbers.get("attempts", 1000))
    usual = dict(  # noqa: C408
        attempts=attempts,
        first_attempts=attempts,
        succeeded=attempts,
        failed=0,
        timed_out=0,
        lost=0,
        retried=0,
        dead_lettered=0,
        duplicates=0,
        first_successes=attempts,
        busy=over_time(1.0),
        slot_seconds=2000.0,
        instance_seconds=1000.0,
        instances_samples=np.ones(100),
        attempts_by_sample=np.full(100, attempts / 100),
        failed_by_sample=np.zeros(100),
        retried_by_sample=np.zeros(100),
        wait=Histogram.of(np.zeros(attempts)),
        service=Histogram.of(np.ones(attempts)),
        sojourn=Histogram.of(np.ones(attempts)),
    )
    return ServiceMeasurements(**(usual | numbers))


def mechanisms(**numbers: object) -> Mechanisms:
    """One instance that is always there and does nothing special, on a queue, unless told otherwise."""
    usual = dict(  # noqa: C408
        starts=0,
        crashes=0,
        rebalances=0,
        stopped=over_time(0.0),
        partitions=0,
        held_ahead=over_time(0.0),
        opened=0,
        open=over_time(0.0),
        denied_retries=0,
        wanted=over_time(1.0),
        scalings=np.zeros((0, 3)),
    )
    return Mechanisms(**(usual | numbers))


def dependency(**numbers: object) -> DependencyMeasurements:
    """1000 requests of 1 s at 2 servers, all answered at once, unless told otherwise."""
    requests = int(numbers.get("requests", 1000))
    usual = dict(  # noqa: C408
        requests=requests,
        answered=requests,
        failed=0,
        refused=0,
        cancelled=0,
        hedged=0,
        timed_out=0,
        busy=over_time(1.0),
        waiting=over_time(0.0),
        server_seconds=2000.0,
        wait=Histogram.of(np.zeros(requests)),
    )
    return DependencyMeasurements(**(usual | numbers))


def line(**numbers: object) -> LineMeasurements:
    """1000 messages, one always in work, unless told otherwise."""
    usual = dict(  # noqa: C408
        published=1000,
        rejected=0,
        finished=999,
        dead_lettered=0,
        expired=0,
        dropped=0,
        shed=0,
        delayed_at_end=0,
        waiting_at_end=0,
        backing_off_at_end=0,
        in_work_at_end=1,
        blocked_at_end=0,
        lag=over_time(1.0),
        waiting=over_time(0.0),
        age_samples=np.full(100, 0.5),
        event_lag=Histogram.of(np.full(1000, 0.25)),
        partition_lag_max_samples=None,
        partition_published=None,
    )
    return LineMeasurements(**(usual | numbers))


def flow(latencies: np.ndarray | None = None, **numbers: object) -> FlowMeasurements:
    """A flow whose instances wait for a quarter of their latency and are served for the rest."""
    latencies = np.full(990, 2.0) if latencies is None else np.asarray(latencies, dtype=np.float64)
    coarse = buckets_of(latencies) // 8
    finished = np.bincount(coarse)
    buckets = np.flatnonzero(finished)
    sums = np.bincount(coarse, latencies)[buckets]
    usual = dict(  # noqa: C408
        started=1000,
        completed=len(latencies),
        completed_elsewhere=0,
        dead_lettered=0,
        dropped=0,
        in_flight=1000 - len(latencies),
        latency=Histogram.of(latencies),
        parts=PARTS,
        buckets=buckets,
        parts_by_bucket=np.stack([0.25 * sums, 0.75 * sums], axis=1),
        finished_by_bucket=finished[buckets],
        in_flight_ages=Histogram.of(np.ones(max(0, 1000 - len(latencies)))),
        whole_run={},
    )
    return FlowMeasurements(**(usual | numbers))


def outcomes(good: float | np.ndarray, bad: float | np.ndarray, samples: int = 100) -> ObjectiveMeasurements:
    """Good and bad per sample, a constant or an array."""
    spread = [
        np.full(samples, float(one)) if np.isscalar(one) else np.asarray(one, float) for one in (good, bad)
    ]
    return ObjectiveMeasurements(spread[0], spread[1], 0, 0)


def replication(index: int = 0, **parts: object) -> Measurements:
    """One replication of SCENARIO over 1000 s without warm-up, sampled every 10 s, unless told otherwise."""
    usual = dict(  # noqa: C408
        replication=index,
        ended_s=1000.0,
        warmup_s=0.0,
        sample_times_s=sample_times(),
        services={"work": service()},
        topics={"jobs": TopicMeasurements(1000, 0, 0)},
        lines={("jobs", "work"): line()},
        flows={"done": flow()},
        objectives={},
        messages=1000,
    )
    return Measurements(**(usual | parts))


def changed(record: object, **numbers: object) -> object:
    """The record with some numbers changed."""
    return dataclasses.replace(record, **numbers)  # type: ignore[type-var]
