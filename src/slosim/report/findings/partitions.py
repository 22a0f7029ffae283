"""Rules about the partitions of logs: keys that make one of them hot, and instances that own none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from slosim.compile.offered_load import partitions_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import OfferedLoad, offered_load
from slosim.report.findings.slots import largest_partitions
from slosim.report.units import duration, enumeration, plural, share, three_digits

UNEVEN = 1.5
"""A partition is hot from this many times its even share on."""
CHANCE = 4.0
"""Standard deviations above the even share that chance alone does not explain."""


@dataclass(frozen=True)
class HotPartition:
    """The partition that gets most, and what it brings to each consumer; the same in all these topics.

    loads  {service: load of this partition}, one message at a time, so on one slot
    """

    index: int
    partitions: int
    share: float
    topics: tuple[str, ...]
    loads: dict[str, OfferedLoad]

    @property
    def utilisation(self) -> float:
        """Of the consumer that has most work with it."""
        return max((load.needed_slots for load in self.loads.values()), default=0.0)


def hot_partitions(evidence: Evidence) -> list[HotPartition]:
    """Hot partitions, those of several topics as one where messages keep their keys on the way."""
    alike: dict[tuple[int, int, float], list[tuple[str, str]]] = {}
    for topic, name in evidence.measurements[0].lines:
        published = [one.lines[topic, name].partition_published for one in evidence.measurements]
        if any(one is None for one in published):
            continue
        totals = np.sum([one for one in published if one is not None], axis=0)
        hottest, even = int(np.argmax(totals)), float(totals.mean())
        hot_from = max(UNEVEN * even, even + CHANCE * math.sqrt(even) + 1)
        if len(totals) > 1 and totals[hottest] >= hot_from:
            key = (hottest, len(totals), round(float(totals[hottest] / totals.sum()), 3))
            alike.setdefault(key, []).append((topic, name))
    return [
        HotPartition(
            index,
            partitions,
            hot_share,
            tuple(dict.fromkeys(topic for topic, _ in lines)),
            dict(_loads(evidence, lines, hot_share)),
        )
        for (index, partitions, hot_share), lines in alike.items()
    ]


def _loads(
    evidence: Evidence, lines: list[tuple[str, str]], hot_share: float
) -> Iterator[tuple[str, OfferedLoad]]:
    """What the hot partition brings to each consumer that takes one message at a time."""
    for topic, name in lines:
        load, service = offered_load(evidence, name), evidence.scenario.services[name]
        if load is not None and load.slot_s > 0 and service.batch is None and not service.join:
            rate = evidence.accepted_by_line_per_s(topic, name)
            yield name, OfferedLoad(rate * hot_share, load.attempts, load.slot_s, 1)


def uneven_partitions(evidence: Evidence) -> Iterator[Finding]:
    for hot in hot_partitions(evidence):
        text = (
            f"partition {hot.index} of {enumeration(list(hot.topics))} gets {share(hot.share)} of the"
            f" messages against an even share of {share(1 / hot.partitions)}"
            f" ({hot.share * hot.partitions:.2f} times as many)."
        )
        yield Finding(f"topics.{hot.topics[0]}", f"{text} {_consequence(hot)}".strip())


def _consequence(hot: HotPartition) -> str:
    """What one message at a time means for the hot partition."""
    if not hot.loads:
        return ""
    worst = max(hot.loads, key=lambda name: hot.loads[name].needed_slots)
    load, utilisation = hot.loads[worst], hot.utilisation
    others = [f"{other.needed_slots:.2f} at {name}" for name, other in hot.loads.items() if name != worst]
    beside = f" ({enumeration(others)})" if others else ""
    arithmetic = f"{load.arithmetic('1 slot')} = utilisation {utilisation:.2f}"
    text = f"Taken one at a time, that is {arithmetic} at {worst}{beside}"
    if utilisation >= 1:
        growth = three_digits(load.messages_per_s * (1 - 1 / utilisation))
        bearable = load.messages_per_s / hot.share * load.attempts * load.slot_s
        return (
            f"{text}, so its lag grows by about {growth} messages/s, however many instances there are. It"
            f" would cope with a share of up to {share(1 / bearable)}, or with"
            f" {duration(load.slot_s / utilisation)} per attempt."
        )
    return f"{text}: it saturates at {1 / utilisation:.2f} times this load, however many instances there are."


def idle_instances(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        partitions = _most_owners(evidence, name)
        instances = service.instances if service.autoscale is None else service.autoscale.minimum
        if partitions is not None and instances > partitions:
            yield Finding(
                f"services.{name}",
                f"{name} has {plural(instances, 'instance')} for {plural(partitions, 'partition')}:"
                f" {instances - partitions} of them own none and stay idle.",
            )


def _most_owners(evidence: Evidence, name: str) -> int | None:
    """Instances that own a partition at most: ranges of several topics begin at the same instances."""
    rebalance = evidence.scenario.services[name].rebalance
    if rebalance is not None and rebalance.protocol == "cooperative":
        return partitions_of(evidence.scenario, name)
    return largest_partitions(evidence.scenario, name)
