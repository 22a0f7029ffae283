"""Rules about what faults leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from slosim.compile.topology import blocks
from slosim.report import statistics
from slosim.report.faults import Occurrence, occurrences_of
from slosim.report.findings.dependencies import dependency_load, load_without_repeats
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import (
    attempts_per_message,
    offered_load,
    own_attempts,
    slot_s,
    waits_to_publish,
)
from slosim.report.findings.slots import blocked_at_end, slots_over_time
from slosim.report.topology import topics_holding_back
from slosim.report.units import clock, count, duration, enumeration, plural, share, three_digits

if TYPE_CHECKING:
    from slosim.model import Fault

STUCK = 0.98
"""Busy share of the slots from which on they do nothing but cope."""
BEFORE = 0.9
"""Busy share below which the slots sufficed before the fault."""
SERVERS_BEFORE = 0.95
"""The same for the servers of a dependency, of which each serves whoever is next."""
REPEATED = 1.01
"""Attempts over those that own failures ask for, from which on repeats are there; over the whole run."""


def not_recovered(evidence: Evidence) -> Iterator[Finding]:
    """One finding for all occurrences of a fault after which the lag did not come back."""
    occurrences = {(one.name, one.start_s): one for one in occurrences_of(evidence.scenario)}
    found: dict[str, list[tuple[dict, Occurrence]]] = {}
    for entry in evidence.content["faults"]:
        if entry["start_s"] is None:
            continue
        occurrence = occurrences[entry["name"], entry["start_s"]]
        if entry["recovered_ratio"] == 1 or not occurrence.lines:
            continue
        if occurrence.fault.effect.redrive is not None and _lasts_to_the_end(evidence, occurrence):
            continue  # no harm done to recover from; `redrive` says what the lag did
        found.setdefault(entry["name"], []).append((entry, occurrence))
    for name, its in found.items():
        text = _text(evidence, *its[0]) if len(its) == 1 else _text_of_several(evidence, its)
        yield Finding(f"faults.{name}", text)


def _text_of_several(evidence: Evidence, its: list[tuple[dict, Occurrence]]) -> str:
    """How often, and the first one in full."""
    first, occurrence = its[0]
    known = [entry for entry in evidence.content["faults"] if entry["name"] == first["name"]]
    never = sum(entry["recovered_ratio"] == 0 for entry, _ in its)
    some = len(its) - never
    of = f"of {plural(len(known), 'occurrence')} of '{first['name']}'"
    how = f"comes back in only some of the replications after {count(some)} {of}"
    if never:
        how = f"never comes back after {count(never)} {of}"
        how += f", and in only some of the replications after {count(some)}" if some else ""
    topics = ", ".join(dict.fromkeys(topic for topic, _ in occurrence.lines))
    return f"the lag of {topics} {how}. The first of these: {_text(evidence, first, occurrence)}"


def _lasts_to_the_end(evidence: Evidence, occurrence: Occurrence) -> bool:
    return occurrence.end_s >= min(one.ended_s for one in evidence.measurements)


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
    never = entry["recovered_ratio"] == 0
    comes = "never comes back" if never else "comes back"
    only = "" if never else f" in only {share(entry['recovered_ratio'])} of the replications"
    peaks = f"it peaks at {peak} and is still {count(at_end)}"
    if at_end > entry["peak_lag"]["value"]:  # the peak ends with the recovery, which some replications saw
        peaks = f"it is {count(at_end)}"
    services = dict.fromkeys(service for _, service in occurrence.lines)
    stuck = [_held_up(evidence, name, occurrence) for name in services]
    called = [call.dependency for name in services for call in evidence.scenario.services[name].calls]
    stuck += [_held_up_at(evidence, name, occurrence) for name in dict.fromkeys(called)]
    return (
        f"the lag of {topics} {comes} after {label}{only}: {peaks} at the end of the run,"
        f" {duration(ended - entry['end_s'])} after the fault." + "".join(stuck)
    )


def _held_up(evidence: Evidence, name: str, occurrence: Occurrence) -> str:
    """A service that sufficed before the fault and does not cope after it: its own repeats hold it up.

    Empty where it repeats nothing that it need not, or could not do without repeats either.
    """
    load, slots = offered_load(evidence, name), slots_over_time(evidence, name)
    if slots is None or load is None or not load.slots or waits_to_publish(evidence, name):
        return ""
    own = own_attempts(evidence, name, load.attempts)
    once = load.with_attempts(own)
    if load.attempts < REPEATED * own or once.needed_slots >= load.slots:
        return ""
    series = evidence.service(name)["series"]
    lag = np.sum([line["series"]["lag"] for _, line in evidence.lines_of(name)], axis=0)
    busy = _busy_before_and_after(evidence, occurrence, np.array(series["busy"]), slots, lag)
    if busy is None or busy[0] >= BEFORE:
        return ""
    return (
        f" The trigger ended at {clock(occurrence.end_s)}, but {name} stays {share(busy[1], 0)} busy in the"
        f" second half of the time since, where it was {share(busy[0], 0)} busy before: repeated work holds"
        f" it there ({three_digits(load.attempts)} attempts per message over the run; with"
        f" {attempts_per_message(own)} it would be {once.needed_slots / load.slots:.2f} of its slots), and it"
        " does not recover by itself."
    )


def _held_up_at(evidence: Evidence, name: str, occurrence: Occurrence) -> str:
    """A dependency whose callers' repeats keep all its servers busy after a fault that is over."""
    load, servers = dependency_load(evidence, name), evidence.scenario.dependencies[name].capacity
    once = None if load is None else load_without_repeats(evidence, load, REPEATED)
    if load is None or servers is None or once is None or once.utilisation >= 1:
        return ""
    series = evidence.content["dependencies"][name]["series"]
    all_servers = np.full(len(series["t_s"]), float(servers))
    waiting = np.array(series["waiting"])
    busy = _busy_before_and_after(evidence, occurrence, np.array(series["busy"]), all_servers, waiting)
    if busy is None or busy[0] >= SERVERS_BEFORE:
        return ""
    return (
        f" The trigger ended at {clock(occurrence.end_s)}, but the {plural(servers, 'server')} of {name} stay"
        f" {share(busy[1], 0)} busy in the second half of the time since, where they were"
        f" {share(busy[0], 0)} busy before: repeated work holds them there"
        f" ({three_digits(load.requests_per_s)} requests/s over the run; without repeats"
        f" {three_digits(once.requests_per_s)}/s, a utilisation of {once.utilisation:.2f}), and they do not"
        " recover by themselves."
    )


