"""Theory beside simulation: for each station the closed form that fits it, and how far the run is from it.

The arrival rate is the one that the run had, the service time that of the scenario. So a difference is not
one of load: it is what the formula leaves out. The rate is an estimate too; leaving out the same replication
on both sides takes its spread out of the difference, whose interval is therefore narrower than that of the
simulated value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from slosim.measure import intervals
from slosim.report import statistics
from slosim.report.assumptions import WHAT, Assumption, Structure
from slosim.report.closed_forms import ClosedForm, closed_form_of
from slosim.report.stations import Station

STEP = 1e-3
"""Relative step down from the rate, for the slope of a prediction; down, where there is a steady state."""


class Counted(NamedTuple):
    """A measured ratio: what is above and below the line, in each replication, and the most it can be."""

    above: Sequence[float]
    below: Sequence[float]
    most: float = math.inf


@dataclass(frozen=True)
class Observed:
    """What a run counted at a station: one number of each replication.

    busy_word what the mean number of busy slots is called, where there is no limit to them
    came      messages or requests, each attempt anew
    seconds   length of the measured window
    busy      slot seconds in work, of `slot_seconds` that there were (infinite: unlimited slots)
    waited_s  by those that a slot took, `taken` of them
    waiting   message seconds spent waiting
    """

    busy_word: str
    came: list[float]
    seconds: list[float]
    busy: list[float]
    slot_seconds: list[float]
    waited_s: list[float]
    taken: list[float]
    waiting: list[float]
    refused: list[float]
    expired: list[float]

    @property
    def rate_per_s(self) -> float:
        return sum(self.came) / sum(self.seconds)

    @property
    def ratios(self) -> dict[str, Counted]:
        """By their names in the report."""
        return {
            self.busy_word: Counted(self.busy, self.seconds),
            "utilisation_ratio": Counted(self.busy, self.slot_seconds, 1.0),
            "wait_mean_s": Counted(self.waited_s, self.taken),
            "waiting_mean": Counted(self.waiting, self.seconds),
            "refused_ratio": Counted(self.refused, self.came, 1.0),
            "expired_ratio": Counted(self.expired, self.came, 1.0),
        }


def service_theory(name: str, structure: Structure) -> dict | None:
    """The report's `theory` of a service; None where no closed form has an answer."""
    station = structure.stations[name]
    if station is None:
        return None
    measurements = structure.measurements
    its = [one.services[name] for one in measurements]
    topics = structure.scenario.services[name].consumes
    lines = [[one.lines[topic, name] for topic in topics] for one in measurements]
    observed = Observed(
        busy_word="busy_slots",
        came=[float(number) for number in structure.came(name)],
        seconds=statistics.measured_seconds(measurements),
        busy=[one.busy.integral for one in its],
        slot_seconds=[one.slot_seconds for one in its],
        waited_s=[one.wait.total for one in its],
        taken=[float(one.wait.count) for one in its],
        waiting=[sum(line.waiting.integral for line in of_one) for of_one in lines],
        refused=[float(sum(line.rejected for line in of_one)) for of_one in lines],
        expired=[float(sum(line.expired for line in of_one)) for of_one in lines],
    )
    return _entry(station, observed, lambda: structure.of_service(name))


def dependency_theory(name: str, structure: Structure) -> dict | None:
    """The report's `theory` of a dependency; None where no closed form has an answer."""
    measurements = structure.measurements
    its = [one.dependencies[name] for one in measurements]
    observed = Observed(
        busy_word="busy_servers",
        came=[float(one.requests) for one in its],
        seconds=statistics.measured_seconds(measurements),
        busy=[one.busy.integral for one in its],
        slot_seconds=[one.server_seconds for one in its],
        waited_s=[one.wait.total for one in its],
        taken=[float(one.wait.count) for one in its],
        waiting=[one.waiting.integral for one in its],
        refused=[float(one.refused) for one in its],
        expired=[0.0 for _ in its],
    )
    return _entry(structure.dependency(name), observed, lambda: structure.of_dependency(name))


def _entry(
    station: Station, observed: Observed, assumptions: Callable[[], Sequence[Assumption]]
) -> dict | None:
    form = closed_form_of(station)
    if form is None or not sum(observed.came) or not sum(observed.seconds):
        return None
    rate_per_s = observed.rate_per_s
    try:
        predicted = _in_report(form, rate_per_s, observed)
        below = _in_report(form, rate_per_s * (1 - STEP), observed)
    except ValueError:  # no steady state
        return None
    if not all(map(math.isfinite, predicted.values())):
        return None
    slopes = {name: (theory - below[name]) / (STEP * rate_per_s) for name, theory in predicted.items()}
    return {
        "model": form.model,
        "exact": form.exact,
        "source": form.source,
        "arrival_rate_per_s": rate_per_s,
        "compared": {
            name: _beside(theory, slopes[name], observed.ratios[name], observed)
            for name, theory in predicted.items()
        },
        "tested": observed.busy_word if form.tested == "busy" else form.tested,
        "assumptions": [
            {"what": WHAT[one.word], "holds": one.holds, "against": list(one.against)}
            for one in assumptions()
        ],
    }


def _in_report(form: ClosedForm, rate_per_s: float, observed: Observed) -> dict[str, float]:
    """What a closed form predicts, by the names of the report: of slots that are waited for, utilisation."""
    predicted = form.predict(rate_per_s)
    busy, slot_seconds = predicted.pop("busy"), sum(observed.slot_seconds)
    if form.tested == "busy" or not 0 < slot_seconds < math.inf:
        return {observed.busy_word: busy, **predicted}
    return {"utilisation_ratio": busy * sum(observed.seconds) / slot_seconds, **predicted}


def _beside(theory: float, slope: float, counted: Counted, observed: Observed) -> dict:
    """A prediction, the simulated value, and their difference.

    slope  by how much the prediction rises with the rate, per message/s: it is redone along a straight line
           for each replication that is left out, as the formula itself may have no answer there
    """
    simulated = intervals.of_ratio(counted.above, counted.below, 0.0, counted.most)
    ratios = _without_each(counted.above, counted.below)
    rates = _without_each(observed.came, observed.seconds)
    left_out = [
        None if ratio is None or rate is None else ratio - theory - slope * (rate - observed.rate_per_s)
        for ratio, rate in zip(ratios, rates, strict=True)
    ]
    pooled = None if simulated.value is None else simulated.value - theory
    difference = intervals.jackknife(pooled, left_out, -math.inf)
    return {"theory": theory, "simulated": simulated.as_dict(), "difference": difference.as_dict()}


def _without_each(above: Sequence[float], below: Sequence[float]) -> list[float | None]:
    """The ratio of sums with one replication left out, of each; none of a single one."""
    whole, part = math.fsum(above), math.fsum(below)
    if len(below) < 2:
        return [None for _ in below]
    return [(whole - a) / (part - b) if part - b > 0 else None for a, b in zip(above, below, strict=True)]
