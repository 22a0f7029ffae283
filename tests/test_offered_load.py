"""The traffic equations against sums done by hand."""

from __future__ import annotations

import math

import pytest

from slosim.compile.offered_load import (
    dependency_loads,
    mean_attempts,
    offered_loads,
    topic_rates_per_s,
    useful_slots,
)
from slosim.model import loads
from slosim.model.rates import producer_rate_per_s, profile_factor


def scenario(
    services: str,
    arrivals: str = "{poisson: 10/s}",
    topics: str = "{a: {}, b: {}, c: {}}",
    dependencies: str = "{}",
):
    """A producer that publishes to `a`, these services, and what they call."""
    return loads(f"""
name: sums
run: {{duration: 1h}}
topics: {topics}
producers: {{p: {{topic: a, arrivals: {arrivals}}}}}
services: {services}
dependencies: {dependencies}
""")


def test_a_line_of_services_passes_on_what_succeeds():
    sums = scenario(
        "{x: {consumes: a, service_time: 100ms, concurrency: 4,"
        " emits: [{topic: b, probability: 50%, copies: 3}]},"
        " y: {consumes: b, service_time: {exponential: 200ms}, instances: 2, concurrency: 2}}"
    )
    loads_of = offered_loads(sums)
    assert loads_of["x"].arrival_rate_per_s == 10.0
    assert loads_of["x"].utilisation_ratio == pytest.approx(10 * 0.1 / 4)
    assert loads_of["y"].arrival_rate_per_s == pytest.approx(15.0)
    assert loads_of["y"].offered_load == pytest.approx(3.0)
    assert loads_of["y"].utilisation_ratio == pytest.approx(0.75)


def test_retries_multiply_the_load_and_what_is_left_is_dead_lettered():
    sums = scenario(
        "{x: {consumes: a, service_time: 100ms, emits: b, dead_letter: c,"
        " failures: 50%, retry: {maximum_attempts: 3}}}"
    )
    load = offered_loads(sums)["x"]
    assert load.attempts_per_message == pytest.approx(1 + 0.5 + 0.25)
    assert load.attempt_rate_per_s == pytest.approx(17.5)
    assert topic_rates_per_s(sums) == pytest.approx({"a": 10.0, "b": 8.75, "c": 1.25})


def test_a_failure_at_the_start_costs_no_time():
    sums = scenario("{x: {consumes: a, service_time: 100ms, failures: {probability: 20%, at: start}}}")
    assert offered_loads(sums)["x"].service_time_mean_s == pytest.approx(0.08)


def test_a_timeout_cuts_the_service_time_and_fails_the_attempt():
    """Exponential with mean 1 cut at 1: mean 1 - 1/e, and 1/e of the attempts fail."""
    cut = "{x: {consumes: a, service_time: {exponential: 1s}, timeout: 1s, concurrency: 20}}"
    load = offered_loads(scenario(cut))["x"]
    assert load.failure_probability == pytest.approx(math.exp(-1), rel=1e-9)
    assert load.service_time_mean_s == pytest.approx(1 - math.exp(-1), rel=1e-3)
    abandoned = scenario(cut.replace("timeout: 1s", "timeout: 1s, on_timeout: abandon"))
    assert offered_loads(abandoned)["x"].service_time_mean_s == 1.0


def test_choose_splits_and_a_cycle_returns_a_geometric_share():
    """Half of what x does comes back to it: twice the rate; the other half leaves for b."""
    sums = scenario(
        "{x: {consumes: a, service_time: 1ms,"
        " emits: {choose: [{share: 50%, topic: a}, {share: 50%, topic: b}]}}}"
    )
    assert topic_rates_per_s(sums) == pytest.approx({"a": 20.0, "b": 10.0, "c": 0.0})


def test_a_cycle_that_only_grows_is_infinite():
    sums = scenario("{x: {consumes: a, service_time: 1ms, emits: [{topic: a, copies: 2, delay: 1s}]}}")
    load = offered_loads(sums)["x"]
    assert math.isinf(load.arrival_rate_per_s)
    assert load.instances_needed is None


