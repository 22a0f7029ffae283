"""What experiments keep of one replication: small enough for a file with thousands of them.

Everything is a sum, a count, a maximum or a histogram, so that summaries of several replications are pooled
as the report pools whole measurements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from slosim.experiments.aftermath import Aftermath, aftermaths_of
from slosim.measure.histogram import Histogram
from slosim.measure.measurements import FlowMeasurements, LineMeasurements, Measurements, ServiceMeasurements
from slosim.model import Scenario
from slosim.report.faults import courses_of, occurrences_of
from slosim.report.objectives import outcomes_of
from slosim.report.where_time_goes import mean_of_slowest, parts_of


@dataclass(frozen=True)
class FlowSummary:
    """One flow. parts: s, summed over the completed instances; slowest_parts: s, mean of the slowest 1%."""

    started: int
    completed: int
    completed_elsewhere: int
    dead_lettered: int
    dropped: int
    in_flight: int
    latency: Histogram
    parts: dict[str, float]
    slowest_parts: dict[str, float]


@dataclass(frozen=True)
class ServiceSummary:
    """One service; slot_seconds is None for unlimited concurrency."""

    attempts: int
    first_attempts: int
    failed: int
    busy_seconds: float
    slot_seconds: float | None
    instance_seconds: float
    wait_total_s: float
    wait_count: int


@dataclass(frozen=True)
class LineSummary:
    """One consumer group's line of one topic."""

    lag_integral: float
    lag_max: float
    lag_at_end: float


@dataclass(frozen=True)
class DependencySummary:
    """One dependency; server_seconds is None for unlimited capacity."""

    busy_seconds: float
    server_seconds: float | None


@dataclass(frozen=True)
class FaultSummary:
    """One occurrence of a fault; recovered_after_s None: the lag of what was hit never came back."""

    name: str
    start_s: float
    end_s: float
    peak_lag: float
    recovered_after_s: float | None
    bad: float
    aftermath: Aftermath


@dataclass(frozen=True)
class Summary:
    """One replication. objectives: [good, bad] by name; lines by "topic → service"."""

    measured_s: float
    messages: int
    objectives: dict[str, list[float]]
    flows: dict[str, FlowSummary]
    services: dict[str, ServiceSummary]
    dependencies: dict[str, DependencySummary]
    lines: dict[str, LineSummary]
    faults: list[FaultSummary]


def summarise(scenario: Scenario, measurements: Measurements) -> Summary:
    """The summary of one replication."""
    one = measurements
    outcomes = {its.name: outcomes_of(its, [one])[0] for its in scenario.objectives}
    return Summary(
        measured_s=max(0.0, one.ended_s - one.warmup_s),
        messages=one.messages,
        objectives={name: [its.total_good, its.total_bad] for name, its in outcomes.items()},
        flows={name: _flow(flow) for name, flow in one.flows.items()},
        services={name: _service(service) for name, service in one.services.items()},
        dependencies={
            name: DependencySummary(its.busy.integral, _finite(its.server_seconds))
            for name, its in one.dependencies.items()
        },
        lines={line_name(topic, service): _line(line) for (topic, service), line in one.lines.items()},
        faults=[
            FaultSummary(
                its.name, its.start_s, its.end_s, course.peak_lag, course.recovered_after_s, course.bad, after
            )
            for its, course, after in zip(
                occurrences_of(scenario), courses_of(scenario, one), aftermaths_of(scenario, one), strict=True
            )
        ],
    )


def line_name(topic: str, service: str) -> str:
    return f"{topic} → {service}"


def _flow(flow: FlowMeasurements) -> FlowSummary:
    names, parts = parts_of([flow])
    finished = flow.finished_by_bucket.astype(np.float64)
    slowest = mean_of_slowest(parts[0], finished)
    return FlowSummary(
        flow.started,
        flow.completed,
        flow.completed_elsewhere,
        flow.dead_lettered,
        flow.dropped,
        flow.in_flight,
        flow.latency,
        dict(zip(names, parts[0].sum(axis=0).tolist(), strict=True)),
        dict(zip(names, (value or 0.0 for value in slowest), strict=True)),
    )


def _service(service: ServiceMeasurements) -> ServiceSummary:
    return ServiceSummary(
        service.attempts,
        service.first_attempts,
        service.failed,
        service.busy.integral,
        _finite(service.slot_seconds),
        service.instance_seconds,
        service.wait.total,
        service.wait.count,
    )


def _line(line: LineMeasurements) -> LineSummary:
    at_end = line.delayed_at_end + line.waiting_at_end + line.backing_off_at_end + line.in_work_at_end
    return LineSummary(line.lag.integral, line.lag.maximum, float(at_end))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def is_of(scenario: Scenario, summary: Summary) -> bool:
    """Whether a summary, perhaps read from a file that someone edited, has all that its scenario has."""
    lines = {line_name(topic, name) for name, its in scenario.services.items() for topic in its.consumes}
    return (
        {one.name for one in scenario.objectives} <= summary.objectives.keys()
        and scenario.flows.keys() <= summary.flows.keys()
        and scenario.services.keys() <= summary.services.keys()
        and scenario.dependencies.keys() <= summary.dependencies.keys()
        and lines <= summary.lines.keys()
        and [one.name for one in occurrences_of(scenario)] == [one.name for one in summary.faults]
    )


# As JSON


def to_plain(value: Any) -> Any:
    """A summary as dicts, lists and numbers."""
    if isinstance(value, Histogram):
        return {
            "filled": value.filled.tolist(),
            "counts": value.filled_counts.tolist(),
            "total": value.total,
            "maximum": value.maximum,
        }
    if isinstance(value, dict):
        return {name: to_plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [to_plain(inner) for inner in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: to_plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return value.item() if isinstance(value, np.generic) else value


def from_plain(plain: Mapping[str, Any]) -> Summary:
    """The summary that `to_plain` wrote.

    Raises:
        KeyError, TypeError, ValueError: it is not one.
    """
    return Summary(
        **{
            **plain,
            "objectives": {name: [good, bad] for name, (good, bad) in plain["objectives"].items()},
            "flows": {
                name: FlowSummary(**{**flow, "latency": _histogram(flow["latency"])})
                for name, flow in plain["flows"].items()
            },
            "services": {name: ServiceSummary(**its) for name, its in plain["services"].items()},
            "dependencies": {name: DependencySummary(**its) for name, its in plain["dependencies"].items()},
            "lines": {name: LineSummary(**its) for name, its in plain["lines"].items()},
            "faults": [
                FaultSummary(**{**its, "aftermath": Aftermath(**its["aftermath"])}) for its in plain["faults"]
            ],
        }
    )


def _histogram(plain: Mapping[str, Any]) -> Histogram:
    filled, counts = (np.asarray(plain[key], dtype=np.int64) for key in ("filled", "counts"))
    return Histogram(filled, counts, float(plain["total"]), float(plain["maximum"]))
