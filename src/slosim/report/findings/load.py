"""Rules about load and capacity: what is too small, by how much, and what would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from slosim.compile.offered_load import partitions_of, useful_slots
from slosim.compile.topology import blocks
from slosim.model.arrivals import Clients
from slosim.report.faults import Occurrence, occurrences_of, services_hit
from slosim.report.findings.blocking import deadlock
from slosim.report.findings.delivery import backing_off_s
from slosim.report.findings.dependencies import (
    DependencyLoad,
    busiest_dependency,
    busy_dependency,
    overload_of_dependency,
    too_much_for_a_dependency,
)
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import (
    OfferedLoad,
    attempts_per_message,
    load_at_most,
    load_outside_faults,
    offered_load,
    own_attempts,
    waits_to_publish,
)
from slosim.report.findings.partitions import hot_partitions
from slosim.report.findings.slots import most_instances, slots_over_time
from slosim.report.findings.spells import ALL_BUSY, worst_spell
from slosim.report.topology import waiting_clients
from slosim.report.units import clock, count, duration, enumeration, plural, share, short, three_digits

BUSY_ENOUGH = 0.95
"""Slots busy for less than this share of the time were not what held messages up."""
COMFORTABLE = 0.9
"""Utilisation that a recommended size may reach."""
REPEATED = 1.05
"""Attempts over those that a service's own failures ask for, from which on the rest matters."""
MOSTLY = 0.5
"""Share of the attempts that crashes take from which on a size cannot be told from those that end."""
UNSERVED = ("rejected", "expired", "dropped", "shed")
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
    clients = waiting_clients(evidence.scenario, name)
    if clients is not None:
        yield _bound_by_clients(evidence, name, clients)
        return
    divisor = (
        f"{plural(load.slots, 'partition')} (one {unit} at a time in each)"
        if bound
        else plural(load.slots, "slot")
    )
    yield Finding(
        f"services.{name}",
        f"{name} is saturated: {load.arithmetic(divisor)} = utilisation {utilisation:.2f}, so"
        f" {_consequence(evidence, name, load, utilisation)}. {_way_out(evidence, name, load)}",
    )


def _bound_by_clients(evidence: Evidence, name: str, clients: list[str]) -> Finding:
    """In a closed loop what arrives is what is done: neither does the lag grow, nor is a ratio a demand."""
    arrivals = [evidence.scenario.producers[one].arrivals for one in clients]
    number = sum(its.count for its in arrivals if isinstance(its, Clients))
    busy = evidence.service(name)["utilisation_ratio"]["value"] or 1.0
    return Finding(
        f"services.{name}",
        f"{name} is saturated: its slots are {share(busy)} busy. Only clients that wait for their answers"
        f" feed it, {plural(number, 'client')} of {enumeration(clients)}: they bound what waits for it, and"
        " more instances would be asked more.",
    )


def _way_out(evidence: Evidence, name: str, load: OfferedLoad) -> str:
    """More instances; not for what waits elsewhere, nor for repeats beyond the service's own failures."""
    numbers = evidence.service(name)
    lost = numbers["lost"]["value"] / numbers["attempts"]["value"]
    if lost >= MOSTLY:
        return f"{share(lost)} of its attempts are lost in crashes: so would those of more instances be."
    waits_for = busy_dependency(evidence, name, evidence.scenario.run.warmup, math.inf)
    if waits_for is not None:
        return f"Its slots wait for {waits_for}: more instances would only wait there."
    if _held_back_by(evidence, name):
        return "More instances would take more of it; how much more that is cannot be seen while it waits."
    own = own_attempts(evidence, name, load.attempts)
    if load.attempts < REPEATED * own or load.slots is None:
        return _remedy(evidence, name, load)
    once = load.with_attempts(own)
    would = f"With {attempts_per_message(own)} it would be {once.needed_slots / load.slots:.2f}"
    if once.needed_slots <= COMFORTABLE * load.slots:
        return f"{would}."
    return f"{would}. {_remedy(evidence, name, once)}"


def _held_back_by(evidence: Evidence, name: str) -> list[str]:
    """The topics of a service, when each holds its publishers back once it is full."""
    topics = list(evidence.scenario.services[name].consumes)
    return topics if all(blocks(evidence.scenario, topic) for topic in topics) else []


def _consequence(evidence: Evidence, name: str, load: OfferedLoad, utilisation: float) -> str:
    """What becomes of the messages beyond capacity: they pile up, or they leave unserved."""
    excess = load.messages_per_s * (1 - 1 / utilisation)
    lines = evidence.lines_of(name)
    leaving = sum(line[how]["value"] for _, line in lines for how in ("expired", "dropped", "shed"))
    at_end = sum(evidence.lag_at_end(topic, name) for topic, _ in lines)
    if topics := _held_back_by(evidence, name):
        return f"what is to be published to {enumeration(topics)} waits until it has room"
    if excess * evidence.seconds < 1:
        return f"it has nothing to spare (a lag of {count(at_end)} at the end of the run)"
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
    if too_much := too_much_for_a_dependency(evidence, name, load.attempts_per_s):
        return too_much
    service = evidence.scenario.services[name]
    partitions = partitions_of(evidence.scenario, name)
    fewest = service.instances + 1 if service.autoscale is None else 1
    if partitions is None:  # on a queue every slot counts
        fewest = max(fewest, math.ceil(load.needed_slots / COMFORTABLE / (service.concurrency or 1)))
    most = fewest if partitions is None else partitions
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
    """What came on top of its capacity, and what would carry it.

    While a fault acts on it, or its slots wait for a busy dependency, its usual capacity says nothing; and
    what a redrive sends is better sent more slowly.
    """
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
    waits_for = busy_dependency(evidence, name, spell.first_s, spell.peak_s)
    if waits_for is not None:
        return (
            f"That is {excess} more than it can do while its slots wait for {waits_for}: more instances would"
            " only wait there."
        )
    usual = load_outside_faults(evidence, name, load)
    if not usual.slot_s:
        return f"That is {excess} more than it can do."
    done_per_s = spell.slots / (usual.slot_s * usual.attempts)
    if redrives := _redrives_during(evidence, name, spell):
        return f"That is {excess} more than it can do: {_redrive_text(evidence, name, redrives, done_per_s)}"
    then = replace(usual, messages_per_s=done_per_s + spell.excess_per_s, slots=spell.slots)
    return (
        f"That is {excess} on top of the {three_digits(done_per_s)} that it can do: {then.utilisation:.2f}"
        f" times its capacity. {_remedy(evidence, name, then)}"
    )


