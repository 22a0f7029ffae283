"""Rules about the partitions of a log that change hands."""

from __future__ import annotations

from collections.abc import Iterator

from slosim.compile.offered_load import partitions_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.units import duration, enumeration, plural, share


def rebalances(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        mechanisms = evidence.mechanisms(name)
        stopped = None if mechanisms is None else mechanisms["stopped_s"]["value"]
        if mechanisms is None or not stopped:
            continue
        text = (
            f"the partitions of {name} stand still for {duration(stopped)} each on average,"
            f" {share(stopped / evidence.seconds)} of the time:"
            f" {plural(mechanisms['rebalances']['value'], 'rebalance')} per run"
        )
        if service.rebalance is not None:
            whose = "all stop" if service.rebalance.protocol == "eager" else "those that change owner stop"
            text += f" ({service.rebalance.protocol}: {whose} for {duration(service.rebalance.pause)})"
        crashes = mechanisms["crashes"]["value"]
        if crashes:
            text += f" and {plural(crashes, 'crash', 'crashes')}"
            if service.rebalance is not None:
                text += f", each missed only after {duration(service.rebalance.session_timeout)}"
        yield Finding(f"services.{name}", f"{text}.{_in_latency(evidence, name)}")


def _in_latency(evidence: Evidence, name: str) -> str:
    """The share of each flow's mean latency that messages waited for partitions that stood still."""
    found = []
    for flow, numbers in evidence.content["flows"].items():
        part = numbers["where_time_goes_s"]["mean"].get(f"{name}.rebalance", {}).get("value")
        mean = numbers["latency_s"]["mean"]["value"]
        if part and mean:
            found.append(f"{share(part / mean)} of the mean latency of {flow} ({duration(part)})")
    return f" That is {enumeration(found)}." if found else ""


def instant_owners(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        mechanisms = evidence.mechanisms(name)
        if mechanisms is None or service.rebalance is not None or not partitions_of(evidence.scenario, name):
            continue
        starts, crashes = mechanisms["instance_starts"]["value"], mechanisms["crashes"]["value"]
        if starts or crashes:
            yield Finding(
                f"services.{name}",
                f"{name} consumes a log and its instances change ({plural(starts, 'start')} and"
                f" {plural(crashes, 'crash', 'crashes')} per run), but the scenario has no `rebalance` for"
                " it: its partitions change hands at once. A real consumer group stops for seconds each"
                " time; `rebalance: {pause: 3s}` shows it.",
            )
