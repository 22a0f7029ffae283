"""Rules about load and capacity: what is too small, by how much, and what would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from slosim.compile.offered_load import partitions_of, useful_slots
from slosim.report.faults import occurrences_of, services_hit
from slosim.report.findings.blocking import deadlock
from slosim.report.findings.dependencies import DependencyLoad, busiest_dependency
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import OfferedLoad, load_at_most, offered_load
from slosim.report.findings.partitions import hot_partitions
from slosim.report.findings.slots import most_instances, slots_over_time
from slosim.report.units import clock, count, duration, plural, short, three_digits

BUSY_ENOUGH = 0.95
"""Slots busy for less than this share of the time were not what held messages up."""
COMFORTABLE = 0.9
"""Utilisation that a recommended size may reach."""
ALL_BUSY = 0.98
"""Mean over replications of the busy share of the slots from which on all of them count as busy."""
SHORTEST_SPELL_SAMPLES = 5
UNSERVED = ("rejected", "expired", "dropped", "shed")
NOTABLE_RISE = 10.0
"""Rise of the lag during a spell, per slot, from which on it is worth telling."""
HEADROOM_MATTERS = 0.2
"""Utilisation below which it is not worth saying what would saturate first."""


def saturated(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.scenario.services:
        load = offered_load(evidence, name)
        if load is not None:
            yield from _saturated_slots(evidence, name, load)
            yield from _saturated_rate_limit(evidence, name, load)


def _is_saturated(evidence: Evidence, name: str, load: OfferedLoad) -> bool:
    """More work than slots, and the slots were what held it up."""
    if load.slots is None or load.needed_slots < load.slots:
        return False
    return evidence.service(name)["busy_slots"]["value"] >= BUSY_ENOUGH * load.slots


def _saturated_slots(evidence: Evidence, name: str, load: OfferedLoad) -> Iterator[Finding]:
    if load.slots is None or not _is_saturated(evidence, name, load):
        return
    utilisation = load.needed_slots / load.slots
    partitions = partitions_of(evidence.scenario, name)
    bound = partitions is not None and load.slots == partitions
    unit = "message" if evidence.scenario.services[name].batch is None else "batch"
    divisor = (
        f"{plural(load.slots, 'partition')} (one {unit} at a time in each)"
        if bound
        else plural(load.slots, "slot")
    )
    yield Finding(
        f"services.{name}",
        f"{name} is saturated: {load.arithmetic(divisor)} = utilisation {utilisation:.2f}, so"
        f" {_consequence(evidence, name, load, utilisation)}. {_remedy(evidence, name, load)}",
    )


def _consequence(evidence: Evidence, name: str, load: OfferedLoad, utilisation: float) -> str:
    """What becomes of the messages beyond capacity: they pile up, or they leave unserved."""
    excess = load.messages_per_s * (1 - 1 / utilisation)
    lines = evidence.lines_of(name)
    leaving = sum(line[how]["value"] for _, line in lines for how in ("expired", "dropped", "shed"))
    at_end = sum(evidence.lag_at_end(topic, name) for topic, _ in lines)
    if leaving >= 0.5 * excess * evidence.seconds:
        return (
            f"about {three_digits(excess)} messages/s more than it can do expire or are dropped"
            f" ({count(leaving)} per run)"
        )
    return (
        f"its lag grows by about {three_digits(excess)} messages/s for as long as this load lasts"
        f" ({count(at_end)} at the end of the run)"
    )


def _remedy(evidence: Evidence, name: str, load: OfferedLoad) -> str:
    """The smallest number of instances, or else of partitions, that brings utilisation to 0.9 or less."""
    service = evidence.scenario.services[name]
    partitions = partitions_of(evidence.scenario, name)
    most = (
        partitions
        if partitions is not None
        else math.ceil(load.needed_slots / COMFORTABLE / (service.concurrency or 1))
    )
    fewest = service.instances + 1 if service.autoscale is None else 1
    for instances in range(fewest, most + 1):
        slots = useful_slots(evidence.scenario, name, instances)
        if slots is None or load.needed_slots <= COMFORTABLE * slots:
            assert slots is not None
            would = f"{plural(instances, 'instance')} would give {load.needed_slots / slots:.2f}"
            return would + _beside_autoscaler(evidence, name, instances)
    needed = math.ceil(load.needed_slots / COMFORTABLE)
    unit = "message" if service.batch is None else "batch"
    return (
        f"No number of instances is enough, since each partition has at most one {unit} in work:"
        f" {plural(needed, 'partition')} with a slot each would give {load.needed_slots / needed:.2f}."
    )


def _beside_autoscaler(evidence: Evidence, name: str, instances: int) -> str:
    """How a recommended number of instances compares with what the autoscaler may ask for."""
    autoscale = evidence.scenario.services[name].autoscale
    if autoscale is None:
        return "."
    most = most_instances(evidence.scenario, name)
    if instances > most:
        return f"; the autoscaler stops at {most}."
    return f"; the autoscaler may ask for up to {most}, but had {_mean_instances(evidence, name)} on average."


def _mean_instances(evidence: Evidence, name: str) -> str:
    """Instances that were up on average over time."""
    times, up = (np.array(evidence.service(name)["series"][key]) for key in ("t_s", "instances"))
    return three_digits(float(up[times >= evidence.scenario.run.warmup].mean()))


def _saturated_rate_limit(evidence: Evidence, name: str, load: OfferedLoad) -> Iterator[Finding]:
    limit = evidence.scenario.services[name].rate_limit
    if limit is None or load.attempts_per_s < limit.rate or _is_saturated(evidence, name, load):
        return
    made = evidence.service(name)["attempts"]["value"] / evidence.seconds
    if made < BUSY_ENOUGH * limit.rate:
        return
    attempts = f" × {three_digits(load.attempts)} attempts" if load.attempts >= 1.005 else ""
    ratio = load.attempts_per_s / limit.rate
    at_end = sum(evidence.lag_at_end(topic, name) for topic, _ in evidence.lines_of(name))
    yield Finding(
        f"services.{name}",
        f"{name} is saturated by its rate limit: {three_digits(load.messages_per_s)} messages/s{attempts} ÷"
        f" {three_digits(limit.rate)}/s = {ratio:.2f}, so its lag grows by about"
        f" {three_digits(load.messages_per_s * (1 - 1 / ratio))} messages/s ({count(at_end)} at the end of"
        f" the run). A limit of {three_digits(load.attempts_per_s / COMFORTABLE)}/s would give"
        f" {COMFORTABLE:.2f}.",
    )


@dataclass(frozen=True)
class Spell:
    """A time when all usable slots of a service were busy and its lag rose to `peak` at `peak_s`.

    slots: mean of the usable slots until then
    """

    slots: float
    first_s: float
    last_s: float
    peak_s: float
    lag: float
    peak: float

    @property
    def excess_per_s(self) -> float:
        """Messages per second more than the service could do."""
        return (self.peak - self.lag) / (self.peak_s - self.first_s)


def overloaded(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.scenario.services:
        load, spell = offered_load(evidence, name), overload_of(evidence, name)
        if load is not None and load.slots is not None and spell is not None:
            text = (
                f"{name} has all its {_usable(spell.slots)} busy from {clock(spell.first_s)} to"
                f" {clock(spell.last_s)} ({duration(spell.last_s - spell.first_s)}), and its lag rises from"
                f" {short(spell.lag)} to {short(spell.peak)} by {clock(spell.peak_s)}."
            )
            yield Finding(f"services.{name}", f"{text} {_overload_arithmetic(evidence, name, load, spell)}")


def _usable(slots: float) -> str:
    """How many slots, or their mean where instances came and went."""
    return (
        plural(slots, "usable slot") if slots == round(slots) else f"usable slots ({short(slots)} on average)"
    )


def _overload_arithmetic(evidence: Evidence, name: str, load: OfferedLoad, spell: Spell) -> str:
    """What came on top of its capacity; while a fault acts on it, its mean capacity says nothing."""
    excess = f"about {three_digits(spell.excess_per_s)} messages/s"
    acting = [
        one.name
        for one in occurrences_of(evidence.scenario)
        if name in services_hit(one.fault, evidence.scenario)
        and one.start_s < spell.peak_s
        and one.end_s > spell.first_s
    ]
    if acting:
        return f"That is {excess} more than it can do during '{acting[0]}'."
    done_per_s = spell.slots / (load.slot_s * load.attempts)
    then = replace(load, messages_per_s=done_per_s + spell.excess_per_s, slots=spell.slots)
    return (
        f"That is {excess} on top of the {three_digits(done_per_s)} that it can do: {then.utilisation:.2f}"
        f" times its capacity. {_remedy(evidence, name, then)}"
    )


def overload_of(evidence: Evidence, name: str) -> Spell | None:
    """The worst spell of a service that is not saturated on average; None when no spell is worth telling."""
    load = offered_load(evidence, name)
    if load is None or load.slots is None or _is_saturated(evidence, name, load):
        return None
    series = evidence.service(name)["series"]
    times = np.array(series["t_s"])
    lag = np.sum([line["series"]["lag"] for _, line in evidence.lines_of(name)], axis=0)
    slots = slots_over_time(evidence, name)
    assert slots is not None
    busy = (np.array(series["busy"]) >= ALL_BUSY * slots) & (slots > 0)
    spell = _worst_spell(busy & (times >= evidence.scenario.run.warmup), lag)
    if spell is None:
        return None
    first, last = spell
    top = first + int(np.argmax(lag[first : last + 1]))
    if last - first < SHORTEST_SPELL_SAMPLES or lag[top] - lag[first] < NOTABLE_RISE * load.slots:
        return None
    return Spell(
        float(slots[first : top + 1].mean()),
        float(times[first]),
        float(times[last]),
        float(times[top]),
        float(lag[first]),
        float(lag[top]),
    )


def _worst_spell(busy: np.ndarray, lag: np.ndarray) -> tuple[int, int] | None:
    """First and last index of the spell of busy samples in which the lag rises most; None without one."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], busy, [False])).astype(np.int8)))
    spells = list(zip(edges[::2], edges[1::2] - 1, strict=True))
    if not spells:
        return None
    return max(spells, key=lambda spell: float(lag[spell[0] : spell[1] + 1].max() - lag[spell[0]]))


