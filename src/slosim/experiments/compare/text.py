"""The text of a comparison: which objectives flip, what changes and by how much, and where the time went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slosim.experiments.text import Said, finished, stopped_early, wrapped
from slosim.report.amounts import EFFECTS, amount, change_of, points, signed, signed_value
from slosim.report.layout import Column, clean, paint, paragraph, table, title
from slosim.report.text_verdict import STYLES
from slosim.report.units import clock, exact_share, plural, three_digits

SHOWN_PARTS = 6


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    sections = [
        wrapped(headline(data), width),
        _objectives(data, width),
        _latency(data, width),
        *(_where_time_went(flow, its, width) for flow, its in data["where_time_goes_s"].items()),
        _rest(data, width),
        wrapped([Said(note(data), "dim")], width),
    ]
    return finished(sections, colour)


def headline(data: dict[str, Any]) -> list[Said]:
    """The verdicts and what changes, what is compared, and whether it ended early."""
    before, after = data["before"], data["after"]
    p99 = [one for one in data["changes"] if one["key"].endswith("latency_s.p99")]
    sentences = [_sentence(one) for one in p99]
    flips = [one for one in data["objectives"] if one["flips"]]
    for one in flips:
        sentences.append(f"'{clean(one['name'])}' goes from {one['before']} to {one['after']}.")
    if data["objectives"] and not flips:
        sentences.append("No objective flips.")
    verdicts = f"{before['verdict'].upper()} → {after['verdict'].upper()}. "
    return [
        Said(verdicts + " ".join(sentences), STYLES[after["verdict"]]),
        Said(f"{clean(before['name'])} → {clean(after['name'])}"),
        *stopped_early(data, "Fewer replications than asked for."),
    ]


def _sentence(one: dict[str, Any]) -> str:
    """`fulfilment p99 falls by 31% [24, 38]`."""
    name, ratio = clean(one["name"]), one["ratio"]
    if one["effect"] == "same":
        return f"{name} stays the same."
    if one["effect"] == "undefined":
        return f"{name} is undefined in one of them."
    if one["effect"] == "unclear":
        return f"{name} does not change clearly ({change_of(one)})."
    if ratio["value"] is None:
        return f"{name} changes by {change_of(one)}."
    word = "falls" if ratio["value"] < 0 else "rises"
    low, high = sorted(abs(100 * bound) for bound in (ratio["low"], ratio["high"]))
    return (
        f"{name} {word} by {three_digits(abs(100 * ratio['value']))}% [{three_digits(low)},"
        f" {three_digits(high)}]."
    )


def objectives_with_changes(data: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each objective with the change of its share."""
    by_key = {one["key"]: one for one in data["changes"]}
    return [(one, by_key[f"objectives.{one['name']}.sli_ratio"]) for one in data["objectives"]]


def _objectives(data: dict[str, Any], width: int) -> list[str]:
    rows = objectives_with_changes(data)
    if not rows:
        return []
    columns = [
        Column("objective", [clean(one["name"]) for one, _ in rows], "<"),
        Column("target", [targets(one) for one, _ in rows]),
        Column("before", [amount(its["before"]["value"], "ratio") for _, its in rows]),
        Column("after", [amount(its["after"]["value"], "ratio") for _, its in rows]),
        Column("change, points [95%]", [points(its["difference"]) for _, its in rows]),
        Column("", [_effect(its) for _, its in rows], "<"),
        Column("verdict", [f"{one['before']} → {one['after']}" for one, _ in rows], "<"),
    ]
    return [title("OBJECTIVES"), *table(columns, width)]


def targets(one: dict[str, Any]) -> str:
    return " → ".join(exact_share(target) for target in dict.fromkeys(one["target_ratio"]))


def _effect(one: dict[str, Any]) -> str:
    return paint(one["effect"], EFFECTS[one["effect"]])


