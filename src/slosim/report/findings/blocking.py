"""Rules about topics that hold their publishers back (`when_full: block`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slosim.compile.topology import blocks
from slosim.measure.measurements import Measurements
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.slots import mean_slots, slots_at_end
from slosim.report.topology import blocking_edges, cycle_within
from slosim.report.units import clock, count, enumeration, plural, share


def deadlock(evidence: Evidence) -> Iterator[Finding]:
    edges = blocking_edges(evidence.scenario)
    cycles = [cycle_within(edges, _stuck_services(evidence, index)) for index in range(evidence.replications)]
    found = [(one, cycle) for one, cycle in zip(evidence.measurements, cycles, strict=True) if cycle]
    if not found:
        return
    one, cycle = found[0]
    held = [
        f"{plural(_blocked(one, name), 'slot')} of {name} on {edges[name][following]}"
        for name, following in zip(cycle, [*cycle[1:], cycle[0]], strict=True)
    ]
    yield Finding(
        f"services.{cycle[0]}",
        f"deadlock: {' → '.join([*cycle, cycle[0]])}. Each waits to publish into a full topic that only the"
        f" next can drain ({enumeration(held)}), since {clock(_stuck_since(one, cycle[0]))}, in"
        f" {share(len(found) / evidence.replications)} of the replications. Nothing in this cycle moves"
        " again; a larger capacity only delays it, `when_full: reject` or a cycle that loses messages ends"
        " it.",
    )


def _blocked(one: Measurements, service: str) -> int:
    """Slots of a service that a full topic holds at the end of the run."""
    return sum(line.blocked_at_end for (_, consumer), line in one.lines.items() if consumer == service)


def _stuck_services(evidence: Evidence, replication: int) -> set[str]:
    """Services whose every usable slot is held by a full topic at the end of the run."""
    one, stuck = evidence.measurements[replication], set()
    for name in evidence.scenario.services:
        slots, blocked = slots_at_end(evidence, name, replication), _blocked(one, name)
        in_work = sum(line.in_work_at_end for (_, consumer), line in one.lines.items() if consumer == name)
        if blocked and blocked >= (in_work if slots is None else slots):
            stuck.add(name)
    return stuck


def _stuck_since(one: Measurements, service: str) -> float:
    """From which sample on as many slots of a service were busy as at the end, s."""
    samples = one.services[service].busy.samples
    moving = np.flatnonzero(samples != samples[-1])
    return float(one.sample_times_s[min(moving[-1] + 1, len(samples) - 1)]) if len(moving) else 0.0


def back_pressure(evidence: Evidence) -> Iterator[Finding]:
    edges = blocking_edges(evidence.scenario)
    deadlocked = any(
        cycle_within(edges, _stuck_services(evidence, index)) for index in range(evidence.replications)
    )
    for name in evidence.scenario.services:
        blocked = sum(_blocked(one, name) for one in evidence.measurements) / evidence.replications
        if not deadlocked and blocked >= 1:
            topics = list(dict.fromkeys(edges[name].values()))
            if not topics:  # held by a topic that is unavailable, which has a rule of its own
                continue
            slots = mean_slots(evidence, name)
            of = "" if slots is None else f" of {count(slots)}"
            yield Finding(
                f"services.{name}",
                f"{name} ends the run with {count(blocked)}{of} slots held by finished messages that wait for"
                f" room in {enumeration(topics)}: it is slowed down by what comes after it.",
            )
    for topic in evidence.measurements[0].topics:
        held = (
            sum(one.topics[topic].held_back_at_end for one in evidence.measurements) / evidence.replications
        )
        if held >= 1 and blocks(evidence.scenario, topic):
            yield Finding(
                f"topics.{topic}",
                f"the full topic {topic} holds back {count(held)} publishes at the end of the run; they wait"
                " at their producers, and their latency counts from the time when they were meant to be"
                " published.",
            )
