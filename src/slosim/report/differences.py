"""What changed between two reports: every headline number that both have, and the interval of its difference.

Two runs that met the same work (seed, lengths, replications) are paired: the spread of the difference over
groups of replications is its interval (`left_out`). Any other two are independent, and their intervals are
put together. Which it was is said, and why.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from slosim.measure import changes, intervals
from slosim.measure.changes import Change
from slosim.measure.intervals import Estimate
from slosim.report.headlines import Headline, headlines_of
from slosim.report.objectives import flips
from slosim.report.scenario_changes import scenario_changes
from slosim.report.units import clock

CLEAR = ("better", "worse", "changed")
"""Effects that are told as changes."""
NOTHING_LEFT_OUT = np.full(1, np.nan)
"""Of one replication: there is no spread."""


class NamedReport(NamedTuple):
    """A report among others: what people call it, and its data."""

    name: str
    data: dict[str, Any]


def differences_of(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """From one report to another, both as data.

    unpaired    why the two are independent; empty: they are paired
    intervals   whether there are any: without, no change is clear
    notes       what else a reader must know, in sentences
    objectives  of those that both have: name, target_ratio [2], verdicts `before` and `after`, `flips` (from
                met to missed or back), and the changes of `sli_ratio` and `remaining_in_run_ratio`
    changes     key, name, unit, better, before, after, difference, ratio (EST each) and effect of each
                headline number that both have, objectives first; those undefined in both are left out
    scenario    what differs between the scenarios: `ScenarioChange`s
    missing     names of objectives and flows that only one of the two has: {"before": […], "after": […]}
    """
    unpaired = why_unpaired(before, after)
    others = {one.key: one for one in headlines_of(after)}
    found = [
        _entry(one, others[one.key], before, after, not unpaired)
        for one in headlines_of(before)
        if one.key in others
    ]
    every = {one["key"]: one for one in found if one is not None}
    has_intervals = min(one["run"]["replications"] for one in (before, after)) > 1
    return {
        "unpaired": unpaired,
        "intervals": has_intervals,
        "notes": _notes(before, after, has_intervals),
        "objectives": _objectives(before, after, every),
        "changes": list(every.values()),
        "scenario": scenario_changes(*(one["scenario"]["resolved"] for one in (before, after))),
        "missing": _missing(before, after),
    }


def clear_changes(differences: dict[str, Any]) -> list[dict[str, Any]]:
    """The clear changes, the largest first; of objectives in their own order, before all others."""
    clear = [one for one in differences["changes"] if one["effect"] in CLEAR]
    of_objectives = [one for one in clear if is_of_objective(one)]
    rest = [one for one in clear if not is_of_objective(one)]
    return [*of_objectives, *sorted(rest, key=lambda one: -_size(one))]


def compared(differences: dict[str, Any]) -> int:
    """How many numbers are defined in both."""
    return sum(one["effect"] != "undefined" for one in differences["changes"])


def is_of_objective(change: dict[str, Any]) -> bool:
    return change["key"].startswith("objectives.")


def why_unpaired(before: dict[str, Any], after: dict[str, Any]) -> str:
    """Why replication k of one run is no partner of replication k of the other; empty if it is."""
    runs = [one["run"] for one in (before, after)]
    if any("left_out" not in one for one in (before, after)):
        return "one was saved by a version that did not keep what pairs need"
    for key, words, form in (
        ("seed", "seeds", str),
        ("duration_s", "durations", clock),
        ("warmup_s", "warm-ups", clock),
        ("replications", "numbers of replications", str),
    ):
        if runs[0][key] != runs[1][key]:
            return f"their {words} differ, {form(runs[0][key])} and {form(runs[1][key])}"
    if len({_sample_every(one) for one in (before, after)}) > 1:
        return "their sample times differ"
    if any("stopped" in one for one in runs):
        return "one was stopped early"
    return ""


def _sample_every(data: dict[str, Any]) -> Any:
    return data["scenario"]["resolved"].get("run", {}).get("sample_every")


def _notes(before: dict[str, Any], after: dict[str, Any], has_intervals: bool) -> list[str]:
    runs = [one["run"] for one in (before, after)]
    versions = [one["version"] for one in runs]
    notes = []
    if not has_intervals:
        notes.append("One replication has no interval, so nothing can be called a change.")
    if versions[0] != versions[1]:
        notes.append(f"Made by different versions, {versions[0]} and {versions[1]}: they may differ in more.")
    if before["scenario"]["digest"] == after["scenario"]["digest"]:
        same = "The scenario is the same."
        notes.append(f"{same[:-1]}, and so is all luck." if _are_alike(before, after) else same)
    for word, its in zip(("baseline", "run"), runs, strict=True):
        if "stopped" in its:
            notes.append(f"The {word} was stopped early, at {clock(its['ended_s'])}.")
    return notes


def _are_alike(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return not why_unpaired(before, after) and before["run"]["version"] == after["run"]["version"]


def _entry(
    one: Headline, other: Headline, before: dict[str, Any], after: dict[str, Any], is_paired: bool
) -> dict[str, Any] | None:
    """The change of a headline number; None where it is undefined in both, or one report does not keep it."""
    sides = [_side(its, data) for its, data in ((one, before), (other, after))]
    values = [its.value for its, _ in sides]
    if values == [None, None] or (one.estimate is None and None in values):
        return None
    change = _change(sides, _sizes(before) if is_paired else None)
    defined = [value for value in values if value is not None]
    return {
        "key": one.key,
        "name": one.name,
        "unit": one.unit,
        "better": one.better,
        **_plain(sides[0][0], sides[1][0], change),
        "effect": changes.effect_of(one.unit, one.better, change, one.resolution(*defined)),
    }


Side = tuple[Estimate, list[float] | None]
"""The estimate of a report, and what it keeps of it with groups left out; None: nothing."""


def _side(one: Headline, data: dict[str, Any]) -> Side:
    kept = data.get("left_out", {}).get("numbers", {}).get(one.key)
    if one.estimate is not None:
        return Estimate(**one.estimate), kept
    if kept is None:
        return intervals.UNDEFINED, None
    return intervals.jackknife(kept[0], kept[1:], sizes=_sizes(data)), kept


def _change(sides: list[Side], sizes: list[int] | None) -> Change:
    """Paired where there are sizes of groups, and values of both."""
    (before, old), (after, new) = sides
    if sizes is None or old is None or new is None or len(old) != len(new):
        return changes.independent(before, after)
    olds, news = (np.array(its, dtype=np.float64) for its in (old, new))
    if len(olds) == 1:
        return changes.paired(olds[0], news[0], NOTHING_LEFT_OUT, NOTHING_LEFT_OUT)
    return changes.paired(olds[0], news[0], olds[1:], news[1:], sizes)


def _sizes(data: dict[str, Any]) -> list[int]:
    """Replications in each group."""
    count, groups = data["run"]["replications"], data["left_out"]["groups"]
    return [len(range(group, count, groups)) for group in range(groups)]


def _plain(before: Estimate, after: Estimate, change: Change) -> dict[str, Any]:
    return {
        "before": before.as_dict(),
        "after": after.as_dict(),
        "difference": change.difference.as_dict(),
        "ratio": change.ratio.as_dict(),
    }


def _objectives(
    before: dict[str, Any], after: dict[str, Any], every: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Those that flip first, then those whose verdict changes otherwise."""
    others = {one["name"]: one for one in after["objectives"]}
    found = [
        {
            "name": one["name"],
            "target_ratio": [one["target_ratio"], others[one["name"]]["target_ratio"]],
            "before": one["verdict"],
            "after": others[one["name"]]["verdict"],
            "flips": flips(one["verdict"], others[one["name"]]["verdict"]),
            "sli_ratio": every.get(f"objectives.{one['name']}.sli_ratio"),
            "remaining_in_run_ratio": _budget(one, others[one["name"]], every),
        }
        for one in before["objectives"]
        if one["name"] in others
    ]
    return sorted(found, key=lambda one: (not one["flips"], one["before"] == one["after"]))


