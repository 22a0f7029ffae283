"""Two variants on identical work: what changes, by how much, and whether an objective flips."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from slosim.errors import UserError
from slosim.experiments.against import run_entry
from slosim.experiments.judge import Judged, judge, verdict
from slosim.experiments.kinds import format_of
from slosim.experiments.quantities import Quantity, change, effect_of, flow_parts, quantities_of
from slosim.experiments.result import Result, as_plain
from slosim.experiments.study import Stopped, Study, Wanted
from slosim.experiments.summary import Summary
from slosim.model import Scenario
from slosim.report.objectives import flips
from slosim.report.units import clock
from slosim.simulation import INTERRUPTED
from slosim.version import __version__

SAME_IN_BOTH = ("duration", "warmup", "sample_every")
"""Of `run`: what must be the same for two runs to meet the same work."""


def compare(
    before: Scenario,
    after: Scenario,
    study: Study,
    replications: int,
    names: tuple[str, str] = ("before", "after"),
) -> Result:
    """Paired differences of two variants: replication k of both meets the same arrivals and the same luck.

    The seed is that of `before`. Quantities that only one of them has are left out. names: what people call
    the two.

    Raises:
        UserError: the runs of the two are of different length, or differ in nothing but their seeds.
        Stopped: before both have two replications.
    """
    other_seed = after.run.seed if after.run.seed != before.run.seed else None
    after = _with_the_same_work(before, after)
    if other_seed is not None and study.digest(after) == study.digest(before):
        raise UserError(
            f"run.seed differs, {before.run.seed} and {other_seed}, and nothing else: pairs need the same"
            " seed, so there is nothing to compare. Other luck is what more --replications show"
        )
    wanted = [Wanted(before, replications), Wanted(after, replications)]
    stopped = None
    try:
        study.summaries(wanted, "both variants")
    except Stopped as error:
        stopped = error.reason
    its = [study.finished(*one) for one in wanted]
    count = min(len(one) for one in its)
    if count < 2:
        raise Stopped(stopped or INTERRUPTED)
    variants = [
        _variant(*one) for one in zip(names, (before, after), (one[:count] for one in its), strict=True)
    ]
    return Result(_content(variants[0], variants[1], other_seed, stopped))


def _with_the_same_work(before: Scenario, after: Scenario) -> Scenario:
    """The second variant with the seed of the first."""
    for key in SAME_IN_BOTH:
        values = [getattr(one.run, key) for one in (before, after)]
        if values[0] != values[1]:
            raise UserError(
                f"run.{key} differs: {clock(values[0])} and {clock(values[1])}. Only runs of the same"
                " length meet the"
                f" same work; set it in both, e.g. --set run.{key}={clock(values[0])}"
            )
    if after.run.seed == before.run.seed:
        return after
    return after.replace({"run.seed": before.run.seed})


class _Variant(NamedTuple):
    name: str
    scenario: Scenario
    summaries: list[Summary]
    judged: list[Judged]


def _variant(name: str, scenario: Scenario, summaries: list[Summary]) -> _Variant:
    return _Variant(name, scenario, summaries, judge(scenario, summaries))


def _content(
    before: _Variant, after: _Variant, other_seed: int | None, stopped: str | None
) -> dict[str, Any]:
    others = {quantity.key for quantity in quantities_of(after.scenario)}
    common = [one for one in quantities_of(before.scenario) if one.key in others]
    changes = [_entry(one, before, after) for one in common]
    return {
        "format": format_of("compare"),
        "version": __version__,
        "stopped": stopped,
        "run": {**run_entry(before.scenario, len(before.summaries)), "other_seed": other_seed},
        "before": _variant_entry(before),
        "after": _variant_entry(after),
        "objectives": _objectives(before, after),
        "changes": changes,
        "where_time_goes_s": {
            flow: {
                "mean": _parts(flow, before, after, slowest=False),
                "slowest_1%": _parts(flow, before, after, slowest=True),
            }
            for flow in before.scenario.flows
            if flow in after.scenario.flows
        },
        "pairing": _typical([one["pairing"] for one in changes]),
    }


def _variant_entry(variant: _Variant) -> dict[str, Any]:
    return {
        "name": variant.name,
        "digest": variant.scenario.digest(),
        "verdict": verdict(variant.judged),
    }


def _objectives(before: _Variant, after: _Variant) -> list[dict[str, Any]]:
    """Verdicts side by side; an objective flips when it is met in one and missed in the other."""
    others = {one.name: one for one in after.judged}
    return [
        {
            "name": one.name,
            "target_ratio": [one.target_ratio, others[one.name].target_ratio],
            "before": one.verdict,
            "after": others[one.name].verdict,
            "flips": flips(one.verdict, others[one.name].verdict),
        }
        for one in before.judged
        if one.name in others
    ]


def _entry(quantity: Quantity, before: _Variant, after: _Variant) -> dict[str, Any]:
    its = change(quantity, before.summaries, after.summaries)
    return {
        "key": quantity.key,
        "name": quantity.name,
        "unit": quantity.unit,
        **as_plain(its),
        "effect": effect_of(quantity, its),
    }


def _parts(flow: str, before: _Variant, after: _Variant, slowest: bool) -> list[dict[str, Any]]:
    names = dict.fromkeys(
        part for variant in (before, after) for part in variant.summaries[0].flows[flow].parts
    )
    return [_entry(one, before, after) for one in flow_parts(flow, list(names), slowest)]


def _typical(pairings: Sequence[float | None]) -> float | None:
    known = [one for one in pairings if one is not None]
    return statistics.median(known) if known else None
