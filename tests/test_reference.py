"""The two engines against each other, message by message, on generated scenarios; and the reference by
itself.

A failing case is told by its seed: `python tests/test_reference.py SEED` prints the scenario and what
differs.
"""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from typing import Any

import numpy as np
import pytest

from slosim.engine.reference import Event, Reference, simulate
from slosim.engine.run import trace
from slosim.measure.histogram import Histogram
from slosim.model import Scenario, loads, with_redrives
from strategies import DATA, as_text, generate

ALONE = range(200)
COMPARED = range(1000, 1200)
SLICED = range(2000, 2020)


def scenario_of(seed: int, without: tuple[str, ...] = ()) -> Scenario:
    return loads(as_text(generate(seed, without)), name=f"generated {seed}", base=DATA)


EXACT = ("tables",)
"""Distributions that the kernel keeps as tables agree to 0.1% only, so nothing after a draw could be
compared."""


# ----------------------------------------------------------------------------------------------------- alone


@pytest.mark.parametrize("seed", ALONE)
def test_the_reference_keeps_its_own_rules(seed: int) -> None:
    """Conservation and Little's law (checked inside), the clock, order per partition, slots and instances."""
    scenario = scenario_of(seed)
    reference = simulate(scenario)
    times = [event.time_s for event in reference.trace]
    assert times == sorted(times)
    assert not times or times[-1] < scenario.run.duration
    check_partitions(scenario, reference)
    check_slots(scenario, reference)
    for instance in reference.flow_instances:
        if instance.state == "completed":
            assert math.isclose(sum(instance.parts.values()), instance.latency_s, rel_tol=1e-9, abs_tol=1e-9)


def message_of(event: Event) -> tuple[str, str, int, int]:
    return event.where, event.producer, event.number, event.path


ENDS = ("succeeded", "failed", "timed_out")


def check_partitions(scenario: Scenario, reference: Reference) -> None:
    """A log's partition has one message in work at most; without retries it is taken in order of
    visibility."""
    partition_of: dict[Any, float] = {}
    working: dict[Any, Any] = {}
    visible: dict[Any, list[Any]] = defaultdict(list)
    for event in reference.trace:
        if event.where not in scenario.services:
            continue
        service, message = scenario.services[event.where], message_of(event)
        if scenario.topics[service.consumes[0]].partitions is None:
            continue
        if event.what == "published":
            partition_of[message] = event.value
        line = event.where, partition_of.get(message)
        if event.what == "visible":
            visible[line].append(message)
        elif event.what in ("expired", "dropped") and message in visible[line]:
            visible[line].remove(message)  # not there: it came back from a retry too late
        elif event.what == "taken":
            assert working.setdefault(line, message) is message, f"two in work in {line}"
            if service.retry is None or not service.retry.blocking:
                assert visible[line][0] == message, f"taken out of order: {event}"
            visible[line].remove(message)
        elif event.what in ENDS:
            del working[line]


def check_slots(scenario: Scenario, reference: Reference) -> None:
    """No service works on more messages than it has slots, and busy says how many."""
    busy: Counter[str] = Counter()
    blocking = {n for n, s in scenario.services.items() if s.retry is not None and s.retry.blocking}
    for event in reference.trace:
        service = scenario.services.get(event.where)
        if service is None:
            continue
        if event.what == "taken":
            busy[event.where] += 1
        elif event.what == "work_ended" or (
            event.what in ENDS and not (event.what == "timed_out" and service.on_timeout == "abandon")
        ):
            busy[event.where] -= 1
        if service.concurrency is not None:
            assert 0 <= busy[event.where] <= service.instances * service.concurrency
    for name in scenario.services:
        busy_at_end = reference.averages[name, "busy"].value
        assert busy_at_end >= busy[name] if name in blocking else busy_at_end == busy[name]


# -------------------------------------------------------------------------------------------------- compared


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=pytest.mark.modes) if seed in COMPARED[:20] else seed for seed in COMPARED],
)
def test_the_kernel_agrees_with_the_reference(seed: int) -> None:
    """Every event, counter, integral, sample, duration, flow and objective."""
    differences = compare(scenario_of(seed, EXACT))
    assert not differences, explain(seed, differences)


@pytest.mark.parametrize("seed", COMPARED[:10])
def test_another_seed_and_replication_agree_too(seed: int) -> None:
    assert not compare(scenario_of(seed, EXACT), run_seed=7, replication=3)


@pytest.mark.parametrize("seed", SLICED)
def test_the_length_of_the_slices_changes_nothing(seed: int) -> None:
    scenario = scenario_of(seed)
    whole = trace(scenario, slice_s=scenario.run.duration)
    for slice_s in (0.3, 1.0, 7.77):
        sliced = trace(scenario, slice_s=slice_s)
        assert by_place(sliced.events) == by_place(whole.events)
        assert unequal(sliced.measurements, whole.measurements) == []


