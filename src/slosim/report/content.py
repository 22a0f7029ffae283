"""The report as data, exactly as it is written to JSON: here measurements become reported numbers.

Text, Markdown and HTML show what is here and nothing else. Undefined numbers are None; there is no NaN, no
infinity, no wall time and no machine, so the same inputs give the same bytes. `docs/report.md` explains every
key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from slosim.measure import intervals
from slosim.measure.measurements import (
    DependencyMeasurements,
    FlowMeasurements,
    LineMeasurements,
    Measurements,
    Mechanisms,
    ServiceMeasurements,
    TimeAverage,
)
from slosim.report import statistics
from slosim.report.assumptions import Structure
from slosim.report.faults import fault_entries
from slosim.report.left_out import left_out
from slosim.report.objectives import objective_entry, verdict_of_all
from slosim.report.theory import dependency_theory, service_theory
from slosim.report.warmup import start_of, suggested_s
from slosim.report.where_time_goes import where_time_goes

if TYPE_CHECKING:
    from slosim.model import Scenario


FORMAT = "slosim-report/1"


def content_of(
    scenario: Scenario,
    measurements: Sequence[Measurements],
    version: str,
    stopped: str | None = None,
    precision: float | None = None,
) -> dict:
    """Everything the report says but its findings.

    measurements: one of each replication, the first one first; at least one.
    stopped: why the run ended before its time, or None. Only then `run` has `ended_s` and `stopped`.
    precision: the one that was asked for instead of a number of replications; only then `run` has
    `precision_ratio`.
    """
    if not measurements:
        raise ValueError("a report needs the measurements of at least one replication")
    structure = Structure(scenario, measurements)
    objectives = [objective_entry(objective, measurements) for objective in scenario.objectives]
    return {
        "format": FORMAT,
        "scenario": {"name": scenario.name, "digest": scenario.digest(), "resolved": scenario.resolved()},
        "run": _run(scenario, measurements, version, stopped, precision),
        "verdict": verdict_of_all([entry["verdict"] for entry in objectives]),
        "objectives": objectives,
        "flows": {name: _flow([one.flows[name] for one in measurements]) for name in measurements[0].flows},
        "services": {name: _service(name, structure) for name in measurements[0].services},
        "topics": {name: _topic(name, measurements) for name in measurements[0].topics},
        "dependencies": {name: _dependency(name, structure) for name in measurements[0].dependencies},
        "faults": fault_entries(scenario, measurements),
        "left_out": left_out(scenario, measurements),
    }


def _run(
    scenario: Scenario,
    measurements: Sequence[Measurements],
    version: str,
    stopped: str | None,
    precision: float | None,
) -> dict:
    entry = {
        "version": version,
        "seed": scenario.run.seed,
        "replications": len(measurements),
        "duration_s": scenario.run.duration,
        "warmup_s": scenario.run.warmup,
        "warmup_suggested_s": suggested_s(start_of(scenario, measurements)),
    }
    if stopped is not None:
        entry |= {"ended_s": min(one.ended_s for one in measurements), "stopped": stopped}
    if precision is not None:
        entry["precision_ratio"] = precision
    return entry


def _means(records: Sequence[Any], names: Sequence[str]) -> dict[str, dict]:
    """EST of each of these counts: the mean per replication."""
    return {
        name: intervals.of_mean([float(getattr(one, name)) for one in records]).as_dict() for name in names
    }


def _ratio(
    records: Sequence[Any],
    above: Callable[[Any], float],
    below: Callable[[Any], float],
    most: float = math.inf,
) -> dict:
    return intervals.of_ratio(
        [above(one) for one in records], [below(one) for one in records], 0.0, most
    ).as_dict()


# Flows


def _flow(flows: Sequence[FlowMeasurements]) -> dict:
    counts = ("started", "completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")
    return {
        **_means(flows, counts),
        "latency_s": statistics.stat([flow.latency for flow in flows]),
        "where_time_goes_s": where_time_goes(flows),
    }


# Services


def _service(name: str, structure: Structure) -> dict:
    scenario, measurements = structure.scenario, structure.measurements
    services = [one.services[name] for one in measurements]
    seconds = statistics.measured_seconds(measurements)
    busy = [service.busy.integral for service in services]
    hours = intervals.of_mean([service.instance_seconds / 3600 for service in services])
    price = scenario.services[name].cost_per_instance_hour
    counts = (
        "attempts", "succeeded", "failed", "timed_out", "lost", "retried", "dead_lettered", "duplicates",
    )  # fmt: skip
    entry = {
        **_means(services, counts),
        "attempts_per_message": _ratio(services, lambda one: one.attempts, lambda one: one.first_attempts),
        "utilisation_ratio": _utilisation(services),
        "busy_slots": intervals.of_ratio(busy, seconds).as_dict(),
        "throughput_per_s": intervals.of_ratio([one.first_successes for one in services], seconds).as_dict(),
        "instance_hours": hours.as_dict(),
        "cost": (intervals.UNDEFINED if price is None else hours.affine(price)).as_dict(),
        "wait_s": statistics.stat([one.wait for one in services]),
        "service_s": statistics.stat([one.service for one in services]),
        "sojourn_s": statistics.stat([one.sojourn for one in services]),
        "theory": service_theory(name, structure),
        "series": {
            "t_s": statistics.longest_times(measurements),
            "busy": statistics.mean_series([one.busy.samples for one in services]),
            "instances": statistics.mean_series([one.instances_samples for one in services]),
            "attempts": statistics.mean_series([one.attempts_by_sample for one in services]),
            "failed": statistics.mean_series([one.failed_by_sample for one in services]),
            "retried": statistics.mean_series([one.retried_by_sample for one in services]),
        },
    }
    mechanisms = [one.mechanisms for one in services if one.mechanisms is not None]
    if len(mechanisms) == len(services):
        entry["mechanisms"] = _mechanisms(mechanisms, measurements)
    return entry


def _utilisation(services: Sequence[ServiceMeasurements]) -> dict:
    """Busy slot seconds over available slot seconds; undefined for unlimited concurrency."""
    return _ratio(services, lambda one: one.busy.integral, lambda one: one.slot_seconds, most=1.0)


def _mechanisms(its: Sequence[Mechanisms], measurements: Sequence[Measurements]) -> dict:
    """What the rarer mechanisms of one service did; nothing counted is 0, as where it does not use them."""
    seconds = statistics.measured_seconds(measurements)
    partitions = its[0].partitions
    standing = intervals.of_mean([one.stopped.integral / max(partitions, 1) for one in its])
    return {
        "instance_starts": statistics.mean_of(its, lambda one: one.starts),
        "crashes": statistics.mean_of(its, lambda one: one.crashes),
        "instances": _level([one.wanted for one in its], seconds),
        "rebalances": statistics.mean_of(its, lambda one: one.rebalances),
        "stopped_s": (standing if partitions else intervals.UNDEFINED).as_dict(),
        "prefetched": _level([one.held_ahead for one in its], seconds),
        "breaker_opened": statistics.mean_of(its, lambda one: one.opened),
        "breaker_open_s": statistics.mean_of(its, lambda one: one.open.integral),
        "denied_retries": statistics.mean_of(its, lambda one: one.denied_retries),
        "scalings": [
            {"at_s": float(at), "from": int(before), "to": int(after)}
            for at, before, after in its[0].scalings
        ],
        "series": {
            "t_s": statistics.longest_times(measurements),
            "instances": statistics.mean_series([one.wanted.samples for one in its]),
            "stopped_partitions": statistics.mean_series([one.stopped.samples for one in its]),
            "prefetched": statistics.mean_series([one.held_ahead.samples for one in its]),
            "breaker_open": statistics.mean_series([one.open.samples for one in its]),
        },
    }


def _level(averages: Sequence[TimeAverage], seconds: Sequence[float]) -> dict:
    """Exact mean and maximum over time of a count; `max` is the largest of all replications."""
    mean = intervals.of_ratio([average.integral for average in averages], seconds)
    return {"mean": mean.as_dict(), "max": max(average.maximum for average in averages)}


# Dependencies


def _dependency(name: str, structure: Structure) -> dict:
    measurements = structure.measurements
    its = [one.dependencies[name] for one in measurements]
    seconds = statistics.measured_seconds(measurements)
    return {
        "calls": statistics.mean_of(its, lambda one: one.requests),
        **_means(its, ("answered", "failed", "refused", "cancelled", "hedged", "timed_out")),
        "utilisation_ratio": _dependency_utilisation(its),
        "busy_servers": intervals.of_ratio([one.busy.integral for one in its], seconds).as_dict(),
        "waiting": statistics.stat_over_time([one.waiting for one in its], measurements),
        "wait_s": statistics.stat([one.wait for one in its]),
        "theory": dependency_theory(name, structure),
        "series": {
            "t_s": statistics.longest_times(measurements),
            "busy": statistics.mean_series([one.busy.samples for one in its]),
            "waiting": statistics.mean_series([one.waiting.samples for one in its]),
        },
    }


def _dependency_utilisation(its: Sequence[DependencyMeasurements]) -> dict:
    """Busy server seconds over server seconds; undefined for unlimited capacity."""
    return _ratio(its, lambda one: one.busy.integral, lambda one: one.server_seconds, most=1.0)


# Topics and their lines


def _topic(name: str, measurements: Sequence[Measurements]) -> dict:
    topics = [one.topics[name] for one in measurements]
    consumers = [service for topic, service in measurements[0].lines if topic == name]
    return {
        **_means(topics, ("published", "resting")),
        "consumers": {
            service: _line([one.lines[name, service] for one in measurements], measurements)
            for service in consumers
        },
    }


def _line(lines: Sequence[LineMeasurements], measurements: Sequence[Measurements]) -> dict:
    measured = [statistics.measured_samples(one) for one in measurements]
    ages = [line.age_samples[inside] for line, inside in zip(lines, measured, strict=True)]
    return {
        **_means(lines, ("rejected", "finished", "dead_lettered", "expired", "dropped", "shed")),
        "at_end": {
            place: intervals.of_mean([float(getattr(line, f"{place}_at_end")) for line in lines]).as_dict()
            for place in ("delayed", "waiting", "backing_off", "in_work")
        },
        "lag": statistics.stat_over_time([line.lag for line in lines], measurements),
        "waiting": statistics.stat_over_time([line.waiting for line in lines], measurements),
        "age_s": statistics.stat_of_samples(ages),
        "event_lag_s": statistics.stat([line.event_lag for line in lines]),
        "partition_lag_max": _partition_lag_max(lines, measured),
        "series": {
            "t_s": statistics.longest_times(measurements),
            "lag": statistics.mean_series([line.lag.samples for line in lines]),
            "waiting": statistics.mean_series([line.waiting.samples for line in lines]),
            "age_s": statistics.mean_series([line.age_samples for line in lines]),
        },
    }


def _partition_lag_max(lines: Sequence[LineMeasurements], measured: Sequence[np.ndarray]) -> dict | None:
    """STAT of the largest lag of any partition, sampled; undefined for a queue."""
    samples = [line.partition_lag_max_samples for line in lines]
    if any(one is None for one in samples):
        return None
    return statistics.stat_of_samples(
        [one[inside] for one, inside in zip(samples, measured, strict=True) if one is not None], whole=True
    )


def plain(value: Any) -> Any:
    """The value with NumPy scalars and tuples made plain, and every NaN and infinity made None."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if all(type(item) in (int, float) and math.isfinite(item) for item in value):
            return list(value)
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