def _busy_before_and_after(
    evidence: Evidence, occurrence: Occurrence, busy: np.ndarray, places: np.ndarray, waiting: np.ndarray
) -> tuple[float, float] | None:
    """Mean busy share before a fault and in the second half of the time after it, when nothing gets better.

    None where not all places are busy then, or what waits falls: that only needs longer.
    """
    times = np.array(statistics.longest_times(evidence.measurements))
    ended = min(one.ended_s for one in evidence.measurements)
    before = (times >= evidence.scenario.run.warmup) & (times < occurrence.start_s)
    after = (times >= (occurrence.end_s + ended) / 2) & (times < ended)
    if not before.any() or not after.any() or not places[before].all() or not places[after].all():
        return None
    ratio = busy / np.maximum(places, 1e-9)
    was, stays = float(ratio[before].mean()), float(ratio[after].mean())
    falls = waiting[after][-1] < 0.95 * waiting[times >= occurrence.end_s][0]
    return None if stays < STUCK or falls else (was, stays)


def unavailable(evidence: Evidence) -> Iterator[Finding]:
    """Messages that a topic keeps at their publishers; where it blocks too, that is not told apart."""
    for fault in evidence.scenario.faults:
        topic = fault.target.partition(".")[2]
        if not fault.effect.unavailable or blocks(evidence.scenario, topic):
            continue
        producers = [name for name, its in evidence.scenario.producers.items() if its.topic == topic]
        held = [text for name in producers if (text := _held_back(evidence, name))]
        held += [_held_slots(evidence, name) for name in _services_waiting_for(evidence, topic)]
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


def _services_waiting_for(evidence: Evidence, topic: str) -> list[str]:
    """Services whose finished attempts hold their slots until a topic is available, and for no other."""
    scenario = evidence.scenario
    return [
        name
        for name in scenario.services
        if topics_holding_back(scenario, name) == [topic] and waits_to_publish(evidence, name)
    ]


def _held_slots(evidence: Evidence, name: str) -> str:
    """How long an attempt holds its slot, waiting included, and how many hold one at the end."""
    held_s, work_s = slot_s(evidence, name), evidence.on_paper[name].service_time_mean_s
    text = f"attempts of {name} hold their slots for {duration(held_s)} each, {duration(work_s)} of it work"
    at_end = sum(blocked_at_end(one, name) for one in evidence.measurements) / evidence.replications
    return text + (f", and {count(at_end)} still wait at the end of the run" if at_end else "")


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
    """What rests at the end was not redriven; what was published before the warm-up is not counted.

    One finding for all redrives of a topic, as they share its messages.
    """
    for topic in evidence.scenario.topics:
        faults = [
            fault
            for fault in evidence.scenario.faults
            if fault.target == f"topics.{topic}" and fault.effect.redrive is not None
        ]
        its = evidence.scenario.topics[topic]
        if faults and not (its.capacity == 0 and evidence.may_lose(topic)):  # such a topic keeps nothing
            yield Finding(f"faults.{faults[0].name}", _redrive_text(evidence, topic, faults))


def _redrive_text(evidence: Evidence, topic: str, faults: list[Fault]) -> str:
    moved, resting = evidence.sent_back(topic), evidence.content["topics"][topic]["resting"]["value"]
    names, redrive = enumeration([f"'{fault.name}'" for fault in faults]), faults[0].effect.redrive
    assert redrive is not None
    verb = "sends" if len(faults) == 1 else "send"
    rates = {fault.effect.redrive.rate for fault in faults if fault.effect.redrive is not None}
    if moved:
        least = "at least " if evidence.scenario.run.warmup else ""
        if evidence.may_lose(topic):  # of what left the topic, some may have expired or been refused
            least = "at most "
            moved = evidence.most_sent_back(topic) if evidence.scenario.run.warmup else moved
        takes = f", which takes {duration(moved / redrive.rate)}" if len(rates) == 1 else ""
        at = enumeration([f"{three_digits(rate)}/s" for rate in sorted(rates)])
        text = (
            f"{names} {verb} {least}{plural(moved, 'message')} of {topic} back to {redrive.to} at"
            f" {at}{takes}; {count(resting)} rest there at the end"
        )
    else:
        since = " that were published after the warm-up" if evidence.scenario.run.warmup else ""
        text = f"{names} {verb} back 0 messages of {topic}{since}; {count(resting)} rest there at the end"
    entries = [entry for entry in evidence.content["faults"] if entry["name"] in {one.name for one in faults}]
    peaks = [entry["peak_lag"]["value"] for entry in entries if entry["peak_lag"]["value"] is not None]
    if peaks and moved:
        text += f". The lag of {redrive.to} reaches {count(max(peaks))} meanwhile"
    ended = min(one.ended_s for one in evidence.measurements)
    if any(entry["end_s"] is not None and entry["end_s"] >= ended for entry in entries):
        text += f". It lasts to the end of the run at {clock(ended)}, so recovery from it is not judged"
    return f"{text}."