def _budget(
    one: dict[str, Any], other: dict[str, Any], every: dict[str, dict[str, Any]]
) -> dict[str, Any] | None:
    """The change of what is left of the budget; its difference only where the target is the same."""
    sli = every.get(f"objectives.{one['name']}.sli_ratio")
    if sli is None:
        return None
    before, after = (Estimate(**its["error_budget"]["remaining_in_run_ratio"]) for its in (one, other))
    budget = one["error_budget"]["budget_ratio"]
    same = one["target_ratio"] == other["target_ratio"] and budget
    difference = Estimate(**sli["difference"]).affine(1 / budget) if same else intervals.UNDEFINED
    return _plain(before, after, Change(difference, intervals.UNDEFINED))


def _missing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[str]]:
    names = [
        [
            *(f"objective {one['name']}" for one in its["objectives"]),
            *(f"flow {name}" for name in its["flows"]),
        ]
        for its in (before, after)
    ]
    return {
        "before": [name for name in names[0] if name not in names[1]],
        "after": [name for name in names[1] if name not in names[0]],
    }


def _size(one: dict[str, Any]) -> float:
    """How large a change is, of the larger one of the two values: 0 to 1."""
    largest = max(abs(one[side]["value"] or 0.0) for side in ("before", "after"))
    return abs(one["difference"]["value"]) / largest if largest else 0.0
