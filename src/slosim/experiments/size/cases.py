"""The cases in which a configuration must keep its promises: whole, with instances missing, after an
outage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from slosim.errors import ScenarioError, UserError
from slosim.experiments.size.dimensions import Dimensions, Position
from slosim.experiments.vary import ON_COMMAND_LINE
from slosim.model import Bernoulli, Bursts, Clients, Counts, Producer, Scenario, Trace
from slosim.model.load import changed
from slosim.model.values import (
    Mistake,
    listed,
    nearest,
    parse_duration,
    parse_factor,
    write_duration,
)
from slosim.report.faults import occurrences_of
from slosim.report.units import plural

WHOLE, MISSING, DRAIN = "whole", "missing", "drain"
DRAIN_FORM = "TARGET [outage|pause] TIME in TIME [at START], for example 'services.payment 5m in 10m'"
_DRAIN = re.compile(
    r"(?P<target>\S+)(?:\s+(?P<effect>outage|pause))?\s+(?P<outage>\S+)\s+in\s+(?P<within>\S+)(?:\s+at\s+(?P<at>\S+))?"
)


class Drain(NamedTuple):
    """A fault of `outage_s` from `at_s` on, whose backlog must be gone `within_s` after its end.

    effect  outage: every attempt fails at once; pause: nothing new is taken
    """

    target: str
    effect: str
    outage_s: float
    within_s: float
    at_s: float
    name: str


class Demands(NamedTuple):
    """What must hold.

    objectives  names of those that count
    survive     instances of one service that may be missing; 0: none
    peak        factor on the rate of every producer
    """

    objectives: tuple[str, ...]
    survive: int = 0
    peak: float = 1.0
    drain: Drain | None = None


class Case(NamedTuple):
    """One case; service: of which instances are missing."""

    kind: str
    service: str = ""

    def text(self, survive: int) -> str:
        if self.kind == MISSING:
            return f"without {survive} x {self.service}"
        return "as it is" if self.kind == WHOLE else "after the fault"


class Cases:
    """The scenario of every case of every configuration, each read once.

    scenario  at its peak: `Demands.peak` is applied already
    """

    def __init__(self, scenario: Scenario, dimensions: Dimensions, demands: Demands) -> None:
        self.scenario = scenario
        self.dimensions = dimensions
        self.demands = demands
        self.with_outage = scenario if demands.drain is None else _with_outage(scenario, demands.drain)
        missing = (
            [Case(MISSING, name) for name, one in scenario.services.items() if one.autoscale is None]
            if demands.survive
            else []
        )
        self.all = [
            *([Case(WHOLE), *missing] if demands.objectives else []),
            *([Case(DRAIN)] if demands.drain else []),
        ]
        self._made: dict[tuple[Position, Case], Scenario | str] = {}

    def of(self, position: Position, case: Case) -> Scenario | str:
        """The scenario, or why there is none such."""
        if (position, case) not in self._made:
            self._made[position, case] = self._of(position, case)
        return self._made[position, case]

    def _of(self, position: Position, case: Case) -> Scenario | str:
        changes = self.dimensions.changes(position)
        if case.kind == MISSING:
            left = self.instances(position, case.service) - self.demands.survive
            if left < 1:
                return f"nothing is left of {case.service}"
            changes.append(f"services.{case.service}.instances={left}")
        try:
            return changed(
                self.with_outage if case.kind == DRAIN else self.scenario, changes, ON_COMMAND_LINE
            )
        except ScenarioError as error:
            return f"no such system: {error.problems[0].what}"

    def instances(self, position: Position, service: str) -> int:
        for one, index in zip(self.dimensions.items, position, strict=True):
            if one.service == service:
                return int(one.plain(index))
        return self.scenario.services[service].instances


def _with_outage(scenario: Scenario, drain: Drain) -> Scenario:
    fault = {
        "name": drain.name,
        "at": drain.at_s,
        "for": drain.outage_s,
        "target": drain.target,
        "effect": {drain.effect: True},
    }
    return scenario.replace({"faults": [*scenario.resolved().get("faults", []), fault]})


# ---- objectives ------------------------------------------------------------------------------------------


def chosen_objectives(scenario: Scenario, only: Sequence[str], ignored: Sequence[str]) -> tuple[str, ...]:
    """Names of the objectives that count: all, those of --objective, or all but those of --ignore.

    Raises:
        UserError: both are given, or a name that is not an objective.
    """
    if only and ignored:
        raise UserError("--objective and --ignore: give one of them")
    names = [one.name for one in scenario.objectives]
    for option, given in (("--objective", only), ("--ignore", ignored)):
        for name in given:
            if name not in names:
                close = nearest(name, names)
                hint = f"; did you mean '{close}'?" if close else ""
                raise UserError(f"{option} '{name}': no such objective; declared: {listed(names)}{hint}")
    return tuple(
        name for name in names if (not only or name in only) and (not ignored or name not in ignored)
    )


# ---- peak ------------------------------------------------------------------------------------------------


def parse_peak(text: str | None) -> float:
    """The factor of `--peak`, 1 without it."""
    if text is None:
        return 1.0
    try:
        factor = parse_factor(text.strip())
    except Mistake as mistake:
        hint = f"; {mistake.suggestion}" if mistake.suggestion else ""
        raise UserError(f"--peak {text}: {mistake.what}, for example 2x{hint}") from None
    if factor == 0:
        raise UserError(f"--peak {text}: expected a factor above 0, for example 2x")
    return factor


def at_peak(scenario: Scenario, factor: float) -> Scenario:
    """The scenario with every producer's rate multiplied, for the whole run; of clients, their count.

    Raises:
        UserError: a producer that replays a file, which has no rate to multiply.
    """
    if factor == 1.0:
        return scenario
    changes: dict[str, Any] = {}
    for name, producer in scenario.producers.items():
        changes |= _times(f"producers.{name}.arrivals", name, producer, factor)
    return scenario.replace(changes)


def _times(path: str, name: str, producer: Producer, factor: float) -> dict[str, Any]:
    arrivals = producer.arrivals
    if isinstance(arrivals, Clients):
        return {f"{path}.clients.count": math.ceil(arrivals.count * factor)}
    if isinstance(arrivals, Bursts):
        rates = {"rate": arrivals.rate, "idle_rate": arrivals.idle_rate}
        return {f"{path}.bursts.{key}": rate * factor for key, rate in rates.items()}
    if isinstance(arrivals, Bernoulli):
        return {f"{path}.bernoulli.probability": arrivals.probability * factor}
    if isinstance(arrivals, Trace | Counts):
        raise UserError(
            f"--peak: producer {name} replays a file, which has no rate to multiply; publish more at each"
            f" time instead: --set producers.{name}.copies={producer.copies * math.ceil(factor)}"
        )
    points = [(point.at, point.factor) for point in arrivals.profile] or [(0.0, 1.0)]
    return {f"{path}.profile": [{"at": at, "factor": factor * value} for at, value in points]}


# ---- drain -----------------------------------------------------------------------------------------------


def parse_drain(text: str | None, scenario: Scenario) -> Drain | None:
    """The outage of `TARGET [outage|pause] TIME in TIME [at START]`.

    Without a start it begins as long after the warm-up, or after the end of a fault, as it lasts, where
    nothing else goes wrong until the time to drain is over: the lag until then is what must come back.

    Raises:
        UserError: it cannot be read, hits nothing, or finds no room in the run.
    """
    if text is None:
        return None
    found = _DRAIN.fullmatch(text.strip())
    if found is None:
        raise UserError(f"--drain '{text}': expected {DRAIN_FORM}")
    target = found["target"]
    known = [f"{kind}.{name}" for kind in ("services", "dependencies") for name in getattr(scenario, kind)]
    if target not in known:
        close = next((one for one in known if one.partition(".")[2] == target), "") or nearest(target, known)
        hint = f"; did you mean {close}?" if close else ""
        raise UserError(f"--drain '{text}': expected one of {listed(known)}, got {target}{hint}")
    outage_s, within_s = (_seconds(text, found[key]) for key in ("outage", "within"))
    if within_s < scenario.run.sample_every:
        raise UserError(
            f"--drain '{text}': the lag is looked at every {write_duration(scenario.run.sample_every)} only;"
            f" --set run.sample_every={write_duration(within_s / 10)}"
        )
    at_s = None if found["at"] is None else _seconds(text, found["at"])
    start_s = _start_s(scenario, outage_s, within_s, text, at_s)
    names = {fault.name for fault in scenario.faults}
    effect = found["effect"] or "outage"
    name = f"{effect} of {target} to drain"
    while name in names:
        name += "'"
    return Drain(target, effect, outage_s, within_s, start_s, name)


def _seconds(text: str, part: str) -> float:
    try:
        seconds = parse_duration(part)
    except Mistake as mistake:
        hint = f"; {mistake.suggestion}" if mistake.suggestion else ""
        raise UserError(f"--drain '{text}': {mistake.what}, got {part}{hint}") from None
    if seconds == 0:
        raise UserError(f"--drain '{text}': expected durations above 0, got {part}")
    return seconds


def _start_s(scenario: Scenario, outage_s: float, within_s: float, text: str, at_s: float | None) -> float:
    run = scenario.run
    after_s = outage_s + within_s
    if at_s is not None:
        if at_s < run.warmup:
            raise UserError(
                f"--drain '{text}': starts in the warm-up, which lasts {write_duration(run.warmup)}"
            )
        if at_s + after_s > run.duration:
            raise UserError(_too_short(text, at_s + after_s, run.duration))
        return at_s
    spans = [(one.start_s, one.end_s) for one in occurrences_of(scenario)]
    begins = [run.warmup, *sorted(end for _, end in spans if end > run.warmup)]
    for begin in begins:
        until = begin + outage_s + after_s
        if until <= run.duration and not any(start < until and end > begin for start, end in spans):
            return begin + outage_s
    raise UserError(_too_short(text, begins[-1] + outage_s + after_s, run.duration))


def _too_short(text: str, needed_s: float, duration_s: float) -> str:
    return (
        f"--drain '{text}': no room for the outage and its draining beside the warm-up and the faults of"
        f" a run of {write_duration(duration_s)}; --set run.duration={write_duration(needed_s)}, or state"
        " a time with 'at'"
    )


def demands_text(demands: dict[str, Any]) -> str:
    """`at 2x the load, with 1 instance missing`; empty without any."""
    parts = []
    if demands["peak_factor"] != 1:
        parts.append(f"at {demands['peak_factor']:g}x the load")
    if demands["survive"]:
        parts.append(f"with {plural(demands['survive'], 'instance')} of any one service missing")
    return ", ".join(parts)
