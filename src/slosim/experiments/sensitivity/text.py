"""The text of a sensitivity analysis: what to measure well, and what one more instance would buy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slosim.experiments.sensitivity.sensitivity import LEAST_RATIO, moved_flow, moved_objective
from slosim.experiments.sensitivity.variations import MORE, NEXT, ONE_FEWER, ONE_MORE
from slosim.experiments.text import MISSING, Said, finished, stopped_early, wrapped
from slosim.report.amounts import points, relative, signed_value, two_digits
from slosim.report.layout import Column, clean, paint, table, title
from slosim.report.text_verdict import STYLES
from slosim.report.units import NOTHING, clock, exact_share, plural

NOTES = {
    MORE: "one at a time, ranked by the p99: what moves it most is worth measuring best",
    ONE_MORE: "what it buys",
    ONE_FEWER: "what it costs to do without",
    NEXT: "partitions that the instances share evenly, one more place at a dependency",
}
NAME_WIDTH = 24
WIDTH_OF_INTERVALS = 100
"""Narrower tables show values alone."""


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    sections = [
        wrapped(headline(data), width),
        *(_section(data, section, width) for section in NOTES),
        wrapped(not_varied(data), width),
        wrapped([Said(note(data), "dim")], width),
    ]
    return finished(sections, colour)


def of_section(data: dict[str, Any], section: str) -> list[dict[str, Any]]:
    """Its variations, ranked."""
    return [one for one in data["variations"] if one["section"] == section]


# What matters, in sentences


def headline(data: dict[str, Any]) -> list[Said]:
    """What moves most, what one more instance buys, and whether it ended early."""
    by = exact_share(data["by_ratio"])
    sentences = [f"{clean(data['scenario']['name'])}: {data['base']['verdict']} as written."]
    more = of_section(data, MORE)
    if more and (effects := _effects(more[0])):
        sentences.append(f"{by} more {clean(more[0]['name'])} moves {effects}: measure it.")
    elif more:
        sentences.append(f"{by} more of nothing moves a p99 or an objective clearly.")
    if of_section(data, ONE_MORE):
        sentences.append(_best_instance(data))
    missing = sum(not one["finished"] for one in data["variations"])
    return [
        Said(" ".join(sentences), STYLES[data["base"]["verdict"]]),
        *stopped_early(data, f"{plural(missing, 'variation')} missing."),
    ]


def _best_instance(data: dict[str, Any]) -> str:
    """What the best of one more instance buys: of a p99 or, where none is better, of an objective."""
    buying = [(gain, one) for one in of_section(data, ONE_MORE) if (gain := _gain(one)) > (0.0, 0.0)]
    if not buying:
        return "One more instance of no service makes a p99 or an objective clearly better."
    one = max(buying, key=lambda pair: pair[0])[1]
    return f"Going from {one['from']} to {one['to']} {clean(one['name'])} moves {_effects(one)}."


def _gain(one: dict[str, Any]) -> tuple[float, float]:
    """By how much the p99 and the objective that change most are better; below 0 for worse."""
    flow, objective = moved_flow(one), moved_objective(one)
    return (
        -flow[1]["ratio"]["value"] if flow else 0.0,
        objective["difference"]["value"] if objective else 0.0,
    )


def _effects(one: dict[str, Any]) -> str:
    """`fulfilment p99 by +24% [+20, +28] and 'orders ship in time' by -0.4 points`."""
    flow, objective = moved_flow(one), moved_objective(one)
    parts = []
    if flow is not None:
        parts.append(f"{flow_name(flow[0])} p99 by {relative(flow[1]['ratio'], two_digits)}")
    if objective is not None:
        parts.append(f"'{clean(objective['name'])}' by {points(objective['difference'], two_digits)} points")
    return " and ".join(parts)


def flow_name(key: str) -> str:
    """The flow of the key of a p99."""
    return clean(key.removeprefix("flows.").removesuffix(".latency_s.p99"))


# Tables


def _section(data: dict[str, Any], section: str, width: int) -> list[str]:
    if not of_section(data, section):
        return []
    columns = variations_columns(data, section, wide=width >= WIDTH_OF_INTERVALS)
    return [title(heading(data, section).upper(), NOTES[section], width), *table(columns, width)]


def heading(data: dict[str, Any], section: str) -> str:
    """What is varied: `10% more`, `one more instance`."""
    return f"{exact_share(data['by_ratio'])} more" if section == MORE else section


def variations_columns(data: dict[str, Any], section: str, wide: bool = True) -> list[Column]:
    """A row for each variation of a section; wide: with intervals."""
    rows = of_section(data, section)
    several = sum(one["key"].endswith("latency_s.p99") for one in data["quantities"]) > 1
    return [
        Column("", [clean(one["name"]) for one in rows], "<"),
        _now(rows) if section == MORE else _change(rows),
        *([] if section == MORE else [Column("cost/h", [_cost(one) for one in rows], keep=3)]),
        *([Column("flow", [_flow(one) for one in rows], "<", most=NAME_WIDTH // 2)] if several else []),
        Column("p99 [95%]" if wide else "p99", [_p99(one, wide) for one in rows]),
        *(_objective_columns(rows, wide) if data["base"]["objectives"] else []),
    ]


def _objective_columns(rows: Sequence[dict[str, Any]], wide: bool) -> list[Column]:
    return [
        Column("objective", [_objective(one) for one in rows], "<", most=NAME_WIDTH),
        Column("points [95%]" if wide else "points", [_points(one, wide) for one in rows]),
        Column("burn", [_burn(one) for one in rows], keep=4),
        Column("", [_flips(one) for one in rows], "<", keep=2),
    ]


def _now(rows: Sequence[dict[str, Any]]) -> Column:
    return Column("now", [one["from"] for one in rows], keep=1)


def _change(rows: Sequence[dict[str, Any]]) -> Column:
    return Column("change", [f"{one['from']} → {one['to']}" for one in rows], "<")


def _cost(one: dict[str, Any]) -> str:
    its = one["quantities"].get("cost_per_h")
    if its is None:
        return ""
    return "same" if its["effect"] == "same" else signed_value(its["difference"]["value"], "cost_per_h")


def _flow(one: dict[str, Any]) -> str:
    flow = moved_flow(one)
    return flow_name(flow[0]) if flow else ""


def _p99(one: dict[str, Any], wide: bool) -> str:
    if not one["finished"]:
        return paint(MISSING, "dim")
    flow = moved_flow(one)
    if flow is None:
        numbers = [its for key, its in one["quantities"].items() if key.endswith("latency_s.p99")]
        return paint(_unmoved(numbers), "dim")
    return paint(
        relative(_shown(flow[1]["ratio"], wide), two_digits),
        "red" if flow[1]["ratio"]["value"] > 0 else "green",
    )


def _shown(estimate: dict[str, Any], wide: bool) -> dict[str, Any]:
    """An estimate with its interval if there is room."""
    return estimate if wide else {**estimate, "low": None, "high": None}


def _unmoved(numbers: Sequence[dict[str, Any]]) -> str:
    """Why there is no clear change."""
    effects = {its["effect"] for its in numbers} - {"undefined"}
    if not effects or effects == {"same"}:
        return "same" if effects else NOTHING
    return "unclear" if "unclear" in effects else f"under {exact_share(LEAST_RATIO)}"


def _objective(one: dict[str, Any]) -> str:
    objective = moved_objective(one)
    return clean(objective["name"]) if objective else ""


def _points(one: dict[str, Any], wide: bool) -> str:
    objective = moved_objective(one)
    if objective is None:
        return paint(_unmoved(one["objectives"]), "dim") if one["objectives"] else ""
    return paint(
        points(_shown(objective["difference"], wide), two_digits),
        "red" if objective["effect"] == "worse" else "green",
    )


def _burn(one: dict[str, Any]) -> str:
    objective = moved_objective(one)
    value = objective["burn_rate_difference"]["value"] if objective else None
    return "" if value is None else f"{'+' if value > 0 else ''}{two_digits(value)}"


def _flips(one: dict[str, Any]) -> str:
    """`missed → met` where any objective's verdict changes; which one is in the JSON."""
    changed = dict.fromkeys(
        f"{its['before']} → {its['verdict']}"
        for its in one["objectives"]
        if its.get("before", its["verdict"]) != its["verdict"]
    )
    return ", ".join(changed)


def not_varied(data: dict[str, Any]) -> list[Said]:
    """What could not be, and why."""
    if not data["not_varied"]:
        return []
    parts = [f"{clean(one['name'])} ({clean(one['why'])})" for one in data["not_varied"]]
    return [Said(f"Not varied: {'; '.join(parts)}.")]


def note(data: dict[str, Any]) -> str:
    """How it was done, and what is shown."""
    run = data["run"]
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    return (
        "The flow and the objective that change most are shown, the objective by its burn rate; the others"
        " are in the JSON. Changes whose 95% interval holds 0 are unclear. Each interval is for itself:"
        " where nothing changes on average, one in twenty looks clear by chance, and a row shows the clearest"
        " of several."
        f" {plural(run['replications'], 'replication')} of {clock(run['duration_s'])}{warmup}, seed"
        f" {run['seed']}, all on the same work. slosim {data['version']}"
    )
