"""`slosim explain`: what a scenario says, with nothing left out, and what it asks of each service."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slosim.cli.options import ScenarioFile, Sets, load_scenario
from slosim.cli.outputs import print_out, to_yaml

if TYPE_CHECKING:
    from slosim.compile.offered_load import ServiceLoad
    from slosim.model import Scenario


def explain(scenario: ScenarioFile, sets: Sets = None) -> None:
    """Print a scenario with every default filled in, its topology, and the offered load of each service.

    The offered load is arithmetic, not simulation: rate × attempts × mean service time ÷ slots; no faults.
    """
    from slosim.cli.drawing import draw

    loaded = load_scenario(scenario, sets)
    sections = [
        ("Scenario, with every default filled in", to_yaml(loaded.resolved()).rstrip("\n")),
        ("Topology", draw(loaded)),
        ("Offered load, without faults", offered_load(loaded)),
    ]
    print_out("\n\n".join(f"{title}\n{'─' * len(title)}\n{text}" for title, text in sections))


def offered_load(scenario: Scenario) -> str:
    """The sum for each service at the mean rates, and at the peak where that differs."""
    from slosim.compile.offered_load import offered_loads

    mean, peak = offered_loads(scenario, "mean"), offered_loads(scenario, "peak")
    width = max((len(name) for name in mean), default=0)
    lines: list[str] = []
    for name, load in mean.items():
        has_peak = peak[name].arrival_rate_per_s > load.arrival_rate_per_s
        lines.append(f"{name:<{width}}  {arithmetic(load)}")
        if has_peak:
            lines.append(f"{'':<{width}}  at the peak: {arithmetic(peak[name])}")
        lines += [f"{'':<{width}}  {note}" for note in _notes(peak[name])]
    return "\n".join(lines) if lines else "no services"


def arithmetic(load: ServiceLoad) -> str:
    """The sum in words and numbers that a reader can check by hand."""
    from slosim.report.units import duration, plural, three_digits

    if math.isinf(load.offered_load):
        return "without end: a cycle of emits or of retries only ever grows"
    factors = [f"{three_digits(load.arrival_rate_per_s)} messages/s"]
    if load.attempts_per_message != 1.0:
        factors.append(f"{three_digits(load.attempts_per_message)} attempts")
    factors.append(duration(load.service_time_mean_s))
    product = " × ".join(factors)
    if load.slots is None or load.utilisation_ratio is None:
        return f"{product} = {three_digits(load.offered_load)} busy slots, without limit"
    return f"{product} ÷ {plural(load.slots, 'slot')} = utilisation {three_digits(load.utilisation_ratio)}"


def _notes(load: ServiceLoad) -> list[str]:
    """What a reader should know about a load: too much for the slots, or for the rate limit."""
    from slosim.report.units import plural, three_digits

    notes: list[str] = []
    if load.utilisation_ratio is not None and load.utilisation_ratio >= 1.0:
        needed = load.instances_needed
        remedy = "no number of instances" if needed is None else plural(needed, "instance")
        notes.append(f"! more than it can do: its lag grows for as long as this lasts; {remedy} would do")
    if load.rate_limit_per_s is not None:
        rate, limit = load.attempt_rate_per_s, load.rate_limit_per_s
        sign = "! " if rate >= limit else ""
        quotient = f"{three_digits(rate)} ÷ {three_digits(limit)} attempts/s = {three_digits(rate / limit)}"
        notes.append(f"{sign}rate limit: {quotient}")
    return notes