def unequal(a: Any, b: Any, name: str = "measurements") -> list[str]:
    """Names of what is not equal in every bit."""
    if isinstance(a, np.ndarray):
        return [] if np.array_equal(a, b) else [name]
    if isinstance(a, dict):
        parts = {str(part): (a.get(part), b.get(part)) for part in a.keys() | b.keys()}
    elif hasattr(a, "__dataclass_fields__"):
        parts = {part: (getattr(a, part), getattr(b, part)) for part in a.__dataclass_fields__}
    else:
        return [] if a == b else [name]
    return [found for part, pair in parts.items() for found in unequal(*pair, f"{name}.{part}")]


def compare(scenario: Scenario, run_seed: int | None = None, replication: int = 0) -> list[str]:
    """What differs between the engines, as sentences; the first events first."""
    reference = simulate(scenario, seed=run_seed, replication=replication)
    traced = trace(scenario, seed=run_seed, replication=replication)
    differences = compare_events(scenario, reference.trace, traced.events)
    if differences:
        return differences  # everything else follows from the events
    measurements = traced.measurements
    assert np.allclose(measurements.sample_times_s, reference.sample_times_s)
    found = Differences()
    for name in with_redrives(scenario).services:
        compare_service(found, name, reference, measurements)
    for name, dependency in measurements.dependencies.items():
        compare_dependency(found, name, reference, dependency)
    found.equal("random faults", sorted(measurements.occurrences), sorted(reference.occurrences))
    for name, occurrences in measurements.occurrences.items():
        found.close(f"occurrences of {name}", occurrences.ravel(), np.ravel(reference.occurrences[name]))
    for name, topic in measurements.topics.items():
        found.counters(f"topic {name}", reference.counters["topics"][name]["measured"], topic)
    for name, flow in measurements.flows.items():
        compare_flow(found, scenario, name, reference, flow)
    for name, objective in measurements.objectives.items():
        judgement = reference.judgements[name]
        found.equal(f"good of {name}", [*map(int, objective.good), objective.good_after], judgement.good)
        found.equal(f"bad of {name}", [*map(int, objective.bad), objective.bad_after], judgement.bad)
    return found.sentences


def by_place(events: list[Event]) -> dict[str, list[Event]]:
    """Events by where they happened, in the order of handling; what rests in a topic comes from several
    groups, so it is put in the order of time and message."""
    places: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        places[event.where].append(event)
    for place in places.values():
        if place[0].what == "rested":
            place.sort(key=lambda e: (e.time_s, e.producer, e.number, e.path))
    return places


def compare_events(scenario: Scenario, expected: list[Event], got: list[Event]) -> list[str]:
    differences = []
    ours, theirs = by_place(expected), by_place(got)
    for where in [*scenario.producers, *with_redrives(scenario).services, *scenario.topics]:
        for i in range(max(len(ours[where]), len(theirs[where]))):
            a = ours[where][i] if i < len(ours[where]) else None
            b = theirs[where][i] if i < len(theirs[where]) else None
            if a is None or b is None or not same_event(a, b):
                at = min(e.time_s for e in (a, b) if e is not None)
                differences.append((at, f"{where}, event {i}: reference {a}, kernel {b}"))
                break
    return [sentence for _, sentence in sorted(differences)]


def same_event(a: Event, b: Event) -> bool:
    """a of the reference, which numbers the instances that take only where they are told apart."""
    return (
        a[1:7] == b[1:7]
        and math.isclose(a.time_s, b.time_s, rel_tol=1e-9, abs_tol=1e-9)
        and (
            (a.what == "taken" and a.value < 0) or math.isclose(a.value, b.value, rel_tol=1e-9, abs_tol=1e-9)
        )
    )


class Differences:
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def equal(self, name: str, got: Any, expected: Any) -> None:
        if got != expected:
            self.sentences.append(f"{name}: reference {expected}, kernel {got}")

    def close(self, name: str, got: Any, expected: Any, atol: float = 1e-9) -> None:
        if not np.allclose(got, expected, rtol=1e-9, atol=atol):
            self.sentences.append(f"{name}: reference {expected}, kernel {got}")

    def counters(self, name: str, expected: dict[str, int], got: Any) -> None:
        """Every counter of a record of measurements, by name."""
        for word, value in vars(got).items():
            if isinstance(value, int):
                self.equal(f"{name}: {word}", value, expected[word])

    def histogram(self, name: str, expected: list[float], got: Histogram) -> None:
        """Count, total and maximum; buckets may differ by a rounding at their edges."""
        self.equal(f"{name}: count", got.count, len(expected))
        self.close(f"{name}: total", got.total, math.fsum(expected))
        self.close(f"{name}: maximum", got.maximum, max(expected, default=0.0))
        shares = [0.1, 0.5, 0.9]
        wanted = Histogram.of(np.array(expected, dtype=float)).quantiles(shares)
        for share, a, b in zip(shares, got.quantiles(shares), wanted, strict=True):
            if (a is None) != (b is None) or not math.isclose(a or 0.0, b or 0.0, rel_tol=0.01, abs_tol=1e-8):
                self.sentences.append(f"{name}: quantile {share}: reference {b}, kernel {a}")

    def average(self, name: str, expected: Any, got: Any) -> None:
        self.close(f"{name}: integral", got.integral, expected.integral)
        self.equal(f"{name}: maximum", got.maximum, expected.maximum)
        self.equal(f"{name}: samples", list(got.samples), expected.samples)


