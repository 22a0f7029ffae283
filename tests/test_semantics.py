"""One test for every rule of docs/semantics.md, named after it, on the compiled kernel and on the reference.

Most are timelines: a small system whose times are whole seconds, and what must happen in it. How to read
the lines is said in timeline.py. A producer with `every: 100s` publishes once, at 0.
"""

from __future__ import annotations

import hashlib
import math
import re
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from slosim.errors import ScenarioError
from timeline import ENGINES, check, simulate

RULES = Path(__file__).parents[1] / "docs" / "semantics.md"
WORD = 2**64


pytestmark = pytest.mark.modes


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_rule_has_a_test_and_every_test_a_rule() -> None:
    rules = re.findall(r"^- \*\*(S\d+) ", RULES.read_text(), re.MULTILINE)
    tests = [match[1] for name in globals() if (match := re.match(r"test_(S\d+)_", name))]
    assert rules
    assert len(set(rules)) == len(rules)
    assert sorted(set(tests)) == sorted(rules)


# ----------------------------------------------------------------------------------------------------- order


def test_S1_completions_come_before_timers_and_timers_before_arrivals(engine: str) -> None:
    """At 2 s the slot frees, a retry is over and a message arrives; the slot takes the retry, which came
    first."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers:
          first: {topic: orders, arrivals: {every: 100s}, copies: 2}
          second: {topic: orders, arrivals: {interarrival: 2s}}
        services:
          payment:
            consumes: orders
            service_time: 1s
            failures: {probability: 100%, at: start}
            retry: {maximum_attempts: 2, initial_interval: 2s}
        """,
        """
        0 s  payment  first#0   taken
        0 s  payment  first#0   failed
        0 s  payment  first#0   retry at 2 s
        0 s  payment  first#1   taken
        0 s  payment  first#1   failed
        0 s  payment  first#1   retry at 2 s
        2 s  payment  first#0   taken (attempt 2)
        2 s  payment  first#0   failed
        2 s  payment  first#0   dead lettered
        2 s  payment  first#1   taken (attempt 2)
        2 s  payment  first#1   failed
        2 s  payment  first#1   dead lettered
        2 s  payment  second#0  taken
        2 s  payment  second#0  failed
        2 s  payment  second#0  retry at 4 s
        """,
        until="3s",
    )
    run = check(
        engine,
        """
        topics: {orders: {capacity: 0}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, service_time: 2s}}
        """,
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#0  succeeded
        2 s  payment  checkout#1  taken
        4 s  payment  checkout#1  succeeded
        4 s  payment  checkout#2  taken
        """,
        until="5s",
    )
    assert run.line("orders", "payment").rejected == 0


def test_S1_services_take_again_after_the_other_timers_of_all_of_them(engine: str) -> None:
    """At 2 s both services have a token again, and shipping crashes: it takes nothing, although packing,
    which publishes to its topic, stands before it in the file."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 9, when_full: block}}
        producers:
          checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}
          direct: {topic: parcels, arrivals: {every: 100s}, copies: 2}
        services:
          packing: {consumes: orders, service_time: 0s, rate_limit: {rate: 0.5/s}, emits: parcels}
          shipping: {consumes: parcels, service_time: 0s, rate_limit: {rate: 0.5/s}}
        faults: [{name: crash, at: 2s, for: 9s, target: services.shipping, effect: {crash: all}}]
        """,
        """
        0 s  packing   checkout#0  taken
        0 s  shipping  checkout#0  taken
        2 s  packing   checkout#1  taken
        2 s  shipping  instance 0  crashed
        """,
        show="taken crashed",
        until="3s",
    )


def test_S2_what_is_upstream_happens_first(engine: str) -> None:
    """At 2 s payment passes an order of 0 s on to shipping, which also gets a new one: both have arrived when
    shipping chooses, although shipping stands first in the file."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers:
          direct: {topic: parcels, arrivals: {interarrival: 2s}}
          checkout: {topic: orders, arrivals: {every: 100s}}
        services:
          shipping: {consumes: parcels, service_time: 1s}
          payment: {consumes: orders, service_time: 2s, emits: parcels}
        """,
        """
        0 s  payment   checkout#0  taken
        2 s  shipping  checkout#0  taken
        2 s  payment   checkout#0  succeeded
        3 s  shipping  checkout#0  succeeded
        3 s  shipping  direct#0    taken
        """,
        until="4s",
    )


def test_S3_messages_are_ordered_by_start_producer_number_and_path(engine: str) -> None:
    """Six messages are visible at 2 s: the copies of the order of 0 s come first, in the order of the
    emits, then the new ones by producer in file order (late before early), then by number."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers:
          late: {topic: parcels, arrivals: {interarrival: 2s}, copies: 2}
          early: {topic: parcels, arrivals: {interarrival: 2s}}
          checkout: {topic: orders, arrivals: {every: 100s}}
        services:
          payment:
            consumes: orders
            service_time: 2s
            emits: [{topic: parcels}, {topic: parcels, copies: 2}]
          shipping: {consumes: parcels, service_time: 0s}
        """,
        until="3s",
    )
    taken = [
        (e.producer, e.number, e.path) for e in run.events if e.what == "taken" and e.where == "shipping"
    ]
    # three emission slots in the file, so B = 5 and the paths of the children of path 0 are 1, 2 and 3
    assert taken == [
        ("checkout", 0, 1),
        ("checkout", 0, 2),
        ("checkout", 0, 3),
        ("late", 0, 0),
        ("late", 1, 0),
        ("early", 0, 0),
    ]


def test_S4_samples_come_after_everything_of_their_instant_and_the_end_does_not_happen(engine: str) -> None:
    """The orders of 0 s and 1 s are in the samples of 0 s and 1 s; what is due at 3 s, the end, does not
    happen."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, service_time: 3s}}
        """,
        "0 s  payment  checkout#0  taken",
        until="3s",
        run="sample_every: 1s",
    )
    line = run.line("orders", "payment")
    assert list(line.lag.samples) == [1, 2, 3]
    assert list(line.waiting.samples) == [0, 1, 2]
    assert list(line.age_samples) == [0, 1, 2]
    assert list(run.service("payment").busy.samples) == [1, 1, 1]


@pytest.mark.parametrize("mechanism", ["", "prefetch: 5,"])
@pytest.mark.parametrize("warmup", ["0s", "2s", "2.5s", "5.5s"])
def test_S4_counts_of_a_series_are_since_the_sample_before(engine: str, warmup: str, mechanism: str) -> None:
    """Each order is taken at once, fails 1 s later, waits 1 s, and fails for good. A warm-up that ends at a
    sample, between two, or after the last one changes nothing."""
    run = simulate(
        engine,
        f"""
        topics: {{orders: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 2s}}}}}}
        services:
          payment: {{consumes: orders, concurrency: 2, {mechanism} service_time: 1s, failures: 100%,
                    retry: {{maximum_attempts: 2, initial_interval: 1s}}}}
        """,
        until="6s",
        run=f"sample_every: 1s, warmup: {warmup}",
    )
    service = run.service("payment")
    #                                      0  1  2  3  4  5 s
    assert service.attempts_by_sample == [1, 0, 2, 0, 2, 0]
    assert service.failed_by_sample == [0, 1, 0, 2, 0, 2]
    assert service.retried_by_sample == [0, 1, 0, 1, 0, 1]
    if warmup == "0s":
        assert (service.attempts, service.failed, service.retried) == (5, 5, 3)


# ---------------------------------------------------------------------------------------------------- chance


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 % WORD
    x ^= x >> 27
    x = x * 0x94D049BB133111EB % WORD
    return x ^ (x >> 31)


G = 0x9E3779B97F4A7C15


def key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def uniform(seed: int, replication: int, stream: str, identity: int, attempt: int) -> float:
    """S5, written out once more."""
    run = mix(mix((seed + G) % WORD) ^ ((replication + 1) * G % WORD))
    h = mix(mix(key(stream) ^ run) ^ ((identity + attempt * G) % WORD))
    return ((h >> 12) + 0.5) / 2**52


def producer_identity(name: str, number: int) -> int:
    return mix((key(f"producers.{name}") + (number + 1) * G) % WORD)


def child_identity(parent: int, emission: str, copy: int) -> int:
    return mix(((parent ^ key(emission)) + (copy + 1) * G) % WORD)


def attempt_times(run: object, service: str) -> dict[tuple[int, int, int], float]:
    """Seconds from taken to the end of every attempt, by (number, path, attempt)."""
    taken, times = {}, {}
    for event in run.events:
        attempt = (event.number, event.path, event.attempt)
        if event.where == service and event.what == "taken":
            taken[attempt] = event.time_s
        elif event.where == service and event.what in ("succeeded", "failed"):
            times[attempt] = event.time_s - taken[attempt]
    return times


EXPONENTIAL = """
topics: {orders: {}}
producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
services:
  payment: {consumes: orders, concurrency: unlimited, service_time: {exponential: 1s}, failures: 50%,
            retry: {maximum_attempts: 2, initial_interval: 1s}}
"""


def test_S5_a_draw_depends_on_its_address_alone(engine: str) -> None:
    """Every service time and every failure is the hash of seed, replication, stream, message and attempt."""
    run = simulate(engine, EXPONENTIAL, run="seed: 42")
    times = attempt_times(run, "payment")
    assert len(times) > 20
    for (number, _path, attempt), time_s in times.items():
        u = uniform(42, 0, "services.payment/service_time", producer_identity("checkout", number), attempt)
        assert time_s == pytest.approx(-math.log(1 - u), rel=1e-9)
    for event in run.events:
        if event.what in ("failed", "succeeded"):
            identity = producer_identity("checkout", event.number)
            u = uniform(42, 0, "services.payment/failure", identity, event.attempt)
            assert (event.what == "failed") == (u < 0.5)
    other = simulate(engine, EXPONENTIAL, run="seed: 42, sample_every: 3s")
    assert attempt_times(other, "payment") == times
    assert attempt_times(simulate(engine, EXPONENTIAL, run="seed: 43"), "payment") != times


def test_S6_children_have_the_identity_of_their_emission(engine: str) -> None:
    """The service times of the two copies at shipping, and of the dead letter, are those of their
    identities."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {}, late: {message_ttl: 1s, dead_letter: expired}, expired: {}, dlq: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment:
            consumes: orders
            service_time: 1s
            emits: [{topic: late, copies: 2}, {topic: parcels, copies: 2}]
          shipping:
            consumes: parcels
            concurrency: 2
            service_time: {exponential: 1s}
            failures: {probability: 100%}
            dead_letter: dlq
          slow: {consumes: late, service_time: 9s}
          clerk: {consumes: dlq, concurrency: 2, service_time: {exponential: 2s}}
          sorter: {consumes: expired, service_time: {exponential: 3s}}
        """,
    )
    order = producer_identity("checkout", 0)
    for service, mean_s, emission, copies in [
        ("shipping", 1, "services.payment/emits[1]", 2),
        ("clerk", 2, "services.shipping/dead_letter", 2),
    ]:
        times = sorted(attempt_times(run, service).values())
        expected = []
        for copy in range(copies):
            identity = child_identity(order, "services.payment/emits[1]", copy)
            if service == "clerk":
                identity = child_identity(identity, emission, 0)
            u = uniform(0, 0, f"services.{service}/service_time", identity, 1)
            expected.append(-mean_s * math.log(1 - u))
        assert times == pytest.approx(sorted(expected), rel=1e-9)
    identity = child_identity(
        child_identity(order, "services.payment/emits[0]", 1), "topics.late/dead_letter/slow", 0
    )
    u = uniform(0, 0, "services.sorter/service_time", identity, 1)
    assert list(attempt_times(run, "sorter").values()) == pytest.approx([-3 * math.log(1 - u)], rel=1e-9)


@pytest.mark.parametrize(
    "distribution",
    [
        "{exponential: 1s}",
        "{lognormal: {mean: 1s, p99: 4s}}",
        "{normal: {mean: 1s, sd: 200ms}}",
        "{gamma: {mean: 1s, cv: 0.5}}",
        "{hyperexponential: {mean: 1s, cv: 2}}",
        "{weibull: {mean: 1s, shape: 0.7}}",
        "{quantiles: {p50: 1s, p90: 2s, max: 5s}}",
        "{mixture: [{share: 90%, value: 1s}, {share: 10%, value: {exponential: 9s}}]}",
    ],
)
def test_S7_a_larger_uniform_is_never_a_shorter_time(engine: str, distribution: str) -> None:
    """Service times sorted by their uniforms are sorted, whatever the distribution."""
    run = simulate(
        engine,
        f"""
        topics: {{orders: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 100ms}}}}}}
        services: {{payment: {{consumes: orders, concurrency: unlimited, service_time: {distribution}}}}}
        """,
    )
    times = attempt_times(run, "payment")
    assert len(times) > 100
    stream = "services.payment/service_time"
    by_uniform = sorted(times, key=lambda at: uniform(0, 0, stream, producer_identity("checkout", at[0]), 1))
    # a difference of two clock readings is exact to about 1e-15 s
    assert all(times[a] <= times[b] + 1e-12 for a, b in pairwise(by_uniform))


def test_S7_a_choice_is_the_first_whose_cumulated_share_exceeds_the_uniform(engine: str) -> None:
    """Orders with a uniform below 30% go to a, the others to b; an emit with 60% happens below 60%."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, checks: {}, a: {}, b: {}, c: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 0s,
                    emits: {choose: [{share: 30%, topic: a}, {share: 70%, topic: b}]}}
          audit: {consumes: orders, service_time: 0s, emits: [{topic: c, probability: 60%}]}
        """,
    )
    rested = {
        name: {e.number for e in run.events if e.what == "rested" and e.where == name} for name in "abc"
    }
    for number in range(20):
        identity = producer_identity("checkout", number)
        assert (number in rested["a"]) == (uniform(0, 0, "services.payment/choose", identity, 0) < 0.3)
        assert (number in rested["b"]) == (number not in rested["a"])
        u = uniform(0, 0, "services.audit/emits[0]/probability", identity, 0)
        assert (number in rested["c"]) == (u < 0.6)


# ------------------------------------------------------------------------------------------------- producers


def due_times(
    engine: str, arrivals: str, until: str = "12s", faults: str = "[]", **options: object
) -> list[float]:
    """When a producer publishes."""
    run = simulate(
        engine,
        f"""
        topics: {{orders: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {arrivals}}}}}
        services: {{payment: {{consumes: orders, service_time: 0s}}}}
        faults: {faults}
        """.replace("faults: []", ""),
        until=until,
        **options,
    )
    return [event.time_s for event in run.events if event.what == "published"]


def test_S8_profile_and_rate_faults_stretch_the_clock(engine: str) -> None:
    """At twice the factor the clock runs twice as fast; a profile may rise in a straight line, stand, and
    repeat."""
    fault = "[{name: rush, at: 4s, for: 4s, target: producers.checkout, effect: {rate_factor: 2x}}]"
    assert due_times(engine, "{every: 2s}", faults=fault) == [0, 2, 4, 5, 6, 7, 8, 10]
    stop = "[{name: stop, at: 3s, for: 4s, target: producers.checkout, effect: {rate_factor: 0}}]"
    assert due_times(engine, "{every: 2s}", faults=stop) == [0, 2, 8, 10]
    rising = "{every: 1s, profile: [{at: 0s, factor: 0}, {at: 10s, factor: 1}]}"
    # the integral of t/10 is t^2/20, which reaches n at sqrt(20 n); from 10 s (reading 5) on the factor is 1
    expected = [math.sqrt(20 * n) for n in range(6)] + [11]
    assert due_times(engine, rising) == pytest.approx(expected, rel=1e-9)
    repeated = (
        "{every: 1s, profile: [{at: 0s, factor: 1}, {at: 2s, factor: 1}, {at: 2.5s, factor: 0}], repeat: 4s}"
    )
    # 2 + 1/4 readings in every 4 s
    times_s = due_times(engine, repeated)
    assert times_s[:3] == [0, 1, 2]
    assert times_s[3:5] == pytest.approx([4.75, 5.75], rel=1e-9)


def test_S9_arrivals(engine: str, tmp_path: Path) -> None:
    """When the first publish of each arrival process is due, and how it goes on."""
    assert due_times(engine, "{every: 3s}") == [0, 3, 6, 9]
    assert due_times(engine, "{interarrival: 3s}") == [3, 6, 9]
    assert due_times(engine, "{bernoulli: {probability: 100%, every: 3s}}") == [0, 3, 6, 9]

    gaps = [
        -math.log(1 - uniform(0, 0, "producers.checkout/gap", producer_identity("checkout", n), 0))
        for n in range(40)
    ]
    sums = [math.fsum(gaps[: n + 1]) for n in range(40)]
    assert due_times(engine, "{poisson: 2/s}") == pytest.approx([s / 2 for s in sums if s / 2 < 12], rel=1e-9)

    trials = [1 + math.floor(-gap / math.log(1 - 0.3)) for gap in gaps]
    expected = [sum(trials[: n + 1]) - 1 for n in range(40)]
    assert due_times(engine, "{bernoulli: {probability: 30%, every: 1s}}") == [t for t in expected if t < 12]

    (tmp_path / "arrivals.csv").write_text("time\n7\n8.5\n8.5\n12\n")
    assert due_times(engine, "{trace: {file: arrivals.csv, time: time}}", base=tmp_path) == [0, 1.5, 1.5, 5]

    (tmp_path / "requests.csv").write_text("time,requests\n0,4\n2,0\n6,3\n")
    counts = due_times(engine, "{counts: {file: requests.csv, time: time, count: requests}}", base=tmp_path)
    # 2/s in [0, 2), nothing until 6 s, then 3/4 per second for as long as the row before, 4 s
    expected = [s / 2 if s <= 4 else 6 + (s - 4) / 0.75 for s in sums if s < 7]
    assert counts == pytest.approx(expected, rel=1e-9)

    bursts = due_times(engine, "{bursts: {rate: 2/s, on: 2s, off: 3s, idle_rate: 0}}")
    # on in [0, 2), [5, 7), [10, 12): 4 expected publishes in each
    expected = [s / 2 + 3 * (math.ceil(s / 4) - 1) for s in sums if s < 12]
    assert bursts == pytest.approx(expected, rel=1e-9)


def test_S10_copies_are_numbered_on_and_have_their_own_priority(engine: str) -> None:
    """Two messages per publish; each draws its own priority, and a flow instance starts for each."""
    run = simulate(
        engine,
        """
        topics: {orders: {order: priority}}
        producers:
          checkout: {topic: orders, arrivals: {every: 5s}, copies: 2,
                     priority: [{share: 50%, priority: 0}, {share: 50%, priority: 1}]}
        services: {payment: {consumes: orders, service_time: 100ms}}
        """,
        until="20s",
    )
    published = [(e.time_s, e.number) for e in run.events if e.what == "published"]
    assert published == [(0, 0), (0, 1), (5, 2), (5, 3), (10, 4), (10, 5), (15, 6), (15, 7)]
    assert run.flow("checkout").started == 8


def test_S10_a_key_is_a_rank_with_zipf_weights(engine: str) -> None:
    """Of three keys with weights 1, 1/2 and 1/3 the first is drawn below 6/11, the second below 9/11."""
    run = simulate(
        engine,
        """
        topics: {orders: {partitions: 7}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}, keys: {count: 3, skew: 1}}}
        services: {payment: {consumes: orders, service_time: 100ms}}
        """,
        until="40s",
    )
    partitions: dict[int, set[float]] = {}
    for event in run.events:
        if event.what == "published":
            u = uniform(0, 0, "producers.checkout/key", producer_identity("checkout", event.number), 0)
            partitions.setdefault(1 if u < 6 / 11 else 2 if u < 9 / 11 else 3, set()).add(event.value)
    assert {rank: len(seen) for rank, seen in partitions.items()} == {1: 1, 2: 1, 3: 1}


def test_S11_latency_counts_from_the_intended_publish(engine: str) -> None:
    """The third order is due at 0 s, accepted at 4 s and paid at 12 s: it took 12 s, 4 s of it held back."""
    run = check(
        engine,
        """
        topics: {orders: {capacity: 1, when_full: block}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services: {payment: {consumes: orders, service_time: 4s}}
        """,
        """
        0 s   checkout  checkout#2  blocked by orders
        0 s   payment   checkout#0  published
        0 s   payment   checkout#1  published
        4 s   checkout  checkout#2  accepted by orders
        4 s   payment   checkout#0  succeeded
        4 s   payment   checkout#2  published
        8 s   payment   checkout#1  succeeded
        12 s  payment   checkout#2  succeeded
        """,
        show="published succeeded blocked accepted",
    )
    flow = run.flow("checkout")
    assert flow.latency == (3, 4 + 8 + 12)
    assert flow.parts == {"checkout.held_back": 4, "payment.wait": 4 + 4, "payment.service": 12}


# ---------------------------------------------------------------------------------------------------- topics


def test_S12_every_consumer_sees_every_message(engine: str) -> None:
    """Payment and audit each get the order in a line of their own; the slow one does not hold up the
    other."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services:
          payment: {consumes: orders, service_time: 1s}
          audit: {consumes: orders, service_time: 5s}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  audit    checkout#0  taken
        1 s  payment  checkout#0  succeeded
        2 s  payment  checkout#1  taken
        3 s  payment  checkout#1  succeeded
        """,
        until="4s",
    )
    assert run.line("orders", "payment").published == run.line("orders", "audit").published == 2
    assert run.line("orders", "audit").waiting_at_end == 1


def test_S13_without_keys_each_publisher_takes_the_partitions_in_turn(engine: str) -> None:
    """Two producers and a service each begin at partition 0; a retry stays in its partition."""
    check(
        engine,
        """
        topics: {orders: {partitions: 3}, parcels: {partitions: 2}}
        producers:
          web: {topic: orders, arrivals: {every: 1s}}
          shop: {topic: orders, arrivals: {interarrival: 2s}}
        services:
          payment: {consumes: orders, concurrency: 3, service_time: 0s, emits: parcels}
          shipping: {consumes: parcels, service_time: 0s, concurrency: 2}
        """,
        """
        0 s  payment   web#0   published to partition 0
        0 s  shipping  web#0   published to partition 0
        1 s  payment   web#1   published to partition 1
        1 s  shipping  web#1   published to partition 1
        2 s  payment   web#2   published to partition 2
        2 s  payment   shop#0  published to partition 0
        2 s  shipping  web#2   published to partition 0
        2 s  shipping  shop#0  published to partition 1
        3 s  payment   web#3   published to partition 0
        3 s  shipping  web#3   published to partition 0
        """,
        show="published",
        until="4s",
    )


@pytest.mark.parametrize(
    ("customer", "murmur2"),
    [
        # Kafka's own test vectors: org.apache.kafka.common.utils.UtilsTest.testMurmur2
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_S13_a_key_belongs_to_the_partition_that_kafka_gives_it(
    engine: str, tmp_path: Path, customer: str, murmur2: int
) -> None:
    """The partition of a key is the positive part of its murmur2, modulo partitions; children inherit the
    key."""
    (tmp_path / "arrivals.csv").write_text(f"time,customer\n0,{customer}\n1,{customer}\n")
    run = simulate(
        engine,
        """
        topics: {orders: {partitions: 997}, parcels: {partitions: 89}}
        producers:
          checkout: {topic: orders, arrivals: {trace: {file: arrivals.csv, time: time, key: customer}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: parcels}
          shipping: {consumes: parcels, service_time: 1s}
        """,
        base=tmp_path,
    )
    partitions = {(e.where, int(e.value)) for e in run.events if e.what == "published"}
    positive = murmur2 & 0x7FFFFFFF
    assert partitions == {("payment", positive % 997), ("shipping", positive % 89)}


def test_S13_a_retry_stays_in_its_partition_and_a_priority_is_inherited(engine: str) -> None:
    """Of two parcels that wait the one with the lower number is next, because its order had that number."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {order: priority}}
        producers:
          slow: {topic: orders, arrivals: {every: 100s}, copies: 2, priority: 1}
          fast: {topic: orders, arrivals: {every: 100s}, priority: 0}
        services:
          payment: {consumes: orders, concurrency: 3, service_time: 1s, emits: parcels}
          shipping: {consumes: parcels, service_time: 2s}
        """,
        """
        0 s  payment   slow#0  taken
        0 s  payment   slow#1  taken
        0 s  payment   fast#0  taken
        1 s  shipping  slow#0  taken
        3 s  shipping  fast#0  taken
        5 s  shipping  slow#1  taken
        """,
        show="taken",
    )
    check(
        engine,
        """
        topics: {orders: {partitions: 2}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services:
          payment: {consumes: orders, instances: 2, service_time: 2s, failures: 100%,
                    retry: {maximum_attempts: 2, initial_interval: 1s}}
        """,
        """
        0 s   payment  checkout#0  taken
        0 s   payment  checkout#1  taken
        2 s   payment  checkout#2  taken
        3 s   payment  checkout#1  taken (attempt 2)
        4 s   payment  checkout#0  taken (attempt 2)
        6 s   payment  checkout#2  taken (attempt 2)
        """,
        show="taken",
    )


def test_S14_the_delays_of_emit_and_topic_add(engine: str) -> None:
    """The parcel is published at 1 s, and visible 2 s + 3 s later."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {delay: 3s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, delay: 2s}]}
          shipping: {consumes: parcels, service_time: 1s}
        """,
        """
        0 s  payment   checkout#0  published
        0 s  payment   checkout#0  visible
        0 s  payment   checkout#0  taken
        1 s  payment   checkout#0  succeeded
        1 s  shipping  checkout#0  published
        6 s  shipping  checkout#0  visible
        6 s  shipping  checkout#0  taken
        7 s  shipping  checkout#0  succeeded
        """,
        show="published visible taken succeeded",
    )
    assert run.line("parcels", "shipping").event_lag == (1, 5)
    assert run.service("shipping").wait == (1, 0)


@pytest.mark.parametrize(
    ("order", "sequence"),
    [
        ("fifo", "low#0 low#1 low#2 high#0"),
        ("lifo", "low#0 high#0 high#1 high#3"),
        ("priority", "low#0 high#0 high#1 high#2"),
    ],
)
def test_S15_a_queue_is_fifo_lifo_or_by_priority(engine: str, order: str, sequence: str) -> None:
    """The slot is free at 0, 3, 6 and 9 s; three orders of low come at 0 s, one of high at 2, 4, 6 and 8
    s."""
    run = simulate(
        engine,
        f"""
        topics: {{orders: {{order: {order}}}}}
        producers:
          low: {{topic: orders, arrivals: {{every: 100s}}, copies: 3, priority: 5}}
          high: {{topic: orders, arrivals: {{interarrival: 2s}}, priority: 1}}
        services: {{payment: {{consumes: orders, service_time: 3s}}}}
        """,
        until="10s",
    )
    assert [f"{e.producer}#{e.number}" for e in run.events if e.what == "taken"] == sequence.split()


def test_S15_any_free_slot_takes_the_next_message(engine: str) -> None:
    """Two instances with a slot each; of messages that became visible at one time, the last event is the
    last."""
    check(
        engine,
        """
        topics: {orders: {order: lifo}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 5}}
        services: {payment: {consumes: orders, instances: 2, service_time: 3s}}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        3 s  payment  checkout#4  taken
        3 s  payment  checkout#3  taken
        """,
        show="taken",
        until="4s",
    )


def test_S16_a_partition_belongs_to_one_instance_and_has_one_message_in_work(engine: str) -> None:
    """Five partitions, two instances: the first owns 0, 1, 2, the second 3, 4. With one slot each, the third
    message of the first instance waits although nothing is in work in its partition."""
    check(
        engine,
        """
        topics: {orders: {partitions: 5}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 10}}
        services: {payment: {consumes: orders, instances: 2, service_time: 2s}}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#3  taken
        2 s  payment  checkout#1  taken
        2 s  payment  checkout#4  taken
        4 s  payment  checkout#2  taken
        4 s  payment  checkout#8  taken
        6 s  payment  checkout#5  taken
        6 s  payment  checkout#9  taken
        8 s  payment  checkout#6  taken
        """,
        show="taken",
        until="9s",
    )


def test_S16_unlimited_concurrency_works_on_every_owned_partition_at_once(engine: str) -> None:
    """Three partitions, one instance: three messages in work, the fourth waits for its partition."""
    check(
        engine,
        """
        topics: {orders: {partitions: 3}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 4}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 2s}}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        0 s  payment  checkout#2  taken
        2 s  payment  checkout#3  taken
        """,
        show="taken",
    )


def test_S17_what_a_free_slot_takes_at_once_needs_no_room(engine: str) -> None:
    """With capacity 0 an order is rejected while the only slot is busy, and taken when it is free."""
    run = check(
        engine,
        """
        topics: {orders: {capacity: 0}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, service_time: 3s}}
        """,
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#1  rejected
        3 s  payment  checkout#0  succeeded
        4 s  payment  checkout#2  taken
        6 s  payment  checkout#3  rejected
        """,
        until="7s",
    )
    assert run.line("orders", "payment").rejected == 2


