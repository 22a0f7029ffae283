"""The text of a comparison: which objectives flip, what changes and by how much, and where the time went."""

from __future__ import annotations

from typing import Any

from slosim.experiments.text import EFFECTS, amount, change_of, finished, points, signed, signed_value
from slosim.report.layout import Column, clean, paint, paragraph, table, title
from slosim.report.text_verdict import STYLES
from slosim.report.units import clock, exact_share, plural, three_digits

SHOWN_PARTS = 6


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    sections = [
        _headline(data, width),
        _objectives(data, width),
        _latency(data, width),
        *(_where_time_went(flow, its, width) for flow, its in data["where_time_goes_s"].items()),
        _rest(data, width),
        _footer(data, width),
    ]
    return finished(sections, colour)


def _headline(data: dict[str, Any], width: int) -> list[str]:
    before, after = data["before"], data["after"]
    p99 = [one for one in data["changes"] if one["key"].endswith("latency_s.p99")]
    sentences = [_sentence(one) for one in p99]
    flips = [one for one in data["objectives"] if one["flips"]]
    for one in flips:
        sentences.append(f"'{clean(one['name'])}' goes from {one['before']} to {one['after']}.")
    if data["objectives"] and not flips:
        sentences.append("No objective flips.")
    verdicts = f"{before['verdict'].upper()} → {after['verdict'].upper()}. "
    lines = paragraph(verdicts + " ".join(sentences), width)
    style = STYLES[after["verdict"]]
    return [
        *(paint(line, style) for line in lines),
        *paragraph(f"{clean(before['name'])} → {clean(after['name'])}", width),
        *_stopped(data),
    ]


def _stopped(data: dict[str, Any]) -> list[str]:
    return (
        [paint(f"Stopped early: {data['stopped']}. Fewer replications than asked for.", "yellow")]
        if data["stopped"]
        else []
    )


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


def _objectives(data: dict[str, Any], width: int) -> list[str]:
    by_key = {one["key"]: one for one in data["changes"]}
    rows = [(one, by_key[f"objectives.{one['name']}.sli_ratio"]) for one in data["objectives"]]
    if not rows:
        return []
    columns = [
        Column("objective", [clean(one["name"]) for one, _ in rows], "<"),
        Column("target", [_targets(one) for one, _ in rows]),
        Column("before", [amount(its["before"]["value"], "ratio") for _, its in rows]),
        Column("after", [amount(its["after"]["value"], "ratio") for _, its in rows]),
        Column("change, points [95%]", [points(its["difference"]) for _, its in rows]),
        Column("", [_effect(its) for _, its in rows], "<"),
        Column("verdict", [f"{one['before']} → {one['after']}" for one, _ in rows], "<"),
    ]
    return [title("OBJECTIVES"), *table(columns, width)]


def _targets(one: dict[str, Any]) -> str:
    return " → ".join(exact_share(target) for target in dict.fromkeys(one["target_ratio"]))


def _effect(one: dict[str, Any]) -> str:
    return paint(one["effect"], EFFECTS[one["effect"]])


def _latency(data: dict[str, Any], width: int) -> list[str]:
    rows = [one for one in data["changes"] if one["key"].startswith("flows.")]
    return [title("LATENCY", "of completed instances", width), *_table(rows, width)] if rows else []


def _table(rows: list[dict[str, Any]], width: int) -> list[str]:
    columns = [
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
    return table(columns, width)


def _where_time_went(flow: str, its: dict[str, list[dict[str, Any]]], width: int) -> list[str]:
    """The parts that change most, in the order of the part of the mean."""
    mean = {one["name"]: one for one in its["mean"]}
    slowest = {one["name"]: one for one in its["slowest_1%"]}
    moved = [
        name
        for name in mean
        if "same" not in (mean[name]["effect"], slowest[name]["effect"])
        and "undefined" not in (mean[name]["effect"], slowest[name]["effect"])
    ]
    moved.sort(key=lambda name: -abs(slowest[name]["difference"]["value"]))
    if not moved:
        return []
    shown = moved[:SHOWN_PARTS]
    columns = [
        Column("part", [clean(name) for name in shown], "<"),
        Column("mean", [amount(mean[name]["before"]["value"], "s") for name in shown]),
        Column("change", [signed_value(mean[name]["difference"]["value"], "s") for name in shown]),
        Column("slowest 1%", [amount(slowest[name]["before"]["value"], "s") for name in shown]),
        Column("change [95%]", [signed(slowest[name]["difference"], "s") for name in shown]),
    ]
    return [title("WHERE THE TIME WENT", clean(flow), width), *table(columns, width)]


def _rest(data: dict[str, Any], width: int) -> list[str]:
    rest = [one for one in data["changes"] if not one["key"].startswith(("flows.", "objectives."))]
    clear = [one for one in rest if one["effect"] in ("better", "worse", "changed")]
    if not clear:
        return (
            paragraph(f"Nothing else changes clearly, of {plural(len(rest), 'number')}.", width)
            if rest
            else []
        )
    others = len(rest) - len(clear)
    note = f"{others} more {'does' if others == 1 else 'do'} not change clearly" if others else ""
    return [title("SERVICES, LAG AND COST", note, width), *_table(clear, width)]


def _footer(data: dict[str, Any], width: int) -> list[str]:
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
    text = (
        f"{plural(run['replications'], 'pair')} of {clock(run['duration_s'])}{warmup}, seed"
        f" {run['seed']}{unused}: replication k of both meets the same arrivals, keys,"
        " service times and failures, so what they have in common cancels."
        f"{worth} Intervals are 95%, by jackknife over pairs. slosim {data['version']}"
    )
    return [paint(line, "dim") for line in paragraph(text, width)]