@pytest.mark.parametrize(
    ("failure_probability", "maximum_attempts", "expected"),
    [(0.0, 5, 1.0), (1.0, 5, 5.0), (1.0, None, math.inf), (0.02, None, 1 / 0.98), (0.5, 2, 1.5)],
)
def test_mean_attempts(failure_probability: float, maximum_attempts: int | None, expected: float):
    assert mean_attempts(failure_probability, maximum_attempts) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("instances", "concurrency", "expected"),
    [(1, 4, 4), (2, 4, 8), (3, 4, 12), (5, 4, 12), (5, 2, 10), (7, 2, 12), (20, 1, 12), (3, "unlimited", 12)],
)
def test_slots_beyond_the_partitions_are_of_no_use(instances: int, concurrency: int | str, expected: int):
    """Twelve partitions over 5 instances: 3, 3, 2, 2, 2; with 2 slots each, 10 of them can be in work."""
    sums = scenario(
        f"{{x: {{consumes: a, service_time: 1s, instances: {instances}, concurrency: {concurrency}}}}}",
        topics="{a: {partitions: 12}}",
    )
    assert useful_slots(sums, "x") == expected


def test_instances_needed():
    service = "{x: {consumes: a, service_time: 1s, concurrency: 2}}"
    assert offered_loads(scenario(service))["x"].instances_needed == 6, "5 is utilisation 1: too few"
    assert offered_loads(scenario(service, topics="{a: {partitions: 8}}"))["x"].instances_needed is None
    assert offered_loads(scenario(service, topics="{a: {partitions: 11}}"))["x"].instances_needed == 6


@pytest.mark.parametrize(
    ("arrivals", "mean", "peak"),
    [
        ("{poisson: 120/min}", 2.0, 2.0),
        ("{every: 250ms}", 4.0, 4.0),
        ("{interarrival: {erlang: {mean: 500ms, stages: 3}}}", 2.0, 2.0),
        ("{bernoulli: {probability: 12%, every: 1s}}", 0.12, 0.12),
        ("{bursts: {rate: 100/s, on: 10s, off: {exponential: 30s}, idle_rate: 4/s}}", 28.0, 100.0),
        ("{poisson: 2/s, profile: [{at: 0s, factor: 1x}, {at: 30m, factor: 3x}]}", 5.0, 6.0),
    ],
)
def test_producer_rates(arrivals: str, mean: float, peak: float):
    producer = scenario("{}", arrivals).producers["p"]
    assert producer_rate_per_s(producer, 3600.0, "mean") == pytest.approx(mean)
    assert producer_rate_per_s(producer, 3600.0, "peak") == pytest.approx(peak)


def test_counts_and_traces_have_the_rates_of_their_files(tmp_path):
    (tmp_path / "counts.csv").write_text("time,value\n0,60\n60,600\n120,0\n180,60\n")
    (tmp_path / "trace.csv").write_text("time\n" + "".join(f"{t}\n" for t in (5, 6, 7, 8, 100, 400)))
    files = """
name: files
run: {duration: 3m}
topics: {a: {}}
producers:
  c: {topic: a, arrivals: {counts: {file: counts.csv, time: time, count: value}}}
  t: {topic: a, arrivals: {trace: {file: trace.csv, time: time}}}
services: {x: {consumes: a, service_time: 1ms}}
"""
    producers = loads(files, base=tmp_path).producers
    assert producer_rate_per_s(producers["c"], 180.0, "mean") == pytest.approx(660 / 180)
    assert producer_rate_per_s(producers["c"], 180.0, "peak") == pytest.approx(10.0)
    assert producer_rate_per_s(producers["t"], 180.0, "mean") == pytest.approx(5 / 180)
    assert producer_rate_per_s(producers["t"], 180.0, "peak") == pytest.approx(4 / 60)


def test_profiles_repeat_and_may_step():
    step = [(0.0, 1.0), (10.0, 1.0), (10.0, 5.0)]
    assert profile_factor(step, None, 20.0) == pytest.approx(3.0)
    assert profile_factor(step, 20.0, 50.0) == pytest.approx((3 * 10 * 1 + 2 * 10 * 5) / 50)
    assert profile_factor(step, None, 10.0, "peak") == 1.0
    rise = [(5.0, 2.0), (15.0, 4.0)]
    assert profile_factor(rise, None, 20.0) == pytest.approx((5 * 2 + 10 * 3 + 5 * 4) / 20)


# ---- several topics, batches, calls, autoscalers, clients ------------------------------------------------


def test_a_service_of_several_topics_takes_their_sum_and_a_join_the_least_of_them():
    first = "x: {consumes: a, service_time: 1ms, emits: [b, {topic: c, copies: 3}]}"
    both = scenario(f"{{{first}, y: {{consumes: [b, c], service_time: 1ms}}}}")
    join = scenario(f"{{{first}, y: {{consumes: [b, c], join: true, service_time: 1ms}}}}")
    assert offered_loads(both)["y"].arrival_rate_per_s == pytest.approx(40.0)
    assert offered_loads(join)["y"].arrival_rate_per_s == pytest.approx(10.0)


