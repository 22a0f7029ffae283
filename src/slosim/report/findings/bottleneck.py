"""Which service takes most of the time of a flow, of all its instances and of the slowest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from slosim.report.findings.dependencies import dependency_overloaded, dependency_saturated
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.load import overloaded, saturated
from slosim.report.units import duration, enumeration, share

WORTH_NAMING = 0.05
"""Share of a service's time from which on a part of it is named."""
LARGE: tuple[Callable[[Evidence], Iterator[Finding]], ...] = (
    saturated,
    dependency_saturated,
    dependency_overloaded,
    overloaded,
)
"""Rules that have named a bottleneck already."""


@dataclass(frozen=True)
class Most:
    """What takes most of the time: an owner of parts (as a rule a service), its parts and all time, s."""

    name: str
    parts: Mapping[str, float]
    total: float

    @property
    def time(self) -> str:
        """`1.27 s of 2.62 s (48%: 901 ms service, 344 ms wait)`."""
        spent = sum(self.parts.values())
        ordered = sorted(self.parts.items(), key=lambda item: -item[1])
        named = [f"{duration(its)} {part}" for part, its in ordered if its >= WORTH_NAMING * spent]
        part = share(spent / self.total, 0)
        return f"{duration(spent)} of {duration(self.total)} ({part}: {', '.join(named)})"


def most_of(parts: dict[str, dict]) -> Most | None:
    """From the parts `owner.part` of a flow, each an EST; None where no instance was completed."""
    by_owner: dict[str, dict[str, float]] = {}
    for name, number in parts.items():
        owner, _, part = name.rpartition(".")
        by_owner.setdefault(owner, {})[part] = number["value"] or 0.0
    spent = {owner: sum(its.values()) for owner, its in by_owner.items()}
    first = max(spent, key=lambda owner: spent[owner], default=None)
    if first is None or not spent[first]:
        return None
    return Most(first, by_owner[first], sum(spent.values()))


def bottleneck(evidence: Evidence) -> Iterator[Finding]:
    """Silent where a flow goes through one service only, and where a rule above named what is too small."""
    named = {finding.subject for rule in LARGE for finding in rule(evidence)}
    for flow, numbers in evidence.content["flows"].items():
        mean, slowest = (most_of(numbers["where_time_goes_s"][of]) for of in ("mean", "slowest_1%"))
        if mean is None or slowest is None or len(evidence.services_of_flow(flow)) < 2:
            continue
        if slowest.name not in evidence.scenario.services or named & _suspects(evidence, slowest.name):
            continue
        if mean.name == slowest.name:
            text = f"{mean.name} takes most of the time of {flow}: {mean.time} on average, {slowest.time}"
            yield Finding(f"flows.{flow}", f"{text} of the slowest 1%. {_busy(evidence, slowest)}")
        else:
            yield Finding(
                f"flows.{flow}",
                f"{mean.name} takes most of the time of {flow}, {mean.time} on average, but {slowest.name}"
                f" {slowest.time} of the slowest 1%. {_busy(evidence, slowest)}",
            )


def _dependencies_of(evidence: Evidence, service: str) -> list[str]:
    """The dependencies that a service calls, each once."""
    return list(dict.fromkeys(call.dependency for call in evidence.scenario.services[service].calls))


def _suspects(evidence: Evidence, service: str) -> set[str]:
    """Subjects of findings that would have named this service, or what it calls."""
    called = _dependencies_of(evidence, service)
    return {f"services.{service}", *(f"dependencies.{name}" for name in called)}


def _busy(evidence: Evidence, most: Most) -> str:
    """How busy its slots and the servers that it calls are; what has no limit is not told."""
    slots = evidence.service(most.name)["utilisation_ratio"]["value"]
    busy = [] if slots is None else [f"the slots of {most.name} are busy {share(slots, 0)} of the time"]
    for name in _dependencies_of(evidence, most.name):
        servers = evidence.content["dependencies"][name]["utilisation_ratio"]["value"]
        busy += [] if servers is None else [f"the servers of {name} {share(servers, 0)}"]
    return f"Over the run {enumeration(busy)}." if busy else "Its slots have no limit."