def compare_service(found: Differences, name: str, reference: Reference, measurements: Any) -> None:
    """A service and its line."""
    service = measurements.services[name]
    durations = reference.durations[name]
    counters = reference.counters["services"][name]["measured"]
    averages = reference.averages
    found.counters(f"service {name}", counters, service)
    found.average(f"busy of {name}", averages[name, "busy"], service.busy)
    for word in ("wait", "service", "sojourn"):
        found.histogram(f"{word} of {name}", getattr(durations, word), getattr(service, word))
    found.close(f"instance seconds of {name}", service.instance_seconds, averages[name, "wanted"].integral)
    if np.isfinite(service.slot_seconds):
        found.close(f"slot seconds of {name}", service.slot_seconds, averages[name, "slots_up"].integral)
    found.equal(f"instances of {name}", list(service.instances_samples), averages[name, "up"].samples)
    if service.mechanisms is not None:
        compare_mechanisms(found, name, reference, service.mechanisms)
    for key, line in measurements.lines.items():
        if key[1] == name:
            compare_line(found, key, reference, line)


def compare_mechanisms(found: Differences, name: str, reference: Reference, mechanisms: Any) -> None:
    found.counters(f"service {name}", reference.counters["services"][name]["measured"], mechanisms)
    for word in ("stopped", "held_ahead", "open", "wanted"):
        expected = reference.averages[name, word]
        if expected.samples:  # without a breaker nothing is ever open
            found.average(f"{word} of {name}", expected, getattr(mechanisms, word))
    scalings = [tuple(row) for row in mechanisms.scalings]
    found.equal(f"number of scalings of {name}", len(scalings), len(reference.scalings[name]))
    found.close(f"scalings of {name}", scalings, reference.scalings[name])


def compare_line(found: Differences, key: tuple[str, str], reference: Reference, line: Any) -> None:
    found.counters(f"line {key}", reference.counters["lines"][key]["measured"], line)
    found.average(f"lag of {key}", reference.line_averages[key, "lag"], line.lag)
    found.average(f"waiting of {key}", reference.line_averages[key, "waiting"], line.waiting)
    found.close(f"age of {key}", line.age_samples, reference.age_samples[key])
    found.histogram(f"event lag of {key}", reference.event_lag[key], line.event_lag)
    if key in reference.partition_lag_max_samples:
        lag_max = reference.partition_lag_max_samples[key]
        found.equal(f"partition lag of {key}", list(line.partition_lag_max_samples), lag_max)


def compare_dependency(found: Differences, name: str, reference: Reference, dependency: Any) -> None:
    found.counters(f"dependency {name}", reference.counters["dependencies"][name]["measured"], dependency)
    for word in ("busy", "waiting"):
        expected = reference.dependency_averages[name, word]
        found.average(f"{word} at {name}", expected, getattr(dependency, word))
    found.histogram(f"wait at {name}", reference.dependency_wait[name], dependency.wait)


def compare_flow(found: Differences, scenario: Scenario, name: str, reference: Reference, flow: Any) -> None:
    counters = reference.counters["flows"][name]
    found.counters(f"flow {name}", counters["measured"], flow)
    for word, count in flow.whole_run.items():
        found.equal(f"flow {name}, whole run: {word}", count, counters["whole_run"][word])
    measured = [
        instance
        for instance in reference.flow_instances
        if instance.flow == name and instance.start_s >= scenario.run.warmup
    ]
    completed = [instance for instance in measured if instance.state == "completed"]
    found.histogram(f"latency of {name}", [instance.latency_s for instance in completed], flow.latency)
    sums = np.asarray(flow.parts_by_bucket).sum(axis=0)
    for part, seconds in zip(flow.parts, sums, strict=True):
        expected = math.fsum(instance.parts.get(part, 0.0) for instance in completed)
        # the kernel adds parts in whole nanoseconds or so, which makes the sum independent of the order
        found.close(f"{part} of {name}", seconds, expected, 1e-8 * (1 + len(completed)))
    known = {part for instance in completed for part in instance.parts}
    found.equal(f"parts of {name} without a name", sorted(known - set(flow.parts)), [])
    ages = [scenario.run.duration - i.start_s for i in measured if i.state == "in_flight"]
    found.histogram(f"ages of {name}", ages, flow.in_flight_ages)


def explain(seed: int, differences: list[str]) -> str:
    replay = f"python tests/test_reference.py {seed}"
    return "\n".join([f"generated scenario {seed} ({replay}):", *differences])


if __name__ == "__main__":
    for number in map(int, sys.argv[1:]):
        print(as_text(generate(number, EXACT)))
        print(explain(number, compare(scenario_of(number, EXACT))))
