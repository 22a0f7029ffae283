"""Rules about stations that do not do what theory says: which assumption fails, or a fault of slosim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from slosim.measure.intervals import student_t
from slosim.report.faults import services_hit
from slosim.report.findings.delivery import head_of_line
from slosim.report.findings.dependencies import overload_of_dependency
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.load import overload_of
from slosim.report.units import duration, enumeration, plural, share, three_digits

CONFIDENCE = 0.999
"""Of the interval that a difference must be clear of: one false alarm in a thousand stations."""
MATTERS = 0.1
"""A difference matters from this share on: of the time in the station, or of what is refused or busy."""
APPROXIMATE = 1 / 3
"""An approximation may be wrong by this share, whatever holds (see `theory.mg1.mean_wait_many_slots_s`)."""
TABLES = 0.02
"""Service times come from tables with errors below 0.1%, which a queue near its limit magnifies to this."""
SHOWN = 3
"""Stations of one finding, and reasons of one station."""

NUMBERS = {
    "wait_mean_s": ("waits {} on average", duration),
    "refused_ratio": ("refuses {}", share),
    "expired_ratio": ("lets {} expire", share),
    "busy_slots": ("has {} busy slots", three_digits),
    "busy_servers": ("has {} busy servers", three_digits),
}
"""How each number that is tested is told, and its form."""


class Difference(NamedTuple):
    """A station outside the interval around its theory.

    size  of the difference: of a wait, as a share of wait and service together, else of the theory
    """

    path: str
    theory: dict
    size: float

    @property
    def name(self) -> str:
        return self.path.partition(".")[2]

    @property
    def numbers(self) -> dict:
        return self.theory["compared"][self.theory["tested"]]

    @property
    def against(self) -> list[str]:
        """What speaks against the assumptions, each reason once."""
        return list(dict.fromkeys(why for one in self.theory["assumptions"] for why in one["against"]))

    @property
    def is_beyond_error(self) -> bool:
        """Whether it is more than the formula itself, or the tables of the engine, may be wrong by."""
        error = TABLES if self.theory["exact"] else APPROXIMATE
        return abs(self.numbers["difference"]["value"]) >= error * self.numbers["theory"]

    def text(self) -> str:
        told, form = NUMBERS[self.theory["tested"]]
        simulated, theory = form(self.numbers["simulated"]["value"]), form(self.numbers["theory"])
        rate = three_digits(self.theory["arrival_rate_per_s"])
        return (
            f"{self.name} {told.format(simulated)}, where {self.theory['model']} at the same {rate}/s says"
            f" {theory}"
        )


def theory_contradicted(evidence: Evidence) -> Iterator[Finding]:
    """An exact form whose assumptions all hold, and another number: nobody can explain that but us."""
    for one in _differences(evidence):
        if not one.theory["exact"] or one.against or not one.is_beyond_error:
            continue
        yield Finding(
            one.path,
            f"{one.text()}, though all that it assumes holds; the difference is outside its"
            f" {share(CONFIDENCE, 1)} interval over {plural(evidence.replications, 'replication')}. That"
            " happens by chance once in a thousand times; if a longer run shows it again, it is a fault of"
            " slosim.",
        )


def theory_differs(evidence: Evidence) -> Iterator[Finding]:
    """The stations where waiting is more (or less) than queueing, and no other finding tells why.

    A fault or an overload at the station has findings of its own, and no steady state to compare.
    """
    telling = [
        one
        for one in sorted(_differences(evidence), key=lambda one: -one.size)
        if one.size >= MATTERS and one.is_beyond_error and one.against and not _is_explained(evidence, one)
    ]
    if not telling:
        return
    shown = [f"{one.text()} ({_reasons(one)})" for one in telling[:SHOWN]]
    more = f", and {plural(len(telling) - SHOWN, 'other station')}" if len(telling) > SHOWN else ""
    yield Finding(
        telling[0].path,
        f"this is not plain queueing: {'; '.join(shown)}{more}. In brackets what the formula leaves out.",
    )


def _reasons(one: Difference) -> str:
    against = one.against
    if len(against) > SHOWN:
        against = [*against[: SHOWN - 1], f"{len(against) - SHOWN + 1} more reasons"]
    return enumeration(against)


def _differences(evidence: Evidence) -> Iterator[Difference]:
    """Stations whose tested number is outside the wide interval around its theory."""
    if evidence.replications < 2:
        return
    widening = student_t(evidence.replications - 1, CONFIDENCE) / student_t(evidence.replications - 1)
    for kind, busy in (("services", "busy_slots"), ("dependencies", "busy_servers")):
        for name, its in evidence.content[kind].items():
            theory = its["theory"]
            if theory is None:
                continue
            numbers = theory["compared"][theory["tested"]]
            difference = numbers["difference"]
            if difference["value"] is None or difference["low"] is None:
                continue
            half_width = (difference["high"] - difference["low"]) / 2
            if abs(difference["value"]) <= widening * half_width:
                continue
            whole = numbers["theory"]
            if theory["tested"] == "wait_mean_s":
                whole += its[busy]["value"] / theory["arrival_rate_per_s"]
            if whole > 0:
                yield Difference(f"{kind}.{name}", theory, abs(difference["value"]) / whole)


def _is_explained(evidence: Evidence, one: Difference) -> bool:
    """Whether a fault, an overload or blocking retries at the station have findings of their own."""
    if one.path.startswith("dependencies."):
        hit = any(fault.target == one.path for fault in evidence.scenario.faults)
        return hit or overload_of_dependency(evidence, one.name) is not None
    hit = any(one.name in services_hit(fault, evidence.scenario) for fault in evidence.scenario.faults)
    held = any(finding.subject == f"{one.path}.retry" for finding in head_of_line(evidence))
    return hit or held or overload_of(evidence, one.name) is not None
