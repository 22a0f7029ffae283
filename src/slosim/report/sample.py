"""The sample of messages as a part of the report, with what happened around them in the same replication."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from slosim.measure.measurements import LineMeasurements
from slosim.measure.sample import MessageSample
from slosim.report.content import plain
from slosim.report.faults import occurrences_of

if TYPE_CHECKING:
    from slosim.model import Scenario

SAMPLES_MOST = 2000
"""Of a series: of longer ones every second, third, … sample is kept."""


def sample_entry(scenario: Scenario, sample: MessageSample) -> dict:
    """`sample` of the report."""
    measured = sample.measurements
    step = -(-len(measured.sample_times_s) // SAMPLES_MOST) or 1
    times = measured.sample_times_s[::step].tolist()
    entry = {
        "replication": sample.replication,
        "every": sample.every,
        "journeys": [dataclasses.asdict(journey) for journey in sample.journeys],
        "lines": [
            {"topic": topic, "service": service, "t_s": times, **_levels(line, step)}
            for (topic, service), line in measured.lines.items()
        ],
        "faults": list(_faults(scenario, sample)),
    }
    return plain(entry)


def _levels(line: LineMeasurements, step: int) -> dict[str, list[int]]:
    return {"lag": line.lag.samples[::step].tolist(), "waiting": line.waiting.samples[::step].tolist()}


def _faults(scenario: Scenario, sample: MessageSample) -> Iterator[dict]:
    """When each fault was active, cut at the end of the run: those with set times first."""
    end_s = sample.measurements.ended_s
    for one in occurrences_of(scenario):
        if one.start_s < end_s:
            yield _span(one.name, one.target, one.start_s, min(one.end_s, end_s))
    targets = {fault.name: fault.target for fault in scenario.faults}
    for name, times_s in sample.measurements.occurrences.items():
        for start_s, until_s in times_s.tolist():
            if start_s < end_s:
                yield _span(name, targets[name], start_s, min(until_s, end_s))


def _span(name: str, target: str, start_s: float, end_s: float) -> dict:
    return {"name": name, "target": target, "start_s": start_s, "end_s": end_s}