def test_S17_capacity_is_tested_when_a_message_is_published(engine: str) -> None:
    """Orders that are delayed are not waiting, so all four are accepted into a line for two; one that would
    be delayed is rejected when two wait at its publishing, a retry comes back all the same."""
    check(
        engine,
        """
        topics: {orders: {capacity: 2, delay: 1s}}
        producers:
          web: {topic: orders, arrivals: {every: 100s}, copies: 4}
          shop: {topic: orders, arrivals: {interarrival: 2s}}
        services:
          payment: {consumes: orders, service_time: 2s, failures: 100%,
                    retry: {maximum_attempts: 2, initial_interval: 1s}}
        """,
        """
        0 s  payment  web#0   published
        0 s  payment  web#1   published
        0 s  payment  web#2   published
        0 s  payment  web#3   published
        1 s  payment  web#0   visible
        1 s  payment  web#1   visible
        1 s  payment  web#2   visible
        1 s  payment  web#3   visible
        2 s  payment  shop#0  published
        2 s  payment  shop#0  rejected
        4 s  payment  web#0   visible
        4 s  payment  shop#1  published
        4 s  payment  shop#1  rejected
        """,
        show="published visible rejected",
        until="5s",
    )


def test_S17_there_is_no_room_at_once_in_a_pause_without_a_token_or_in_a_busy_partition(engine: str) -> None:
    """Capacity 0: each service has a free slot, yet what comes when it cannot take is rejected."""
    run = simulate(
        engine,
        """
        topics: {paused: {capacity: 0}, limited: {capacity: 0}, log: {capacity: 0, partitions: 2}}
        producers:
          a: {topic: paused, arrivals: {every: 1s}}
          b: {topic: limited, arrivals: {every: 1s}}
          c: {topic: log, arrivals: {every: 1s}, keys: {count: 1}}
        services:
          s: {consumes: paused, concurrency: unlimited, service_time: 1s}
          t: {consumes: limited, concurrency: unlimited, service_time: 1s, rate_limit: {rate: 0.5/s}}
          u: {consumes: log, concurrency: 2, service_time: 2s}
        faults: [{name: stop, at: 2s, for: 2s, target: services.s, effect: {pause: true}}]
        """,
        until="6s",
    )
    taken = {s: [e.number for e in run.events if e.what == "taken" and e.where == s] for s in "stu"}
    assert taken == {"s": [0, 1, 4, 5], "t": [0, 2, 4], "u": [0, 2, 4]}


def test_S17_a_free_slot_takes_one_message_at_once_not_two(engine: str) -> None:
    """Shipping has one slot for two partitions and no room to wait: of two parcels at 1 s the second waits at
    payment until the slot is free, although its partition is idle."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {partitions: 2, capacity: 0, when_full: block}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, copies: 2}]}
          shipping: {consumes: parcels, service_time: 3s}
        """,
        """
        0 s  payment   checkout#0  taken
        1 s  payment   checkout#0  blocked by parcels
        1 s  shipping  checkout#0  taken
        4 s  payment   checkout#0  accepted by parcels
        4 s  payment   checkout#0  succeeded
        4 s  shipping  checkout#0  succeeded
        4 s  shipping  checkout#0  taken
        """,
        until="5s",
    )


def test_S18_a_full_topic_rejects_or_drops_the_oldest(engine: str) -> None:
    """Capacity 1, one slot: the second waits; then either the third is rejected or the second is dropped."""
    system = """
        topics: {{orders: {{capacity: 1, when_full: {way}}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 1s}}}}}}
        services: {{payment: {{consumes: orders, service_time: 5s}}}}
        """
    check(
        engine,
        system.format(way="reject"),
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#2  rejected
        3 s  payment  checkout#3  rejected
        """,
        until="4s",
    )
    run = check(
        engine,
        system.format(way="drop_oldest"),
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#1  dropped
        3 s  payment  checkout#2  dropped
        """,
        until="4s",
    )
    assert run.line("orders", "payment").dropped == 2


def test_S18_the_oldest_of_one_instant_is_the_first_that_was_handled(engine: str) -> None:
    """At 2 s the retry of shop#0 is visible first (a timer), then checkout#0, although it started earlier (an
    arrival); for shop#1, which comes last, the retry is dropped. Payment is paused, so all wait."""
    check(
        engine,
        """
        topics: {forms: {}, orders: {capacity: 2, when_full: drop_oldest}}
        producers:
          checkout: {topic: forms, arrivals: {every: 100s}}
          shop: {topic: orders, arrivals: {interarrival: 1s}}
        services:
          scan: {consumes: forms, service_time: 2s, emits: orders}
          payment: {consumes: orders, service_time: 1s, failures: {probability: 100%, at: start},
                    retry: {maximum_attempts: 2, initial_interval: 1s}}
        faults: [{name: stop, at: 1.5s, for: 9s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  scan     checkout#0  visible
        1 s  payment  shop#0      visible
        2 s  payment  shop#0      visible
        2 s  payment  checkout#0  visible
        2 s  payment  shop#0      dropped
        2 s  payment  shop#1      visible
        3 s  payment  checkout#0  dropped
        3 s  payment  shop#2      visible
        """,
        show="visible dropped",
        until="4s",
    )


def test_S18_on_a_log_the_oldest_is_that_of_all_partitions(engine: str) -> None:
    """Paused: one order a second, in turn to two partitions that hold two together: the oldest goes first."""
    check(
        engine,
        """
        topics: {orders: {partitions: 2, capacity: 2, when_full: drop_oldest}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, concurrency: 2, service_time: 2s, failures: 100%,
                             retry: {maximum_attempts: 2, initial_interval: 2s, blocking: true}}}
        faults: [{name: stop, at: 3s, for: 30s, target: services.payment, effect: {pause: true}}]
        """,
        """
        2 s  payment  checkout#0  retry at 4 s
        3 s  payment  checkout#1  retry at 5 s
        4 s  payment  checkout#2  dropped
        5 s  payment  checkout#3  dropped
        """,
        show="retry dropped",
        until="6s",
    )


def test_S19_an_attempt_ends_when_all_it_emits_is_accepted(engine: str) -> None:
    """Shipping has room for one: payment's second order is done at 2 s, but holds its slot until 5 s, when
    shipping has finished the first parcel."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 0, when_full: block}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: parcels, timeout: 2s}
          shipping: {consumes: parcels, service_time: 4s}
        """,
        """
        0 s  payment   checkout#0  taken
        1 s  payment   checkout#0  succeeded
        1 s  payment   checkout#1  taken
        1 s  shipping  checkout#0  taken
        2 s  payment   checkout#1  blocked by parcels
        5 s  payment   checkout#1  accepted by parcels
        5 s  payment   checkout#1  succeeded
        5 s  payment   checkout#2  taken
        5 s  shipping  checkout#0  succeeded
        5 s  shipping  checkout#1  taken
        6 s  payment   checkout#2  blocked by parcels
        """,
        until="7s",
    )
    assert run.service("payment").service == (2, 1 + 4)
    assert run.service("payment").timed_out == 0
    assert run.line("orders", "payment").blocked_at_end == 1


def test_S19_publishers_of_a_full_topic_are_served_first_come_first_served(engine: str) -> None:
    """web#1 waits from 0 s, shop#0 from 1 s, though there is another order of web at 2 s."""
    run = check(
        engine,
        """
        topics: {orders: {capacity: 0, when_full: block}}
        producers:
          web: {topic: orders, arrivals: {every: 1s}}
          shop: {topic: orders, arrivals: {interarrival: 1s}}
        services: {payment: {consumes: orders, service_time: 3s}}
        """,
        """
        0 s  payment  web#0   taken
        1 s  web      web#1   blocked by orders
        1 s  shop     shop#0  blocked by orders
        2 s  web      web#2   blocked by orders
        2 s  shop     shop#1  blocked by orders
        3 s  web      web#1   accepted by orders
        3 s  web      web#3   blocked by orders
        3 s  shop     shop#2  blocked by orders
        3 s  payment  web#0   succeeded
        3 s  payment  web#1   taken
        """,
        until="4s",
    )
    assert run.states("web") == {"completed": 1, "in_flight": 3}
    assert run.states("shop") == {"in_flight": 3}


def test_S19_rounds_follow_an_answer_after_which_an_attempt_publishes(engine: str) -> None:
    """At 1 s payment's order 0 has its answer and waits with its second parcel. Shipping takes the first one
    in that event already, so order 0 ends before order 1 makes its call."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 1, when_full: block}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services:
          payment: {consumes: orders, service_time: 1s, calls: [{dependency: bank}], instances: 2,
                    emits: {topic: parcels, copies: 2}}
          shipping: {consumes: parcels, service_time: 0s}
        dependencies: {bank: {capacity: 1, service_time: 0s}}
        """,
        """
        1 s  payment   checkout#0  called bank
        1 s  payment   checkout#0  answered
        1 s  payment   checkout#0  blocked by parcels
        1 s  payment   checkout#0  accepted by parcels
        1 s  payment   checkout#1  called bank
        1 s  payment   checkout#1  answered
        1 s  payment   checkout#1  blocked by parcels
        1 s  payment   checkout#1  accepted by parcels
        """,
        show="called answered blocked accepted",
        until="2s",
    )


def test_S19_a_topic_that_blocks_cannot_be_a_dead_letter(engine: str) -> None:
    """Dead letters never wait, so the language refuses a full topic that would make them."""
    with pytest.raises(ScenarioError, match="dead letters cannot wait for room"):
        simulate(
            engine,
            """
            topics: {orders: {}, dlq: {capacity: 0, when_full: block}}
            producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
            services:
              payment: {consumes: orders, service_time: 1s, failures: 100%, dead_letter: dlq}
              repair: {consumes: dlq, service_time: 5s}
            """,
        )


@pytest.mark.parametrize(
    ("rules", "fault"),
    [
        ("service_time: 2s", "{pause: true}"),
        ("service_time: 1s, rate_limit: {rate: 0.25/s}", "{slowdown: 2x}"),
    ],
)
def test_S19_the_end_of_a_pause_and_a_token_let_waiting_publishers_go_on(
    engine: str, rules: str, fault: str
) -> None:
    """The second order of 0 s waits at a topic without room, for the end of the pause or the token of 4 s."""
    check(
        engine,
        f"""
        topics: {{orders: {{capacity: 0, when_full: block}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}, copies: 2}}}}
        services: {{payment: {{consumes: orders, {rules}}}}}
        faults: [{{name: fault, at: 1s, for: 3s, target: services.payment, effect: {fault}}}]
        """,
        """
        0 s  checkout  checkout#1  blocked by orders
        0 s  payment   checkout#0  taken
        4 s  checkout  checkout#1  accepted by orders
        4 s  payment   checkout#1  taken
        """,
        show="blocked accepted taken",
        until="5s",
    )


