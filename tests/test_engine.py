"""The engine's machinery: chance, inverse tables, keys, growth, steps, limits, the checks of every run.

Statistical tests use fixed seeds; each statistic here exceeds its bound by chance with probability below
1e-6.
"""

import json
import threading

import numpy as np
import pytest

import slosim
from slosim.compile import keys
from slosim.compile.lower import lower
from slosim.compile.quantiles import DistributionTable, _tabulated, tail_grid
from slosim.compile.streams import G, key_of, numbered, run_key, stream_of
from slosim.engine import state as states
from slosim.engine.compiled import advance
from slosim.engine.run import INTERRUPTED, MEMORY_LIMIT, Run, trace
from slosim.measure.histogram import BUCKET_COUNT, Histogram, buckets_of, representatives
from slosim.model import loads

PIPELINE = """
name: pipeline
run: {duration: 400s, warmup: 50s, seed: 5, replications: 4, sample_every: 1s}
topics: {orders: {partitions: 4}, payments: {}, shipments: {message_ttl: 20s}, dead: {}}
producers:
  checkout: {topic: orders, arrivals: {poisson: 4/s}, keys: {count: 20, skew: 1}}
  batch: {topic: payments, arrivals: {every: 10s}, copies: 15}
services:
  intake: {consumes: orders, instances: 2, service_time: {lognormal: {mean: 200ms, cv: 1}}, emits: payments}
  payment:
    consumes: payments
    concurrency: 3
    service_time: {exponential: 300ms}
    failures: 20%
    retry: {maximum_attempts: 3, initial_interval: 2s, jitter: full}
    dead_letter: dead
    emits: [shipments, {topic: shipments, probability: 30%, copies: 2, delay: {uniform: [0s, 3s]}}]
  shipping: {consumes: shipments, concurrency: 4, service_time: {gamma: {mean: 300ms, cv: 0.5}}}
faults:
  - {name: slow, at: 100s, for: 60s, target: services.shipping, effect: {slowdown: 4x}}
objectives:
  - {name: in time, flow: checkout, within: 5s, target: 95%}
"""
OVERLOADED = """
name: overloaded
run: {duration: 1000000s}
topics: {work: {}}
producers: {source: {topic: work, arrivals: {poisson: 1000/s}}}
services: {sink: {consumes: work, service_time: 1s}}
"""


def summary(measurements):
    """Everything a replication measured, as text that shows every bit."""

    def plain(value):
        if isinstance(value, np.ndarray):
            return value.tolist()
        if hasattr(value, "__dataclass_fields__"):
            return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
        if isinstance(value, dict):
            return {str(name): plain(item) for name, item in value.items()}
        return value

    return json.dumps(plain(measurements))


# Chance.