def unsettled(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.scenario.services:
        load = offered_load(evidence, name)
        if load is not None and _is_saturated(evidence, name, load):
            continue
        for topic, line in evidence.lines_of(name):
            median, at_end = line["lag"]["p50"]["value"], evidence.lag_at_end(topic, name)
            if median is None or at_end < 3 * median or at_end < 100 or load is None:
                continue
            if at_end < 0.01 * load.messages_per_s * evidence.seconds:
                continue
            yield Finding(
                f"topics.{topic}",
                f"{topic} ends the run with a lag of {count(at_end)} messages for {name},"
                f" {three_digits(at_end / max(median, 1.0))} times its median of {count(median)}: its numbers"
                " are those of a run that is cut off, not of a steady state.",
            )


def headroom(evidence: Evidence) -> Iterator[Finding]:
    """Silent when something is over its limit already, or a hot partition is nearer to it."""
    now = {name: offered_load(evidence, name) for name in evidence.scenario.services}
    if any(
        _is_saturated(evidence, name, load) or overload_of(evidence, name)
        for name, load in now.items()
        if load is not None
    ):
        return
    most = {name: load_at_most(evidence, name) for name in evidence.scenario.services}
    known = {name: load for name, load in most.items() if load is not None}
    utilisation = {name: load.utilisation for name, load in known.items()}
    first = max(utilisation, key=lambda name: utilisation[name], default=None)
    hottest = max((one.utilisation for one in hot_partitions(evidence)), default=0.0)
    if first is None or any(deadlock(evidence)):
        return
    dependency = busiest_dependency(evidence)
    if dependency is not None and dependency.utilisation >= max(utilisation[first], hottest):
        yield from _headroom_of_dependency(dependency)
        return
    if not max(HEADROOM_MATTERS, hottest) <= utilisation[first] < 1:
        return
    load = known[first]
    if any(line[how]["value"] for _, line in evidence.lines_of(first) for how in UNSERVED):
        return
    how = load.arithmetic(plural(load.slots or 0, "usable slot") + _at_most(evidence, first))
    if load.is_rate_limited:
        limit = f"its rate limit of {three_digits(load.rate_limit)}/s"
        how = f"{three_digits(load.attempts_per_s)} attempts/s ÷ {limit}"
    yield Finding(
        f"services.{first}",
        f"{first} would saturate first, at {1 / load.utilisation:.2f} times this load: on average {how} ="
        f" utilisation {load.utilisation:.2f}.",
    )


def _at_most(evidence: Evidence, name: str) -> str:
    """What the slots of the arithmetic suppose."""
    service = evidence.scenario.services[name]
    if service.autoscale is not None:
        return f" (of its most instances, {most_instances(evidence.scenario, name)})"
    return f" (in full batches of {service.batch.max_messages})" if service.batch is not None else ""


def _headroom_of_dependency(dependency: DependencyLoad) -> Iterator[Finding]:
    if HEADROOM_MATTERS <= dependency.utilisation < BUSY_ENOUGH:
        yield Finding(
            f"dependencies.{dependency.name}",
            f"{dependency.name} would saturate first, at {1 / dependency.utilisation:.2f} times this load: on"
            f" average {dependency.arithmetic()}.",
        )
