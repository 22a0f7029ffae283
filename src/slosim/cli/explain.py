"""`slosim explain`: what a scenario says, with nothing left out, and what it asks of each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slosim.cli.drawing import draw
from slosim.cli.options import ScenarioFile, Sets, load_scenario
from slosim.cli.outputs import print_out, to_yaml

if TYPE_CHECKING:
    from slosim.compile.offered_load import ServiceLoad
    from slosim.model import Scenario


def explain(scenario: ScenarioFile, sets: Sets = None) -> None:
    """Print a scenario with every default filled in, its topology, and the offered load of each service.

    The offered load is arithmetic, not simulation: rate × attempts × mean service time ÷ slots, without faults.
    """
    loaded = load_scenario(scenario, sets)
    sections = [
        ("Scenario, with every default filled in", to_yaml(loaded.resolved()).rstrip("\n")),
        ("Topology", draw(loaded)),
        ("Offered load, without faults", offered_load(loaded)),
    ]
    print_out("\n\n".join(f"{title}\n{'─' * len(title)}\n{text}" for title, text in sections))


def offered_load(scenario: Scenario) -> str:
    """The sum for each service at the mean rates, and at the peak where that differs."""
    from slosim.compile.offered_load import arithmetic, offered_loads

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


def _notes(load: ServiceLoad) -> list[str]:
    """What a reader should know about a load: too much for the slots, or for the rate limit."""
    notes: list[str] = []
    if load.utilisation_ratio is not None and load.utilisation_ratio >= 1.0:
        needed = load.instances_needed
        remedy = "no number of instances would do" if needed is None else f"{needed} instances would do"
        notes.append(f"! more than it can do: its queue grows for as long as this load lasts; {remedy}")
    if load.rate_limit_per_s is not None:
        use = load.attempt_rate_per_s / load.rate_limit_per_s
        sign = "! " if use >= 1.0 else ""
        notes.append(
            f"{sign}rate limit: {load.attempt_rate_per_s:.3g} ÷ {load.rate_limit_per_s:.3g} attempts/s = {use:.3g}"
        )
    return notes
