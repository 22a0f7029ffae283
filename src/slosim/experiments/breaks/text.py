"""The text of `slosim break`: what breaks first, at which level, what it costs, and whether it heals."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Sequence
from typing import Any

from slosim.experiments.aftermath import DRAINING, RECOVERED, STUCK
from slosim.experiments.text import Said, finished, stopped_early, wrapped
from slosim.model.values import write_duration, write_number
from slosim.report.amounts import amount, with_interval
from slosim.report.layout import Column, clean, paint, table, title, width_of
from slosim.report.objectives import MET
from slosim.report.text_verdict import STYLES
from slosim.report.units import (
    NOTHING,
    clock,
    duration,
    enumeration,
    exact_share,
    plural,
    short,
    three_digits,
)

SHOWN_AGAIN = 3
"""Breaks whose change is printed; the others are in the JSON."""
OBJECTIVE_COLUMNS = 24
WIDTH_ENDLESS = 10_000
"""For lines that are copied rather than read."""
LONGER = 1.25
"""A run that is to show a recovery lasts so many times as long as it is expected to take."""
OUTCOMES = {STUCK: "red", DRAINING: "yellow", RECOVERED: "green"}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.%/ -]*|[0-9][0-9A-Za-z.%/]*")


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    broken = broken_of(data)
    sections = [
        wrapped(headline(data), width),
        wrapped(context(data), width),
        _breaks(broken, width),
        _edges(broken, width),
        _afterwards(data["stresses"], width),
        _again(data, broken, width),
        wrapped(rest(data), width),
        wrapped([Said(note(data), "dim")], width),
    ]
    return finished(sections, colour)


def broken_of(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The stresses that break something, nearest to normal first."""
    return [one for one in data["stresses"] if one["breaks"] is not None]


def level_of(level: float, unit: str) -> str:
    """A level as people say it: 1.34x, 12%, 1m30s, 2 gone, skew 1.3, 20/s."""
    if unit == "factor":
        return f"{write_number(level)}x"
    if unit == "share":
        return exact_share(level)
    if unit == "s":
        return write_duration(level)
    if unit == "instances":
        return f"{level:.0f} gone"
    if unit == "skew":
        return f"skew {write_number(level)}"
    return "once" if unit == "once" else f"{write_number(level)}/s"


# What breaks


def headline(data: dict[str, Any]) -> list[Said]:
    """What breaks first, what does not heal, and whether it ended early."""
    broken = broken_of(data)
    stopped = stopped_early(data, "Only finished ladders are shown.")
    if not data["stresses"]:
        return stopped
    stuck = [one for one in data["stresses"] if one["recovery"] and one["recovery"]["stuck_from"] is not None]
    said = (
        [Said(_breaks_first(broken), "bold")]
        if broken
        else [Said("Nothing that was tried breaks it.", "green")]
    )
    said += [Said(_metastable(one), "red") for one in stuck]
    can_tell = data["triggers"]["quiet"]
    if can_tell and not stuck and any(one["recovery"] for one in data["stresses"]):
        said.append(Said(f"After every trigger that was tried the backlog returns by itself{_heals(data)}."))
    return [*said, *stopped]


def _heals(data: dict[str, Any]) -> str:
    """That the backlog returns; of the one that takes longest beyond the run, how long a run would show
    it.
    """
    draining = [
        (after["expected_s"]["value"], one, after)
        for one in data["stresses"]
        for after in (one["recovery"] or {"points": []})["points"]
        if after["outcome"] == DRAINING
    ]
    if not draining:
        return ""
    expected_s, one, after = max(draining, key=lambda its: its[0])
    needed_s = data["run"]["duration_s"] - after["watched_s"] + LONGER * expected_s
    return (
        f", or is on its way: after {stress_of(one)} at {level_of(after['level'], one['unit'])} it needs"
        f" about {duration(expected_s)}, which run.duration={clock(math.ceil(needed_s / 60) * 60)} would show"
    )


def _breaks_first(broken: list[dict[str, Any]]) -> str:
    first, *others = broken
    point = first["breaks"]
    objective = first_of(point)
    sentence = (
        f"Breaks first: {_stress_at(first, point['level'])}:"
        f" '{clean(objective['name'])}' {with_interval(objective['sli_ratio'], 'ratio')}"
        f" of {exact_share(objective['target_ratio'])}."
    )
    then = [_stress_at(one, one["breaks"]["level"]) for one in others[:2]]
    return sentence + (f" Then {enumeration(then)}." if then else "")


