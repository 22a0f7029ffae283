"""What differs between the two engines on one scenario, as sentences."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from typing import Any

import numpy as np

from slosim.compile.program import COARSE
from slosim.engine.reference import Event, Reference, simulate
from slosim.engine.run import trace
from slosim.measure.histogram import Histogram, buckets_of
from slosim.model import Scenario, loads, with_redrives
from strategies import DATA, as_text, generate

EXACT = ("tables",)
"""Distributions that the kernel keeps as tables agree to 0.1% only, so nothing after a draw could be
compared."""

WITH_MECHANISMS = 5000
"""From this seed on, generated scenarios use the rarer mechanisms."""


def made_of(seed: int, without: tuple[str, ...] = ()) -> dict[str, Any]:
    return generate(seed, without, mechanisms=seed >= WITH_MECHANISMS)


def scenario_of(seed: int, without: tuple[str, ...] = ()) -> Scenario:
    return loaded(made_of(seed, without))


def loaded(made: dict[str, Any]) -> Scenario:
    return loads(as_text(made), name=made["name"], base=DATA)


def compare(scenario: Scenario, run_seed: int | None = None, replication: int = 0) -> list[str]:
    """What differs between the engines; the first events first."""
    reference = simulate(scenario, seed=run_seed, replication=replication)
    traced = trace(scenario, seed=run_seed, replication=replication)
    differences = compare_events(with_redrives(scenario), reference.trace, traced.events)
    if differences:
        return differences  # everything else follows from the events
    measurements = traced.measurements
    assert np.allclose(measurements.sample_times_s, reference.sample_times_s)
    found = Differences()
    for name in scenario.services:
        compare_service(found, name, reference, measurements)
    for name, dependency in measurements.dependencies.items():
        compare_dependency(found, name, reference, dependency)
    for name, topic in measurements.topics.items():
        found.counters(f"topic {name}", reference.counters["topics"][name]["measured"], topic)
    for name, flow in measurements.flows.items():
        compare_flow(found, scenario, name, reference, flow)
    for name, objective in measurements.objectives.items():
        judgement = reference.judgements[name]
        found.equal(f"good of {name}", [*map(int, objective.good), objective.good_after], judgement.good)
        found.equal(f"bad of {name}", [*map(int, objective.bad), objective.bad_after], judgement.bad)
    found.equal("random faults", sorted(measurements.occurrences), sorted(reference.occurrences))
    for name, times_s in measurements.occurrences.items():
        found.close(f"occurrences of {name}", np.ravel(times_s), np.ravel(reference.occurrences[name]))
    return found.sentences


def symptom_of(made: dict[str, Any]) -> str | None:
    """In a word what is wrong with a made scenario, None if nothing is. The same symptom mostly has the same
    reason."""
    try:
        scenario = loaded(made)
    except Exception:  # no longer a valid scenario
        return None
    try:
        differences = compare(scenario)
    except Exception as error:
        return f"{type(error).__name__}: {re.sub('[0-9]+', 'N', str(error))[:60]}"
    if not differences:
        return None
    words = re.findall("what='([a-z_]+)'|(kernel None|reference None)", differences[0])
    if words:
        return " / ".join(event or nothing for event, nothing in words)
    return re.sub("[0-9]+", "N", differences[0].partition(":")[0])


# ---------------------------------------------------------------------------------------------------- events


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
    for where in [*scenario.producers, *scenario.services, *scenario.topics]:
        for i in range(max(len(ours[where]), len(theirs[where]))):
            a = ours[where][i] if i < len(ours[where]) else None
            b = theirs[where][i] if i < len(theirs[where]) else None
            if a is None or b is None or not same_event(a, b):
                at = min(e.time_s for e in (a, b) if e is not None)
                differences.append((at, f"{where}, event {i}: reference {a}, kernel {b}"))
                break
    return [sentence for _, sentence in sorted(differences)]


def same_event(a: Event, b: Event) -> bool:
    """An engine numbers the instances that take only where it tells them apart."""
    is_untold = a.what == "taken" and min(a.value, b.value) < 0
    return (
        a[1:7] == b[1:7]
        and math.isclose(a.time_s, b.time_s, rel_tol=1e-9, abs_tol=1e-9)
        and (is_untold or math.isclose(a.value, b.value, rel_tol=1e-9, abs_tol=1e-9))
    )


# -------------------------------------------------------------------------------------------------- measures


class Differences:
    def __init__(self) -> None:
        self.sentences: list[str] = []

    def equal(self, name: str, got: Any, expected: Any) -> None:
        if got != expected:
            self.sentences.append(f"{name}: reference {expected}, kernel {got}")

    def close(self, name: str, got: Any, expected: Any, atol: float = 1e-9) -> None:
        if np.shape(got) != np.shape(expected) or not np.allclose(got, expected, rtol=1e-9, atol=atol):
            self.sentences.append(f"{name}: reference {expected}, kernel {got}")

    def counters(self, name: str, expected: dict[str, int], got: Any) -> None:
        """Every counter of a record of measurements, by name."""
        for word, value in vars(got).items():
            if isinstance(value, int):
                self.equal(f"{name}: {word}", value, expected[word])

    def histogram(self, name: str, expected: list[float], got: Histogram) -> None:
        """Count, total and maximum; buckets may differ by a rounding at their edges, and latencies are added
        in whole nanoseconds or so, which makes the sum independent of the order."""
        self.equal(f"{name}: count", got.count, len(expected))
        self.close(f"{name}: total", got.total, math.fsum(expected), 1e-9 * (1 + len(expected)))
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
    """A service with its mechanisms, and its lines."""
    service, durations, averages = measurements.services[name], reference.durations[name], reference.averages
    counters = reference.counters["services"][name]["measured"]
    found.counters(f"service {name}", counters, service)
    found.average(f"busy of {name}", averages[name, "busy"], service.busy)
    for word in ("wait", "service", "sojourn"):
        found.histogram(f"{word} of {name}", getattr(durations, word), getattr(service, word))
    found.close(f"instance seconds of {name}", service.instance_seconds, averages[name, "wanted"].integral)
    if np.isfinite(service.slot_seconds):
        found.close(f"slot seconds of {name}", service.slot_seconds, averages[name, "slots_up"].integral)
    for word in ("attempts", "failed", "retried"):
        counted = [sample[word] for sample in reference.by_sample[name]]
        found.equal(f"{word} of {name} by sample", getattr(service, f"{word}_by_sample").tolist(), counted)
    found.equal(f"instances of {name}", list(service.instances_samples), averages[name, "up"].samples)
    if service.mechanisms is not None:
        found.counters(f"service {name}", counters, service.mechanisms)
        for word in ("stopped", "held_ahead", "open", "wanted"):
            if averages[name, word].samples:  # without a breaker nothing is ever open
                found.average(f"{word} of {name}", averages[name, word], getattr(service.mechanisms, word))
        scalings = [tuple(row) for row in service.mechanisms.scalings]
        found.close(f"scalings of {name}", scalings, reference.scalings[name])
    for key, line in measurements.lines.items():
        if key[1] == name:
            compare_line(found, key, reference, line)


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
        average = reference.dependency_averages[name, word]
        found.average(f"{word} at {name}", average, getattr(dependency, word))
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
    coarse = buckets_of(np.array([instance.latency_s for instance in completed])) >> COARSE
    buckets, rows = np.unique(coarse, return_inverse=True)
    found.equal(f"coarse buckets of {name}", flow.buckets.tolist(), buckets.tolist())
    if found.sentences:
        return
    for column, part in enumerate(flow.parts):
        expected = np.zeros(len(buckets))
        np.add.at(expected, rows, [instance.parts.get(part, 0.0) for instance in completed])
        found.close(
            f"{part} of {name}", flow.parts_by_bucket[:, column], expected, 1e-8 * (1 + len(completed))
        )
    known = {part for instance in completed for part in instance.parts}
    found.equal(f"parts of {name} without a name", sorted(known - set(flow.parts)), [])
    ages = [scenario.run.duration - i.start_s for i in measured if i.state == "in_flight"]
    found.histogram(f"ages of {name}", ages, flow.in_flight_ages)


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