def test_S20_a_message_expires_the_instant_it_has_waited_its_time(engine: str) -> None:
    """With 3 s to live: #1 is taken at 3 s, when the slot frees; #2 expires at 4 s; #0 does not expire in
    work."""
    run = check(
        engine,
        """
        topics: {orders: {message_ttl: 3s}}
        producers:
          web: {topic: orders, arrivals: {every: 100s}, copies: 2}
          shop: {topic: orders, arrivals: {interarrival: 1s}}
        services: {payment: {consumes: orders, service_time: {integers: {from: 3, to: 3}}}}
        """,
        """
        0 s  payment  web#0   taken
        3 s  payment  web#0   succeeded
        3 s  payment  web#1   taken
        4 s  payment  shop#0  expired
        5 s  payment  shop#1  expired
        """,
        until="6s",
    )
    assert run.line("orders", "payment").expired == 2


def test_S20_a_message_that_reappears_too_late_expires_at_once(engine: str) -> None:
    """Its time is over at 3 s, while it backs off: it expires when it is visible again, though the slot is
    free."""
    check(
        engine,
        """
        topics: {orders: {message_ttl: 3s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, failures: 100%,
                    retry: {maximum_attempts: 9, initial_interval: 1s, backoff_coefficient: 3}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  failed
        1 s  payment  checkout#0  retry at 2 s
        2 s  payment  checkout#0  taken (attempt 2)
        3 s  payment  checkout#0  failed
        3 s  payment  checkout#0  retry at 6 s
        6 s  payment  checkout#0  expired
        """,
    )


def test_S21_expired_dropped_and_rejected_messages_go_to_the_dead_letters_of_the_topic(engine: str) -> None:
    """Three lines lose a message each, one way each; all come to the same dead-letter topic."""
    run = simulate(
        engine,
        """
        topics:
          a: {message_ttl: 1s, dead_letter: late}
          b: {capacity: 0, dead_letter: late}
          c: {capacity: 1, when_full: drop_oldest, dead_letter: late}
          late: {}
        producers:
          pa: {topic: a, arrivals: {every: 100s}, copies: 2}
          pb: {topic: b, arrivals: {every: 100s}, copies: 2}
          pc: {topic: c, arrivals: {every: 100s}, copies: 3}
        services:
          sa: {consumes: a, service_time: 9s}
          sb: {consumes: b, service_time: 9s}
          sc: {consumes: c, service_time: 9s}
          clerk: {consumes: late, service_time: 1s}
        """,
        until="4s",
    )
    assert run.line("a", "sa").expired == run.line("b", "sb").rejected == run.line("c", "sc").dropped == 1
    clerk = [(e.time_s, e.what, f"{e.producer}#{e.number}") for e in run.events if e.where == "clerk"]
    assert [line for line in clerk if line[1] == "taken"] == [
        (0, "taken", "pb#1"),
        (1, "taken", "pc#1"),
        (2, "taken", "pa#1"),
    ]


def test_S22_a_topic_that_nobody_consumes_keeps_its_messages(engine: str) -> None:
    """Receipts rest; there is no line they could wait in."""
    check(
        engine,
        """
        topics: {orders: {}, receipts: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, service_time: 1s, emits: [{topic: receipts, copies: 2}]}}
        """,
        """
        0 s  payment   checkout#0  taken
        1 s  payment   checkout#0  succeeded
        1 s  receipts  checkout#0  rested
        1 s  receipts  checkout#0  rested
        """,
    )


# -------------------------------------------------------------------------------------------------- services


def test_S23_a_slot_that_frees_takes_before_arrivals_of_that_instant(engine: str) -> None:
    """lifo: at 2 s the slot takes web#1, which waits, although shop#0 arrives at 2 s and would be served
    first."""
    check(
        engine,
        """
        topics: {orders: {order: lifo}}
        producers:
          web: {topic: orders, arrivals: {every: 100s}, copies: 2}
          shop: {topic: orders, arrivals: {interarrival: 2s}}
        services: {payment: {consumes: orders, service_time: 2s}}
        """,
        """
        0 s  payment  web#0   taken
        2 s  payment  web#1   taken
        4 s  payment  shop#0  taken
        """,
        show="taken",
        until="5s",
    )


def test_S23_every_instance_takes_when_the_pause_is_over(engine: str) -> None:
    """Two partitions, two instances; both orders may live for 3 s, and the pause ends at 3 s. When the first
    has expired, the pause is over, and the service takes the other, whichever instance owns it."""
    check(
        engine,
        """
        topics: {orders: {partitions: 2, message_ttl: 3s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services: {payment: {consumes: orders, instances: 2, service_time: 1s}}
        faults: [{name: stop, at: 0s, for: 3s, target: services.payment, effect: {pause: true}}]
        """,
        """
        3 s  payment  checkout#0  expired
        3 s  payment  checkout#1  taken
        4 s  payment  checkout#1  succeeded
        """,
    )


def test_S24_slowdown_then_added_latency_of_the_faults_when_it_is_taken(engine: str) -> None:
    """Taken inside the fault: 2 s x 3 + 1 s = 7 s; taken when it has just ended: 2 s, although one runs
    on."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 4s}}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 2s}}
        faults:
          - {name: slow, at: 4s, for: 4s, target: services.payment, effect: {slowdown: 3x, added_latency: 1s}}
        """,
        """
        0 s   payment  checkout#0  taken
        2 s   payment  checkout#0  succeeded
        4 s   payment  checkout#1  taken
        8 s   payment  checkout#2  taken
        10 s  payment  checkout#2  succeeded
        11 s  payment  checkout#1  succeeded
        """,
        until="12s",
    )


def test_S25_a_token_bucket_starts_full(engine: str) -> None:
    """One token every 2 s, three at first: three at 0 s, then one at 2 s, 4 s and 6 s; that wait is wait."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 6}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 1s,
                             rate_limit: {rate: 0.5/s, burst: 3}}}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        0 s  payment  checkout#2  taken
        2 s  payment  checkout#3  taken
        4 s  payment  checkout#4  taken
        6 s  payment  checkout#5  taken
        """,
        show="taken",
    )
    assert run.service("payment").wait == (6, 2 + 4 + 6)


TIMEOUT = """
    topics: {{orders: {{}}}}
    producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}, copies: 2}}}}
    services:
      payment: {{consumes: orders, service_time: 5s, timeout: {timeout}, on_timeout: {way},
                 retry: {{maximum_attempts: 2, initial_interval: 1s}}}}
    """


def test_S26_equal_to_the_time_out_is_in_time(engine: str) -> None:
    """5 s of work with a time-out of 5 s succeed."""
    check(
        engine,
        TIMEOUT.format(timeout="5s", way="cancel"),
        """
        0 s   payment  checkout#0  taken
        5 s   payment  checkout#0  succeeded
        5 s   payment  checkout#1  taken
        10 s  payment  checkout#1  succeeded
        """,
    )


def test_S26_cancel_frees_the_slot_at_the_time_out(engine: str) -> None:
    """5 s of work with a time-out of 3 s: the slot takes the next order at 3 s."""
    run = check(
        engine,
        TIMEOUT.format(timeout="3s", way="cancel"),
        """
        0 s  payment  checkout#0  taken
        3 s  payment  checkout#0  timed out
        3 s  payment  checkout#0  retry at 4 s
        3 s  payment  checkout#1  taken
        6 s  payment  checkout#1  timed out
        6 s  payment  checkout#1  retry at 7 s
        6 s  payment  checkout#0  taken (attempt 2)
        """,
        until="7s",
    )
    assert (run.service("payment").failed, run.service("payment").timed_out) == (2, 2)


def test_S26_abandoned_work_keeps_its_slot_busy(engine: str) -> None:
    """The order is free at 3 s, the slot only at 5 s, when the work ends; its result counts for nothing."""
    run = check(
        engine,
        TIMEOUT.format(timeout="3s", way="abandon"),
        """
        0 s   payment  checkout#0  taken
        3 s   payment  checkout#0  timed out
        3 s   payment  checkout#0  retry at 4 s
        5 s   payment  checkout#0  work ended
        5 s   payment  checkout#1  taken
        8 s   payment  checkout#1  timed out
        8 s   payment  checkout#1  retry at 9 s
        10 s  payment  checkout#1  work ended
        10 s  payment  checkout#0  taken (attempt 2)
        """,
        until="11s",
    )
    assert run.service("payment").busy.integral == pytest.approx(11)
    assert run.service("payment").service == (2, 6)


def test_S27_a_failure_at_the_end_takes_the_time_and_one_at_the_start_takes_none(engine: str) -> None:
    """The same failure, at the end and at the start."""
    system = """
        topics: {{orders: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}}}}}
        services: {{payment: {{consumes: orders, service_time: 2s,
                               failures: {{probability: 100%, at: {at}}}}}}}
        """
    check(
        engine,
        system.format(at="end"),
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#0  failed
        2 s  payment  checkout#0  dead lettered
        """,
    )
    run = check(
        engine,
        system.format(at="start"),
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#0  failed
        0 s  payment  checkout#0  dead lettered
        """,
    )
    assert run.service("payment").service == (1, 0)


def test_S27_every_attempt_of_a_poison_message_fails(engine: str) -> None:
    """Half of the messages are poison: all their attempts fail; the others succeed at once."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment:
            consumes: orders
            service_time: 100ms
            failures: {poison: 50%}
            retry: {maximum_attempts: 4}
        """,
        until="60s",
    )
    outcomes: dict[int, list[str]] = {}
    for event in run.events:
        if event.what in ("failed", "succeeded", "dead_lettered"):
            outcomes.setdefault(event.number, []).append(event.what)
    poison = ["failed"] * 4 + ["dead_lettered"]
    # the last orders are still being retried at the end
    assert all(words in (["succeeded"], poison) for number, words in outcomes.items() if number < 50)
    # 8 of 50 or fewer, 42 or more: less than once in a million
    assert 8 < sum(words == poison for number, words in outcomes.items() if number < 50) < 42


def test_S27_in_an_outage_every_attempt_fails_at_the_start_and_takes_a_token(engine: str) -> None:
    """The two orders of 0 s fail at 0 s and, for want of a second token, at 2 s; the one of 4 s succeeds."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers:
          web: {topic: orders, arrivals: {every: 100s}, copies: 2}
          shop: {topic: orders, arrivals: {interarrival: 4s}}
        services: {payment: {consumes: orders, service_time: 3s, rate_limit: {rate: 0.5/s}}}
        faults: [{name: down, at: 0s, for: 4s, target: services.payment, effect: {outage: true}}]
        """,
        """
        0 s  payment  web#0   taken
        0 s  payment  web#0   failed
        0 s  payment  web#0   dead lettered
        2 s  payment  web#1   taken
        2 s  payment  web#1   failed
        2 s  payment  web#1   dead lettered
        4 s  payment  shop#0  taken
        7 s  payment  shop#0  succeeded
        """,
        until="8s",
    )


def retry_delays(engine: str, retry: str, until: str = "400s") -> list[float]:
    """Seconds from each failure to the next attempt's visibility."""
    run = simulate(
        engine,
        f"""
        topics: {{orders: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 1000s}}}}}}
        services: {{payment: {{consumes: orders, service_time: 1s, failures: 100%, retry: {{{retry}}}}}}}
        """,
        until=until,
    )
    return [event.value - event.time_s for event in run.events if event.what == "retry"]


def test_S28_back_off(engine: str) -> None:
    """Exponential with a maximum; the jitters spread it by the uniform of message and attempt."""
    grow = "maximum_attempts: 7, initial_interval: 2s, maximum_interval: 20s"
    base = [2, 4, 8, 16, 20, 20]
    order = producer_identity("checkout", 0)
    u = [uniform(0, 0, "services.payment/retry", order, attempt) for attempt in range(1, 7)]
    assert retry_delays(engine, grow) == base
    equal = [b / 2 + x * b / 2 for b, x in zip(base, u, strict=True)]
    full = [x * b for b, x in zip(base, u, strict=True)]
    decorrelated, previous = [], 2.0
    for x in u:
        previous = min(20, 2 + x * (3 * previous - 2))
        decorrelated.append(previous)
    assert retry_delays(engine, f"{grow}, jitter: equal") == pytest.approx(equal, rel=1e-9)
    assert retry_delays(engine, f"{grow}, jitter: full") == pytest.approx(full, rel=1e-9)
    assert retry_delays(engine, f"{grow}, jitter: decorrelated") == pytest.approx(decorrelated, rel=1e-9)
    uniform_delay = [10 + 20 * x for x in u]
    drawn = retry_delays(engine, "maximum_attempts: 7, delay: {uniform: [10s, 30s]}")
    assert drawn == pytest.approx(uniform_delay, rel=1e-9)


def test_S28_a_retry_joins_the_tail_of_its_line(engine: str) -> None:
    """web#0 fails at 2 s and is visible again at 3 s, behind web#1 and web#2 that came first."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {web: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services: {payment: {consumes: orders, service_time: 2s, failures: 100%,
                             retry: {maximum_attempts: 2, initial_interval: 1s}}}
        """,
        """
        0 s   payment  web#0  taken
        2 s   payment  web#1  taken
        4 s   payment  web#2  taken
        6 s   payment  web#0  taken (attempt 2)
        8 s   payment  web#1  taken (attempt 2)
        10 s  payment  web#2  taken (attempt 2)
        """,
        show="taken",
    )


def test_S29_a_blocking_retry_holds_the_slot_of_a_queue(engine: str) -> None:
    """The slot waits 3 s with the order that failed, and tries again in a pause; only then it takes the
    next."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services: {payment: {consumes: orders, service_time: 1s, failures: 100%,
                             retry: {maximum_attempts: 2, initial_interval: 3s, blocking: true}}}
        faults: [{name: stop, at: 3s, for: 3s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  failed
        1 s  payment  checkout#0  retry at 4 s
        4 s  payment  checkout#0  taken (attempt 2)
        5 s  payment  checkout#0  failed
        5 s  payment  checkout#0  dead lettered
        6 s  payment  checkout#1  taken
        """,
        until="7s",
    )
    assert run.service("payment").wait == (2, 6)
    assert run.service("payment").busy.integral == pytest.approx(6)


def test_S29_a_blocking_retry_on_a_queue_starts_with_the_first_token_from_then_on(engine: str) -> None:
    """A token every 4 s: #0 fails at 1 s, is ready at 2 s and starts with the token of 4 s; #1 gets that
    of 8 s."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services: {payment: {consumes: orders, concurrency: 2, service_time: 1s, failures: 100%,
                             rate_limit: {rate: 0.25/s},
                             retry: {maximum_attempts: 2, initial_interval: 1s, blocking: true}}}
        """,
        """
        0 s  payment  checkout#0  taken
        4 s  payment  checkout#0  taken (attempt 2)
        8 s  payment  checkout#1  taken
        """,
        show="taken",
        until="10s",
    )


def test_S29_a_blocking_retry_holds_the_partition_of_a_log(engine: str) -> None:
    """Partition 0: #0 fails at 1 s and is tried again at 4 s, before #2; meanwhile the slot works on
    partition 1."""
    run = check(
        engine,
        """
        topics: {orders: {partitions: 2}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services: {payment: {consumes: orders, service_time: 1s, failures: {probability: 100%},
                             retry: {maximum_attempts: 2, initial_interval: 3s, blocking: true}}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#1  taken
        4 s  payment  checkout#0  taken (attempt 2)
        5 s  payment  checkout#2  taken
        6 s  payment  checkout#1  taken (attempt 2)
        9 s  payment  checkout#2  taken (attempt 2)
        """,
        show="taken",
    )
    assert run.service("payment").wait == (3, 0 + 1 + 5)


