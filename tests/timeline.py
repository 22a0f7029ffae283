"""Runs a scenario on either engine and writes what happened as lines that anybody can read.

    2 s     payment   checkout#1   taken (attempt 2)

time, service (or producer or topic), message (producer and number from 0), what happened. What happens to a
service itself has no message: `45 s  payment  instance 1 crashed`. Lines stand in the order of time; at the
same instant those of producers, services and topics in file order, each in the order of handling.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from slosim.model import loads, with_redrives

ENGINES = ("kernel", "reference")
QUIET = ("published", "visible", "batch")
"""Not in a timeline unless it is asked for."""


@dataclass
class Run:
    """One run: its events, and the same numbers from either engine (`result` is the engine's own)."""

    scenario: Any
    events: list[Any]
    result: Any
    is_reference: bool

    # ------------------------------------------------------------------ the timeline

    def lines(self, show: str = "", instances: bool = False) -> list[str]:
        """One line per event whose word is in `show` (default: all but QUIET).

        instances  say which instance took a message
        """
        words = show.split()
        services = with_redrives(self.scenario).services
        places = [*self.scenario.producers, *services, *self.scenario.topics]
        events = [e for e in self.events if (e.what in words if words else e.what not in QUIET)]
        events.sort(key=lambda e: (e.time_s, places.index(e.where)))
        return [self.line_of(e, instances) for e in events]

    def line_of(self, event: Any, instances: bool = False) -> str:
        if event.producer == "":
            return f"{event.time_s:g} s  {event.where}  {self.of_service(event)}"
        what = event.what.replace("_", " ")
        dependencies = list(self.scenario.dependencies)
        if event.what == "taken":
            what += f" by {event.value:g}" if instances else ""
            what += f" (attempt {event.attempt})" if event.attempt > 1 else ""
        elif event.what == "delivered":
            what += f" to {event.value:g}"
        elif event.what in ("called", "hedged"):
            what += f" {dependencies[int(event.value)]}"
        elif event.what == "answered" and event.value == 0:
            what += " with a failure"
        elif event.what == "published" and event.value >= 0:
            what += f" to partition {event.value:g}"
        elif event.what == "retry":
            what += f" at {event.value:g} s"
        elif event.what in ("blocked", "accepted"):
            what += f" by {list(self.scenario.topics)[int(event.value)]}"
        return f"{event.time_s:g} s  {event.where}  {event.producer}#{event.number}  {what}"

    def of_service(self, event: Any) -> str:
        """What happened to a service itself, or to one of its instances."""
        what = event.what.replace("_", " ")
        if event.what == "scaled":
            return f"{what} to {event.value:g}"
        return what if event.number < 0 else f"instance {event.number} {what}"

    # ------------------------------------------------------------------ numbers

    def line(self, topic: str, service: str) -> SimpleNamespace:
        """Counters of a line from the warm-up on, what it holds at the end, and its lag, waiting and age."""
        if self.is_reference:
            name = topic, service
            counters = self.result.counters["lines"][name]["measured"]
            averages = self.result.line_averages
            return SimpleNamespace(
                **{name: counters[name] for name in LINE_COUNTERS},
                lag=averages[name, "lag"],
                waiting=averages[name, "waiting"],
                age_samples=self.result.age_samples[name],
                event_lag=total_of(self.result.event_lag[name]),
            )
        line = self.result.lines[topic, service]
        return SimpleNamespace(
            **{name: getattr(line, name) for name in LINE_COUNTERS},
            lag=line.lag,
            waiting=line.waiting,
            age_samples=line.age_samples,
            event_lag=total_of(line.event_lag),
        )

    def service(self, name: str) -> SimpleNamespace:
        """Counters of a service from the warm-up on; busy; (count, total) of its durations."""
        if self.is_reference:
            counters = self.result.counters["services"][name]["measured"]
            durations = self.result.durations[name]
            averages, by_sample = self.result.averages, self.result.by_sample[name]
            return SimpleNamespace(
                **{word: counters[word] for word in SERVICE_COUNTERS},
                busy=averages[name, "busy"],
                slot_seconds=averages[name, "slots_up"].integral,
                instance_seconds=averages[name, "wanted"].integral,
                instances_samples=averages[name, "up"].samples,
                **{f"{word}_by_sample": [one[word] for one in by_sample] for word in BY_SAMPLE},
                **{word: total_of(getattr(durations, word)) for word in ("wait", "service", "sojourn")},
            )
        service = self.result.services[name]
        return SimpleNamespace(
            **{word: getattr(service, word) for word in SERVICE_COUNTERS},
            busy=service.busy,
            slot_seconds=service.slot_seconds,
            instance_seconds=service.instance_seconds,
            instances_samples=list(service.instances_samples),
            **{f"{word}_by_sample": getattr(service, f"{word}_by_sample").tolist() for word in BY_SAMPLE},
            **{word: total_of(getattr(service, word)) for word in ("wait", "service", "sojourn")},
        )

    def mechanisms(self, name: str) -> SimpleNamespace:
        """Counters and averages of the mechanisms of a service (S42 to S67), and what its autoscaler did."""
        if self.is_reference:
            counters = self.result.counters["services"][name]["measured"]
            return SimpleNamespace(
                **{word: counters[word] for word in MECHANISMS_COUNTERS},
                **{word: self.result.averages[name, word] for word in MECHANISMS_AVERAGES},
                scalings=self.result.scalings[name],
            )
        found = self.result.services[name].mechanisms
        return SimpleNamespace(
            **{word: getattr(found, word) for word in (*MECHANISMS_COUNTERS, *MECHANISMS_AVERAGES)},
            scalings=[tuple(row) for row in found.scalings],
        )

    def dependency(self, name: str) -> SimpleNamespace:
        """Counters of a dependency; busy and waiting; (count, total) of the waits at it."""
        if self.is_reference:
            counters = self.result.counters["dependencies"][name]["measured"]
            return SimpleNamespace(
                **{word: counters[word] for word in DEPENDENCY_COUNTERS},
                **{word: self.result.dependency_averages[name, word] for word in ("busy", "waiting")},
                wait=total_of(self.result.dependency_wait[name]),
            )
        found = self.result.dependencies[name]
        return SimpleNamespace(
            **{word: getattr(found, word) for word in (*DEPENDENCY_COUNTERS, "busy", "waiting")},
            wait=total_of(found.wait),
        )

    def occurrences(self, fault: str) -> list[tuple[float, float]]:
        """(start, end) of every occurrence of a random fault, s."""
        return [(float(start), float(end)) for start, end in self.result.occurrences[fault]]

    def flow(self, name: str) -> SimpleNamespace:
        """States and latency of a flow's instances from the warm-up on, and the seconds of every part."""
        if self.is_reference:
            counters = self.result.counters["flows"][name]["measured"]
            measured = [
                i
                for i in self.result.flow_instances
                if i.flow == name and i.start_s >= self.scenario.run.warmup and i.state == "completed"
            ]
            parts: Counter[str] = Counter()
            for instance in measured:
                parts.update(instance.parts)
            return SimpleNamespace(
                **{word: counters[word] for word in FLOW_COUNTERS},
                latency=total_of([i.latency_s for i in measured]),
                parts=dict(parts),
            )
        flow = self.result.flows[name]
        sums = np.asarray(flow.parts_by_bucket).sum(axis=0)
        return SimpleNamespace(
            **{word: getattr(flow, word) for word in FLOW_COUNTERS},
            latency=total_of(flow.latency),
            parts={part: float(s) for part, s in zip(flow.parts, sums, strict=True) if s > 0},
        )

    def states(self, name: str) -> dict[str, int]:
        """How many instances of a flow are in each state; states without instances are left out."""
        flow = self.flow(name)
        return {word: getattr(flow, word) for word in FLOW_COUNTERS[1:] if getattr(flow, word)}

    def objective(self, name: str) -> tuple[list[int], list[int]]:
        """Good and bad per sample, and after the last sample."""
        if self.is_reference:
            judgement = self.result.judgements[name]
            return judgement.good, judgement.bad
        objective = self.result.objectives[name]
        good = [*map(int, objective.good), objective.good_after]
        return good, [*map(int, objective.bad), objective.bad_after]


LINE_COUNTERS = (
    "published",
    "rejected",
    "finished",
    "dead_lettered",
    "expired",
    "dropped",
    "shed",
    "delayed_at_end",
    "waiting_at_end",
    "backing_off_at_end",
    "in_work_at_end",
    "blocked_at_end",
)
SERVICE_COUNTERS = (
    "attempts",
    "first_attempts",
    "succeeded",
    "failed",
    "timed_out",
    "lost",
    "retried",
    "dead_lettered",
    "duplicates",
    "first_successes",
)
BY_SAMPLE = ("attempts", "failed", "retried")
MECHANISMS_COUNTERS = ("starts", "crashes", "rebalances", "partitions", "opened", "denied_retries")
MECHANISMS_AVERAGES = ("stopped", "held_ahead", "open", "wanted")
DEPENDENCY_COUNTERS = ("requests", "answered", "failed", "refused", "cancelled", "hedged", "timed_out")
FLOW_COUNTERS = ("started", "completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")


def total_of(values: Any) -> tuple[int, float]:
    """Count and total of a list or of a histogram."""
    if isinstance(values, list):
        return len(values), sum(values)
    return values.count, values.total


def simulate(engine: str, text: str, until: str = "20s", base: Path | None = None, run: str = "") -> Run:
    """Run a scenario: YAML without `name` and `run`.

    until  the duration
    base   folder of the files that the scenario names
    run    further fields of `run`, such as "warmup: 5s, sample_every: 1s"
    """
    head = f"name: timeline\nrun: {{duration: {until}{', ' if run else ''}{run}}}\n"
    return simulate_scenario(engine, loads(head + textwrap.dedent(text), base=base or Path(".")))


def simulate_scenario(engine: str, scenario: Any, **options: Any) -> Run:
    if engine == "reference":
        from slosim.engine.reference import simulate as run_reference

        reference = run_reference(scenario, **options)
        return Run(scenario, reference.trace, reference, True)
    from slosim.engine.run import trace

    traced = trace(scenario, **options)
    return Run(scenario, list(traced.events), traced.measurements, False)


def check(
    engine: str, text: str, expected: str, show: str = "", instances: bool = False, **options: Any
) -> Run:
    """Run a scenario and compare its timeline; blanks are free. Returns the run, for its numbers."""
    run = simulate(engine, text, **options)
    got = run.lines(show, instances)
    wanted = [" ".join(line.split()) for line in textwrap.dedent(expected).strip().splitlines()]
    assert [" ".join(line.split()) for line in got] == wanted, "what happened:\n" + "\n".join(got)
    return run
