"""Many variants of one scenario, each against it as it is written, on identical work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from slosim.experiments.judge import Judged, judge, verdict
from slosim.experiments.quantities import (
    Change,
    Quantity,
    change,
    effect_of,
    estimate,
    objective,
    quantities_of,
)
from slosim.experiments.result import as_plain
from slosim.experiments.study import Stopped, Study, Wanted
from slosim.experiments.summary import Summary
from slosim.measure.intervals import UNDEFINED, Estimate
from slosim.model import Scenario
from slosim.report.objectives import budget_of
from slosim.simulation import INTERRUPTED


class Simulated(NamedTuple):
    """Summaries of the scenario as it is written, and those of each variant, None where it is not finished.

    stopped  why some are not finished, None: all are
    """

    base: list[Summary]
    variants: list[list[Summary] | None]
    stopped: str | None


def simulate(
    scenario: Scenario, variants: Sequence[Scenario], study: Study, replications: int, doing: str
) -> Simulated:
    """All replications of the scenario and of its variants, side by side, the scenario first.

    Raises:
        Stopped: before the scenario itself is finished.
    """
    wanted = [Wanted(one, replications) for one in (scenario, *variants)]
    stopped = None
    try:
        study.summaries(wanted, doing)
    except Stopped as error:
        stopped = error.reason
    base, *others = (study.finished(*one) for one in wanted)
    if len(base) < replications:
        raise Stopped(stopped or INTERRUPTED)
    return Simulated(base, [its if len(its) == replications else None for its in others], stopped)


def run_entry(scenario: Scenario, replications: int) -> dict[str, Any]:
    """What the runs of all variants have in common."""
    run = scenario.run
    return {
        "seed": run.seed,
        "replications": replications,
        "duration_s": run.duration,
        "warmup_s": run.warmup,
    }


def base_entry(scenario: Scenario, summaries: Sequence[Summary]) -> dict[str, Any]:
    """The scenario itself: its verdict, its objectives and all its quantities."""
    judged = judge(scenario, summaries)
    return {
        "verdict": verdict(judged),
        "objectives": [_objective(one) for one in judged],
        "quantities": {
            one.key: as_plain(estimate(one, summaries)) for one in quantities_beside_objectives(scenario)
        },
    }


def variant_entry(
    scenario: Scenario, base: Sequence[Summary], variant: Scenario, summaries: Sequence[Summary] | None
) -> dict[str, Any]:
    """A variant: the same, each with its change from the scenario; `finished` False and nothing else where
    it was not simulated.

    Quantities that only one of the two has are left out.
    """
    if summaries is None:
        return {"finished": False, "verdict": None, "objectives": [], "quantities": {}}
    judged = judge(variant, summaries)
    before = {one.name: one for one in judge(scenario, base)}
    known = {one.key for one in quantities_beside_objectives(scenario)}
    return {
        "finished": True,
        "verdict": verdict(judged),
        "objectives": [
            _objective(one)
            | (_change_of_objective(before[one.name], one, base, summaries) if one.name in before else {})
            for one in judged
        ],
        "quantities": {
            one.key: _change(one, change(one, base, summaries))
            for one in quantities_beside_objectives(variant)
            if one.key in known
        },
    }


def quantities_beside_objectives(scenario: Scenario) -> list[Quantity]:
    """Those of `quantities_of` that no objective stands for."""
    return [one for one in quantities_of(scenario) if not one.key.startswith("objectives.")]


def described(scenario: Scenario) -> list[dict[str, Any]]:
    """Key, name, unit and better direction of each quantity."""
    return [
        {"key": one.key, "name": one.name, "unit": one.unit, "better": one.better}
        for one in quantities_beside_objectives(scenario)
    ]


def _objective(one: Judged) -> dict[str, Any]:
    return {
        "name": one.name,
        "target_ratio": one.target_ratio,
        "sli_ratio": as_plain(one.sli_ratio),
        "burn_rate": as_plain(_burn_rate(one.sli_ratio.affine(-1.0, 1.0), one.target_ratio)),
        "verdict": one.verdict,
    }


def _change_of_objective(
    before: Judged, after: Judged, base: Sequence[Summary], summaries: Sequence[Summary]
) -> dict[str, Any]:
    """Changes of the share and, where the target is the same, of the burn rate."""
    its = objective(after.name)
    found = change(its, base, summaries)
    same = before.target_ratio == after.target_ratio
    burn = _burn_rate(found.difference.affine(-1.0), after.target_ratio) if same else UNDEFINED
    return {
        "difference": as_plain(found.difference),
        "burn_rate_difference": as_plain(burn),
        "effect": effect_of(its, found),
        "before": before.verdict,
    }


def _burn_rate(bad_share: Estimate, target_ratio: float) -> Estimate:
    """Bad share over the share that is allowed; a target of 100% allows none."""
    budget_ratio = budget_of(target_ratio)
    return bad_share.affine(1.0 / budget_ratio) if budget_ratio else UNDEFINED


def _change(quantity: Quantity, its: Change) -> dict[str, Any]:
    return {
        **as_plain(its.after),
        "difference": as_plain(its.difference),
        "ratio": as_plain(its.ratio),
        "effect": effect_of(quantity, its),
    }