def test_S30_the_last_failure_goes_to_the_dead_letter(engine: str) -> None:
    """Two attempts, then the order is published to the dead letters; without a topic it leaves, counted
    alike."""
    system = """
        topics: {{orders: {{}}, dlq: {{}}, other: {{}}}}
        producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}}}}}
        services:
          payment: {{consumes: orders, service_time: 1s, failures: 100%, {dead_letter}
                     retry: {{maximum_attempts: 2, initial_interval: 1s}}}}
          clerk: {{consumes: other, service_time: 1s}}
          reader: {{consumes: dlq, service_time: 1s}}
        """
    run = check(
        engine,
        system.format(dead_letter="dead_letter: dlq,"),
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  failed
        1 s  payment  checkout#0  retry at 2 s
        2 s  payment  checkout#0  taken (attempt 2)
        3 s  payment  checkout#0  failed
        3 s  payment  checkout#0  dead lettered
        3 s  reader   checkout#0  taken
        4 s  reader   checkout#0  succeeded
        """,
    )
    assert run.line("orders", "payment").dead_lettered == 1
    run = simulate(engine, system.format(dead_letter=""))
    assert run.line("orders", "payment").dead_lettered == run.service("payment").dead_lettered == 1
    assert run.line("dlq", "reader").published == 0


def test_S31_a_success_publishes_what_the_service_emits(engine: str) -> None:
    """A failure emits nothing; the success emits two copies to a, and never to b."""
    run = check(
        engine,
        """
        topics: {orders: {}, a: {}, b: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s,
                    emits: [{topic: a, copies: 2}, {topic: b, probability: 0%}],
                    retry: {maximum_attempts: 2, initial_interval: 1s}}
        faults: [{name: down, at: 0s, for: 1s, target: services.payment, effect: {error_rate: 100%}}]
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  failed
        1 s  payment  checkout#0  retry at 2 s
        2 s  payment  checkout#0  taken (attempt 2)
        3 s  payment  checkout#0  succeeded
        3 s  a        checkout#0  rested
        3 s  a        checkout#0  rested
        """,
    )
    assert run.service("payment").first_successes == 1


def test_S32_faults_are_active_from_at_to_before_the_end_and_combine(engine: str) -> None:
    """Slow in [2, 4) and again in [7, 9); in [3, 4) another fault doubles it and adds 1 s."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 1s}}
        faults:
          - {name: slow, at: 2s, for: 2s, repeat_every: 5s, target: services.payment,
             effect: {slowdown: 3x, added_latency: 1s}}
          - {name: slower, at: 3s, for: 1s, target: services.payment,
             effect: {slowdown: 2x, added_latency: 1s}}
        """,
        until="30s",
    )
    times = attempt_times(run, "payment")
    assert [times[number, 0, 1] for number in range(10)] == [1, 1, 4, 8, 1, 1, 1, 4, 4, 1]


def test_S32_error_rates_combine_independently(engine: str) -> None:
    """50% and 50% on top of 20%: an attempt fails below 1 - 0.8 x 0.5 x 0.5 = 80%."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100ms}}}
        services: {payment: {consumes: orders, service_time: 1ms, failures: 20%}}
        faults:
          - {name: a, at: 0s, for: 90s, target: services.payment, effect: {error_rate: 50%}}
          - {name: b, at: 0s, for: 90s, target: services.payment, effect: {error_rate: 50%}}
        """,
    )
    for event in run.events:
        if event.what in ("failed", "succeeded"):
            u = uniform(0, 0, "services.payment/failure", producer_identity("checkout", event.number), 1)
            assert (event.what == "failed") == (u < 0.8)


def test_S33_a_paused_service_takes_nothing(engine: str) -> None:
    """Paused from 1 s to 4 s: what runs ends as usual; at 4 s it takes what waits, before what arrives at
    4 s."""
    check(
        engine,
        """
        topics: {orders: {order: lifo}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, service_time: 2s}}
        faults: [{name: stop, at: 1s, for: 3s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#0  succeeded
        4 s  payment  checkout#1  taken
        6 s  payment  checkout#1  succeeded
        6 s  payment  checkout#2  taken
        """,
        until="7s",
    )


# ----------------------------------------------------------------------------------------------------- flows


def test_S34_an_instance_is_complete_when_nothing_that_matters_is_left(engine: str) -> None:
    """Two parcels per order: the latency ends with the second one at shipping, at 5 s; the slow audit, from
    which shipping cannot be reached, does not matter."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, copies: 2}]}
          shipping: {consumes: parcels, service_time: 2s}
          audit: {consumes: orders, service_time: 50s}
        flows: {fulfilment: {from: checkout, to: shipping}}
        """,
    )
    flow = run.flow("fulfilment")
    assert (flow.started, flow.completed, flow.latency) == (1, 1, (1, 5))


def test_S34_every_flow_of_a_producer_has_its_own_instances(engine: str) -> None:
    """At the end, 5 s, the order is paid but not shipped: complete in one flow, in flight in the other."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: parcels}
          shipping: {consumes: parcels, service_time: 9s}
        flows: {shipped: {from: checkout, to: shipping}, paid: {from: checkout, to: payment}}
        """,
        until="5s",
    )
    assert run.states("shipped") == {"in_flight": 1}
    assert run.states("paid") == {"completed": 1}
    assert run.flow("paid").latency == (1, 1)


STATES = """
    topics:
      orders: {{capacity: {capacity}, message_ttl: {ttl}{topic_outlet}}}
      parcels: {{}}
      dlq: {{}}
      archive: {{}}
    producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}, copies: 3}}}}
    services:
      payment: {{consumes: orders, service_time: 4s, failures: {failures}{service_outlet},
                 emits: {{choose: [{{share: {share}, topic: parcels}}, {{share: {rest}, topic: archive}}]}}}}
      shipping: {{consumes: parcels, service_time: 1s}}
      {reader}
    flows: {{fulfilment: {{from: checkout, to: shipping}}}}
    """


def states(engine: str, until: str = "20s", **changes: str) -> dict[str, int]:
    """What became of three orders of 0 s that wait for one slot, 4 s each."""
    usual = {
        "capacity": "9",
        "ttl": "90s",
        "topic_outlet": "",
        "failures": "0%",
        "service_outlet": "",
        "share": "100%",
        "rest": "0%",
        "reader": "",
    }
    reader = changes.get("reader", "")
    changed = (
        usual | changes | {"reader": f"repair: {{consumes: dlq, service_time: 1s{reader}}}" if reader else ""}
    )
    return simulate(engine, STATES.format(**changed), until=until).states("fulfilment")


def test_S35_states_of_instances(engine: str) -> None:
    """Every way in which an instance can end, one after the other."""
    assert states(engine) == {"completed": 3}
    assert states(engine, until="6s") == {"completed": 1, "in_flight": 2}
    assert states(engine, share="0.01%", rest="99.99%") == {"completed_elsewhere": 3}
    assert states(engine, failures="100%") == {"dead_lettered": 3}
    assert states(engine, capacity="1") == {"completed": 2, "dropped": 1}
    assert states(engine, capacity="1", topic_outlet=", dead_letter: dlq") == {
        "completed": 2,
        "dead_lettered": 1,
    }
    assert states(engine, ttl="5s") == {"completed": 2, "dropped": 1}
    assert states(engine, ttl="5s", topic_outlet=", dead_letter: dlq") == {"completed": 2, "dead_lettered": 1}
    # the archive is a topic in which dead letters rest: what comes to rest there is dead-lettered too
    assert states(engine, share="0.01%", rest="99.99%", topic_outlet=", dead_letter: archive") == {
        "dead_lettered": 3
    }
    # a consumer of the dead letters from which shipping can be reached keeps the instance alive
    outlet = {"failures": "100%", "service_outlet": ", dead_letter: dlq"}
    assert states(engine, **outlet) == {"dead_lettered": 3}
    assert states(engine, **outlet, reader=", emits: parcels") == {"completed": 3}
    assert states(engine, **outlet, reader=", cost_per_instance_hour: 1") == {"dead_lettered": 3}


def test_S35_dead_lettered_comes_before_dropped(engine: str) -> None:
    """Of the three parcels of an order one is dropped at 1 s and one dead-lettered at 3 s: dead-lettered."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 1}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, copies: 3}]}
          shipping: {consumes: parcels, service_time: 2s, failures: 100%}
        """,
    )
    assert run.line("parcels", "shipping").rejected == 1
    assert run.states("checkout") == {"dead_lettered": 1}


def test_S36_good_and_bad_instances(engine: str) -> None:
    """One order a second, 2 s of work each: latencies 2, 3, 4, 5 s ... Within 3 s the first two are good at
    their completion, the others bad 3 s after their start; without `within` all are good when they
    complete."""
    run = simulate(
        engine,
        """
        topics: {orders: {capacity: 3}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, service_time: 2s}}
        objectives:
          - {name: in time, flow: checkout, within: 3s, target: 90%}
          - {name: not lost, flow: checkout, target: 90%}
        """,
        until="10s",
        run="sample_every: 1s",
    )
    # waiting grows by one every 2 s: 4 wait (3 fit) from 7 s on, when #7 is rejected, as is #9
    #                                 0  1  2  3  4  5  6  7  8  9  after
    assert run.objective("in time")[0] == [0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
    assert run.objective("in time")[1] == [0, 0, 0, 0, 0, 1, 1, 2, 1, 2, 0]
    assert run.objective("not lost")[0] == [0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]
    assert run.objective("not lost")[1] == [0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0]


def test_S36_in_flight_counts_as_bad_when_it_is_older_than_within(engine: str) -> None:
    """At the end, 8 s: the orders of 0 s and 4 s are in flight; with `within` 4 s only the older one is
    bad."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 4s}}}
        services: {payment: {consumes: orders, concurrency: 2, service_time: 9s}}
        objectives: [{name: in time, flow: checkout, within: 4s, target: 90%}]
        """,
        until="8s",
        run="sample_every: 4s",
    )
    assert run.objective("in time") == ([0, 0, 0], [0, 1, 0])


def test_S36_an_instance_is_bad_from_its_first_loss_on(engine: str) -> None:
    """Of three parcels one is rejected at 1 s and one dead-lettered at 3 s: bad at 1 s, and dead-lettered."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 1}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, copies: 3}]}
          shipping: {consumes: parcels, service_time: 2s, failures: 100%}
        objectives: [{name: not lost, flow: checkout, target: 90%}]
        """,
        until="6s",
        run="sample_every: 1s",
    )
    assert run.states("checkout") == {"dead_lettered": 1}
    assert run.objective("not lost") == ([0] * 7, [0, 1, 0, 0, 0, 0, 0])


def test_S37_what_is_accepted_late_inherits_the_time_it_waited(engine: str) -> None:
    """The second parcel waits 4 s for room at shipping; that belongs to the service time of payment."""
    run = simulate(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 0, when_full: block}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services:
          payment: {consumes: orders, concurrency: 2, service_time: 1s, emits: parcels}
          shipping: {consumes: parcels, service_time: 4s}
        """,
    )
    flow = run.flow("checkout")
    assert flow.latency == (2, 5 + 9)
    assert flow.parts == {"payment.service": 1 + 5, "shipping.service": 8}


def test_S37_the_parts_of_the_last_success_add_up_to_the_latency(engine: str) -> None:
    """1 s topic delay, 3 s wait behind the first order, 2 s work twice with a retry of 3 s, then 1 s at
    shipping."""
    run = simulate(
        engine,
        """
        topics: {orders: {delay: 1s}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services:
          payment: {consumes: orders, service_time: 2s, emits: [{topic: parcels, delay: 1s}],
                    retry: {maximum_attempts: 2, initial_interval: 3s}}
          shipping: {consumes: parcels, service_time: 1s}
        faults: [{name: errors, at: 0s, for: 2s, target: services.payment, effect: {error_rate: 100%}}]
        """,
    )
    # #0: visible 1, taken 1, failed 3, again 6 to 8, delayed 1, shipped 9 to 10
    # #1: visible 1, taken 3, done 5, delayed 1, shipped 6 to 7
    flow = run.flow("checkout")
    assert flow.latency == (2, 10 + 7)
    assert flow.parts == {
        "payment.delay": 1 + 1,
        "payment.wait": 0 + 2,
        "payment.service": 4 + 2,
        "payment.retry": 3,
        "shipping.delay": 1 + 1,
        "shipping.service": 1 + 1,
    }


# -------------------------------------------------------------------------------------------------- measures


def test_S38_lag_counts_from_publishing_until_it_settles(engine: str) -> None:
    """Delayed to 2 s, in work to 4 s, backing off to 7 s, in work to 9 s: lag 1 and an age that grows all
    the time."""
    run = simulate(
        engine,
        """
        topics: {orders: {delay: 2s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, service_time: 2s, failures: 100%,
                             retry: {maximum_attempts: 2, initial_interval: 3s}}}
        """,
        until="12s",
        run="sample_every: 1s",
    )
    line = run.line("orders", "payment")
    assert list(line.lag.samples) == [1] * 9 + [0] * 3
    assert list(line.age_samples) == [*range(9), 0, 0, 0]
    assert line.lag.integral == pytest.approx(9)
    assert line.waiting.integral == pytest.approx(0)
    assert run.service("payment").busy.integral == pytest.approx(4)


def test_S39_durations(engine: str) -> None:
    """#1 is visible at 1 s, waits to 3 s, fails at 5 s, is visible again at 6 s, succeeds from 6 s to 8 s."""
    run = simulate(
        engine,
        """
        topics: {orders: {delay: 1s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services: {payment: {consumes: orders, service_time: 2s,
                             retry: {maximum_attempts: 2, initial_interval: 1s}}}
        faults: [{name: errors, at: 3s, for: 1s, target: services.payment, effect: {error_rate: 100%}}]
        """,
    )
    service = run.service("payment")
    assert service.wait == (3, 0 + 2 + 0)
    assert service.service == (3, 6)
    assert service.sojourn == (2, 2 + 7)
    assert run.line("orders", "payment").event_lag == (2, 1 + 3)


def test_S40_the_warm_up_is_not_measured(engine: str) -> None:
    """From 4 s on: the order of 2 s ends in it and its attempt counts as a success, but it is no flow
    instance."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, concurrency: unlimited, service_time: 3s}}
        """,
        until="10s",
        run="warmup: 4s",
    )
    service, flow = run.service("payment"), run.flow("checkout")
    assert (service.attempts, service.succeeded) == (3, 3)  # taken at 4, 6, 8; ended at 5, 7, 9
    assert (flow.started, flow.completed, flow.in_flight) == (3, 2, 1)
    line = run.line("orders", "payment")
    assert (line.published, line.finished) == (3, 3)
    assert line.lag.integral == pytest.approx(1 + 3 + 3 + 2)


def test_S41_everything_published_is_somewhere(engine: str) -> None:
    """All places a message can be in at the end, at once; the lag's integral is the time spent in the
    line."""
    run = simulate(
        engine,
        """
        topics: {orders: {capacity: 3, message_ttl: 1500ms, delay: {uniform: [0s, 2s]}}}
        producers: {checkout: {topic: orders, arrivals: {poisson: 4/s}}}
        services: {payment: {consumes: orders, concurrency: 2, service_time: {exponential: 1s}, failures: 40%,
                             retry: {maximum_attempts: 2, initial_interval: 500ms}}}
        """,
        until="60s",
        run="warmup: 7s",
    )
    line, flow = run.line("orders", "payment"), run.flow("checkout")
    happened = Counter(event.what for event in run.events)
    left = sum(happened[word] for word in ("rejected", "succeeded", "dead_lettered", "expired"))
    here = line.delayed_at_end + line.waiting_at_end + line.backing_off_at_end + line.in_work_at_end
    assert happened["published"] == left + here
    for count in (line.rejected, line.finished, line.dead_lettered, line.expired):
        assert count > 0
    assert flow.started == sum(run.states("checkout").values())
    entered, time_in_line_s = {}, 0.0
    for event in run.events:
        if event.what == "published":
            entered[event.number] = event.time_s
        elif event.what in ("rejected", "succeeded", "dead_lettered", "expired"):
            time_in_line_s += max(0.0, event.time_s - max(7.0, entered.pop(event.number)))
    time_in_line_s += sum(60 - max(7.0, published_s) for published_s in entered.values())
    assert line.lag.integral == pytest.approx(time_in_line_s, rel=1e-9)


# ------------------------------------------------------------------------------------------------- instances


def test_S42_messages_of_a_queue_go_round_the_instances(engine: str) -> None:
    """Every instance is free at each order, and gets every third; at 7 s instance 1 is down and is passed
    over."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, instances: 3, service_time: 1s}}
        faults:
          - {name: two crash, at: 7s, for: 100s, target: services.payment, effect: {crash: {instances: 2}}}
        """,
        """
        0 s   payment  checkout#0  taken by 0
        1 s   payment  checkout#0  succeeded
        2 s   payment  checkout#1  taken by 1
        3 s   payment  checkout#1  succeeded
        4 s   payment  checkout#2  taken by 2
        5 s   payment  checkout#2  succeeded
        6 s   payment  checkout#3  taken by 0
        7 s   payment  checkout#3  succeeded
        7 s   payment  instance 0  crashed
        7 s   payment  instance 1  crashed
        8 s   payment  checkout#4  taken by 2
        9 s   payment  checkout#4  succeeded
        10 s  payment  checkout#5  taken by 2
        """,
        until="11s",
        instances=True,
    )


def test_S42_on_a_log_the_owner_takes(engine: str) -> None:
    """Partitions 0 and 1 belong to instance 0, partition 2 to instance 1, whoever is free."""
    check(
        engine,
        """
        topics: {orders: {partitions: 3}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, instances: 2, service_time: 3s, shed: {wait_over: 100s}}}
        """,
        """
        0 s  payment  checkout#0  taken by 0
        2 s  payment  checkout#2  taken by 1
        3 s  payment  checkout#0  succeeded
        3 s  payment  checkout#1  taken by 0
        5 s  payment  checkout#2  succeeded
        5 s  payment  checkout#5  taken by 1
        6 s  payment  checkout#1  succeeded
        6 s  payment  checkout#3  taken by 0
        """,
        until="7s",
        instances=True,
    )


def test_S43_an_instance_that_starts_is_up_after_the_startup_time(engine: str) -> None:
    """Down from 1 s to 3 s, starting until 7 s; the slots that are up are counted without it, the instances
    that there are with it."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {interarrival: 2s}}}
        services: {payment: {consumes: orders, concurrency: 2, service_time: 1s, startup_time: 4s}}
        faults: [{name: crash, at: 1s, for: 2s, target: services.payment, effect: {crash: {instances: all}}}]
        """,
        """
        1 s   payment  instance 0  crashed
        3 s   payment  instance 0  starting
        7 s   payment  instance 0  up
        7 s   payment  checkout#0  taken
        7 s   payment  checkout#1  taken
        8 s   payment  checkout#0  succeeded
        8 s   payment  checkout#2  taken
        8 s   payment  checkout#1  succeeded
        8 s   payment  checkout#3  taken
        9 s   payment  checkout#2  succeeded
        9 s   payment  checkout#3  succeeded
        """,
        until="10s",
        run="sample_every: 2s",
    )
    service, mechanisms = run.service("payment"), run.mechanisms("payment")
    assert (mechanisms.crashes, mechanisms.starts) == (1, 1)
    assert service.slot_seconds == pytest.approx(2 * (10 - 6))
    assert service.instance_seconds == pytest.approx(10)
    assert list(service.instances_samples) == [1, 0, 0, 0, 1]


def test_S43_the_startup_time_belongs_to_the_instance_and_its_start(engine: str) -> None:
    """Two instances crash twice; each of the four times is the hash of the instance's number and start."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, instances: 2, service_time: 1s, startup_time: {uniform: [1s, 5s]}}
        faults:
          - {name: crash, at: 2s, for: 1s, repeat_every: 10s, target: services.payment,
             effect: {crash: {instances: all}}}
        """,
        until="20s",
        run="seed: 5",
    )
    starting, times = {}, {}
    for event in run.events:
        if event.what == "starting":
            starts = len([start for start in starting if start[0] == event.number]) + 1
            starting[event.number, starts] = event.time_s
        elif event.what == "up":
            start = max(start for start in starting if start[0] == event.number)
            times[start] = event.time_s - starting[start]
    assert set(times) == {(0, 1), (1, 1), (0, 2), (1, 2)}
    for (number, start), time_s in times.items():
        identity = mix((key("services.payment/instances") + (number + 1) * G) % WORD)
        u = uniform(5, 0, "services.payment/startup_time", identity, start)
        assert time_s == pytest.approx(1 + 4 * u, rel=1e-9)


def test_S44_a_crash_loses_the_attempts_in_work(engine: str) -> None:
    """Both instances crash, one after the other: each puts its order at the head of the queue, instance 1
    last, so that order 1 is the first to be taken again, and order 2, which waited all the time, the last."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, instances: 2, service_time: 4s}}
        faults:
          - {name: crash, at: 2500ms, for: 1s, target: services.payment, effect: {crash: {instances: all}}}
        """,
        """
        0 s    payment  checkout#0  taken by 0
        1 s    payment  checkout#1  taken by 1
        2.5 s  payment  instance 0  crashed
        2.5 s  payment  checkout#0  lost
        2.5 s  payment  instance 1  crashed
        2.5 s  payment  checkout#1  lost
        3.5 s  payment  instance 0  starting
        3.5 s  payment  instance 1  starting
        3.5 s  payment  instance 0  up
        3.5 s  payment  checkout#1  taken by 0 (attempt 2)
        3.5 s  payment  instance 1  up
        3.5 s  payment  checkout#0  taken by 1 (attempt 2)
        7.5 s  payment  checkout#0  succeeded
        7.5 s  payment  checkout#2  taken by 1
        7.5 s  payment  checkout#1  succeeded
        7.5 s  payment  checkout#3  taken by 0
        """,
        until="8s",
        instances=True,
    )
    service = run.service("payment")
    assert (service.attempts, service.lost, service.succeeded, service.failed) == (6, 2, 2, 0)


def test_S44_the_orders_of_an_instance_come_back_as_they_were_taken(engine: str) -> None:
    """The first instance by number crashes, with two slots."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, instances: 2, concurrency: 2, service_time: 10s}}
        faults:
          - {name: crash, at: 4500ms, for: 1s, target: services.payment, effect: {crash: {instances: 1}}}
        """,
        """
        0 s    payment  checkout#0  taken by 0
        1 s    payment  checkout#1  taken by 1
        2 s    payment  checkout#2  taken by 0
        3 s    payment  checkout#3  taken by 1
        4.5 s  payment  instance 0  crashed
        4.5 s  payment  checkout#0  lost
        4.5 s  payment  checkout#2  lost
        5.5 s  payment  instance 0  starting
        5.5 s  payment  instance 0  up
        5.5 s  payment  checkout#0  taken by 0 (attempt 2)
        5.5 s  payment  checkout#2  taken by 0 (attempt 2)
        """,
        until="6s",
        instances=True,
    )


