"""State to Measurements: what a run counted, by name; checks conservation and Little's law (rule S41)."""

from __future__ import annotations

import dataclasses

import numpy as np

from slosim.compile import program as P
from slosim.engine.state import State
from slosim.errors import EngineError
from slosim.measure.histogram import Histogram, small_whole
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
from slosim.model.redrive import is_redrive

LITTLE_TOLERANCE = 1e-9
REQUEST_WORDS = ("requests", "answered", "failed", "refused", "cancelled", "hedged", "timed_out")
STATES = ("completed", "completed_elsewhere", "dead_lettered", "dropped")


class FlowSums:
    """Sums of ticks folded out of the kernel's 64 bits; whole numbers, so their order does not matter."""

    def __init__(self, flows: int) -> None:
        self.latency_ticks = [0] * flows
        self.part_ticks: np.ndarray | None = None

    def fold(self, state: State) -> None:
        """Take the kernel's sums over and set them to zero."""
        for f, flow in enumerate(state.flows):
            self.latency_ticks[f] += int(flow.latency_ticks)
        state.flows["latency_ticks"] = 0
        if self.part_ticks is None:
            self.part_ticks = np.zeros((2, *state.part_ticks.shape), np.int64)
        high, low = np.divmod(state.part_ticks, 1 << 30)
        self.part_ticks[0] += high
        self.part_ticks[1] += low
        state.part_ticks[:] = 0

    def part_seconds(self, f: int) -> np.ndarray:
        """Sums of one flow: float64[coarse buckets, parts] s."""
        assert self.part_ticks is not None
        return self.part_ticks[0, f] + self.part_ticks[1, f] / P.TICKS_PER_S


def collect(state: State, names: P.Names, sums: FlowSums, replication: int, end: float) -> Measurements:
    """Measurements of a run that has been brought to `end` (s) by `finish`.

    Raises:
        EngineError: a conservation law is broken, which only a bug of slosim can do.
    """
    run = state.run[0]
    sums.fold(state)
    # samples after the end of a run that was stopped early have not been taken
    count = (
        int(np.sum(np.arange(run.samples) * run.sample_every < end))
        if end < run.duration
        else int(run.samples)
    )
    times = np.arange(count) * float(run.sample_every)
    window = max(0.0, end - float(run.warmup))
    lines = {name: _line(state, i, end, count) for i, name in enumerate(names.lines)}
    services = {name: _service(state, s, window, count) for s, name in enumerate(names.services)}
    topics = {name: _topic(state, t) for t, name in enumerate(names.topics)}
    dependencies = {name: _dependency(state, d, window, count) for d, name in enumerate(names.dependencies)}
    in_flight = _judge_open(state, end)
    flows = {name: _flow(state, names, sums, f, in_flight[f]) for f, name in enumerate(names.flows)}
    objectives = {name: _objective(state, i, count) for i, name in enumerate(names.objectives)}
    for topic, name in [key for key in lines if is_redrive(key[1])]:  # what it holds rests in the topic
        line = lines.pop((topic, name))
        del services[name]
        resting = line.waiting_at_end + line.delayed_at_end
        topics[topic] = dataclasses.replace(topics[topic], resting=resting)
    return Measurements(
        replication,
        end,
        float(run.warmup),
        times,
        services,
        topics,
        lines,
        flows,
        objectives,
        int(run.published),
        dependencies,
        _occurrences(state, names),
    )


