"""Rules about topics that hold their publishers back (`when_full: block`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slosim.compile.topology import blocks
from slosim.measure.measurements import Measurements
from slosim.model.graph import emitted_topics
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.slots import blocked_at_end, mean_slots, slots_at_end
from slosim.report.topology import blocking_edges, cycle_within, publishers_of
from slosim.report.units import clock, count, enumeration, plural, share


def deadlock(evidence: Evidence) -> Iterator[Finding]:
    yield from _deadlock_of_cycle(evidence)
    yield from _deadlock_of_join(evidence)


def _deadlock_of_cycle(evidence: Evidence) -> Iterator[Finding]:
    edges = blocking_edges(evidence.scenario)
    cycles = [cycle_within(edges, _stuck_services(evidence, index)) for index in range(evidence.replications)]
    found = [(one, cycle) for one, cycle in zip(evidence.measurements, cycles, strict=True) if cycle]
    if not found:
        return
    one, cycle = found[0]
    held = [
        f"{plural(blocked_at_end(one, name), 'slot')} of {name} on {edges[name][following]}"
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


def _deadlock_of_join(evidence: Evidence) -> Iterator[Finding]:
    """A join waits for a message whose only publisher waits for room in another topic of the same join."""
    for name, service in evidence.scenario.services.items():
        if not service.join:
            continue
        found = [_stuck_join(evidence, name, index) for index in range(evidence.replications)]
        stuck = next((one for one in found if one), None)
        if stuck is None:
            continue
        publisher, full, empty = stuck
        one = evidence.measurements[found.index(stuck)]
        yield Finding(
            f"services.{name}.join",
            f"deadlock: {name} joins {full} with {empty}. {publisher} waits to publish into {full}, which is"
            f" full with {plural(one.lines[full, name].waiting_at_end, 'message')}"
            f" ({plural(blocked_at_end(one, publisher), 'slot')}, since"
            f" {clock(_stuck_since(one, publisher))}), and these wait for a partner in {empty}, which is"
            f" empty and only {publisher} publishes to; in"
            f" {share(sum(its is not None for its in found) / evidence.replications)} of the replications."
            f" Nothing here moves again: {full} needs room for all that {publisher} publishes to it before"
            f" the partners in {empty} come.",
        )


def _stuck_join(evidence: Evidence, name: str, replication: int) -> tuple[str, str, str] | None:
    """(publisher, full topic, empty topic) of a join that waits for ever; None when it may go on."""
    scenario, one = evidence.scenario, evidence.measurements[replication]
    lines = {topic: one.lines[topic, name] for topic in scenario.services[name].consumes}
    if any(line.in_work_at_end or line.backing_off_at_end for line in lines.values()):
        return None
    full = [
        topic
        for topic, line in lines.items()
        if blocks(scenario, topic)
        and line.waiting_at_end >= max(1, scenario.topics[topic].capacity or 0)
        and scenario.topics[topic].message_ttl is None
    ]
    empty = [topic for topic, line in lines.items() if not line.waiting_at_end + line.delayed_at_end]
    stuck = _stuck_services(evidence, replication)
    for topic in empty:
        publishers = publishers_of(scenario, topic)
        fed = any(its.topic == topic for its in scenario.producers.values())
        fed |= any(its.effect.redrive and its.effect.redrive.to == topic for its in scenario.faults)
        if fed or len(publishers) != 1 or publishers[0] not in stuck:
            continue
        emitted = emitted_topics(scenario.services[publishers[0]])
        held_by = next((its for its in full if its in emitted), None)
        if held_by and not any(blocks(scenario, its) and its not in (topic, held_by) for its in emitted):
            return publishers[0], held_by, topic
    return None


def _stuck_services(evidence: Evidence, replication: int) -> set[str]:
    """Services whose every usable slot is held by a full topic at the end of the run."""
    one, stuck = evidence.measurements[replication], set()
    for name in evidence.scenario.services:
        blocked = blocked_at_end(one, name)
        if not blocked:
            continue
        slots = slots_at_end(evidence, name, replication)
        in_work = sum(line.in_work_at_end for (_, consumer), line in one.lines.items() if consumer == name)
        if blocked >= (in_work if slots is None else slots):
            stuck.add(name)
    return stuck


def _stuck_since(one: Measurements, service: str) -> float:
    """From which sample on as many slots of a service were busy as at the end, s."""
    samples = one.services[service].busy.samples
    moving = np.flatnonzero(samples != samples[-1])
    return float(one.sample_times_s[min(moving[-1] + 1, len(samples) - 1)]) if len(moving) else 0.0


def back_pressure(evidence: Evidence) -> Iterator[Finding]:
    edges, deadlocked = blocking_edges(evidence.scenario), any(deadlock(evidence))
    for name in evidence.scenario.services:
        blocked = sum(blocked_at_end(one, name) for one in evidence.measurements) / evidence.replications
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