def _metastable(one: dict[str, Any]) -> str:
    """`Does not heal: database stops at 1.2s. The trigger is gone, and ...`"""
    recovery, unit = one["recovery"], one["unit"]
    after = next(its for its in recovery["points"] if its["level"] == recovery["stuck_from"])
    growth = after["growth_per_s"]["value"]
    stays = (
        f"it grows by {short(growth)}/s"
        if growth is not None and growth * after["watched_s"] > 0.1 * after["late"]["value"]
        else f"it stays at {short(after['late']['value'])}"
    )
    heals = (
        f"; up to {level_of(recovery['comes_back_up_to'], unit)} it does"
        if recovery["comes_back_up_to"] is not None
        else ""
    )
    longer = recovery["in_longer_run"]
    word = "Does not heal" if longer["outcome"] == STUCK else "Slow to heal"
    return (
        f"{word}: {_stress_at(one, recovery['stuck_from'])}. The trigger is gone, and"
        f" {duration(after['watched_s'])} later the backlog does not fall: {stays}, normal is at most"
        f" {short(after['normal']['value'])}{heals}. {_in_longer_run(longer)}"
    )


def _in_longer_run(longer: dict[str, Any]) -> str:
    """What a longer run shows of a backlog that does not fall within the run."""
    watched = duration(longer["watched_s"])
    if longer["outcome"] == RECOVERED:
        return f"A longer run shows it back after {duration(longer['after_s']['value'])}."
    if longer["outcome"] == DRAINING:
        return f"A longer run shows it on its way, back after {duration(longer['expected_s']['value'])}."
    return f"Nor is it back in a longer run, {watched} after the trigger."


def stress_of(one: dict[str, Any]) -> str:
    """Its name."""
    return clean(one["name"])


def _stress_at(one: dict[str, Any], level: float) -> str:
    """`load at 1.34x`."""
    return stress_of(one) if one["unit"] == "once" else f"{stress_of(one)} at {level_of(level, one['unit'])}"


def first_of(point: dict[str, Any]) -> dict[str, Any]:
    """The objective that breaks first."""
    return next(one for one in point["objectives"] if one["name"] == point["first"])


def context(data: dict[str, Any]) -> list[Said]:
    """What stresses are compared with."""
    reference, lines = data["reference"], []
    ignored = [f"'{clean(one['name'])}'" for one in reference["objectives"] if one["ignored"]]
    undecided = [
        f"'{clean(one['name'])}'" for one in reference["objectives"] if one["verdict"] == "undecided"
    ]
    if reference["faults"] == "left out":
        lines.append(
            "The scenario's own faults are left out; each of them is a stress instead, from short to long."
        )
    elif reference["faults"] == "declared":
        lines.append("The scenario's own faults stay; every stress comes on top of them.")
    if reference["stand_ins"]:
        within = [
            f"{clean(one['flow'])} {one['target']} within {one['within']}" for one in reference["stand_ins"]
        ]
        lines.append(
            f"No objective that a stress could break is declared, so twice the usual p99 stands in:"
            f" {enumeration(within)}."
        )
    if ignored:
        lines.append(f"Missed already without stress, so not judged: {enumeration(ignored)}.")
    if undecided:
        lines.append(f"Undecided already without stress: {enumeration(undecided)}.")
    if reference["backlog_grows"]:
        lines.append(
            "The backlog grows without any stress, so whether it returns after one is not judged: slosim run"
            " shows what is saturated."
        )
    elif not data["triggers"]["quiet"]:
        lines.append(
            "No stretch of the run is free of the scenario's own faults and their aftermath, so recovery"
            " from a"
            " stress cannot be told from theirs."
        )
    return [Said(" ".join(lines))] if lines else []


def _breaks(broken: list[dict[str, Any]], width: int) -> list[str]:
    if not broken:
        return []
    return [title("WHAT BREAKS IT", "nearest to normal first", width), *table(breaks_columns(broken), width)]


def breaks_columns(broken: Sequence[dict[str, Any]]) -> list[Column]:
    """A row for each stress that breaks something."""
    points = [one["breaks"] for one in broken]
    return [
        Column("stress", [stress_of(one) for one in broken], "<"),
        Column("holds at", [holds_of(one) for one in broken]),
        Column("breaks at", [level_of(one["breaks"]["level"], one["unit"]) for one in broken]),
        Column("misses first", [clean(one["first"]) for one in points], "<", most=OBJECTIVE_COLUMNS),
        Column("costs", [cost_of(one) for one in points]),
        Column("afterwards", [outcome_at(one, one["breaks"]["level"]) for one in broken], "<"),
    ]


def holds_of(one: dict[str, Any]) -> str:
    """The highest level that does not break, with a question mark if an objective is undecided there."""
    if one["holds"] is None:
        return level_of(one["base"], one["unit"]) if one["base"] else NOTHING
    is_open = any(its["verdict"] != MET for its in one["holds"]["objectives"])
    return level_of(one["holds"]["level"], one["unit"]) + (" ?" if is_open else "  ")