def _service(state: State, s: int, window: float, count: int) -> ServiceMeasurements:
    row, mechanism = state.services[s], state.mechanisms[s]
    has_mechanisms = bool(state.groups[row.group].mechanisms)
    limited = row.concurrency < P.UNLIMITED
    if has_mechanisms:
        _check_attempts(state, s)
        up = float(mechanism.slots_integral)
    else:
        up = float(row.instance_count) * window
    samples = state.service_samples[s]
    wait, service, sojourn = (_histogram(state, s, which) for which in ("wait", "service", "sojourn"))
    return ServiceMeasurements(
        attempts=int(row.attempts),
        first_attempts=int(row.first_attempts),
        succeeded=int(row.succeeded),
        failed=int(row.failed),
        timed_out=int(row.timed_out),
        lost=int(mechanism.lost),
        retried=int(row.retried),
        dead_lettered=int(row.dead_lettered),
        duplicates=int(mechanism.duplicates),
        first_successes=int(row.succeeded - mechanism.duplicates),
        busy=TimeAverage(
            float(row.busy_integral),
            float(row.busy_max),
            small_whole(samples[P.SAMPLE_BUSY, :count]),
        ),
        slot_seconds=float(row.concurrency) * up if limited else np.inf,
        instance_seconds=float(mechanism.existing_integral) if has_mechanisms else up,
        instances_samples=small_whole(samples[P.SAMPLE_UP, :count]),
        attempts_by_sample=_between(samples[P.SAMPLE_ATTEMPTS, :count]),
        failed_by_sample=_between(samples[P.SAMPLE_FAILED, :count]),
        retried_by_sample=_between(samples[P.SAMPLE_RETRIED, :count]),
        wait=wait,
        service=service,
        sojourn=sojourn,
        mechanisms=_mechanisms(state, s, count) if has_mechanisms else None,
    )


def _between(samples: np.ndarray) -> np.ndarray:
    """What was counted in (t[k-1], t[k]], from how many there were at each sample."""
    return small_whole(np.diff(samples, prepend=0.0))


def _mechanisms(state: State, s: int, count: int) -> Mechanisms:
    row, samples = state.mechanisms[s], state.service_samples[s][:, :count]
    own = [line for line in state.lines if line.service == s]
    first = int(row.first_scaling)
    return Mechanisms(
        starts=int(row.starts),
        crashes=int(row.crashes),
        rebalances=int(row.rebalance_count),
        stopped=TimeAverage(
            float(row.stopped_integral), float(row.stopped_max), small_whole(samples[P.SAMPLE_STOPPED])
        ),
        partitions=sum(int(line.queue_count) for line in own if line.is_log),
        held_ahead=TimeAverage(
            float(row.held_ahead_integral),
            float(row.held_ahead_max),
            small_whole(samples[P.SAMPLE_HELD_AHEAD]),
        ),
        opened=int(row.opened),
        open=TimeAverage(float(row.open_integral), float(row.open_max), small_whole(samples[P.SAMPLE_OPEN])),
        denied_retries=int(row.denied_retries),
        wanted=TimeAverage(
            float(row.existing_integral), float(row.wanted_max), small_whole(samples[P.SAMPLE_WANTED])
        ),
        scalings=state.scalings[first : first + int(row.scaling_count)].copy(),
    )


def _check_attempts(state: State, s: int) -> None:
    """Every attempt has ended somehow or is in work (whole run)."""
    row = state.mechanisms[s]
    _check(
        row.begun,
        row.succeeded_all + row.failed_all + row.lost_all + row.in_work,
        f"attempts of service {s}",
    )


def _dependency(state: State, d: int, window: float, count: int) -> DependencyMeasurements:
    row, samples = state.dependencies[d], state.dependency_samples[d][:, :count]
    _check(row.requests_all, row.ended_all + row.waiting + row.busy, f"requests of dependency {d}")
    limited = row.capacity < P.UNLIMITED
    return DependencyMeasurements(
        **{word: int(row[word]) for word in REQUEST_WORDS},
        busy=TimeAverage(float(row.busy_integral), float(row.busy_max), small_whole(samples[0])),
        waiting=TimeAverage(float(row.waiting_integral), float(row.waiting_max), small_whole(samples[1])),
        server_seconds=float(row.capacity) * window if limited else np.inf,
        wait=Histogram.of_counts(state.dependency_waits[d], float(row.wait_total), float(row.wait_max)),
    )