def _redrives_during(evidence: Evidence, name: str, spell: Spell) -> list[Occurrence]:
    """The redrives that feed a service for most of the time in which its lag rises, one of each topic."""
    service, found = evidence.scenario.services[name], {}
    for one in occurrences_of(evidence.scenario):
        redrive = one.fault.effect.redrive
        if redrive is None or service.join or redrive.to not in service.consumes:
            continue
        overlap = min(one.end_s, spell.peak_s) - max(one.start_s, spell.first_s)
        if overlap >= 0.5 * (spell.peak_s - spell.first_s):
            found.setdefault(one.target, one)
    return list(found.values())


def _redrive_text(evidence: Evidence, name: str, occurrences: list[Occurrence], done_per_s: float) -> str:
    """What redrives bring together, and the rate at which they would fit beside what comes anyway."""
    scenario = evidence.scenario
    rates = [one.fault.effect.redrive.rate for one in occurrences if one.fault.effect.redrive is not None]
    sources = {
        fault.target.partition(".")[2]
        for fault in scenario.faults
        if fault.effect.redrive is not None and fault.effect.redrive.to in scenario.services[name].consumes
    }
    sent_back_per_s = sum(evidence.sent_back(topic) for topic in sources) / evidence.seconds
    anyway = max(0.0, (evidence.accepted_per_s(name) or 0.0) - sent_back_per_s)
    brings = f"'{occurrences[0].name}' brings {three_digits(rates[0])}/s"
    if len(rates) > 1:
        each = [
            f"'{one.name}' ({three_digits(rate)}/s)" for one, rate in zip(occurrences, rates, strict=True)
        ]
        brings = f"{enumeration(each)} bring {three_digits(sum(rates))}/s"
    text = f"{brings} on top of the {three_digits(anyway)}/s that come anyway"
    if anyway >= done_per_s:
        return f"{text}, which is all that it can do ({three_digits(done_per_s)}/s): no redrive would fit."
    would_fit = "A redrive would fit" if len(rates) == 1 else "Redrives would fit together"
    return (
        f"{text}. {would_fit} below {three_digits(done_per_s)} - {three_digits(anyway)} ="
        f" {three_digits(done_per_s - anyway)}/s."
    )


def overload_of(evidence: Evidence, name: str) -> Spell | None:
    """The worst spell of a service that is not saturated on average; None when no spell is worth telling."""
    load = offered_load(evidence, name)
    if load is None or load.slots is None or _is_saturated(evidence, name, load):
        return None
    if waits_to_publish(evidence, name):  # its slots are busy, but not with its work
        return None
    series = evidence.service(name)["series"]
    times = np.array(series["t_s"])
    lag = np.sum([line["series"]["lag"] for _, line in evidence.lines_of(name)], axis=0)
    slots = slots_over_time(evidence, name)
    assert slots is not None
    busy = (np.array(series["busy"]) >= ALL_BUSY * slots) & (slots > 0)
    spell = worst_spell(busy & (times >= evidence.scenario.run.warmup), lag, load.slots)
    if spell is None:
        return None
    first, last, top = spell
    return Spell(
        float(slots[first : top + 1].mean()),
        float(times[first]),
        float(times[last]),
        float(times[top]),
        float(lag[first]),
        float(lag[top]),
    )


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
        _is_saturated(evidence, name, load) or overload_of(evidence, name) or waits_to_publish(evidence, name)
        for name, load in now.items()
        if load is not None
    ):
        return
    if any(overload_of_dependency(evidence, name) for name in evidence.content["dependencies"]):
        return
    most = {name: load_at_most(evidence, name) for name in evidence.scenario.services}
    known = {name: load for name, load in most.items() if load is not None}
    held = {name: _held_partitions(evidence, name, load) for name, load in known.items()}
    utilisation = {name: load.utilisation + held[name] for name, load in known.items()}
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
    how += f" = utilisation {load.utilisation:.2f}"
    if held[first]:
        how += f", and with the time that blocking retries hold its partitions {utilisation[first]:.2f}"
    yield Finding(
        f"services.{first}",
        f"{first} would saturate first, at {1 / utilisation[first]:.2f} times this load: on average {how}.",
    )


def _held_partitions(evidence: Evidence, name: str, load: OfferedLoad) -> float:
    """Share of the time in which blocking retries hold partitions that are all its usable slots."""
    retry, partitions = evidence.scenario.services[name].retry, partitions_of(evidence.scenario, name)
    if retry is None or not retry.blocking or not partitions or load.slots != partitions:
        return 0.0
    return 0.0 if load.is_rate_limited else backing_off_s(evidence, name) / (partitions * evidence.seconds)


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
