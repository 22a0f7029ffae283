"""Rules about load and capacity: what is too small, by how much, and what would do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.topology import partitions_of, useful_slots
from slosim.report.units import clock, count, duration, enumeration, plural, share, short, three_digits

BUSY_ENOUGH = 0.95
"""Slots busy for less than this share of the time were not what held messages up."""
COMFORTABLE = 0.9
"""Utilisation that a recommended size may reach."""
SHORTEST_SPELL_SAMPLES = 5
UNEVEN = 1.5
HEADROOM_MATTERS = 0.2
"""Utilisation below which it is not worth saying what would saturate first."""


@dataclass(frozen=True)
class OfferedLoad:
    """What arrives at a service and what it takes to do it, all as measured.

    messages_per_s x attempts x slot_s = slots that are needed on average
    """

    messages_per_s: float
    attempts: float
    slot_s: float
    slots: int | None

    @property
    def needed_slots(self) -> float:
        return self.messages_per_s * self.attempts * self.slot_s

    @property
    def attempts_per_s(self) -> float:
        return self.messages_per_s * self.attempts

    def arithmetic(self, divisor: str) -> str:
        """`66.0 messages/s x 1.02 attempts x 40.0 ms / 2 slots`; attempts only when they differ from one."""
        factors = [f"{three_digits(self.messages_per_s)} messages/s"]
        if self.attempts >= 1.005:
            factors.append(f"{three_digits(self.attempts)} attempts")
        factors.append(duration(self.slot_s))
        return f"{' × '.join(factors)} ÷ {divisor}"


def offered_load(evidence: Evidence, name: str) -> OfferedLoad | None:
    """Offered load of a service over the measured window; None when it made no attempt.

    slot_s is the time that one attempt holds a slot, blocking retries and abandoned work included.
    """
    numbers = evidence.service(name)
    rate, attempts = evidence.accepted_per_s(name), numbers["attempts"]["value"]
    if not rate or not attempts or numbers["attempts_per_message"]["value"] is None:
        return None
    slot_s = numbers["busy_slots"]["value"] * evidence.seconds / attempts
    return OfferedLoad(
        rate, numbers["attempts_per_message"]["value"], slot_s, useful_slots(evidence.scenario, name)
    )


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
    divisor = (
        f"{plural(load.slots, 'partition')} (one message at a time in each)"
        if bound
        else plural(load.slots, "slot")
    )
    yield Finding(
        f"services.{name}",
        f"{name} is saturated: {load.arithmetic(divisor)} = utilisation {utilisation:.2f}, so"
        f" {_consequence(evidence, name, load, utilisation)}."
        f" {_remedy(evidence, name, load)}",
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
    for instances in range(service.instances + 1, most + 1):
        slots = useful_slots(evidence.scenario, name, instances)
        if slots is None or load.needed_slots <= COMFORTABLE * slots:
            assert slots is not None
            return f"{plural(instances, 'instance')} would give {load.needed_slots / slots:.2f}."
    needed = math.ceil(load.needed_slots / COMFORTABLE)
    return (
        f"No number of instances is enough, since each partition has at most one message in work:"
        f" {plural(needed, 'partition')} with a slot each would give {load.needed_slots / needed:.2f}."
    )


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
        f"{name} is saturated by its rate limit: {three_digits(load.messages_per_s)} messages/s{attempts}"
        f" ÷ {three_digits(limit.rate)}/s = {ratio:.2f}, so its lag grows by about"
        f" {three_digits(load.messages_per_s * (1 - 1 / ratio))} messages/s ({count(at_end)} at the end of"
        " the run)."
        f" A limit of {three_digits(load.attempts_per_s / COMFORTABLE)}/s would give {COMFORTABLE:.2f}.",
    )


def uneven_partitions(evidence: Evidence) -> Iterator[Finding]:
    """One finding for all lines that share their hottest partition: messages keep their keys."""
    alike: dict[tuple[int, int, float], list[tuple[str, str]]] = {}
    for topic, name in evidence.measurements[0].lines:
        published = [one.lines[topic, name].partition_published for one in evidence.measurements]
        if any(one is None for one in published):
            continue
        totals = np.sum([one for one in published if one is not None], axis=0)
        partitions, all_ = len(totals), int(totals.sum())
        hottest = int(np.argmax(totals))
        even = all_ / partitions
        if (
            partitions > 1
            and totals[hottest] >= UNEVEN * even
            and totals[hottest] - even > 4 * math.sqrt(even)
        ):
            alike.setdefault((hottest, partitions, round(totals[hottest] / all_, 3)), []).append(
                (topic, name)
            )
    for (hottest, partitions, hot_share), lines in alike.items():
        yield Finding(f"topics.{lines[0][0]}", _uneven_text(evidence, lines, hottest, hot_share, partitions))


def _uneven_text(
    evidence: Evidence, lines: list[tuple[str, str]], hottest: int, hot_share: float, partitions: int
) -> str:
    topics = list(dict.fromkeys(topic for topic, _ in lines))
    text = (
        f"partition {hottest} of {enumeration(topics)} gets {share(hot_share)} of the messages against an"
        " even share of"
        f" {share(1 / partitions)} ({hot_share * partitions:.2f} times as many)."
    )
    hot = {}
    for _, name in lines:
        load = offered_load(evidence, name)
        if load is not None and load.slot_s > 0:
            hot[name] = OfferedLoad(load.messages_per_s * hot_share, load.attempts, load.slot_s, 1)
    if not hot:
        return text
    worst = max(hot, key=lambda name: hot[name].needed_slots)
    utilisation = hot[worst].needed_slots
    others = [f"{load.needed_slots:.2f} at {name}" for name, load in hot.items() if name != worst]
    text += (
        f" Taken one at a time, that is {hot[worst].arithmetic('1 slot')} = utilisation {utilisation:.2f} at"
        f" {worst}"
        f"{f' ({enumeration(others)})' if others else ''}"
    )
    if utilisation >= 1:
        growth = hot[worst].messages_per_s * (1 - 1 / utilisation)
        growing = f"so its lag grows by about {three_digits(growth)} messages/s"
        return f"{text}, {growing}, however many instances there are."
    return f"{text}: it saturates at {1 / utilisation:.2f} times this load, however many instances there are."


def overloaded(evidence: Evidence) -> Iterator[Finding]:
    for name in evidence.scenario.services:
        slots = useful_slots(evidence.scenario, name)
        load = offered_load(evidence, name)
        if slots is None or load is None or _is_saturated(evidence, name, load):
            continue
        series = evidence.service(name)["series"]
        times = np.array(series["t_s"])
        lag = np.sum([line["series"]["lag"] for _, line in evidence.lines_of(name)], axis=0)
        busy = (np.array(series["busy"]) >= 0.98 * slots) & (times >= evidence.scenario.run.warmup)
        spell = _worst_spell(busy, lag)
        if spell is None:
            continue
        first, last = spell
        top = first + int(np.argmax(lag[first : last + 1]))
        rise = lag[top] - lag[first]
        if last - first < SHORTEST_SPELL_SAMPLES or rise < 5 * slots or top == first:
            continue
        rate = rise / (times[top] - times[first])
        yield Finding(
            f"services.{name}",
            f"{name} has all its {plural(slots, 'usable slot')} busy from {clock(times[first])} to"
            f" {clock(times[last])}"
            f" ({duration(times[last] - times[first])}); its lag rises from {short(lag[first])} to"
            f" {short(lag[top])} by"
            f" {clock(times[top])}, {three_digits(rate)} messages/s more than it can do.",
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
                f" {three_digits(at_end / max(median, 1.0))}"
                f" times its median of {count(median)}: its numbers are those of a run that is cut off, not"
                " of a steady state.",
            )


def idle_instances(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        partitions = partitions_of(evidence.scenario, name)
        if partitions is not None and service.instances > partitions:
            yield Finding(
                f"services.{name}",
                f"{name} has {plural(service.instances, 'instance')} for {plural(partitions, 'partition')}:"
                f" {service.instances - partitions} of them own none and stay idle.",
            )


def headroom(evidence: Evidence) -> Iterator[Finding]:
    busiest: tuple[float, str, OfferedLoad] | None = None
    for name in evidence.scenario.services:
        load = offered_load(evidence, name)
        if load is None or not load.slots:
            continue
        if _is_saturated(evidence, name, load):
            return
        utilisation = load.needed_slots / load.slots
        if busiest is None or utilisation > busiest[0]:
            busiest = (utilisation, name, load)
    if busiest is None or not HEADROOM_MATTERS <= busiest[0] < 1:
        return
    utilisation, name, load = busiest
    yield Finding(
        f"services.{name}",
        f"{name} would saturate first, at {1 / utilisation:.2f} times this load: on average"
        f" {load.arithmetic(plural(load.slots or 0, 'usable slot'))} = utilisation {utilisation:.2f}.",
    )