def test_S44_what_waits_to_be_published_is_lost_and_a_blocking_retry_goes_back(engine: str) -> None:
    """Payment's order 0 waits for room at shipping when payment crashes: the room at 5 s is for nobody, and
    payment does the order again when it is up. Fraud's order 0 held its slot for a retry at 6 s: it is taken
    again when fraud is up."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {capacity: 0, when_full: block}}
        producers:
          direct: {topic: parcels, arrivals: {every: 100s}}
          checkout: {topic: orders, arrivals: {every: 100s}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: parcels}
          shipping: {consumes: parcels, service_time: 5s}
          fraud: {consumes: orders, service_time: 1s, failures: 100%,
                  retry: {maximum_attempts: 9, initial_interval: 5s, blocking: true}}
        faults:
          - {name: payment, at: 2s, for: 4s, target: services.payment, effect: {crash: {instances: all}}}
          - {name: fraud, at: 2s, for: 1s, target: services.fraud, effect: {crash: {instances: all}}}
        """,
        """
        0 s  payment   checkout#0  taken
        0 s  shipping  direct#0    taken
        0 s  fraud     checkout#0  taken
        1 s  payment   checkout#0  blocked by parcels
        1 s  fraud     checkout#0  failed
        1 s  fraud     checkout#0  retry at 6 s
        2 s  payment   instance 0  crashed
        2 s  payment   checkout#0  lost
        2 s  fraud     instance 0  crashed
        3 s  fraud     instance 0  starting
        3 s  fraud     instance 0  up
        3 s  fraud     checkout#0  taken (attempt 2)
        4 s  fraud     checkout#0  failed
        4 s  fraud     checkout#0  retry at 14 s
        5 s  shipping  direct#0    succeeded
        6 s  payment   instance 0  starting
        6 s  payment   instance 0  up
        6 s  payment   checkout#0  taken (attempt 2)
        7 s  payment   checkout#0  succeeded
        7 s  shipping  checkout#0  taken
        """,
        until="8s",
    )
    assert run.service("payment").busy.integral == 3.0  # 0 to 2 s and 6 to 7 s
    assert run.service("payment").slot_seconds == 4.0


def test_S44_what_was_published_before_a_crash_is_published_again(engine: str) -> None:
    """Payment's order 0 has published its invoice and waits with the parcel when it crashes, at 2 s: its next
    attempt publishes both. The second invoice is another message than the first one."""
    run = check(
        engine,
        """
        topics: {orders: {}, bills: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [bills, parcels]}
          billing: {consumes: bills, service_time: 0s}
        faults:
          - {name: away, at: 0s, for: 3s, target: topics.parcels, effect: {unavailable: true}}
          - {name: crash, at: 2s, for: 2s, target: services.payment, effect: {crash: {instances: all}}}
        flows: {bill: {from: checkout, to: billing}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  billing  checkout#0  taken
        1 s  billing  checkout#0  succeeded
        2 s  payment  instance 0  crashed
        2 s  payment  checkout#0  lost
        4 s  payment  instance 0  starting
        4 s  payment  instance 0  up
        4 s  payment  checkout#0  taken (attempt 2)
        5 s  payment  checkout#0  succeeded
        5 s  payment  checkout#1  taken
        5 s  billing  checkout#0  taken
        5 s  billing  checkout#0  succeeded
        5 s  parcels  checkout#0  rested
        """,
        until="5.5s",
    )
    assert run.flow("bill").latency == (1, 5.0)  # the last success counts
    bills = [e for e in run.events if e.where == "billing" and e.what == "taken"]
    base = 3  # the smallest odd number above the two emission slots of the file
    assert [e.path for e in bills] == [1, 1 * base]


def test_S45_a_rolling_restart_takes_one_instance_after_the_other(engine: str) -> None:
    """Instance 0 leaves at 1 s, ends its order at 4 s and is up at 6 s; 2 s later instance 1 leaves, which is
    idle; instance 2 would leave at 12 s, when the fault is over."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 3s}}}
        services: {payment: {consumes: orders, instances: 3, service_time: 4s, startup_time: 2s}}
        faults:
          - {name: deploy, at: 1s, for: 11s, target: services.payment,
             effect: {rolling_restart: {pause_between: 2s}}}
        """,
        """
        0 s   payment  checkout#0  taken by 0
        1 s   payment  instance 0  leaving
        3 s   payment  checkout#1  taken by 1
        4 s   payment  checkout#0  succeeded
        4 s   payment  instance 0  starting
        6 s   payment  instance 0  up
        6 s   payment  checkout#2  taken by 2
        7 s   payment  checkout#1  succeeded
        8 s   payment  instance 1  leaving
        8 s   payment  instance 1  starting
        9 s   payment  checkout#3  taken by 0
        10 s  payment  checkout#2  succeeded
        10 s  payment  instance 1  up
        12 s  payment  checkout#4  taken by 1
        13 s  payment  checkout#3  succeeded
        """,
        until="14s",
        instances=True,
    )


def test_S46_instances_hold_messages_ahead_of_their_slots(engine: str) -> None:
    """Six orders at once: round the instances two each ahead, and when those take, on it goes. Order 5 was
    delivered to instance 1 and waits for it, although instance 0 is idle from 4 s on."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 6}}
        services: {payment: {consumes: orders, instances: 2, prefetch: 2, service_time: 2s}}
        faults:
          - {name: slow, target: services.payment, effect: {slowdown: 1x, pause: true}, at: 3s, for: 1s}
        """,
        """
        0 s  payment  checkout#0  delivered to 0
        0 s  payment  checkout#0  taken by 0
        0 s  payment  checkout#1  delivered to 1
        0 s  payment  checkout#1  taken by 1
        0 s  payment  checkout#2  delivered to 0
        0 s  payment  checkout#3  delivered to 1
        0 s  payment  checkout#4  delivered to 0
        0 s  payment  checkout#5  delivered to 1
        2 s  payment  checkout#0  succeeded
        2 s  payment  checkout#2  taken by 0
        2 s  payment  checkout#1  succeeded
        2 s  payment  checkout#3  taken by 1
        4 s  payment  checkout#2  succeeded
        4 s  payment  checkout#4  taken by 0
        4 s  payment  checkout#3  succeeded
        4 s  payment  checkout#5  taken by 1
        """,
        until="5s",
        instances=True,
    )
    assert run.mechanisms("payment").held_ahead.integral == pytest.approx(4 * 2 + 2 * 2)
    assert run.line("orders", "payment").waiting.integral == pytest.approx(4 * 2 + 2 * 2)


def test_S46_what_is_held_ahead_leaves_room_and_does_not_expire(engine: str) -> None:
    """Orders 1 and 2 are held ahead; order 3 takes the one place that there is and order 4 is rejected. Order
    3 expires at 3 s; those held ahead do not."""
    run = check(
        engine,
        """
        topics: {orders: {capacity: 1, message_ttl: 3s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 5}}
        services: {payment: {consumes: orders, prefetch: 2, service_time: 4s}}
        """,
        """
        0 s  payment  checkout#0  delivered to 0
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  delivered to 0
        0 s  payment  checkout#2  delivered to 0
        0 s  payment  checkout#4  rejected
        3 s  payment  checkout#3  expired
        4 s  payment  checkout#0  succeeded
        4 s  payment  checkout#1  taken
        8 s  payment  checkout#1  succeeded
        8 s  payment  checkout#2  taken
        """,
        until="9s",
    )
    line = run.line("orders", "payment")
    assert (line.rejected, line.expired, line.in_work_at_end) == (1, 1, 1)


def test_S46_while_a_service_is_paused_its_instances_hold_messages_ahead(engine: str) -> None:
    """Nothing is taken before 3 s, but one order for each instance is delivered."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, instances: 2, prefetch: 1, service_time: 5s}}
        faults: [{name: pause, at: 0s, for: 3s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  payment  checkout#0  delivered to 0
        1 s  payment  checkout#1  delivered to 1
        3 s  payment  checkout#0  taken by 0
        3 s  payment  checkout#1  taken by 1
        3 s  payment  checkout#2  delivered to 0
        3 s  payment  checkout#3  delivered to 1
        """,
        until="4s",
        instances=True,
    )


def test_S47_a_lost_message_is_the_next_one_to_be_taken(engine: str) -> None:
    """The only instance crashes with order 0 in work and order 1 held ahead. Instance 0 takes order 0 again
    at 4 s, then order 1, then order 2, which never left the queue."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, prefetch: 1, service_time: 3s}}
        faults:
          - {name: crash, at: 2500ms, for: 1500ms, target: services.payment, effect: {crash: all}}
        """,
        """
        0 s    payment  checkout#0  visible
        0 s    payment  checkout#0  delivered to 0
        0 s    payment  checkout#0  taken
        1 s    payment  checkout#1  visible
        1 s    payment  checkout#1  delivered to 0
        2 s    payment  checkout#2  visible
        2.5 s  payment  instance 0  crashed
        2.5 s  payment  checkout#0  lost
        2.5 s  payment  checkout#1  withdrawn
        2.5 s  payment  checkout#1  visible
        2.5 s  payment  checkout#0  visible
        3 s    payment  checkout#3  visible
        4 s    payment  instance 0  up
        4 s    payment  checkout#0  delivered to 0
        4 s    payment  checkout#0  taken (attempt 2)
        4 s    payment  checkout#1  delivered to 0
        4 s    payment  checkout#4  visible
        5 s    payment  checkout#5  visible
        6 s    payment  checkout#6  visible
        7 s    payment  checkout#0  succeeded
        7 s    payment  checkout#1  taken
        7 s    payment  checkout#2  delivered to 0
        7 s    payment  checkout#7  visible
        """,
        show="visible delivered taken crashed lost withdrawn up succeeded",
        until="8s",
    )
    parts = run.flow("checkout").parts
    assert parts == pytest.approx({"payment.retry": 2.5, "payment.wait": 1.5, "payment.service": 3})


def test_S47_what_comes_back_too_late_expires(engine: str) -> None:
    """Order 0 was in work when its time ran out at 2 s; the crash at 3 s brings it back too late."""
    check(
        engine,
        """
        topics: {orders: {message_ttl: 2s}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, service_time: 9s}}
        faults: [{name: crash, at: 3s, for: 1s, target: services.payment, effect: {crash: {instances: all}}}]
        """,
        """
        0 s  payment  checkout#0  taken
        3 s  payment  instance 0  crashed
        3 s  payment  checkout#0  lost
        3 s  payment  checkout#0  expired
        4 s  payment  instance 0  starting
        4 s  payment  instance 0  up
        """,
    )


def test_S47_a_lifo_queue_takes_a_lost_message_next_too(engine: str) -> None:
    check(
        engine,
        """
        topics: {orders: {order: lifo}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, service_time: 9s}}
        faults:
          - {name: crash, at: 2500ms, for: 1s, target: services.payment, effect: {crash: {instances: all}}}
        """,
        """
        0 s    payment  checkout#0  taken
        3.5 s  payment  checkout#3  taken
        """,
        show="taken",
        until="4s",
    )


def test_S48_after_the_visibility_time_out_a_message_is_delivered_again(engine: str) -> None:
    """Order 0 takes 5 s: at 3 s it is visible again, behind order 1, while its first attempt goes on."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 2500ms}}}
        services: {payment: {consumes: orders, visibility_timeout: 3s, service_time: 5s}}
        """,
        """
        0 s    payment  checkout#0  visible
        0 s    payment  checkout#0  taken
        2.5 s  payment  checkout#1  visible
        3 s    payment  checkout#0  visible
        5 s    payment  checkout#0  succeeded
        5 s    payment  checkout#1  taken
        5 s    payment  checkout#2  visible
        """,
        show="visible taken succeeded",
        until="6s",
    )
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services: {payment: {consumes: orders, prefetch: 1, visibility_timeout: 3s, service_time: 2s}}
        faults: [{name: pause, at: 1s, for: 9s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  payment  checkout#0  delivered to 0
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  delivered to 0
        2 s  payment  checkout#0  succeeded
        3 s  payment  checkout#1  withdrawn
        3 s  payment  checkout#1  delivered to 0
        6 s  payment  checkout#1  withdrawn
        6 s  payment  checkout#1  delivered to 0
        """,
        until="8s",
    )


def test_S48_a_queue_with_a_visibility_time_out_does_not_see_a_crash(engine: str) -> None:
    """The crash at 1 s loses the attempt; the order comes back when its time-out is over, at 4 s."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, visibility_timeout: 4s, service_time: 2s}}
        faults: [{name: crash, at: 1s, for: 1s, target: services.payment, effect: {crash: {instances: all}}}]
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  instance 0  crashed
        1 s  payment  checkout#0  lost
        2 s  payment  instance 0  starting
        2 s  payment  instance 0  up
        4 s  payment  checkout#0  taken (attempt 2)
        6 s  payment  checkout#0  succeeded
        """,
    )


def test_S49_a_message_delivered_too_often_is_dead_lettered(engine: str) -> None:
    """Two attempts may begin; both take too long for the visibility time-out. The line counts a dead letter,
    the service does not: no attempt failed. The success of 6 s comes too late."""
    run = check(
        engine,
        """
        topics: {orders: {}, dlq: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, instances: 2, visibility_timeout: 2s, service_time: 6s,
                             retry: {maximum_attempts: 2}, dead_letter: dlq}}
        """,
        """
        0 s  payment  checkout#0  taken by 0
        2 s  payment  checkout#0  taken by 1 (attempt 2)
        4 s  payment  checkout#0  dead lettered
        4 s  dlq      checkout#0  rested
        6 s  payment  checkout#0  duplicate
        8 s  payment  checkout#0  duplicate
        """,
        instances=True,
    )
    service, line = run.service("payment"), run.line("orders", "payment")
    assert (line.dead_lettered, service.dead_lettered, service.failed, service.duplicates) == (1, 0, 0, 2)
    assert run.states("checkout") == {"dead_lettered": 1}


def test_S50_an_overtaken_attempt_may_still_succeed(engine: str) -> None:
    """Order 0 is visible again at 2 s and in work again when its first attempt succeeds at 5 s: that settles
    it and ships it; the second success, at 7 s, is a duplicate and ships nothing."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, concurrency: 2, visibility_timeout: 2s, service_time: 5s,
                             emits: parcels}}
        faults: [{name: pause, at: 3s, for: 5s, target: services.payment, effect: {pause: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#0  taken (attempt 2)
        5 s  payment  checkout#0  succeeded
        5 s  parcels  checkout#0  rested
        7 s  payment  checkout#0  duplicate
        """,
    )
    service = run.service("payment")
    assert (service.attempts, service.succeeded, service.duplicates, service.first_successes) == (2, 2, 1, 1)
    assert run.flow("checkout").parts == pytest.approx({"payment.service": 5})


def test_S50_without_idempotence_a_duplicate_emits_again_outside_the_flow(engine: str) -> None:
    """Shipping gets the parcel of the duplicate too, but the flow instance was complete at 6 s."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, concurrency: 2, visibility_timeout: 2s, service_time: 3s,
                    emits: parcels, idempotent: false}
          shipping: {consumes: parcels, service_time: 1s}
        """,
        """
        0 s  payment   checkout#0  taken
        2 s  payment   checkout#0  taken (attempt 2)
        3 s  payment   checkout#0  succeeded
        3 s  shipping  checkout#0  taken
        4 s  shipping  checkout#0  succeeded
        5 s  payment   checkout#0  duplicate
        5 s  shipping  checkout#0  taken
        6 s  shipping  checkout#0  succeeded
        """,
    )
    assert run.flow("checkout").latency == (1, pytest.approx(4))


def test_S50_the_failure_of_an_overtaken_attempt_changes_nothing(engine: str) -> None:
    """The first attempt times out at 4 s, when its order is in work again: it counts as failed and retried,
    but there is no back-off."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, concurrency: 2, visibility_timeout: 3s, service_time: 9s,
                             timeout: 4s, retry: {maximum_attempts: 2, initial_interval: 1s}}}
        """,
        """
        0 s  payment  checkout#0  taken
        3 s  payment  checkout#0  taken (attempt 2)
        4 s  payment  checkout#0  timed out
        6 s  payment  checkout#0  dead lettered
        7 s  payment  checkout#0  timed out
        """,
    )
    service = run.service("payment")
    assert (service.failed, service.retried, service.dead_lettered) == (2, 2, 0)


# ------------------------------------------------------------------------------- logs with changing owners


OWNERS = """
topics: {{orders: {{partitions: 6}}}}
producers: {{checkout: {{topic: orders, arrivals: {{every: 100s}}, copies: 6}}}}
services:
  payment: {{consumes: orders, instances: 3, concurrency: unlimited, service_time: 100s, {rebalance}}}
faults:
  - {{name: crash, at: 1s, for: 99s, target: services.payment, effect: {{crash: {{instances: 1}}}}}}