def uniforms(streams, identities, attempts):
    """The draws at addresses, by the rule S5 in NumPy."""
    g = np.uint64(G)
    with np.errstate(over="ignore"):
        x = streams ^ (identities + attempts * g)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
        x ^= x >> np.uint64(31)
    return ((x >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def identities(count):
    name = key_of("producers.checkout")
    return np.array([numbered(name, n) for n in range(count)], np.uint64)


def axes():
    """Draws along every axis in which addresses are enumerated."""
    one = np.uint64(1)
    stream = np.uint64(stream_of(key_of("services.payment/service_time"), run_key(1, 0)))
    messages = identities(200_000)
    yield "messages", uniforms(stream, messages, one)
    yield "attempts", uniforms(stream, messages[7], np.arange(1, 200_001, dtype=np.uint64))
    runs = [run_key(seed, 0) for seed in range(20_000)]
    streams = np.array([stream_of(key_of("services.payment/service_time"), run) for run in runs], np.uint64)
    yield "seeds", uniforms(streams, messages[7], one)
    runs = [run_key(1, replication) for replication in range(20_000)]
    streams = np.array([stream_of(key_of("services.payment/service_time"), run) for run in runs], np.uint64)
    yield "replications", uniforms(streams, messages[7], one)
    streams = np.array(
        [stream_of(key_of(f"services.s{i}/failure"), runs[0]) for i in range(20_000)], np.uint64
    )
    yield "streams", uniforms(streams, messages[7], one)


@pytest.mark.parametrize(
    ("axis", "u"), list(axes()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_draws_along_an_axis_are_uniform_and_uncorrelated(axis, u):
    """Chi-square over 256 cells, and neighbours' correlations at lags 1 to 8, within 5 standard errors."""
    count = len(u)
    assert u.min() > 0
    assert u.max() < 1
    cells = np.bincount((u * 256).astype(int), minlength=256)
    chi_square = np.sum((cells - count / 256) ** 2) / (count / 256)
    assert abs(chi_square - 255) < 5 * np.sqrt(2 * 255)
    centred = (u - 0.5) * np.sqrt(12)
    for lag in range(1, 9):
        assert abs(np.mean(centred[lag:] * centred[:-lag])) * np.sqrt(count - lag) < 5.5
    lowest = u < 1e-3  # the tail that rare failures are drawn from
    assert abs(lowest.sum() - count / 1000) < 5.5 * np.sqrt(count / 1000)


@pytest.mark.modes
def test_the_kernel_draws_what_the_rule_says():
    """One service, deterministic arrivals: each service time is -mean ln(1 - u) of its address (S5, S6)."""
    scenario = loads("""
        name: one
        run: {duration: 50s, seed: 9}
        topics: {work: {}}
        producers: {source: {topic: work, arrivals: {every: 1s}}}
        services: {sink: {consumes: work, concurrency: unlimited, service_time: {exponential: 100ms}}}
    """)
    events = [event for event in trace(scenario, replication=3).events if event.where == "sink"]
    taken = {event.number: event.time_s for event in events if event.what == "taken"}
    times = [event.time_s - taken[event.number] for event in events if event.what == "succeeded"]
    stream = np.uint64(stream_of(key_of("services.sink/service_time"), run_key(9, 3)))
    name = key_of("producers.source")
    messages = np.array([numbered(name, n) for n in range(50)], np.uint64)
    expected = -0.1 * np.log(1 - uniforms(stream, messages, np.uint64(1)))
    assert np.allclose(times, expected[: len(times)], rtol=1e-9, atol=1e-12)
    assert len(times) >= 49


# Inverse distributions, histograms, keys.


@pytest.mark.parametrize(
    "form",
    [
        "{lognormal: {mean: 80ms, p99: 400ms}}",
        "{gamma: {mean: 1s, cv: 0.5}}",
        "{gamma: {mean: 1s, cv: 2}}",
        "{erlang: {mean: 1s, stages: 3}}",
        "{weibull: {mean: 1s, shape: 0.7}}",
        "{pareto: {minimum: 1s, shape: 2.5}}",
        "{hyperexponential: {mean: 1s, cv: 2}}",
        "{quantiles: {p50: 40ms, p90: 90ms, p99: 300ms, max: 2s}}",
        "{mixture: [{share: 99%, value: 10ms}, {share: 1%, value: {exponential: 1s}}]}",
        "{normal: {mean: 50ms, sd: 9ms}, shift: 1ms, cap: 70ms}",
    ],
)
def test_inverse_tables_are_within_a_thousandth_up_to_one_in_a_billion(form):
    """At 4,000 probabilities on each side, down to tails of 1e-9 (rule S7)."""
    scenario = loads(OVERLOADED.replace("service_time: 1s", f"service_time: {form}"))
    distribution = scenario.services["sink"].service_time
    table = DistributionTable()
    row = {"index": table.add(distribution)} | table.arrays()
    tails = np.geomspace(1e-9, 0.4999, 4000)
    for upper in (False, True):
        p, q = (1 - tails, tails) if upper else (tails, 1 - tails)
        exact = distribution.quantile(p, q)
        drawn = interpolated(row["distributions"][0], row["knots"], tails, upper)
        assert np.all(np.abs(drawn - exact) <= 1e-3 * exact + 1e-12)


def test_a_table_is_made_once_for_equal_distributions():
    """The variants of an experiment have most of them in common; that a table is kept changes none of it."""
    one = {"services.sink.service_time": {"lognormal": {"mean": "3s", "cv": 0.7}}}

    def knots() -> np.ndarray:
        table = DistributionTable()
        table.add(loads(OVERLOADED).replace(one).services["sink"].service_time)
        return table.arrays()["knots"]

    _tabulated.cache_clear()
    first, again = knots(), knots()
    assert (_tabulated.cache_info().misses, _tabulated.cache_info().hits) == (1, 1)
    assert np.array_equal(first, again)


def interpolated(row, knots, tails, upper):
    """What the kernel reads out of a table or knots."""
    first, lower, count = int(row["first"]), int(row["lower_count"]), int(row["upper_count"])
    if row["kind"] == 4:  # TABLE
        values = knots[first + lower :][:count] if upper else knots[first:][:lower]
        return np.interp(tails, tail_grid()[:-1], values[:-1])
    pairs = knots[first + 2 * lower :][: 2 * count] if upper else knots[first:][: 2 * lower]
    return np.interp(tails, pairs[0::2], pairs[1::2])


def test_histogram_values_are_within_half_a_percent():
    values = np.geomspace(1e-8, 1e9, 50_000)
    read = representatives()[buckets_of(values)]
    assert np.max(np.abs(read - values) / values) <= 0.005


def test_histogram_keeps_every_value():
    """Zero, values too small or too large to tell apart, and sums of histograms: nothing is lost."""
    first = Histogram.of(np.array([0.0, 1e-12, 1.0, 1.0, 1e12]))
    second = Histogram.of(np.array([2.0]))
    both = first + second
    assert first.count == 5
    assert both.count == 6
    assert first.counts[0] == 2
    assert first.counts[BUCKET_COUNT - 1] == 1
    assert both.maximum == 1e12
    assert both.total == pytest.approx(1e12 + 4)
    assert first.quantiles([0.6]) == pytest.approx([1.0], rel=0.005)


def test_murmur2_gives_kafkas_hashes():
    """The vectors of Kafka's own UtilsTest.testMurmur2, as signed 32-bit integers."""
    vectors = {
        b"21": -973932308,
        b"foobar": -790332482,
        b"a-little-bit-long-string": -985981536,
        b"a-little-bit-longer-string": -1486304829,
        b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
        b"abc": 479470107,
    }
    for key, signed in vectors.items():
        assert keys.murmur2(key) == signed & 0xFFFFFFFF
    count = 123_456
    some = [*range(1, 1200), *range(9_990, 10_020), *range(99_990, 100_020), count]
    hashes = keys.rank_hashes(count)
    assert [int(hashes[rank - 1]) for rank in some] == [keys.positive_hash(str(rank)) for rank in some]


# Steps, slices, workers, growth.


def test_same_scenario_and_seed_give_the_same_bytes_whatever_the_workers():
    scenario = loads(PIPELINE)
    one = slosim.run(scenario, workers=1).to_json()
    assert slosim.run(scenario, workers=2).to_json() == one
    assert slosim.run(scenario, seed=6).to_json() != one


def test_slices_and_steps_change_no_bit():
    program = lower(loads(PIPELINE))
    whole = summary(Run(program, 5).measure().measurements)
    for slice_s in (0.05, 1.0, 7.3, 400.0):
        assert summary(Run(program, 5, slice_s=slice_s).measure().measurements) == whole
    run = Run(program, 5)
    for until in np.linspace(0.0, 400.0, 138)[1:]:
        run.advance(float(until))
    assert summary(run.collect()) == whole


def test_arrays_grow_without_changing_anything(monkeypatch):
    program = lower(loads(PIPELINE))
    whole = summary(Run(program, 5).measure().measurements)
    monkeypatch.setattr(states, "FIRST_MESSAGES", 1)
    monkeypatch.setattr(states, "FIRST_HEAP", 1)
    assert summary(Run(program, 5).measure().measurements) == whole


def test_a_backlog_beyond_the_memory_limit_stops_with_what_was_measured():
    report = slosim.run(loads(OVERLOADED), memory_limit_bytes=50 << 20)
    assert not report.complete
    assert report.stopped == MEMORY_LIMIT
    ended = report.data["run"]["ended_s"]
    assert 10 < ended < 1_000_000
    flow = report.data["flows"]["source"]
    assert flow["started"]["value"] == pytest.approx(1000 * ended, rel=0.05)


def test_a_run_that_is_asked_to_stop_ends_early_and_whole():
    stop = threading.Event()
    stop.set()
    outcome = Run(lower(loads(PIPELINE)), 5, stop=stop).measure()
    assert outcome.stopped == INTERRUPTED
    assert outcome.measurements.ended_s == 0.0

    run = Run(lower(loads(PIPELINE)), 5)
    run.advance(200.0)
    measurements = run.collect()
    assert measurements.ended_s == 200.0
    assert len(measurements.sample_times_s) == 200
    assert measurements.flows["checkout"].started == pytest.approx(600, abs=150)


# The checks of every run.


def halfway():
    run = Run(lower(loads(PIPELINE)), 5)
    run.advance(200.0)
    return run


@pytest.mark.parametrize(
    ("array", "field", "message"),
    [
        ("lines", "finished", "conservation is broken: messages of"),
        ("lines", "lag", "conservation is broken: lag of"),
        ("lines", "time_in_line", "Little's law is broken"),
        ("flows", "started_all", "conservation is broken: instances of flow"),
    ],
)
def test_a_wrong_count_stops_the_run(array, field, message):
    """A counter is made wrong on purpose, as only a bug could: the run must not give a report."""
    run = halfway()
    getattr(run.state, array)[0][field] += 1
    with pytest.raises(slosim.EngineError, match=message) as caught:
        run.collect()
    assert caught.value.replay == "slosim run SCENARIO.yaml --seed 5 --replications 1"


@pytest.mark.modes
def test_an_event_in_the_past_stops_the_run():
    """An entry of the calendar is moved into the past on purpose."""
    run = halfway()
    group = next(group for group in run.state.groups if group.heap_length > 0)
    run.state.heap_times[group.heap_first] = 1.0
    with pytest.raises(slosim.EngineError, match="event in the past") as caught:
        run.advance(400.0)
    assert "slosim run" in caught.value.replay


def test_advance_is_done_when_there_is_nothing_left():
    run = halfway()
    with np.errstate(over="ignore"):
        assert advance(run.state, 200.0, 1.0) == 0


def test_sums_of_ticks_are_taken_over_before_they_overflow():
    """Latencies of 100 days: 64 bits of 2**-30 s hold some thousand of them, this run has many more."""
    scenario = loads("""
        name: slow
        run: {duration: 2000d}
        topics: {work: {}}
        producers: {source: {topic: work, arrivals: {every: 1h}}}
        services: {sink: {consumes: work, concurrency: unlimited, service_time: 100d}}
    """)
    flow = Run(lower(scenario), 1).measure().measurements.flows["source"]
    seconds = 100 * 86400.0
    assert flow.latency.count > 40_000
    assert flow.latency.mean() == seconds
    assert flow.parts_by_bucket[:, flow.parts.index("sink.service")].sum() == flow.latency.count * seconds


def test_any_number_of_publishes_may_be_accepted_at_one_instant():
    """Delayed messages do not count against the capacity: when the topic is available again, all that was
    held back is accepted at once, more than the calendar had room for."""
    scenario = loads(
        """
        name: held back
        run: {duration: 60s}
        topics: {orders: {capacity: 1, when_full: block, delay: 1s}}
        producers: {checkout: {topic: orders, arrivals: {every: 2ms}}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 1s}}
        faults: [{name: gone, at: 0s, for: 10s, target: topics.orders, effect: {unavailable: true}}]
        """
    )
    line = trace(scenario).measurements.lines["orders", "payment"]
    assert line.published > 20_000
    assert line.finished > 20_000
