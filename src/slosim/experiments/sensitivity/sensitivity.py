"""What matters most: each cause a little worse, and each service with one more instance, one at a time.

The result, `slosim-sensitivity/1`, is described in docs/experiments.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slosim.experiments.against import base_entry, described, run_entry, simulate, variant_entry
from slosim.experiments.kinds import format_of
from slosim.experiments.result import Result
from slosim.experiments.sensitivity.variations import SECTIONS, variations_of
from slosim.experiments.study import Study
from slosim.model import Scenario
from slosim.report.units import plural
from slosim.version import __version__

CLEAR = ("better", "worse", "changed")
BY_RATIO = 0.1
LEAST_RATIO = 0.001
"""A change of a p99 below 0.1% may be clear, and matters to nobody."""


def sensitivity(scenario: Scenario, study: Study, replications: int, by_ratio: float = BY_RATIO) -> Result:
    """The effect of each cause on each flow and objective, on identical work.

    by_ratio: how much more of each, above 0.

    Raises:
        Stopped: before the scenario itself is finished.
    """
    if not by_ratio > 0:
        raise ValueError(f"by_ratio must be above 0, got {by_ratio}")
    variations, left = variations_of(scenario, by_ratio)
    simulated = simulate(
        scenario,
        [one.scenario for one in variations],
        study,
        replications,
        plural(len(variations), "variation"),
    )
    entries = [
        {
            "section": one.section,
            "name": one.name,
            "path": one.path,
            "from": one.before,
            "to": one.after,
            **variant_entry(scenario, simulated.base, one.scenario, its),
        }
        for one, its in zip(variations, simulated.variants, strict=True)
    ]
    return Result(
        {
            "format": format_of("sensitivity"),
            "version": __version__,
            "stopped": simulated.stopped,
            "scenario": {"name": scenario.name, "digest": scenario.digest()},
            "run": run_entry(scenario, replications),
            "by_ratio": by_ratio,
            "quantities": described(scenario),
            "base": base_entry(scenario, simulated.base),
            "variations": sorted(entries, key=_rank),
            "not_varied": [one._asdict() for one in left],
        }
    )


def _rank(entry: Mapping[str, Any]) -> tuple[int, bool, float, float]:
    p99, objective = moved_flow(entry), moved_objective(entry)
    return (
        SECTIONS.index(entry["section"]),
        not entry["finished"],
        -abs(p99[1]["ratio"]["value"]) if p99 else 0.0,
        -abs(burn_moved(objective)) if objective else 0.0,
    )


def moved_flow(entry: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Key and numbers of the p99 that changes most, relative to what it was; None: none changes clearly and
    by LEAST_RATIO.
    """
    clear = [
        (key, its)
        for key, its in entry["quantities"].items()
        if key.endswith("latency_s.p99")
        and its["effect"] in CLEAR
        and abs(its["ratio"]["value"]) >= LEAST_RATIO
    ]
    return max(clear, key=lambda pair: abs(pair[1]["ratio"]["value"]), default=None)


def moved_objective(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """The objective whose burn rate changes most; None: none changes clearly."""
    clear = [one for one in entry["objectives"] if one.get("effect") in CLEAR]
    return max(clear, key=lambda one: abs(burn_moved(one)), default=None)


def burn_moved(objective: Mapping[str, Any]) -> float:
    """The change of a burn rate; 0 where a target of 100% leaves none."""
    return objective["burn_rate_difference"]["value"] or 0.0