"""
"""Six partitions, one order in each, and instance 0 crashes."""


def owners(engine: str, rebalance: str) -> list[tuple[int, int]]:
    """Which instance takes the order of each partition: (before the crash, afterwards or -1)."""
    run = simulate(engine, OWNERS.format(rebalance=rebalance), until="10s")
    taken = {}
    for event in run.events:
        if event.what == "taken":
            taken.setdefault(event.number, []).append(int(event.value))
    return [(instances[0], *instances[1:]) for _, instances in sorted(taken.items())]


def test_S51_owners_by_range_and_balanced(engine: str) -> None:
    """Instance 0 owned partitions 0 and 1. Anew by range, instances 1 and 2 get three partitions each, and so
    partition 0 to 2 belong to instance 1. Cooperative, instance 1 keeps 2 and 3, instance 2 keeps 4 and 5,
    and each gets one of the others. (The orders of partitions 2 to 5 are in work and not lost.)"""
    by_range = [(0, 1), (0, 1), (1,), (1,), (2,), (2,)]
    assert owners(engine, "startup_time: 1s") == by_range
    assert owners(engine, "rebalance: {protocol: eager, pause: 0s, session_timeout: 1s}") == by_range
    balanced = [(0, 1), (0, 2), (1,), (1,), (2,), (2,)]
    assert owners(engine, "rebalance: {protocol: cooperative, pause: 0s, session_timeout: 1s}") == balanced


def test_S51_the_partitions_of_several_topics_are_balanced_together(engine: str) -> None:
    """Two topics of three partitions and two instances: by range, topic by topic, instance 0 owns two of
    each; balanced together, each instance owns three."""
    text = """
        topics: {orders: {partitions: 3}, returns: {partitions: 3}}
        producers:
          checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}
          clerk: {topic: returns, arrivals: {every: 100s}, copies: 3}
        services:
          payment: {consumes: [orders, returns], instances: 2, concurrency: unlimited, service_time: 1s,
                    rebalance: {protocol: PROTOCOL}}
        """
    for protocol, shares in (("eager", [0, 0, 1, 0, 0, 1]), ("cooperative", [0, 0, 0, 1, 1, 1])):
        run = simulate(engine, text.replace("PROTOCOL", protocol), until="1s")
        assert [int(event.value) for event in run.events if event.what == "taken"] == shares


def test_S52_a_crash_is_noticed_after_the_session_time_out(engine: str) -> None:
    """Instance 0 crashes at 1 s; nobody takes from its partition until the session time-out of 3 s and the
    pause of 2 s are over. Eager, instance 1 takes nothing in the pause either, but ends its order. Instance 0
    is back at 9 s, which is the next rebalance; at 11 s its partition is its own again."""
    run = check(
        engine,
        """
        topics: {orders: {partitions: 2}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, instances: 2, concurrency: 2, service_time: 1500ms,
                    rebalance: {protocol: eager, pause: 2s, session_timeout: 3s}}
        faults: [{name: crash, at: 1s, for: 8s, target: services.payment, effect: {crash: {instances: 1}}}]
        """,
        """
        0 s     payment  checkout#0  taken by 0
        1 s     payment  instance 0  crashed
        1 s     payment  checkout#0  lost
        1 s     payment  checkout#1  taken by 1
        2.5 s   payment  checkout#1  succeeded
        3 s     payment  checkout#3  taken by 1
        4 s     payment  rebalance started
        4.5 s   payment  checkout#3  succeeded
        6 s     payment  rebalance over
        6 s     payment  checkout#0  taken by 1 (attempt 2)
        6 s     payment  checkout#5  taken by 1
        7.5 s   payment  checkout#0  succeeded
        7.5 s   payment  checkout#2  taken by 1
        7.5 s   payment  checkout#5  succeeded
        7.5 s   payment  checkout#7  taken by 1
        9 s     payment  checkout#2  succeeded
        9 s     payment  checkout#4  taken by 1
        9 s     payment  checkout#7  succeeded
        9 s     payment  instance 0  starting
        9 s     payment  instance 0  up
        9 s     payment  rebalance started
        10.5 s  payment  checkout#4  succeeded
        11 s    payment  rebalance over
        11 s    payment  checkout#6  taken by 0
        11 s    payment  checkout#9  taken by 1
        """,
        until="12s",
        instances=True,
    )
    mechanisms = run.mechanisms("payment")
    assert (mechanisms.rebalances, mechanisms.partitions) == (2, 2)
    # partition 0 from the crash on and both in the pauses
    assert mechanisms.stopped.integral == pytest.approx((4 - 1) + 2 * 2 + 2 * 2)
    assert mechanisms.stopped.maximum == 2


def test_S52_cooperative_only_partitions_that_change_hands_stop(engine: str) -> None:
    """The same crash: in the first pause instance 1 goes on with partition 1. When instance 0 is back,
    instance 1 keeps the lower of its partitions, 0, and 1 changes hands."""
    check(
        engine,
        """
        topics: {orders: {partitions: 2}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, instances: 2, concurrency: 2, service_time: 1500ms,
                    rebalance: {protocol: cooperative, pause: 2s, session_timeout: 3s}}
        faults: [{name: crash, at: 1s, for: 8s, target: services.payment, effect: {crash: {instances: 1}}}]
        """,
        """
        0 s   payment  checkout#0  taken by 0
        1 s   payment  checkout#1  taken by 1
        3 s   payment  checkout#3  taken by 1
        4 s   payment  rebalance started
        5 s   payment  checkout#5  taken by 1
        6 s   payment  rebalance over
        6 s   payment  checkout#0  taken by 1 (attempt 2)
        7 s   payment  checkout#7  taken by 1
        7.5 s   payment  checkout#2  taken by 1
        9 s   payment  checkout#4  taken by 1
        9 s   payment  rebalance started
        10.5 s  payment  checkout#6  taken by 1
        11 s  payment  rebalance over
        11 s  payment  checkout#9  taken by 0
        """,
        show="taken rebalance_started rebalance_over",
        until="12s",
        instances=True,
    )


def test_S52_back_before_the_session_time_out_and_without_rebalance(engine: str) -> None:
    """Instance 0 is back after 1 s: coming up is a change, though nothing changes hands. Without `rebalance`
    its partition belongs to instance 1 at once, and is its own again when it is back."""
    text = """
        topics: {orders: {partitions: 2}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, instances: 2, service_time: 100ms, REBALANCE}}
        faults:
          - {name: crash, at: 1500ms, for: 1s, target: services.payment, effect: {crash: {instances: 1}}}
        """
    check(
        engine,
        text.replace("REBALANCE", "rebalance: {protocol: cooperative, pause: 2s, session_timeout: 3s}"),
        """
        0 s    payment  checkout#0  taken by 0
        1 s    payment  checkout#1  taken by 1
        2.5 s  payment  rebalance started
        2.5 s  payment  checkout#2  taken by 0
        3 s    payment  checkout#3  taken by 1
        4 s    payment  checkout#4  taken by 0
        4.5 s  payment  rebalance over
        """,
        show="taken rebalance_started rebalance_over",
        until="5s",
        instances=True,
    )
    check(
        engine,
        text.replace("REBALANCE", "startup_time: 1s"),
        """
        0 s    payment  checkout#0  taken by 0
        1 s    payment  checkout#1  taken by 1
        2 s    payment  checkout#2  taken by 1
        3 s    payment  checkout#3  taken by 1
        4 s    payment  checkout#4  taken by 0
        """,
        show="taken rebalance_started rebalance_over",
        until="5s",
        instances=True,
    )


def test_S53_the_time_a_partition_stood_still_is_a_part_of_its_own(engine: str) -> None:
    """Order 0 waits 1 s for order 9 of the clerk, then its partition stands still for 4 s, and then it waits
    another second for a token: 2 s of wait and 4 s of rebalance."""
    run = check(
        engine,
        """
        topics: {orders: {partitions: 1}}
        producers:
          clerk: {topic: orders, arrivals: {every: 100s}}
          checkout: {topic: orders, arrivals: {every: 100s}}
        services:
          payment: {consumes: orders, instances: 2, service_time: 2s,
                    rebalance: {protocol: eager, pause: 1s, session_timeout: 3s}}
        faults: [{name: crash, at: 1s, for: 100s, target: services.payment, effect: {crash: {instances: 1}}}]
        flows: {checkout: {from: checkout, to: payment}}
        """,
        """
        0 s  payment  clerk#0     taken by 0
        1 s  payment  instance 0  crashed
        1 s  payment  clerk#0     lost
        4 s  payment  rebalance   started
        5 s  payment  rebalance   over
        5 s  payment  clerk#0     taken by 1 (attempt 2)
        7 s  payment  clerk#0     succeeded
        7 s  payment  checkout#0  taken by 1
        9 s  payment  checkout#0  succeeded
        """,
        instances=True,
    )
    parts = {"payment.wait": 1 + 2, "payment.rebalance": 4, "payment.service": 2}
    assert run.flow("checkout").parts == pytest.approx(parts)
    assert run.service("payment").wait == (3, pytest.approx(0 + 4 + 7))


def test_S53_a_hard_crash_of_a_consumer_and_how_long_it_takes_to_catch_up(engine: str) -> None:
    """100 messages a second for a consumer that manages 150; a session time-out of 45 s and a pause of 3 s
    leave 48 s of them, 4800, which take 4800 / 50 = 96 s to work off."""
    run = simulate(
        engine,
        """
        topics: {orders: {partitions: 1}}
        producers: {checkout: {topic: orders, arrivals: {every: 10ms}}}
        services:
          payment: {consumes: orders, instances: 2, service_time: {uniform: [6666us, 6667us]},
                    rebalance: {protocol: eager, pause: 3s, session_timeout: 45s}}
        faults: [{name: crash, at: 10s, for: 100h, target: services.payment, effect: {crash: {instances: 1}}}]
        """,
        until="170s",
        run="sample_every: 1s",
    )
    lag = run.line("orders", "payment").lag
    assert 4500 <= lag.maximum <= 4802
    caught_up_s = next(second for second, messages in enumerate(lag.samples) if second > 58 and messages <= 2)
    assert 90 <= caught_up_s - 58 <= 97


def test_S29_a_poison_message_blocks_its_partition_for_all_of_its_attempts(engine: str) -> None:
    """Ten attempts of 0.2 s without a delay between them: what is behind it waits 2 s, less the time it came
    later."""
    run = check(
        engine,
        """
        topics: {orders: {partitions: 1}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 200ms, startup_time: 1s,
                    retry: {maximum_attempts: 10, initial_interval: 0s, blocking: true}}
        faults: [{name: poison, at: 0s, for: 1900ms, target: services.payment, effect: {error_rate: 100%}}]
        """,
        """
        2 s    payment  checkout#0  dead lettered
        2.2 s  payment  checkout#1  succeeded
        2.4 s  payment  checkout#2  succeeded
        """,
        show="dead_lettered succeeded",
        until="3s",
    )
    assert run.service("payment").failed == 10


# ------------------------------------------------------------------------- batches, joins, several topics


def test_S54_of_several_topics_the_message_that_became_visible_first(engine: str) -> None:
    """One slot, three topics: in the order in which the messages came; at 3 s all three come at once, and the
    order of the producers in the file decides."""
    run = check(
        engine,
        """
        topics: {returns: {}, orders: {}, refunds: {}}
        producers:
          checkout: {topic: orders, arrivals: {interarrival: 1s}}
          clerk: {topic: returns, arrivals: {interarrival: 1500ms}}
          office: {topic: refunds, arrivals: {interarrival: 3s}}
        services: {payment: {consumes: [refunds, orders, returns], service_time: 2s}}
        """,
        """
        1 s   payment  checkout#0  taken
        3 s   payment  clerk#0     taken
        5 s   payment  checkout#1  taken
        7 s   payment  checkout#2  taken
        9 s   payment  clerk#1     taken
        11 s  payment  office#0    taken
        13 s  payment  checkout#3  taken
        """,
        show="taken",
        until="14s",
    )
    assert run.line("orders", "payment").finished == 3
    assert run.line("returns", "payment").finished == 2
    assert run.line("refunds", "payment").finished == 1


def test_S54_each_line_has_its_own_order_and_time_to_live(engine: str) -> None:
    """From 3 s on the head of each line competes: of returns the last one, which came at 2 s."""
    check(
        engine,
        """
        topics: {orders: {message_ttl: 4s}, returns: {order: lifo}}
        producers:
          checkout: {topic: orders, arrivals: {every: 1s}}
          clerk: {topic: returns, arrivals: {every: 1s}}
        services: {payment: {consumes: [orders, returns], service_time: 3s}}
        """,
        """
        0 s  payment  checkout#0  taken
        3 s  payment  checkout#0  succeeded
        3 s  payment  checkout#1  taken
        6 s  payment  checkout#1  succeeded
        6 s  payment  checkout#2  taken
        7 s  payment  checkout#3  expired
        8 s  payment  checkout#4  expired
        9 s  payment  checkout#2  succeeded
        9 s  payment  checkout#5  taken
        """,
        until="10s",
    )


def test_S55_a_batch_begins_when_it_is_full_or_its_first_has_waited(engine: str) -> None:
    """Three orders fill a batch at 2 s, which takes 1 s and 1 s for each; the next ones come every second,
    and at 6 s three are there again."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 1s, batch: {max_messages: 3, wait: 10s, per_message: 1s}}
        """,
        """
        2 s   payment  checkout#0  taken
        2 s   payment  checkout#1  taken
        2 s   payment  checkout#2  taken
        6 s   payment  checkout#0  succeeded
        6 s   payment  checkout#1  succeeded
        6 s   payment  checkout#2  succeeded
        6 s   payment  checkout#3  taken
        6 s   payment  checkout#4  taken
        6 s   payment  checkout#5  taken
        """,
        until="7s",
    )
    assert run.service("payment").busy.integral == pytest.approx(5)
    assert run.line("orders", "payment").in_work_at_end == 3
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {interarrival: 3s}}}
        services: {payment: {consumes: orders, service_time: 1s, batch: {max_messages: 3, wait: 4s}}}
        """,
        """
        7 s   payment  checkout#0  taken
        7 s   payment  checkout#1  taken
        8 s   payment  checkout#0  succeeded
        8 s   payment  checkout#1  succeeded
        13 s  payment  checkout#2  taken
        13 s  payment  checkout#3  taken
        14 s  payment  checkout#2  succeeded
        14 s  payment  checkout#3  succeeded
        """,
        until="15s",
    )


def test_S55_a_batch_of_a_log_takes_from_all_partitions_of_its_instance(engine: str) -> None:
    """Instance 0 owns partitions 0 and 1, instance 1 owns 2: from 3 s on each takes what came to its own,
    several in a row from one partition."""
    check(
        engine,
        """
        topics: {orders: {partitions: 3}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 7}}
        services:
          payment: {consumes: orders, instances: 2, service_time: 2s, batch: {max_messages: 4}}
        """,
        """
        0 s  payment  checkout#0  taken by 0
        0 s  payment  checkout#2  taken by 1
        2 s  payment  checkout#1  taken by 0
        2 s  payment  checkout#3  taken by 0
        2 s  payment  checkout#4  taken by 0
        2 s  payment  checkout#6  taken by 0
        2 s  payment  checkout#5  taken by 1
        """,
        show="taken",
        instances=True,
        until="5s",
    )


def test_S55_each_message_of_a_batch_fails_by_itself_and_needs_a_token(engine: str) -> None:
    """Four orders fill a batch, but there are two tokens: it begins with two orders; at 2 s, when the slot is
    free again, with the other two. Those are slow and time out together."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 4}}
        services:
          payment: {consumes: orders, service_time: 2s, batch: {max_messages: 4, wait: 1s},
                    rate_limit: {rate: 1/s, burst: 2}, timeout: 2s}
        faults: [{name: slow, at: 1s, for: 2s, target: services.payment, effect: {added_latency: 1s}}]
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        2 s  payment  checkout#0  succeeded
        2 s  payment  checkout#1  succeeded
        2 s  payment  checkout#2  taken
        2 s  payment  checkout#3  taken
        4 s  payment  checkout#2  timed out
        4 s  payment  checkout#2  dead lettered
        4 s  payment  checkout#3  timed out
        4 s  payment  checkout#3  dead lettered
        """,
    )
    assert run.service("payment").busy.integral == pytest.approx(4)


# ------------------------------------------------------------------------------------------------ calls


def test_S56_an_attempt_makes_its_calls_after_its_service_time(engine: str) -> None:
    """1 s of its own, 2 s at fraud, 3 s at the gateway, of which there is one: order 1 waits for it from 3 s
    to 6 s."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services:
          payment: {consumes: orders, concurrency: 2, service_time: 1s,
                    calls: [{dependency: fraud}, {dependency: gateway}]}
        dependencies:
          gateway: {capacity: 1, service_time: 3s}
          fraud: {capacity: unlimited, service_time: 2s}
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        1 s  payment  checkout#0  called fraud
        1 s  payment  checkout#1  called fraud
        3 s  payment  checkout#0  answered
        3 s  payment  checkout#0  called gateway
        3 s  payment  checkout#1  answered
        3 s  payment  checkout#1  called gateway
        6 s  payment  checkout#0  answered
        6 s  payment  checkout#0  succeeded
        9 s  payment  checkout#1  answered
        9 s  payment  checkout#1  succeeded
        """,
    )
    gateway = run.dependency("gateway")
    assert (gateway.requests, gateway.answered, gateway.wait) == (2, 2, (2, pytest.approx(3)))
    assert (gateway.busy.integral, gateway.waiting.integral) == (pytest.approx(6), pytest.approx(3))
    assert run.service("payment").busy.integral == pytest.approx(6 + 9)


def test_S56_a_call_may_take_a_time_of_its_own(engine: str) -> None:
    """The same database answers a query in 1 s and a report in 4 s."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s,
                    calls: [{dependency: database}, {dependency: database, service_time: 4s}]}
        dependencies: {database: {capacity: 1, service_time: 1s}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  called database
        2 s  payment  checkout#0  answered
        2 s  payment  checkout#0  called database
        6 s  payment  checkout#0  answered
        6 s  payment  checkout#0  succeeded
        """,
    )


def test_S56_a_request_is_refused_beyond_the_queue_limit_and_in_an_outage_it_fails(engine: str) -> None:
    """Of three calls one is worked on, one waits and one is refused, which fails its attempt at once. The one
    that waits is about to be taken at 3 s, in the outage: it fails and occupies nothing."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 3}}
        services:
          payment: {consumes: orders, concurrency: 3, service_time: 1s, calls: [{dependency: gateway}]}
        dependencies: {gateway: {capacity: 1, queue_limit: 1, service_time: 2s}}
        faults: [{name: outage, at: 2s, for: 9s, target: dependencies.gateway, effect: {outage: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#1  taken
        0 s  payment  checkout#2  taken
        1 s  payment  checkout#0  called gateway
        1 s  payment  checkout#1  called gateway
        1 s  payment  checkout#2  called gateway
        1 s  payment  checkout#2  answered with a failure
        1 s  payment  checkout#2  failed
        1 s  payment  checkout#2  dead lettered
        3 s  payment  checkout#1  answered with a failure
        3 s  payment  checkout#1  failed
        3 s  payment  checkout#1  dead lettered
        3 s  payment  checkout#0  answered
        3 s  payment  checkout#0  succeeded
        """,
    )
    gateway = run.dependency("gateway")
    assert (gateway.requests, gateway.answered, gateway.failed, gateway.refused) == (3, 1, 1, 1)
    assert gateway.busy.integral == pytest.approx(2)


def test_S56_an_answer_at_the_time_out_is_in_time_and_what_is_left_behind_goes_on(engine: str) -> None:
    """The call of order 0 is answered exactly at its time-out of 3 s. That of order 1 waits from then on and
    times out at 6 s; its request goes on and holds up order 2 until 7 s. With `cancel` it would leave at
    once, and order 2 would be served from 6 s on."""
    text = """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 3s}}}
        services:
          payment: {consumes: orders, concurrency: 9, service_time: 0s,
                    calls: [{dependency: gateway, timeout: 3s, cancel: CANCEL}]}
        dependencies: {gateway: {capacity: 1, service_time: 3s}}
        faults: [{name: slow, at: 3s, for: 1s, target: dependencies.gateway, effect: {added_latency: 1s}}]
        """
    run = check(
        engine,
        text.replace("CANCEL", "false"),
        """
        0 s   payment  checkout#0  called gateway
        3 s   payment  checkout#0  answered
        3 s   payment  checkout#1  called gateway
        6 s   payment  checkout#1  call timed out
        6 s   payment  checkout#2  called gateway
        9 s   payment  checkout#2  call timed out
        9 s   payment  checkout#3  called gateway
        """,
        show="called answered call_timed_out",
        until="12s",
    )
    gateway = run.dependency("gateway")
    assert (gateway.answered, gateway.timed_out, gateway.cancelled) == (3, 2, 0)
    run = check(
        engine,
        text.replace("CANCEL", "true"),
        """
        0 s   payment  checkout#0  called gateway
        3 s   payment  checkout#0  answered
        3 s   payment  checkout#1  called gateway
        6 s   payment  checkout#1  call timed out
        6 s   payment  checkout#2  called gateway
        9 s   payment  checkout#2  answered
        9 s   payment  checkout#3  called gateway
        """,
        show="called answered call_timed_out",
        until="12s",
    )
    gateway = run.dependency("gateway")
    assert (gateway.answered, gateway.timed_out, gateway.cancelled) == (2, 1, 1)


def test_S56_a_hedge_is_a_second_request_and_the_first_success_counts(engine: str) -> None:
    """Order 0's first request is caught by the slowdown and takes 6 s; the hedge of 2 s takes 1 s. Cancelled,
    the first leaves the gateway at 3 s."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 0s,
                    calls: [{dependency: gateway, hedge_after: 2s, cancel: true}]}
        dependencies: {gateway: {capacity: 5, service_time: 1s}}
        faults: [{name: slow, at: 0s, for: 1s, target: dependencies.gateway, effect: {slowdown: 6x}}]
        """,
        """
        0 s  payment  checkout#0  taken
        0 s  payment  checkout#0  called gateway
        2 s  payment  checkout#0  hedged gateway
        3 s  payment  checkout#0  answered
        3 s  payment  checkout#0  succeeded
        """,
    )
    gateway = run.dependency("gateway")
    assert (gateway.requests, gateway.answered, gateway.hedged, gateway.cancelled) == (2, 1, 1, 1)
    assert gateway.busy.integral == pytest.approx(3 + 1)


def test_S56_the_time_out_of_the_service_covers_its_calls(engine: str) -> None:
    """Cancelled at 3 s, the attempt is over and its slot free. Abandoned, the slot is busy until the answer
    at 5 s ends the work."""
    text = """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, timeout: 3s, on_timeout: ON_TIMEOUT,
                    calls: [{dependency: gateway}]}
        dependencies: {gateway: {capacity: 1, service_time: 4s}}
        """
    timed_out = """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  called gateway
        3 s  payment  checkout#0  timed out
        3 s  payment  checkout#0  dead lettered
        """
    run = check(engine, text.replace("ON_TIMEOUT", "cancel"), timed_out)
    assert run.service("payment").busy.integral == pytest.approx(3)
    assert run.dependency("gateway").busy.integral == pytest.approx(4)
    run = check(
        engine,
        text.replace("ON_TIMEOUT", "abandon"),
        timed_out.rstrip()
        + """
        5 s  payment  checkout#0  answered
        5 s  payment  checkout#0  work ended
        """,
    )
    assert run.service("payment").busy.integral == pytest.approx(5)


