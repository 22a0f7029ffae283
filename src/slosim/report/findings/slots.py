"""The slots that a service could use, also where the number of its instances changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from slosim.compile.offered_load import partitions_of, useful_slots
from slosim.report import statistics
from slosim.report.findings.evidence import Evidence

if TYPE_CHECKING:
    from slosim.measure.measurements import Measurements
    from slosim.model import Scenario


def slots_over_time(evidence: Evidence, name: str) -> np.ndarray | None:
    """Usable slots of the instances that are up, per sample, mean over replications; None: unlimited."""
    if useful_slots(evidence.scenario, name) is None:
        return None
    return np.array(statistics.mean_series(_slots_of_replications(evidence, name)))


def mean_slots(evidence: Evidence, name: str) -> float | None:
    """Usable slots of the instances that are up, mean over the measured window; None: unlimited.

    Exact where slots are all usable (a queue); on a log, whose partitions limit them, the mean of samples.
    """
    slots = useful_slots(evidence.scenario, name)
    if slots is None or not changes_instances(evidence, name):
        return slots
    seconds = sum(statistics.measured_seconds(evidence.measurements))
    if partitions_of(evidence.scenario, name) is None and seconds > 0:
        return sum(one.services[name].slot_seconds for one in evidence.measurements) / seconds
    measured = [
        samples[statistics.measured_samples(one)]
        for samples, one in zip(_slots_of_replications(evidence, name), evidence.measurements, strict=True)
    ]
    samples = np.concatenate(measured)
    return float(samples.mean()) if len(samples) else slots


def slots_at_end(evidence: Evidence, name: str, replication: int) -> float | None:
    """Usable slots of the instances that are up at the last sample of a replication; None: unlimited."""
    slots, one = useful_slots(evidence.scenario, name), evidence.measurements[replication]
    if slots is None or not len(one.sample_times_s) or not changes_instances(evidence, name):
        return slots
    return _usable(evidence, name, int(one.services[name].instances_samples[-1]))


def blocked_at_end(one: Measurements, service: str) -> int:
    """Slots of a service that finished messages hold at the end of the run: they wait for a topic."""
    return sum(line.blocked_at_end for (_, consumer), line in one.lines.items() if consumer == service)


def most_instances(scenario: Scenario, name: str) -> int:
    """Instances that a service has or may grow to; on a log no more than the largest topic has partitions."""
    service = scenario.services[name]
    if service.autoscale is None:
        return service.instances
    partitions = largest_partitions(scenario, name)
    most = service.autoscale.maximum
    return most if partitions is None else min(most, partitions)


def largest_partitions(scenario: Scenario, name: str) -> int | None:
    """Partitions of the largest log that a service consumes; None where it consumes a queue."""
    if partitions_of(scenario, name) is None:
        return None
    return max(scenario.topics[topic].partitions or 0 for topic in scenario.services[name].consumes)


def changes_instances(evidence: Evidence, name: str) -> bool:
    """Whether instances of a service come and go: an autoscaler, crashes or restarts."""
    if name not in evidence.changing:
        evidence.changing[name] = any(
            one.services[name].mechanisms is not None
            and len(samples := one.services[name].instances_samples) > 0
            and bool((samples != evidence.scenario.services[name].instances).any())
            for one in evidence.measurements
        )
    return evidence.changing[name]


def _slots_of_replications(evidence: Evidence, name: str) -> list[np.ndarray]:
    """Usable slots per sample of each replication, from the instances that are up."""
    if not changes_instances(evidence, name):
        slots = float(useful_slots(evidence.scenario, name) or 0)
        return [np.full(len(one.sample_times_s), slots) for one in evidence.measurements]
    found = []
    for one in evidence.measurements:
        numbers, places = np.unique(one.services[name].instances_samples, return_inverse=True)
        slots = [_usable(evidence, name, int(number)) for number in numbers]
        found.append(np.array(slots)[places])
    return found


def _usable(evidence: Evidence, name: str, instances: int) -> float:
    return float(useful_slots(evidence.scenario, name, instances) or 0)