def latencies(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Changes of flows."""
    return [one for one in data["changes"] if one["key"].startswith("flows.")]


def others(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Changes of neither flows nor objectives."""
    return [one for one in data["changes"] if not one["key"].startswith(("flows.", "objectives."))]


def is_clear(one: dict[str, Any]) -> bool:
    """Whether its interval leaves out that nothing changes."""
    return one["effect"] in ("better", "worse", "changed")


def _latency(data: dict[str, Any], width: int) -> list[str]:
    rows = latencies(data)
    if not rows:
        return []
    return [title("LATENCY", "of completed instances", width), *table(changes_columns(rows), width)]


def changes_columns(rows: Sequence[dict[str, Any]]) -> list[Column]:
    """A row for each change."""
    return [
        Column("", [clean(one["name"]) for one in rows], "<"),
        Column("before", [amount(one["before"]["value"], one["unit"]) for one in rows]),
        Column("after", [amount(one["after"]["value"], one["unit"]) for one in rows]),
        Column("change [95%]", [change_of(one) for one in rows]),
        Column("", [_effect(one) for one in rows], "<"),
        Column(
            "pairing",
            ["" if one["pairing"] is None else f"{three_digits(one['pairing'])}x" for one in rows],
            keep=1,
        ),
    ]


def _where_time_went(flow: str, its: dict[str, list[dict[str, Any]]], width: int) -> list[str]:
    moved = moved_parts(its)
    if not moved:
        return []
    return [title("WHERE THE TIME WENT", clean(flow), width), *table(parts_columns(moved), width)]


def moved_parts(its: dict[str, list[dict[str, Any]]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The parts of a latency that change most in the slowest 1%: of the mean, of the slowest."""
    mean = {one["name"]: one for one in its["mean"]}
    slowest = {one["name"]: one for one in its["slowest_1%"]}
    moved = [
        name
        for name in mean
        if "same" not in (mean[name]["effect"], slowest[name]["effect"])
        and "undefined" not in (mean[name]["effect"], slowest[name]["effect"])
    ]
    moved.sort(key=lambda name: -abs(slowest[name]["difference"]["value"]))
    return [(mean[name], slowest[name]) for name in moved[:SHOWN_PARTS]]


def parts_columns(moved: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Column]:
    """A row for each of `moved_parts`."""
    return [
        Column("part", [clean(mean["name"]) for mean, _ in moved], "<"),
        Column("mean", [amount(mean["before"]["value"], "s") for mean, _ in moved]),
        Column("change", [signed_value(mean["difference"]["value"], "s") for mean, _ in moved]),
        Column("slowest 1%", [amount(slowest["before"]["value"], "s") for _, slowest in moved]),
        Column("change [95%]", [signed(slowest["difference"], "s") for _, slowest in moved]),
    ]


def _rest(data: dict[str, Any], width: int) -> list[str]:
    rest = others(data)
    clear = [one for one in rest if is_clear(one)]
    if not clear:
        return paragraph(nothing_else(rest), width) if rest else []
    return [
        title("SERVICES, LAG AND COST", unclear_others(rest), width),
        *table(changes_columns(clear), width),
    ]


def nothing_else(rest: Sequence[dict[str, Any]]) -> str:
    """That none of the other changes is clear."""
    return f"Nothing else changes clearly, of {plural(len(rest), 'number')}."


def unclear_others(rest: Sequence[dict[str, Any]]) -> str:
    """How many of the other changes are not clear."""
    count = sum(not is_clear(one) for one in rest)
    return f"{count} more {'does' if count == 1 else 'do'} not change clearly" if count else ""


def note(data: dict[str, Any]) -> str:
    """How it was done, and what intervals mean."""
    run, pairing = data["run"], data["pairing"]
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    worth = (
        f" Independent runs would need {three_digits(pairing)} times as many for intervals as narrow (the"
        " median of what"
        " changes; `pairing` for each)."
        if pairing is not None
        else ""
    )
    unused = "" if run["other_seed"] is None else f", not {run['other_seed']} of the second variant"
    return (
        f"{plural(run['replications'], 'pair')} of {clock(run['duration_s'])}{warmup}, seed"
        f" {run['seed']}{unused}: replication k of both meets the same arrivals, keys,"
        " service times and failures, so what they have in common cancels."
        f"{worth} Intervals are 95%, by jackknife over pairs. slosim {data['version']}"
    )