def test_S56_the_time_of_a_request_is_that_of_message_call_request_and_attempt(engine: str) -> None:
    """Two calls, a hedge and a second attempt, each with the hash of its own address."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment:
            consumes: orders
            service_time: 0s
            failures: 100%
            retry: {maximum_attempts: 2, initial_interval: 0s}
            calls: [{dependency: fraud}, {dependency: gateway, hedge_after: 0s}]
        dependencies:
          fraud: {capacity: unlimited, service_time: {uniform: [1s, 2s]}}
          gateway: {capacity: unlimited, service_time: {uniform: [1s, 2s]}}
        """,
        run="seed: 3",
    )

    def time_s(dependency: str, call: int, request: int, attempt: int) -> float:
        message = producer_identity("checkout", 0)
        identity = mix(((message ^ key(f"services.payment/calls[{call}]")) + (request + 1) * G) % WORD)
        return 1 + uniform(3, 0, f"dependencies.{dependency}/service_time", identity, attempt)

    answered = [event.time_s for event in run.events if event.what == "answered"]
    now, expected = 0.0, []
    for attempt in (1, 2):
        now += time_s("fraud", 0, 0, attempt)
        expected.append(now)
        now += min(time_s("gateway", 1, 0, attempt), time_s("gateway", 1, 1, attempt))
        expected.append(now)
    assert answered == pytest.approx(expected, rel=1e-9)


def test_S56_all_that_a_call_leaves_behind_is_gone_before_a_server_takes_the_next(engine: str) -> None:
    """The call times out at 3 s, when the gateway works on its first request and its hedge waits; the gateway
    is in an outage then, so the hedge would fail if the server took it."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s,
                    calls: [{dependency: gateway, timeout: 2s, hedge_after: 1s, cancel: true}]}
        dependencies: {gateway: {capacity: 1, service_time: 9s}}
        faults: [{name: outage, at: 2500ms, for: 9s, target: dependencies.gateway, effect: {outage: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  called gateway
        2 s  payment  checkout#0  hedged gateway
        3 s  payment  checkout#0  call timed out
        3 s  payment  checkout#0  failed
        3 s  payment  checkout#0  dead lettered
        """,
        until="5s",
    )
    gateway = run.dependency("gateway")
    assert (gateway.requests, gateway.cancelled, gateway.failed) == (2, 2, 0)


def test_S56_a_crash_leaves_all_calls_behind_before_a_server_takes_the_next(engine: str) -> None:
    """Two orders of payment have a request each at the gateway when payment crashes, in an outage."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 2}}
        services:
          payment: {consumes: orders, concurrency: 2, service_time: 1s,
                    calls: [{dependency: gateway, cancel: true}]}
        dependencies: {gateway: {capacity: 1, service_time: 9s}}
        faults:
          - {name: outage, at: 2s, for: 9s, target: dependencies.gateway, effect: {outage: true}}
          - {name: crash, at: 3s, for: 9s, target: services.payment, effect: {crash: {instances: all}}}
        """,
        until="5s",
    )
    gateway = run.dependency("gateway")
    assert (gateway.requests, gateway.cancelled, gateway.failed) == (2, 2, 0)


def test_S56_a_hedge_that_lets_the_first_request_fail_keeps_the_call(engine: str) -> None:
    """At 3 s the pause of the gateway is over and its outage begins. The hedge of order 0 is made then, and
    the gateway takes the first request before it: it fails, then so does the hedge, and the call with it."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, service_time: 1s, calls: [{dependency: gateway, hedge_after: 2s}]}
        dependencies: {gateway: {capacity: 1, service_time: 1s}}
        faults:
          - {name: pause, at: 0s, for: 3s, target: dependencies.gateway, effect: {pause: true}}
          - {name: outage, at: 3s, for: 9s, target: dependencies.gateway, effect: {outage: true}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  called gateway
        3 s  payment  checkout#0  hedged gateway
        3 s  payment  checkout#0  answered with a failure
        3 s  payment  checkout#0  failed
        3 s  payment  checkout#0  dead lettered
        """,
        until="5s",
    )
    assert (run.dependency("gateway").requests, run.dependency("gateway").failed) == (2, 2)


def test_S57_a_paused_dependency_starts_nothing(engine: str) -> None:
    """Order 0 is answered in the pause; orders 1 and 2 wait for its end at 5 s. The wait at the dependency is
    part of the dependency's share of the latency."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, concurrency: 9, service_time: 1s, calls: [{dependency: gateway}]}
        dependencies: {gateway: {capacity: 2, service_time: 2s}}
        faults: [{name: pause, at: 2s, for: 3s, target: dependencies.gateway, effect: {pause: true}}]
        """,
        """
        1 s  payment  checkout#0  called gateway
        2 s  payment  checkout#1  called gateway
        3 s  payment  checkout#0  answered
        3 s  payment  checkout#2  called gateway
        4 s  payment  checkout#3  called gateway
        5 s  payment  checkout#4  called gateway
        6 s  payment  checkout#5  called gateway
        7 s  payment  checkout#1  answered
        7 s  payment  checkout#2  answered
        7 s  payment  checkout#6  called gateway
        """,
        show="called answered",
        until="8s",
    )
    parts = {"payment.service": 3 * 1, "payment.dependency": 2 + 5 + 4}
    assert run.flow("checkout").parts == pytest.approx(parts)


def test_S57_at_one_instant_answers_come_in_the_order_of_messages(engine: str) -> None:
    """Both are answered at 5 s: the order of 0 s first, although it called later, and although its producer
    stands last in the file."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers:
          late: {topic: orders, arrivals: {interarrival: 1s}}
          early: {topic: orders, arrivals: {every: 100s}}
        services:
          payment: {consumes: orders, concurrency: 2, service_time: 1s, calls: [{dependency: gateway}]}
        dependencies: {gateway: {capacity: unlimited, service_time: 2s}}
        faults:
          - {name: slow, at: 0s, for: 1s, target: services.payment, effect: {added_latency: 2s}}
          - {name: busy, at: 2s, for: 1s, target: dependencies.gateway, effect: {added_latency: 1s}}
        """,
        """
        2 s  payment  late#0   called gateway
        3 s  payment  early#0  called gateway
        5 s  payment  early#0  answered
        5 s  payment  late#0   answered
        """,
        show="called answered",
        until="6s",
    )


def test_S58_a_join_takes_one_message_of_each_topic_as_one(engine: str) -> None:
    """Shipping needs the payment (after 2 s) and the parcel (after 5 s) of the same order. Payments wait
    aside; the two are taken together, as the payment, and both lines are settled."""
    run = check(
        engine,
        """
        topics: {orders: {}, payments: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 10s}}}
        services:
          payment: {consumes: orders, service_time: 2s, emits: payments}
          packing: {consumes: orders, service_time: 5s, emits: parcels}
          shipping: {consumes: [payments, parcels], join: true, service_time: 1s}
        """,
        """
        0 s   payment   checkout#0  taken
        0 s   packing   checkout#0  taken
        2 s   payment   checkout#0  succeeded
        2 s   shipping  checkout#0  set aside
        5 s   packing   checkout#0  succeeded
        5 s   shipping  checkout#0  joined
        5 s   shipping  checkout#0  taken
        6 s   shipping  checkout#0  succeeded
        """,
        until="9s",
    )
    payments, parcels = run.line("payments", "shipping"), run.line("parcels", "shipping")
    assert (payments.finished, parcels.finished) == (1, 1)
    assert payments.lag.integral == pytest.approx(4)
    assert payments.waiting.integral == pytest.approx(3)
    assert parcels.lag.integral == pytest.approx(1)
    assert parcels.waiting.integral == pytest.approx(0)
    assert run.service("shipping").attempts == 1
    parts = {"packing.service": 5, "shipping.service": 1}  # those of the message that came last
    assert run.flow("checkout").parts == pytest.approx(parts)


def test_S58_a_loss_counts_for_those_that_follow_too(engine: str) -> None:
    """Packing's order waits for parcels until 2 s and is delivered again at 1 s, when a second note is
    published. Its first attempt settles it at 2 s, so the second parcel belongs to no flow; but the note that
    follows it does, and is lost with it at 3 s."""
    run = check(
        engine,
        """
        topics: {orders: {}, notes: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          packing: {consumes: orders, service_time: 0s, instances: 2, visibility_timeout: 1s,
                    idempotent: false, emits: [notes, parcels]}
          shipping: {consumes: [parcels, notes], join: true, service_time: 0s, rate_limit: {rate: 1/s}}
        faults:
          - {name: away, at: 0s, for: 2s, target: topics.parcels, effect: {unavailable: true}}
          - {name: bad, at: 3s, for: 1s, target: services.shipping, effect: {outage: true}}
        """,
        """
        0 s  packing   checkout#0  taken
        0 s  shipping  checkout#0  set aside
        1 s  packing   checkout#0  taken (attempt 2)
        1 s  shipping  checkout#0  set aside
        2 s  packing   checkout#0  succeeded
        2 s  packing   checkout#0  duplicate
        2 s  shipping  checkout#0  joined
        2 s  shipping  checkout#0  taken
        2 s  shipping  checkout#0  succeeded
        2 s  shipping  checkout#0  joined
        3 s  shipping  checkout#0  taken
        3 s  shipping  checkout#0  failed
        3 s  shipping  checkout#0  dead lettered
        """,
        until="5s",
    )
    assert run.states("checkout") == {"dead_lettered": 1}


def test_S58_what_waits_for_the_others_may_expire_and_those_that_follow_share_the_fate(engine: str) -> None:
    """The payment of order 0 has expired when its parcel comes at 4 s. Order 1 is joined at 8 s, fails and is
    dead-lettered in both lines, with one dead letter."""
    run = check(
        engine,
        """
        topics: {orders: {}, payments: {message_ttl: 3s}, parcels: {}, dlq: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 6s}}}
        services:
          payment: {consumes: orders, service_time: 0s, emits: payments}
          packing: {consumes: orders, service_time: 2s, emits: parcels}
          shipping: {consumes: [payments, parcels], join: true, service_time: 1s, failures: 100%,
                     dead_letter: dlq, startup_time: 1s}
        faults: [{name: slow, at: 0s, for: 1s, target: services.packing, effect: {slowdown: 2x}}]
        """,
        """
        0 s  payment   checkout#0  taken
        0 s  packing   checkout#0  taken
        0 s  shipping  checkout#0  set aside
        3 s  shipping  checkout#0  expired
        4 s  shipping  checkout#0  set aside
        6 s  payment   checkout#1  taken
        6 s  packing   checkout#1  taken
        6 s  shipping  checkout#1  set aside
        8 s  shipping  checkout#1  joined
        8 s  shipping  checkout#1  taken
        9 s  shipping  checkout#1  failed
        9 s  shipping  checkout#1  dead lettered
        9 s  dlq       checkout#1  rested
        """,
        show="set_aside joined expired taken failed dead_lettered rested",
        until="11s",
    )
    payments, parcels = run.line("payments", "shipping"), run.line("parcels", "shipping")
    assert (payments.expired, payments.dead_lettered, parcels.dead_lettered) == (1, 1, 1)
    assert parcels.waiting_at_end == 1
    assert run.states("checkout") == {"dead_lettered": 1, "dropped": 1}


# ---------------------------------------------------------------------------------------------- resilience


def test_S59_a_circuit_breaker_opens_half_opens_and_closes(engine: str) -> None:
    """Two failures of the last two open it at 2 s for 3 s. Half open, one attempt may begin, at 5 s; it fails
    and opens it again. That of 9 s succeeds and closes it."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 1s,
                    circuit_breaker: {failure_rate: 50%, window: 2, minimum_calls: 2, open_for: 3s,
                                      half_open_calls: 1}}
        faults: [{name: bad, at: 0s, for: 6s, target: services.payment, effect: {error_rate: 100%}}]
        """,
        """
        0 s   payment  checkout#0  taken
        1 s   payment  checkout#0  failed
        1 s   payment  checkout#1  taken
        2 s   payment  checkout#1  failed
        2 s   payment  opened
        5 s   payment  half opened
        5 s   payment  checkout#2  taken
        6 s   payment  checkout#2  failed
        6 s   payment  opened
        9 s   payment  half opened
        9 s   payment  checkout#3  taken
        10 s  payment  checkout#3  succeeded
        10 s  payment  closed
        10 s  payment  checkout#4  taken
        11 s  payment  checkout#4  succeeded
        11 s  payment  checkout#5  taken
        """,
        show="taken succeeded failed opened half_opened closed",
        until="12s",
    )
    mechanisms = run.mechanisms("payment")
    assert mechanisms.opened == 2
    assert mechanisms.open.integral == pytest.approx(6)


def test_S59_outcomes_of_attempts_that_began_in_an_earlier_state_do_not_count(engine: str) -> None:
    """Two failures at 2 s open it. The slow order, begun at 0, succeeds when it is half open, which decides
    nothing: the two attempts of 5 s do."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers:
          slow: {topic: orders, arrivals: {every: 100s}}
          quick: {topic: orders, arrivals: {interarrival: 1s}, copies: 2}
        services:
          payment: {consumes: orders, concurrency: 4, service_time: 1s,
                    circuit_breaker: {failure_rate: 60%, window: 3, minimum_calls: 2, open_for: 3s,
                                      half_open_calls: 2}}
        faults:
          - {name: slow, at: 0s, for: 1s, target: services.payment, effect: {added_latency: 5s}}
          - {name: bad, at: 1s, for: 1s, target: services.payment, effect: {error_rate: 100%}}
        """,
        """
        0 s  payment  slow#0   taken
        1 s  payment  quick#0  taken
        1 s  payment  quick#1  taken
        2 s  payment  quick#0  failed
        2 s  payment  quick#1  failed
        2 s  payment  opened
        5 s  payment  half opened
        5 s  payment  quick#2  taken
        5 s  payment  quick#3  taken
        6 s  payment  slow#0   succeeded
        6 s  payment  quick#2  succeeded
        6 s  payment  quick#3  succeeded
        6 s  payment  closed
        6 s  payment  quick#4  taken
        6 s  payment  quick#5  taken
        6 s  payment  quick#6  taken
        6 s  payment  quick#7  taken
        """,
        show="taken succeeded failed opened half_opened closed",
        until="6001ms",
    )


def test_S59_a_lost_attempt_gives_its_place_back(engine: str) -> None:
    """Half open from 3 s on, with one place: order 1 has it, and is lost at 3.5 s; it has it again at 4.5
    s."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 1s,
                    circuit_breaker: {failure_rate: 100%, window: 1, open_for: 2s, half_open_calls: 1}}
        faults:
          - {name: bad, at: 0s, for: 1s, target: services.payment, effect: {error_rate: 100%}}
          - {name: crash, at: 3500ms, for: 1s, target: services.payment, effect: {crash: {instances: all}}}
        """,
        """
        0 s    payment  checkout#0  taken
        1 s    payment  checkout#0  failed
        1 s    payment  opened
        3 s    payment  half opened
        3 s    payment  checkout#1  taken
        3.5 s  payment  checkout#1  lost
        4.5 s  payment  checkout#1  taken (attempt 2)
        5.5 s  payment  checkout#1  succeeded
        5.5 s  payment  closed
        5.5 s  payment  checkout#2  taken
        """,
        show="taken succeeded failed lost opened half_opened closed",
        until="6s",
    )


BUDGET = """
topics: {{orders: {{}}}}
producers: {{checkout: {{topic: orders, arrivals: {{every: 1s}}}}}}
services:
  payment: {{consumes: orders, concurrency: 9, service_time: 0s, retry_budget: {budget},
            retry: {{maximum_attempts: 9, initial_interval: 1500ms}}}}
faults: [{{name: bad, at: {bad}, for: 100s, target: services.payment, effect: {{error_rate: 100%}}}}]
"""


def test_S60_a_cap_pays_for_each_retry(engine: str) -> None:
    """Two tokens; an order brings half a token and a retry costs one. Orders 0, 1 and 2 are retried, which
    leaves none; order 3 brings half a token, which is not enough, and order 4 the other half."""
    run = check(
        engine,
        BUDGET.format(budget="{kind: cap, ratio: 50%, burst: 2}", bad="0s"),
        """
        0 s    payment  checkout#0  retry at 1.5 s
        1 s    payment  checkout#1  retry at 2.5 s
        1.5 s  payment  checkout#0  dead lettered
        2 s    payment  checkout#2  retry at 3.5 s
        2.5 s  payment  checkout#1  dead lettered
        3 s    payment  checkout#3  dead lettered
        3.5 s  payment  checkout#2  dead lettered
        4 s    payment  checkout#4  retry at 5.5 s
        """,
        show="retry dead_lettered",
        until="5s",
    )
    service = run.service("payment")
    assert run.mechanisms("payment").denied_retries == service.dead_lettered == 4


def test_S60_a_switch_needs_more_than_half_of_its_tokens(engine: str) -> None:
    """Four tokens, full at 2 s: each failure takes one; with three left a failure is retried, with two or
    fewer none is."""
    run = check(
        engine,
        BUDGET.format(budget="{kind: switch, ratio: 50%, burst: 4}", bad="2s"),
        """
        0 s    payment  checkout#0  succeeded
        1 s    payment  checkout#1  succeeded
        2 s    payment  checkout#2  retry at 3.5 s
        3 s    payment  checkout#3  dead lettered
        3.5 s  payment  checkout#2  dead lettered
        4 s    payment  checkout#4  dead lettered
        """,
        show="retry dead_lettered succeeded",
        until="5s",
    )
    assert run.mechanisms("payment").denied_retries == 3


def test_S61_what_has_waited_too_long_is_dropped_when_it_would_be_taken(engine: str) -> None:
    """At 4 s orders 1 and 2 have waited 3 s and 2 s; more than 2 s is too long. It costs no time."""
    run = check(
        engine,
        """
        topics: {orders: {dead_letter: late, message_ttl: 9s}, late: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, service_time: 4s, shed: {wait_over: 2s}}}
        """,
        """
        0 s  payment  checkout#0  taken
        4 s  payment  checkout#0  succeeded
        4 s  payment  checkout#1  shed
        4 s  payment  checkout#2  taken
        8 s  payment  checkout#2  succeeded
        8 s  payment  checkout#3  shed
        8 s  payment  checkout#4  shed
        8 s  payment  checkout#5  shed
        8 s  payment  checkout#6  taken
        """,
        until="9s",
    )
    assert run.line("orders", "payment").shed == 4
    assert run.states("checkout") == {"completed": 2, "dropped": 4, "in_flight": 3}


def test_S61_controlled_delay_drops_at_the_published_times(engine: str) -> None:
    """RFC 8289: while waits stay above the target, drops come after interval / sqrt(count): at 0, 0.1,
    0.1707, 0.2284, 0.2784 and 0.3232 s after the first. Six thousand messages wait from the start; one is
    taken every 0.1 ms; the first that has waited 5 ms is seen at 5 ms, the first drop follows 100 ms
    later."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}, copies: 6000}}
        services:
          payment: {consumes: orders, service_time: 100us, shed: {codel: {target: 5ms, interval: 100ms}}}
        """,
        until="440ms",
    )
    shed = [event.time_s for event in run.events if event.what == "shed"]
    assert shed[0] == pytest.approx(0.105, abs=2e-4)
    assert [time_s - shed[0] for time_s in shed] == pytest.approx(
        [0, 0.1, 0.1707, 0.2284, 0.2784, 0.3232], abs=2e-4
    )