def cost_of(point: dict[str, Any]) -> str:
    """Of the objective that breaks first."""
    return amount(first_of(point)["cost_s"]["value"], "s")


def outcome_at(one: dict[str, Any], level: float) -> str:
    """What became of the backlog after a level that was tried; empty: the stress does not end."""
    if one["recovery"] is None:
        return ""
    return outcome_of(next(its for its in one["recovery"]["points"] if its["level"] == level))


def outcome_of(after: dict[str, Any]) -> str:
    """`back after 4.10 min`, `draining: 50.0 min`, `stuck`; with the share of replications if not all."""
    word, share = after["outcome"], after["shares"][after["outcome"]]
    if word == RECOVERED:
        text = f"back after {duration(after['after_s']['value'])}"
    elif word == DRAINING:
        text = f"draining: {duration(after['expected_s']['value'])}"
    else:
        text = "does not return" if word == STUCK else "samples too coarse"
    if share < 1:
        text += f" ({100 * share:.0f}%)"
    return paint(text, OUTCOMES[word]) if word in OUTCOMES else text


def _edges(broken: list[dict[str, Any]], width: int) -> list[str]:
    if not broken:
        return []
    note = "the SLI of the objective that breaks first"
    return [title("AT THE EDGE", note, width), *table(edges_columns(broken), width)]


def edges_columns(broken: Sequence[dict[str, Any]]) -> list[Column]:
    """The objective that breaks first at the level that holds and at the one that breaks."""
    rows = [(one, first_of(one["breaks"])) for one in broken]
    return [
        Column("stress", [stress_of(one) for one, _ in rows], "<"),
        Column("objective", [clean(its["name"]) for _, its in rows], "<", most=OBJECTIVE_COLUMNS),
        Column("target", [exact_share(its["target_ratio"]) for _, its in rows]),
        Column("where it holds", [_held(one, its["name"]) for one, its in rows]),
        Column("where it breaks [95%]", [with_interval(its["sli_ratio"], "ratio") for _, its in rows]),
        Column("of 30d budget", [_of_budget(its) for _, its in rows], keep=1),
    ]


def _held(one: dict[str, Any], objective: str) -> str:
    if one["holds"] is None:
        return NOTHING
    its = next(its for its in one["holds"]["objectives"] if its["name"] == objective)
    value, word = amount(its["sli_ratio"]["value"], "ratio"), its["verdict"]
    return value if word == MET else paint(f"{value}, {word}", STYLES[word])


def _of_budget(objective: dict[str, Any]) -> str:
    ratio = objective["cost_of_budget_ratio"]["value"]
    return NOTHING if ratio is None else f"{three_digits(100 * ratio)}%"


# After the trigger


def _afterwards(stresses: list[dict[str, Any]], width: int) -> list[str]:
    rows = aftermaths(stresses)
    if not rows:
        return []
    note = "and where it stops to heal; backlog of the whole system, in messages"
    return [title("AFTER TWICE AS MUCH", note, width), *table(aftermath_columns(rows), width)]


