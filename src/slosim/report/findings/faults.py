"""Rules about what faults leave behind."""

from __future__ import annotations

from collections.abc import Iterator

from slosim.report.faults import Occurrence, occurrences_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.units import clock, count, duration, share


def not_recovered(evidence: Evidence) -> Iterator[Finding]:
    occurrences = {(one.name, one.start_s): one for one in occurrences_of(evidence.scenario)}
    for entry in evidence.content["faults"]:
        occurrence = occurrences[entry["name"], entry["start_s"]]
        if entry["recovered_ratio"] == 1 or not occurrence.lines:
            continue
        yield Finding(f"faults.{entry['name']}", _text(evidence, entry, occurrence))


def _text(evidence: Evidence, entry: dict, occurrence: Occurrence) -> str:
    ended = min(one.ended_s for one in evidence.measurements)
    label = f"'{entry['name']}' ({clock(entry['start_s'])} to {clock(entry['end_s'])})"
    peak = count(entry["peak_lag"]["value"])
    if entry["end_s"] >= ended:
        return (
            f"{label} lasts to the end of the run at {clock(ended)}, so recovery cannot be seen; the lag"
            f" reaches {peak}."
        )
    topics = ", ".join(dict.fromkeys(topic for topic, _ in occurrence.lines))
    at_end = sum(evidence.lag_at_end(topic, service) for topic, service in occurrence.lines)
    whom = (
        "never"
        if entry["recovered_ratio"] == 0
        else f"in only {share(entry['recovered_ratio'])} of the replications"
    )
    return (
        f"the lag of {topics} {whom} comes back after {label}: it peaks at {peak} and is still"
        f" {count(at_end)} at the end of the run, {duration(ended - entry['end_s'])} after the fault."
    )