def test_slots_of_several_logs():
    """Ranges of 3 and 6 partitions over 4 instances: 1+2, 1+2, 1+1, 0+1; balanced: 3, 2, 2, 2."""
    text = "{x: {consumes: [a, b], service_time: 1s, instances: 4, concurrency: 2%s}}"
    logs = "{a: {partitions: 3}, b: {partitions: 6}}"
    assert useful_slots(scenario(text % "", topics=logs), "x") == 2 + 2 + 2 + 1
    balanced = scenario(text % ", rebalance: {protocol: cooperative}", topics=logs)
    assert useful_slots(balanced, "x") == 2 + 2 + 2 + 2
    assert useful_slots(balanced, "x", 9) == 9
    assert useful_slots(balanced, "x", 0) == 0


def test_full_batches_share_the_service_time():
    batch = "{x: {consumes: a, service_time: 100ms, batch: {max_messages: 50, per_message: 1ms}%s}}"
    assert offered_loads(scenario(batch % ""))["x"].service_time_mean_s == pytest.approx(0.1 / 50 + 0.001)
    late = offered_loads(scenario(batch % ", timeout: 120ms"))["x"]
    assert late.failure_probability == 1.0, "the time-out is that of the whole batch, 150 ms"
    assert late.service_time_mean_s == pytest.approx(0.12 / 50)


def test_calls_add_their_time_and_their_failures():
    sums = scenario(
        "{x: {consumes: a, service_time: 10ms, concurrency: 4, failures: {probability: 20%, at: start},"
        " calls: [{dependency: d, timeout: 1s}, {dependency: e}]}}",
        dependencies="{d: {capacity: 5, service_time: {exponential: 1s}, failures: 50%},"
        " e: {capacity: unlimited, service_time: 30ms}}",
    )
    late, cut = math.exp(-1), 1 - math.exp(-1)  # of an exponential of mean 1 beyond 1, and its mean up to 1
    answered = 0.5 * (1 - late)
    load = offered_loads(sums)["x"]
    assert load.failure_probability == pytest.approx(1 - 0.8 * answered)
    assert load.calls_mean_s == pytest.approx(0.8 * (cut + answered * 0.03), rel=1e-3)
    assert load.service_time_mean_s == pytest.approx(0.8 * 0.01 + load.calls_mean_s, rel=1e-3)

    asked = dependency_loads(sums)
    assert asked["d"].request_rate_per_s == pytest.approx(8.0)
    assert asked["d"].utilisation_ratio == pytest.approx(8.0 / 5), "what nobody waits for goes on"
    assert asked["e"].request_rate_per_s == pytest.approx(8.0 * answered)
    assert asked["e"].utilisation_ratio is None


def test_a_cancelled_call_holds_its_place_until_its_timeout():
    sums = scenario(
        "{x: {consumes: a, service_time: 0, calls: [{dependency: d, timeout: 1s, cancel: true}]}}",
        dependencies="{d: {capacity: 20, service_time: {exponential: 1s}}}",
    )
    assert dependency_loads(sums)["d"].offered_load == pytest.approx(10 * (1 - math.exp(-1)), rel=1e-3)


def test_retries_ask_a_dependency_again():
    sums = scenario(
        "{x: {consumes: a, service_time: 0, retry: {maximum_attempts: 2}, calls: [{dependency: d}]}}",
        dependencies="{d: {capacity: 20, service_time: 1s, failures: 50%}}",
    )
    assert dependency_loads(sums)["d"].request_rate_per_s == pytest.approx(15.0)


def test_an_autoscaler_has_the_slots_of_its_most_instances():
    service = "{x: {consumes: a, service_time: 1s, autoscale: {metric: lag, target: 5, maximum: 20}}}"
    load = offered_loads(scenario(service))["x"]
    assert (load.slots, load.most_slots) == (1, 20)
    log = offered_loads(scenario(service, topics="{a: {partitions: 12}}"))["x"]
    assert log.most_slots == 12, "capped by the partitions"


def test_clients_publish_at_most_as_if_they_were_answered_at_once():
    services = "{x: {consumes: a, service_time: 1s, emits: b}, y: {consumes: b, service_time: 1s}}"
    loads_of = offered_loads(scenario(services, "{clients: {count: 20, think_time: {exponential: 4s}}}"))
    assert loads_of["y"].arrival_rate_per_s == pytest.approx(5.0)
    assert loads_of["y"].is_bound
    restless = offered_loads(scenario(services, "{clients: {count: 20, think_time: 0}}"))
    assert math.isinf(restless["y"].offered_load)
    assert not offered_loads(scenario(services))["y"].is_bound
