"""Rules about what faults leave behind."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slosim.compile.topology import blocks
from slosim.report.faults import Occurrence, occurrences_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.slots import slots_over_time
from slosim.report.units import clock, count, duration, enumeration, plural, share, three_digits

STUCK = 0.98
"""Busy share of the slots from which on they do nothing but cope."""
BEFORE = 0.9
"""Busy share below which the slots sufficed before the fault."""


def not_recovered(evidence: Evidence) -> Iterator[Finding]:
    occurrences = {(one.name, one.start_s): one for one in occurrences_of(evidence.scenario)}
    for entry in evidence.content["faults"]:
        if entry["start_s"] is None:
            continue
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
    services = dict.fromkeys(service for _, service in occurrence.lines)
    stuck = [_held_up(evidence, name, occurrence) for name in services]
    return (
        f"the lag of {topics} {whom} comes back after {label}: it peaks at {peak} and is still"
        f" {count(at_end)} at the end of the run, {duration(ended - entry['end_s'])} after the fault."
        + "".join(stuck)
    )


def _held_up(evidence: Evidence, name: str, occurrence: Occurrence) -> str:
    """A service that sufficed before the fault and does not cope after it: its own repeats hold it up.

    Empty where it repeats nothing, or where its lag falls after the fault: then it only needs longer.
    """
    service, slots = evidence.scenario.services[name], slots_over_time(evidence, name)
    repeats = service.retry is not None or service.visibility_timeout is not None
    if slots is None or not repeats:
        return ""
    series = evidence.service(name)["series"]
    times = np.array(series["t_s"])
    lag = np.sum([line["series"]["lag"] for _, line in evidence.lines_of(name)], axis=0)
    ended = min(one.ended_s for one in evidence.measurements)
    before = (times >= evidence.scenario.run.warmup) & (times < occurrence.start_s)
    after = (times >= (occurrence.end_s + ended) / 2) & (times < ended)
    if not before.any() or not after.any() or not slots[before].all() or not slots[after].all():
        return ""
    busy = np.array(series["busy"]) / np.maximum(slots, 1e-9)
    was, stays = float(busy[before].mean()), float(busy[after].mean())
    falls = lag[after][-1] < 0.95 * lag[times >= occurrence.end_s][0]
    if was >= BEFORE or stays < STUCK or falls:
        return ""
    per_message = evidence.service(name)["attempts_per_message"]["value"]
    return (
        f" The trigger ended at {clock(occurrence.end_s)}, but {name} stays {share(stays, 0)} busy in the"
        f" second half of the time since, where it was {share(was, 0)} busy before: repeated work holds it"
        f" there ({three_digits(per_message)} attempts per message over the run), and it does not recover by"
        " itself."
    )


def unavailable(evidence: Evidence) -> Iterator[Finding]:
    """Messages that a topic keeps at their publishers; where it blocks too, that is not told apart."""
    for fault in evidence.scenario.faults:
        topic = fault.target.partition(".")[2]
        if not fault.effect.unavailable or blocks(evidence.scenario, topic):
            continue
        producers = [name for name, its in evidence.scenario.producers.items() if its.topic == topic]
        held = [text for name in producers if (text := _held_back(evidence, name))]
        waiting = [one.topics[topic].held_back_at_end for one in evidence.measurements]
        at_end = sum(waiting) / evidence.replications
        if at_end:
            held.append(f"{count(at_end)} publishes still wait at the end of the run")
        if held:
            times = "at random times" if fault.duration is None else f"for {duration(fault.duration)}"
            yield Finding(
                f"faults.{fault.name}",
                f"'{fault.name}' makes {topic} unavailable {times}, and publishers wait: {'; '.join(held)}.",
            )


def _held_back(evidence: Evidence, producer: str) -> str:
    """What waiting at a producer adds to the latency of its flows."""
    found = []
    for flow, numbers in evidence.content["flows"].items():
        part = numbers["where_time_goes_s"]["mean"].get(f"{producer}.held_back", {}).get("value")
        mean = numbers["latency_s"]["mean"]["value"]
        if part and mean:
            found.append(f"{duration(part)} of the mean latency of {flow} ({share(part / mean)})")
    return f"{enumeration(found)} is spent at {producer}" if found else ""


def redrive(evidence: Evidence) -> Iterator[Finding]:
    """What rests at the end was not redriven; what was published before the warm-up is not counted."""
    for fault in evidence.scenario.faults:
        redrive = fault.effect.redrive
        if redrive is None:
            continue
        topic = fault.target.partition(".")[2]
        resting = evidence.content["topics"][topic]["resting"]["value"]
        moved = max(0.0, evidence.published(topic) - resting)
        if not moved:
            continue
        least = "at least " if evidence.scenario.run.warmup else ""
        text = (
            f"'{fault.name}' sends {least}{plural(moved, 'message')} of {topic} back to {redrive.to} at"
            f" {three_digits(redrive.rate)}/s, which takes {duration(moved / redrive.rate)}; {count(resting)}"
            " rest there at the end"
        )
        peaks = [
            entry["peak_lag"]["value"]
            for entry in evidence.content["faults"]
            if entry["name"] == fault.name and entry["peak_lag"]["value"] is not None
        ]
        if peaks:
            text += f". The lag of {redrive.to} reaches {count(max(peaks))} meanwhile"
        yield Finding(f"faults.{fault.name}", f"{text}.")
