"""Counts over time (rule S38), and how counting starts anew at the end of the warm-up (rule S40)."""

from __future__ import annotations

from slosim.compile import program as P
from slosim.engine.jit import leaf, rule
from slosim.measure.histogram import BUCKET_COUNT


@leaf
def pass_time(service, line, now):
    """Before a service changes: bring its counts over time, and the largest that lasted, up to now (S38)."""
    passed = now - line.since
    if passed > 0.0:
        pass_line(line, passed)
        service.busy_integral += service.busy * passed
        service.busy_max = max(service.busy_max, service.busy)
        line.since = now


@leaf
def pass_line(line, passed):
    line.lag_integral += line.lag * passed
    line.lag_max = max(line.lag_max, line.lag)
    line.waiting_integral += line.waiting * passed
    line.waiting_max = max(line.waiting_max, line.waiting)


@rule
def pass_service(S, s, now):
    """The same for a service with mechanisms and all its lines."""
    service, mechanism = S.services[s], S.mechanisms[s]
    passed = now - mechanism.since
    if passed <= 0.0:
        return
    mechanism.since = now
    for line_index in range(service.line, service.line + service.line_count):
        line = S.lines[line_index]
        pass_line(line, passed)
        line.since = now
    service.busy_integral += service.busy * passed
    service.busy_max = max(service.busy_max, service.busy)
    mechanism.busy_since_reading += service.busy * passed
    mechanism.slots_integral += mechanism.with_slots * passed
    mechanism.existing_integral += mechanism.existing * passed
    mechanism.wanted_max = max(mechanism.wanted_max, mechanism.existing)
    mechanism.stopped_integral += mechanism.stopped * passed
    mechanism.stopped_max = max(mechanism.stopped_max, mechanism.stopped)
    mechanism.held_ahead_integral += mechanism.held_ahead * passed
    mechanism.held_ahead_max = max(mechanism.held_ahead_max, mechanism.held_ahead)
    if mechanism.breaker == P.OPEN:
        mechanism.open_integral += passed
        mechanism.open_max = 1


@rule
def pass_dependency(S, d, now):
    """The same for a dependency."""
    dependency = S.dependencies[d]
    passed = now - dependency.since
    if passed > 0.0:
        dependency.since = now
        dependency.busy_integral += dependency.busy * passed
        dependency.busy_max = max(dependency.busy_max, dependency.busy)
        dependency.waiting_integral += dependency.waiting * passed
        dependency.waiting_max = max(dependency.waiting_max, dependency.waiting)


@leaf
def reset_service(S, s, service):
    service.attempts_before = service.attempts
    service.failed_before = service.failed
    service.retried_before = service.retried
    service.attempts = 0
    service.first_attempts = 0
    service.succeeded = 0
    service.failed = 0
    service.timed_out = 0
    service.retried = 0
    service.dead_lettered = 0
    service.wait_total = 0.0
    service.wait_max = 0.0
    service.service_total = 0.0
    service.service_max = 0.0
    service.sojourn_total = 0.0
    service.sojourn_max = 0.0
    service.busy_integral = 0.0
    service.busy_max = 0
    for row in range(s * P.HISTOGRAMS_PER_SERVICE, (s + 1) * P.HISTOGRAMS_PER_SERVICE):
        for bucket in range(BUCKET_COUNT):
            S.histograms[row, bucket] = 0


@rule
def reset_mechanism(S, s, now):
    mechanism = S.mechanisms[s]
    # an autoscaler's reading goes on over the warm-up
    mechanism.busy_since_reading += S.services[s].busy * (now - mechanism.since)
    mechanism.since = now
    mechanism.slots_integral = 0.0
    mechanism.existing_integral = 0.0
    mechanism.stopped_integral = 0.0
    mechanism.held_ahead_integral = 0.0
    mechanism.open_integral = 0.0
    mechanism.held_ahead_max = 0
    mechanism.stopped_max = 0
    mechanism.wanted_max = 0
    mechanism.open_max = 0
    mechanism.lost = 0
    mechanism.duplicates = 0
    mechanism.denied_retries = 0
    mechanism.starts = 0
    mechanism.crashes = 0
    mechanism.rebalance_count = 0
    mechanism.opened = 0


@rule
def reset_dependency(S, d, now):
    dependency = S.dependencies[d]
    dependency.since = now
    dependency.busy_integral = 0.0
    dependency.busy_max = 0
    dependency.waiting_integral = 0.0
    dependency.waiting_max = 0
    dependency.requests = 0
    dependency.answered = 0
    dependency.failed = 0
    dependency.refused = 0
    dependency.cancelled = 0
    dependency.hedged = 0
    dependency.timed_out = 0
    dependency.wait_total = 0.0
    dependency.wait_max = 0.0
    for bucket in range(BUCKET_COUNT):
        S.dependency_waits[d, bucket] = 0


@rule
def reset_line(S, line_index, now):
    line = S.lines[line_index]
    line.published_before = line.published
    line.rejected_before = line.rejected
    line.finished_before = line.finished
    line.dead_lettered_before = line.dead_lettered
    line.expired_before = line.expired
    line.dropped_before = line.dropped
    line.shed_before = line.shed
    line.lag_integral = 0.0
    line.lag_max = 0
    line.since = now
    line.waiting_integral = 0.0
    line.waiting_max = 0
    line.time_in_line = 0.0
    line.event_lag_total = 0.0
    line.event_lag_max = 0.0
    for bucket in range(BUCKET_COUNT):
        S.event_lags[line_index, bucket] = 0
    for q in range(line.first_queue, line.first_queue + line.queue_count):
        S.queues[q].published = 0