def _occurrences(state: State, names: P.Names) -> dict[str, np.ndarray]:
    """When random faults occurred, by name and in time order."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names.random_faults}
    for one in sorted(state.occurrences, key=lambda one: (one.start, one.instance)):
        found[one.fault.name].append((one.start, one.end))
    return {name: np.array(times, np.float64).reshape(-1, 2) for name, times in found.items()}


def _histogram(state: State, s: int, which: str) -> Histogram:
    index = {"wait": P.WAIT, "service": P.SERVICE, "sojourn": P.SOJOURN}[which]
    row = state.services[s]
    counts = state.histograms[s * P.HISTOGRAMS_PER_SERVICE + index]
    return Histogram.of_counts(counts, float(row[f"{which}_total"]), float(row[f"{which}_max"]))


def _line(state: State, index: int, end: float, count: int) -> LineMeasurements:
    line = state.lines[index]
    name = f"line {index}"
    _check(
        line.published,
        line.rejected + line.finished + line.dead_lettered + line.expired + line.dropped + line.shed
        + line.delayed + line.waiting + line.backing_off + line.in_work,
        f"messages of {name}",
    )  # fmt: skip
    _check(line.lag, line.delayed + line.waiting + line.backing_off + line.in_work, f"lag of {name}")
    _check(line.lag, line.unsettled, f"lag of {name}")
    _check(line.waiting, line.unsettled_waiting, f"waiting messages of {name}")
    _check_little(line, end, name)
    queues = state.queues[line.first_queue : line.first_queue + line.queue_count]
    is_log = bool(state.services[line.service].is_log)
    counted = {
        field: int(line[field] - line[f"{field}_before"])
        for field in ("published", "rejected", "finished", "dead_lettered", "expired", "dropped", "shed")
    }
    samples = state.samples[index][:, :count]
    return LineMeasurements(
        **counted,
        delayed_at_end=int(line.delayed),
        waiting_at_end=int(line.waiting),
        backing_off_at_end=int(line.backing_off),
        in_work_at_end=int(line.in_work),
        blocked_at_end=_blocked(state, index),
        lag=TimeAverage(float(line.lag_integral), float(line.lag_max), small_whole(samples[P.SAMPLE_LAG])),
        waiting=TimeAverage(
            float(line.waiting_integral), float(line.waiting_max), small_whole(samples[P.SAMPLE_WAITING])
        ),
        age_samples=samples[P.SAMPLE_AGE].copy(),
        event_lag=Histogram.of_counts(
            state.event_lags[index], float(line.event_lag_total), float(line.event_lag_max)
        ),
        partition_lag_max_samples=small_whole(samples[P.SAMPLE_PARTITION_LAG]) if is_log else None,
        partition_published=queues["published"].copy() if is_log else None,
    )


def _blocked(state: State, index: int) -> int:
    """Messages in work in a line whose attempts have only to publish yet."""
    service = state.services[state.lines[index].service]
    count = 0
    if not state.groups[service.group].mechanisms:
        return count
    for i in range(int(service.first_instance), int(service.first_instance + service.instance_count)):
        a = int(state.instances[i].first_work)
        while a >= 0:
            detail, attempt = state.details[a], state.messages[a]
            m = int(detail.message)
            if detail.stage == P.PUBLISHING and m >= 0 and attempt.line == index:
                message = state.messages[m]
                count += bool(message.place == P.IN_WORK and message.attempt == attempt.attempt)
            a = int(detail.after)
    return count


def _check(have: int, want: int, what: str) -> None:
    if have != want:
        raise EngineError(f"conservation is broken: {what}: {have} against {want}")


def _check_little(line: np.record, end: float, name: str) -> None:
    """The integral of the lag is the sum of the times in the line, both cut to the window."""
    time_in_line, integral = float(line.time_in_line), float(line.lag_integral)
    # both are sums of up to `published` terms of size `end`
    tolerance = LITTLE_TOLERANCE * max(time_in_line, 1.0) + 1e-15 * end * float(line.published)
    if abs(integral - time_in_line) > tolerance:
        raise EngineError(f"Little's law is broken: {name}: {integral!r} against {time_in_line!r} message s")


def _topic(state: State, index: int) -> TopicMeasurements:
    topic = state.topics[index]
    outlets = state.outlets[state.outlets["topic"] == index]
    published = int(np.sum(outlets["published"]))
    return TopicMeasurements(
        published=published - int(np.sum(outlets["published_before"])),
        resting=published if topic.consumer_count == 0 else 0,
        held_back_at_end=int(topic.held_back),
    )


def _judge_open(state: State, end: float) -> dict[int, Histogram]:
    """Count the instances that are not over (rules S35, S36); ages of those in flight, by flow."""
    instances = state.flow_instances
    is_open = instances[(instances["flow"] >= 0) & (instances["open"] > 0)]
    run = state.run[0]
    result = {}
    for f, flow in enumerate(state.flows):
        own = is_open[is_open["flow"] == f]
        measured = own["start"] >= run.warmup
        dead = np.isfinite(own["dead_at"])
        dropped = np.isfinite(own["dropped_at"]) & ~dead
        flow.dead_lettered_all += int(dead.sum())
        flow.dropped_all += int(dropped.sum())
        flow.dead_lettered += int((dead & measured).sum())
        flow.dropped += int((dropped & measured).sum())
        lost_at = np.minimum(own["dead_at"], own["dropped_at"])
        for i in range(int(flow.first_objective), int(flow.first_objective + flow.objective_count)):
            turned = np.minimum(lost_at, own["start"] + state.objectives[i].within)
            is_late = own["start"] + state.objectives[i].within < end
            bad = measured & (dead | dropped | is_late)
            _count_turns(state, i, turned[bad])
        in_flight = measured & ~dead & ~dropped
        ages = np.maximum(end - own["start"][in_flight], 0.0)
        result[f] = Histogram.of(np.sort(ages))  # in one order, wherever the records are
        _check(
            flow.started_all,
            sum(flow[f"{word}_all"] for word in STATES) + int((~dead & ~dropped).sum()),
            f"instances of flow {f}",
        )
    return result


def _count_turns(state: State, objective: int, times: np.ndarray) -> None:
    """Bad instances by the sample interval (t[k-1], t[k]] in which they turned bad."""
    run = state.run[0]
    grid = np.arange(run.samples) * run.sample_every
    np.add.at(state.turned[objective, 1], np.searchsorted(grid, times, side="left"), 1)


def _flow(state: State, names: P.Names, sums: FlowSums, f: int, in_flight: Histogram) -> FlowMeasurements:
    flow = state.flows[f]
    total = sums.latency_ticks[f] / P.TICKS_PER_S
    counts = {word: int(flow[word]) for word in ("started", *STATES)}
    whole_run = {word: int(flow[f"{word}_all"]) for word in ("started", *STATES)}
    whole_run["in_flight"] = whole_run["started"] - sum(whole_run[word] for word in STATES)
    buckets = np.flatnonzero(state.finished[f])
    return FlowMeasurements(
        **counts,
        in_flight=in_flight.count,
        latency=Histogram.of_counts(state.latencies[f], total, float(flow.latency_max)),
        parts=names.parts[f],
        buckets=buckets.astype(np.int16),
        parts_by_bucket=sums.part_seconds(f)[buckets, : len(names.parts[f])],
        finished_by_bucket=state.finished[f][buckets],
        in_flight_ages=in_flight,
        whole_run=whole_run,
    )


def _objective(state: State, index: int, count: int) -> ObjectiveMeasurements:
    good, bad = map(small_whole, state.turned[index])
    return ObjectiveMeasurements(good[:count], bad[:count], int(good[count:].sum()), int(bad[count:].sum()))