def test_S61_controlled_delay_ends_dropping_with_a_wait_below_the_target(engine: str) -> None:
    """Target and interval 1 s. Order 1 waits 2 s at 2 s, above the target; from 3 s on such waits are too
    much: order 2 is dropped at 4 s, at 5 s the next one would be. Order 3, taken at 4 s, has waited 1 s, and
    so has order 4, which is dropped; order 5 has not waited and ends it."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {trace: {file: arrivals.csv, time: time}}}}
        services: {payment: {consumes: orders, service_time: 2s, shed: {codel: {target: 1s, interval: 1s}}}}
        """,
        """
        0 s  payment  checkout#0  taken
        2 s  payment  checkout#1  taken
        4 s  payment  checkout#2  shed
        4 s  payment  checkout#3  taken
        6 s  payment  checkout#4  shed
        6 s  payment  checkout#5  taken
        8 s  payment  checkout#6  taken
        """,
        show="taken shed",
        until="9s",
        base=arrivals_at(0, 0, 2, 3, 5, 6, 6),
    )


def arrivals_at(*times_s: float) -> Path:
    """The folder of a trace with these arrivals."""
    folder = Path(tempfile.mkdtemp())
    rows = "\n".join(f"{time_s}" for time_s in times_s)
    (folder / "arrivals.csv").write_text(f"time\n{rows}\n")
    return folder


AUTOSCALED = """
topics: {{orders: {{{topic}}}}}
producers: {{checkout: {{topic: orders, arrivals: {{every: 100h}}, copies: {lag}}}}}
services:
  payment: {{consumes: orders, instances: {instances}, service_time: 100h,
            autoscale: {{minimum: 1, maximum: 200, interval: 15s, scale_down_window: 0s, {autoscale}}}}}
"""


def scaled(engine: str, lag: int, instances: int, autoscale: str, topic: str = "") -> list[int]:
    """What an autoscaler wants at its first decision, when so many messages are there and nothing ends."""
    run = simulate(
        engine,
        AUTOSCALED.format(lag=lag, instances=instances, autoscale=autoscale, topic=topic),
        until="16s",
    )
    return [int(event.value) for event in run.events if event.what == "scaled"]


@pytest.mark.parametrize(
    ("instances", "lag", "limit", "wanted"),
    [
        pytest.param(1, 20, "", [2], id="twice the target"),
        pytest.param(10, 900, "", [20], id="nine times the target: twice as many are the most"),
        pytest.param(1, 90, "", [5], id="four more are the most"),
        pytest.param(4, 20, "", [2], id="half of the target"),
        pytest.param(20, 210, "", [], id="within the tolerance"),
        pytest.param(80, 400, "scale_down_limit: {share: 10%}", [72], id="a tenth at most goes"),
        pytest.param(5, 1, "minimum: 3", [3], id="the minimum"),
        pytest.param(5, 100, "maximum: 7", [7], id="the maximum"),
    ],
)
def test_S62_the_steps_of_a_horizontal_pod_autoscaler(
    engine: str, instances: int, lag: int, limit: str, wanted: list[int]
) -> None:
    """Target: ten messages for each instance."""
    bounds = {"minimum: 3": "minimum: 1", "maximum: 7": "maximum: 200"}
    text = AUTOSCALED if limit not in bounds else AUTOSCALED.replace(bounds[limit], limit)
    limits = "" if limit in bounds or not limit else f", {limit}"
    scenario = text.format(
        lag=lag, instances=instances, autoscale=f"metric: lag, target: 10{limits}", topic=""
    )
    run = simulate(engine, scenario, until="16s")
    assert [int(event.value) for event in run.events if event.what == "scaled"] == wanted


@pytest.mark.parametrize(
    ("lag", "wanted"), [(10, 1), (20, 2), (40, 4), (50, 5), (99, 10), (100, 10), (101, 20)]
)
def test_S62_only_numbers_that_share_out_the_partitions_evenly(engine: str, lag: int, wanted: int) -> None:
    """KEDA's table for 100 partitions and ten messages for each instance: with 99 messages ten instances,
    with 101 eleven would do, and 20 is the next number that divides 100. (It begins with three, which never
    does.)"""
    limit = "scale_up_limit: {factor: 100x, instances: 100}"
    autoscale = f"metric: lag, target: 10, even_partitions: true, {limit}"
    assert scaled(engine, lag, 3, autoscale, "partitions: 100") == [wanted]


def test_S62_instances_start_and_leave_and_the_window_keeps_them(engine: str) -> None:
    """One message for each instance, a decision every 2 s: at 2 s six are there, of which the four that are
    allowed more start; at 4 s nothing is left, but six were wanted 2 s ago. At 6 s that is longer ago than
    the window, and the highest numbers go: one is idle, none waits."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {interarrival: 1500ms}, copies: 6}}
        services:
          payment: {consumes: orders, concurrency: 3, service_time: 1s, startup_time: 1s,
                    autoscale: {metric: lag, target: 1, minimum: 1, maximum: 9, interval: 2s,
                                scale_down_window: 3s, scale_up_limit: {factor: 1x, instances: 4}}}
        faults: [{name: end, at: 2s, for: 100s, target: producers.checkout, effect: {rate_factor: 0x}}]
        """,
        """
        2 s  payment  scaled to 5
        2 s  payment  instance 1  starting
        2 s  payment  instance 2  starting
        2 s  payment  instance 3  starting
        2 s  payment  instance 4  starting
        3 s  payment  instance 1  up
        3 s  payment  instance 2  up
        3 s  payment  instance 3  up
        3 s  payment  instance 4  up
        6 s  payment  scaled to 1
        6 s  payment  instance 4  leaving
        6 s  payment  instance 4  gone
        6 s  payment  instance 3  leaving
        6 s  payment  instance 3  gone
        6 s  payment  instance 2  leaving
        6 s  payment  instance 2  gone
        6 s  payment  instance 1  leaving
        6 s  payment  instance 1  gone
        """,
        show="scaled starting up leaving gone",
        until="9s",
    )
    assert run.mechanisms("payment").scalings == [(2, 1, 5), (6, 5, 1)]
    assert run.mechanisms("payment").wanted.integral == pytest.approx(9 + 4 * 4)
    assert run.service("payment").slot_seconds == pytest.approx(3 * (9 + 4 * 3))


def test_S62_the_metric_is_read_earlier_and_may_be_age_or_utilisation(engine: str) -> None:
    """The oldest order is 3 s old at 3 s, three times its target: three instances at 4 s, from a reading 1 s
    earlier. One of two slots is busy, which is half, twice the target of a quarter: two instances."""
    text = """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services:
          payment: {consumes: orders, concurrency: 2, service_time: 50s,
                    autoscale: {METRIC, maximum: 9, interval: 4s, metric_delay: 1s}}
        """
    expected = "4 s  payment  scaled to {}"
    age = text.replace("METRIC", "metric: age, target: 1s")
    check(engine, age, expected.format(3), show="scaled", until="5s")
    utilisation = text.replace("METRIC", "metric: utilisation, target: 25%")
    check(engine, utilisation, expected.format(2), show="scaled", until="5s")


def test_S62_each_decision_goes_by_its_own_reading(engine: str) -> None:
    """One order more every second, none is done. The decision of 6 s goes by the reading of 3 s, when there
    were two, though that of 5 s has been made; the decision of 8 s goes by that one."""
    check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {interarrival: 1s}}}
        services:
          payment: {consumes: orders, service_time: 100s,
                    autoscale: {metric: lag, target: 1, maximum: 9, interval: 2s, metric_delay: 3s}}
        """,
        """
        6 s  payment  scaled to 2
        8 s  payment  scaled to 4
        """,
        show="scaled",
        until="9s",
    )


def test_S63_clients_think_publish_and_wait(engine: str) -> None:
    """Two clients who think for 1 s and a service that takes 2 s for each: client 1 is answered at 5 s,
    thinks and publishes its next order, number 3, at 6 s."""
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {clients: {count: 2, think_time: 1s}}}}
        services: {payment: {consumes: orders, service_time: 2s}}
        """,
        """
        1 s  payment  checkout#0  published
        1 s  payment  checkout#0  taken
        1 s  payment  checkout#1  published
        3 s  payment  checkout#0  succeeded
        3 s  payment  checkout#1  taken
        4 s  payment  checkout#2  published
        5 s  payment  checkout#1  succeeded
        5 s  payment  checkout#2  taken
        6 s  payment  checkout#3  published
        7 s  payment  checkout#2  succeeded
        7 s  payment  checkout#3  taken
        8 s  payment  checkout#4  published
        """,
        show="published taken succeeded",
        until="9s",
    )
    assert run.flow("checkout").latency == (3, pytest.approx(2 + 4 + 3))


def test_S63_a_client_waits_for_everything_that_its_message_started(engine: str) -> None:
    """The instance is over when both parcels are shipped, or when the order is lost: order 1 is dead-lettered
    at 7 s, which answers its client."""
    check(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers: {checkout: {topic: orders, arrivals: {clients: {count: 1, think_time: 1s}}}}
        services:
          payment: {consumes: orders, service_time: 1s, emits: [{topic: parcels, copies: 2}]}
          shipping: {consumes: parcels, service_time: 2s}
        faults: [{name: bad, at: 7s, for: 1s, target: services.payment, effect: {error_rate: 100%}}]
        """,
        """
        1 s  payment   checkout#0  taken
        2 s  shipping  checkout#0  taken
        4 s  shipping  checkout#0  taken
        7 s  payment   checkout#1  taken
        9 s  payment   checkout#2  taken
        """,
        show="taken",
        until="10s",
    )


def test_S63_the_time_of_thinking_is_that_of_the_next_message(engine: str) -> None:
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers:
          checkout: {topic: orders, arrivals: {clients: {count: 1, think_time: {uniform: [1s, 2s]}}}}
        services: {payment: {consumes: orders, service_time: 3s}}
        """,
        run="seed: 8",
    )
    published = [event.time_s for event in run.events if event.what == "published"]
    now, expected = 0.0, []
    for number in range(len(published)):
        now += 1 + uniform(8, 0, "producers.checkout/think_time", producer_identity("checkout", number), 0)
        expected.append(now)
        now += 3
    assert published == pytest.approx(expected, rel=1e-9)


# ---------------------------------------------------------------------------------------------- more faults


def test_S64_an_unavailable_topic_is_neither_published_to_nor_taken_from(engine: str) -> None:
    """Parcels is not available from 2 s to 5 s: shipping takes nothing from it, the checkout keeps its
    parcels with the client, and payment's orders go on publishing at 5 s and hold their slot until then."""
    run = check(
        engine,
        """
        topics: {orders: {}, parcels: {}}
        producers:
          checkout: {topic: orders, arrivals: {every: 2s}}
          direct: {topic: parcels, arrivals: {every: 1s}}
        services:
          payment: {consumes: orders, service_time: 1500ms, emits: parcels}
          shipping: {consumes: parcels, concurrency: 2, service_time: 1500ms}
        faults: [{name: gone, at: 2s, for: 3s, target: topics.parcels, effect: {unavailable: true}}]
        flows: {direct: {from: direct, to: shipping}, checkout: {from: checkout, to: shipping}}
        """,
        """
        0 s    payment   checkout#0  taken
        0 s    shipping  direct#0    taken
        1 s    shipping  direct#1    taken
        1.5 s  payment   checkout#0  succeeded
        1.5 s  shipping  direct#0    succeeded
        1.5 s  shipping  checkout#0  taken
        2 s    payment   checkout#1  taken
        2.5 s  shipping  direct#1    succeeded
        3 s    shipping  checkout#0  succeeded
        5 s    payment   checkout#1  succeeded
        5 s    payment   checkout#2  taken
        5 s    shipping  checkout#1  taken
        5 s    shipping  direct#2    taken
        """,
        until="6s",
    )
    assert run.service("payment").busy.integral == pytest.approx(1.5 + 3 + 1)
    assert run.flow("direct").started == 6
    run = check(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 3s}}}
        services: {payment: {consumes: orders, service_time: 1s}}
        faults: [{name: gone, at: 2s, for: 3s, target: topics.orders, effect: {unavailable: true}}]
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  succeeded
        5 s  payment  checkout#1  taken
        6 s  payment  checkout#1  succeeded
        6 s  payment  checkout#2  taken
        """,
        until="7s",
    )
    assert run.flow("checkout").parts == pytest.approx({"checkout.held_back": 2, "payment.service": 2})


def test_S64_a_dead_letter_is_on_its_way_until_its_topic_is_available(engine: str) -> None:
    """Order 0 fails at 1 s, which frees the slot; its dead letter is published at 4 s."""
    run = check(
        engine,
        """
        topics: {orders: {}, dlq: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services:
          payment: {consumes: orders, service_time: 1s, failures: 100%, dead_letter: dlq}
          office: {consumes: dlq, service_time: 1s}
        faults: [{name: gone, at: 0s, for: 4s, target: topics.dlq, effect: {unavailable: true}}]
        flows: {checkout: {from: checkout, to: office}}
        """,
        """
        0 s  payment  checkout#0  taken
        1 s  payment  checkout#0  dead lettered
        1 s  payment  checkout#1  taken
        2 s  payment  checkout#1  dead lettered
        2 s  payment  checkout#2  taken
        3 s  payment  checkout#2  dead lettered
        3 s  payment  checkout#3  taken
        4 s  payment  checkout#3  dead lettered
        4 s  payment  checkout#4  taken
        4 s  office   checkout#0  taken
        """,
        show="dead_lettered taken",
        until="4500ms",
    )
    assert run.states("checkout") == {"in_flight": 5}


def test_S64_a_dead_letter_that_goes_on_makes_nobody_take(engine: str) -> None:
    """At 4 s the dead letter of the first producer goes on. Payment has a token from then on, but does not
    take because of it: order 1 of the checkout expires first, which is what makes payment take."""
    check(
        engine,
        """
        topics: {orders: {message_ttl: 2s, dead_letter: dlq}, dlq: {}}
        producers:
          first: {topic: orders, arrivals: {every: 100s}, copies: 2}
          checkout: {topic: orders, arrivals: {interarrival: 1s}}
        services: {payment: {consumes: orders, service_time: 0s, rate_limit: {rate: 0.5/s}}}
        faults: [{name: gone, at: 0s, for: 4s, target: topics.dlq, effect: {unavailable: true}}]
        """,
        """
        0 s  payment  first#0     taken
        2 s  payment  first#1     expired
        2 s  payment  checkout#0  taken
        4 s  payment  checkout#1  expired
        4 s  payment  checkout#2  taken
        4 s  dlq      first#1     rested
        4 s  dlq      checkout#1  rested
        """,
        show="taken expired rested",
        until="4500ms",
    )


def test_S65_a_redrive_publishes_what_rests_in_a_topic_again(engine: str) -> None:
    """Orders 0 to 3 are dead letters by 4 s. The redrive of 5 s to 7 s, one a second, brings two of them back
    to payment, which is healthy again; what is left at the end is dead-lettered."""
    run = check(
        engine,
        """
        topics: {orders: {}, dlq: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 1s}}}
        services: {payment: {consumes: orders, service_time: 1s, dead_letter: dlq}}
        faults:
          - {name: bad, at: 0s, for: 3500ms, target: services.payment, effect: {error_rate: 100%}}
          - {name: end, at: 3500ms, for: 100s, target: producers.checkout, effect: {rate_factor: 0x}}
          - {name: repair, at: 5s, for: 2s, target: topics.dlq, effect: {redrive: {to: orders, rate: 1/s}}}
        """,
        """
        0 s  payment      checkout#0  taken
        1 s  payment      checkout#0  dead lettered
        1 s  payment      checkout#1  taken
        2 s  payment      checkout#1  dead lettered
        2 s  payment      checkout#2  taken
        3 s  payment      checkout#2  dead lettered
        3 s  payment      checkout#3  taken
        4 s  payment      checkout#3  dead lettered
        5 s  payment      checkout#0  taken
        5 s  dlq/redrive  checkout#0  taken
        5 s  dlq/redrive  checkout#0  succeeded
        6 s  payment      checkout#0  succeeded
        6 s  payment      checkout#1  taken
        6 s  dlq/redrive  checkout#1  taken
        6 s  dlq/redrive  checkout#1  succeeded
        7 s  payment      checkout#1  succeeded
        """,
        show="taken dead_lettered succeeded",
        until="10s",
    )
    assert run.states("checkout") == {"completed": 2, "dead_lettered": 2}


def exponential_times(
    seed: int, name: str, number: int, mtbf_s: float, mttr_s: float
) -> list[tuple[float, float]]:
    """S66, written out once more: ups and downs of a random fault in the first 1000 s."""
    identity = mix((key(f"faults.{name}") + (number + 1) * G) % WORD)
    found, now = [], 0.0
    while True:
        u = uniform(seed, 0, f"faults.{name}/up", identity, len(found))
        start_s = now - mtbf_s * math.log(1 - u)
        if start_s >= 1000:
            return found
        u = uniform(seed, 0, f"faults.{name}/down", identity, len(found))
        now = start_s - mttr_s * math.log(1 - u)
        found.append((start_s, now))


def test_S66_random_faults_alternate_between_up_and_down(engine: str) -> None:
    """The instance crashes and starts at the drawn times."""
    run = simulate(
        engine,
        """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 100s}}}
        services: {payment: {consumes: orders, service_time: 1s}}
        faults:
          - {name: node lost, target: services.payment, effect: {crash: {instances: all}},
             random: {mtbf: 90s, mttr: 10s}}
        """,
        until="1000s",
        run="seed: 21",
    )
    expected = exponential_times(21, "node lost", 0, 90, 10)
    assert len(expected) > 5
    assert [time for pair in run.occurrences("node lost") for time in pair] == pytest.approx(
        [time for pair in expected for time in pair], rel=1e-9
    )
    crashed = [event.time_s for event in run.events if event.what == "crashed"]
    up = [event.time_s for event in run.events if event.what == "up"]
    assert crashed == pytest.approx([start for start, _ in expected], rel=1e-9)
    assert up == pytest.approx([end for _, end in expected if end < 1000], rel=1e-9)


def test_S67_each_instance_has_its_own_times(engine: str) -> None:
    """Crashes of each instance by itself, at the times drawn for its number."""
    text = """
        topics: {orders: {}}
        producers: {checkout: {topic: orders, arrivals: {every: 2s}}}
        services: {payment: {consumes: orders, instances: 2, concurrency: 9, service_time: 1s}}
        faults:
          - {name: node lost, target: services.payment, effect: EFFECT,
             random: {mtbf: 90s, mttr: 30s, per: instance}}
        """
    expected = {number: exponential_times(4, "node lost", number, 90, 30) for number in (0, 1)}
    run = simulate(engine, text.replace("EFFECT", "{crash: 1}"), until="1000s", run="seed: 4")
    for number, times in expected.items():
        crashed = [e.time_s for e in run.events if e.what == "crashed" and e.number == number]
        assert crashed == pytest.approx([start for start, _ in times], rel=1e-9)
    run = simulate(engine, text.replace("EFFECT", "{slowdown: 2x}"), until="1000s", run="seed: 4")
    instance_of = {(e.number, e.attempt): e.value for e in run.events if e.what == "taken"}
    slow = 0
    for (number, _path, attempt), time_s in attempt_times(run, "payment").items():
        taken_s = 2.0 * number
        is_slow = any(start <= taken_s < end for start, end in expected[int(instance_of[number, attempt])])
        assert time_s == pytest.approx(2 if is_slow else 1)
        slow += is_slow
    assert slow > 50
    run = simulate(engine, text.replace("EFFECT", "{pause: true}"), until="1000s", run="seed: 4")
    for event in run.events:
        if event.what == "taken":
            paused = [
                number
                for number, times in expected.items()
                if any(start <= event.time_s < end for start, end in times)
            ]
            assert int(event.value) not in paused