def aftermaths(stresses: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each stress that ends with what came after the levels that are worth knowing."""
    return [(one, its) for one in stresses if one["recovery"] for its in _worth_knowing(one)]


def aftermath_columns(rows: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> list[Column]:
    """A row for each of `aftermaths`."""
    return [
        Column("stress", [stress_of(one) for one, _ in rows], "<"),
        Column("level", [level_of(its["level"], one["unit"]) for one, its in rows]),
        Column("normal", [short(its["normal"]["value"]) for _, its in rows], keep=1),
        Column("highest", [short(its["peak"]["value"]) for _, its in rows]),
        Column("in the end", [_late(its) for _, its in rows]),
        Column("growing by", [_growth(its) for _, its in rows]),
        Column("watched", [duration(its["watched_s"]) for _, its in rows], keep=2),
        Column("afterwards", [outcome_of(its) for _, its in rows], "<"),
    ]


def _worth_knowing(one: dict[str, Any]) -> list[dict[str, Any]]:
    """What came after twice the level that breaks, what still drains at the end of the run, and around the
    level from which it does not heal.
    """
    recovery = one["recovery"]
    levels = [recovery["comes_back_up_to"], recovery["stuck_from"]] if recovery["stuck_from"] else []
    levels += [its["level"] for its in recovery["points"] if its["outcome"] == DRAINING]
    if one["breaks"]:
        twice = min(2 * one["breaks"]["level"], one["most"])
        levels += [twice] if twice > one["breaks"]["level"] else []
    return [its for its in recovery["points"] if its["level"] in levels]


def _late(after: dict[str, Any]) -> str:
    return "" if after["shares"][RECOVERED] == 1 else short(after["late"]["value"])


def _growth(after: dict[str, Any]) -> str:
    growth = after["growth_per_s"]["value"]
    if growth is None or after["outcome"] == RECOVERED:
        return ""
    return f"{'+' if growth > 0 else ''}{three_digits(growth)}/s"


# To see it again


def _again(data: dict[str, Any], broken: list[dict[str, Any]], width: int) -> list[str]:
    if not broken:
        return []
    note = "the first breaks; those of the others are in the JSON, changes and faults"
    lines = [title("TO SEE IT AGAIN", note, width)]
    for one in broken[:SHOWN_AGAIN]:
        lines += again(data, one, width)
    return lines


def again(data: dict[str, Any], one: dict[str, Any], width: int) -> list[str]:
    """What to run, and which faults to add to the file, to see a break once more."""
    command = ["slosim", "run", *shlex.split(data["source"] or "SCENARIO.yaml")]
    if data["reference"]["faults"] == "left out":
        command += ["--set", "faults=[]"]
    point = one["breaks"]
    sets = [word for path, value in point["changes"].items() for word in ("--set", f"{path}={flow(value)}")]
    lines = [f"{stress_of(one)} {level_of(point['level'], one['unit'])}"]
    if sets:
        lines.append("    " + shlex.join([*command, *sets]))
    if point["faults"]:
        lines.append("    faults:" + ("" if sets else f"   # {shlex.join(command)}"))
        lines += [line for fault in point["faults"] for line in fault_lines(fault, width)]
    return lines


def fault_lines(fault: dict[str, Any], width: int) -> list[str]:
    """A fault as in a scenario file, its effect on a line of its own where one line is too long."""
    line = f"      - {flow(fault)}"
    if width_of(line) <= width:
        return [line]
    head = {key: value for key, value in fault.items() if key != "effect"}
    return [f"      - {flow(head).removesuffix('}')},", f"         effect: {flow(fault['effect'])}}}"]


def flow(value: Any) -> str:
    """YAML on one line: `{name: gateway down, at: 30m, effect: {outage: true}}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value == value.strip() else json.dumps(value)
    return json.dumps(value)


# The rest


def rest(data: dict[str, Any]) -> list[Said]:
    """What holds, and what was not tried or not finished."""
    lines: list[str] = []
    holding = [
        f"{stress_of(one)} {level_of(one['most'], one['unit'])}"
        for one in data["stresses"]
        if one["breaks"] is None
    ]
    if holding:
        lines.append(f"Hold up to the highest level tried: {'; '.join(holding)}.")
    notes = [f"{stress_of(one)}: {clean(one['note'])}" for one in data["stresses"] if one["note"]]
    if notes:
        lines.append(f"Of these: {'; '.join(notes)}.")
    why: dict[tuple[str, str], list[str]] = {}
    for one in data["left_out"]:
        why.setdefault((one["kind"], one["why"]), []).append(
            clean(one["target"].partition(".")[2] or one["target"])
        )
    if why:
        text = "; ".join(
            f"{kind} of {enumeration(names)} ({reason})" for (kind, reason), names in why.items()
        )
        lines.append(f"Not tried: {text}.")
    if data["unfinished"]:
        lines.append(f"Not finished: {', '.join(data['unfinished'])}.")
    return [Said(line) for line in lines]


def note(data: dict[str, Any]) -> str:
    """What breaking means, and how it was done."""
    run, place = data["run"], data["triggers"]
    is_all = any(one["target_ratio"] == 1 and not one["ignored"] for one in data["reference"]["objectives"])
    all_of_it = (
        " (of a target of 100%: a single one is bad, which the interval does not show)" if is_all else ""
    )
    return (
        f"Breaks: the 95% interval of an objective is below its target{all_of_it}; holds: no such interval"
        " is, ?: but one reaches below. Each interval is for itself. The two levels"
        f" lie within 5% and rest on {plural(run['replications'], 'replication')} each, those on the way on"
        f" {run['searched_with']}; all meet the work of the unstressed run (seed {run['seed']},"
        f" {clock(run['duration_s'])}, measured from {clock(run['warmup_s'])} on). Costs: further bad share"
        " times measured time, as if everything had been bad for that long. Triggers start at"
        f" {clock(place['at_s'])} and last at most {clock(place['most_s'])}, crashes and restarts"
        f" {clock(place['crash_s'])}; what has no end acts from 0s on."
        " Order: the share of its ladder that a stress leaves whole (margin_ratio)."
        f" slosim {data['version']}"
    )
