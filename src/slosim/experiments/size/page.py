"""The page of a size: the answer, what each trial costs and leaves, the proof, or what is in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slosim.experiments.page import ROWS_MOST, Content, Section, table_of
from slosim.experiments.size import text
from slosim.experiments.size.dimensions import PER_HOUR, shown
from slosim.experiments.sweep.page import PAPERS, VERDICTS, verdict_legend
from slosim.experiments.sweep.text import MARKS
from slosim.experiments.text import Said
from slosim.html import marks
from slosim.html.charts import Chart, Table, colour, finished, told
from slosim.html.marks import Grid, Scale
from slosim.html.series import Columns
from slosim.report.layout import clean
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.report.units import plural

LEFT_LABEL = "format(datum.value, ',.0%')"
FRONT_AID = (
    "Each trial by what it costs and what it leaves of its hardest promise's budget; below the dashed line a"
    " promise is broken. On the front nothing cheaper leaves more."
)
TOLD_OF_TRIAL = {
    "": "configuration",
    "cost": "cost text",
    "verdict": "kind",
    "hardest": "promise",
    "measured": "measured",
    "left": "left text",
    "tried as": "why",
}


def content_of(data: dict[str, Any]) -> Content:
    answer = data["answer"]
    sections = [
        _configuration(data),
        _checks(data),
        _proof(data),
        _in_the_way(data),
        _costs(data),
        _steps(data),
    ]
    return Content(
        kind="Size: the cheapest configuration that keeps every promise",
        name=clean(data["name"]),
        verdict=MET if answer is not None else MISSED,
        headline=text.headline(data),
        sections=[one for one in sections if one is not None],
        note=text.note(data),
    )


def _configuration(data: dict[str, Any]) -> Section:
    return Section(
        "configuration",
        "Configuration",
        "What was found beside what the file has, and what was allowed.",
        said=[Said(clean(note)) for note in data["notes"]],
        table=table_of(text.configuration_columns(data), "what"),
    )


# ---- what it meets, and why less does not ------------------------------------------------------------------


def _checks(data: dict[str, Any]) -> Section | None:
    """Every promise in every case, of the answer."""
    its = data["answer"]
    if its is None:
        return None
    return Section(
        "meets",
        "What it meets",
        "Each promise in each case: what is left of the error budget, or of the time to drain.",
        charts=[_check_map(its["checks"], table_of(text.checks_columns(its)))],
    )


def _check_map(checks: Sequence[dict[str, Any]], table: Table) -> Chart:
    verdicts = [one["verdict"] for one in checks]
    columns: Columns = {
        "x": [clean(one["name"]) for one in checks],
        "y": [clean(one["case"]) for one in checks],
        "kind": verdicts,
        "mark": [MARKS[one] for one in verdicts],
        "text": [f"{MARKS[one['verdict']]} {text.left_of(one)}" for one in checks],
        "measured": [text.measured(one) for one in checks],
        "left": [text.left_of(one) for one in checks],
        "runs": [str(one["replications"]) for one in checks],
    }
    told = {"promise": "x", "case": "y", "verdict": "kind"}
    return marks.cells(
        "meets-map",
        "Promises and cases",
        Grid(list(dict.fromkeys(columns["x"])), list(dict.fromkeys(columns["y"]))),
        columns,
        PAPERS,
        {**told, "measured": "measured", "left": "left", "runs": "runs"},
        table,
        texts=VERDICTS,
        legend=verdict_legend(verdicts),
    )


def _proof(data: dict[str, Any]) -> Section | None:
    if not data["proof"]:
        return None
    return Section(
        "proof",
        "Why not less",
        "One step less of anything, simulated: which promise that breaks.",
        said=[Said(text.cheaper(data))],
        table=table_of(text.proof_columns(data)),
    )


def _in_the_way(data: dict[str, Any]) -> Section | None:
    if not data["unmet"]:
        return None
    said = [Said(one) for one in (*text.obstacles(data), *(clean(one) for one in data["limits"]))]
    if way_out := text.way_out(data):
        said.append(Said(way_out))
    return Section(
        "in-the-way",
        "What stands in the way",
        "With the largest configuration.",
        said=said,
    )


# ---- what was tried ----------------------------------------------------------------------------------------


def _costs(data: dict[str, Any]) -> Section | None:
    tried = [one for one in data["steps"] if one["hardest"]["left_ratio"] is not None]
    if len({one["cost"] for one in tried}) < 2:
        return None
    nothing = len(data["steps"]) - len(tried)
    said = [Said(f"Not drawn: {plural(nothing, 'trial')} with nothing to measure.")] if nothing else []
    return Section(
        "costs",
        "Cost and what it leaves",
        f"Configurations are named as {text.order(data)}.",
        said=said,
        charts=[_front(data, tried)],
    )


def _front(data: dict[str, Any], tried: Sequence[dict[str, Any]]) -> Chart:
    """Each trial by its cost and what it leaves; the front as steps; the answer as a diamond."""
    answer = data["answer"]
    chosen = [one for one in tried if answer is not None and one["values"] == answer["values"]][-1:]
    drawn = {"rows": tried, "chosen": chosen, "front": data["front"]}
    rows = {name: _trials(data, trials) for name, trials in drawn.items() if trials}
    unit = "per hour" if data["cost_unit"] == PER_HOUR else "instances"
    costs = marks.bounds_of(rows["rows"], "cost")
    cost = Scale("linear", marks.spread(costs), marks.NUMBER_LABEL, f"cost, {unit}")
    lefts = marks.bounds_of(rows["rows"], "left")
    left = Scale("symlog", marks.spread([*lefts, 0.0, 1.0], 0.03), LEFT_LABEL, "", ticks=_ticks(min(lefts)))
    height = left.encoding
    height["axis"] |= {"title": None, "minExtent": 52}
    at = {"x": {"field": "cost", **cost.encoding}, "y": {"field": "left", **height}}
    line = {"type": "line", "interpolate": "step-after", "color": colour("soft"), "strokeWidth": 1.5}
    diamond = {"type": "point", "shape": "diamond", "size": 420, "strokeWidth": 2.5, "color": colour("ink")}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": [{}]},
            "mark": {"type": "rule", "color": colour("alert"), "strokeDash": [6, 4]},
            "encoding": {"x": {"value": 0}, "x2": {"value": "width"}, "y": {"datum": 0, **height}},
        },
        {"data": {"name": "front"}, "mark": line, "encoding": at},
        {"data": {"name": "chosen"}, "mark": diamond, "encoding": at},
        {
            "data": {"name": "rows"},
            "mark": {"type": "point", "filled": True, "size": 85, "opacity": 0.85},
            "encoding": {**at, "color": marks.kinds(VERDICTS), "tooltip": told(TOLD_OF_TRIAL)},
        },
    ]
    legend = [(VERDICTS[one], one) for one in (MET, UNDECIDED, MISSED) if one in rows["rows"]["kind"]]
    legend += [("soft", "the front")] + ([("edge", "◇ the answer")] if chosen else [])
    spec = {"layer": [one for one in layers if one["data"].get("name", "rows") in rows]}
    table = table_of(text.front_columns(data, data["front"]))
    title = "Cost and what it leaves"
    return Chart("front", title, finished(spec, 300), rows, table, "", legend, FRONT_AID)


def _ticks(least: float) -> list[float]:
    """0, half and all of a budget, and overspent ones by powers of ten down to the least."""
    return [0, 0.5, 1, *(-(10.0**power) for power in range(-1, 6) if -(10.0**power) >= least * 1.05)]


def _trials(data: dict[str, Any], trials: Sequence[dict[str, Any]]) -> Columns:
    return {
        "cost": [one["cost"] for one in trials],
        "left": [one["hardest"]["left_ratio"] for one in trials],
        "kind": [one["verdict"] for one in trials],
        "configuration": [clean(shown(one["values"], data["services"])) for one in trials],
        "cost text": [text.money(one["cost"], data["cost_unit"]) for one in trials],
        "promise": [f"{text.hardest(one)}, {clean(one['hardest']['case'])}" for one in trials],
        "measured": [text.measured(one["hardest"]) for one in trials],
        "left text": [text.left_of(one["hardest"]) for one in trials],
        "why": [clean(one.get("why", "")) for one in trials],
    }


def _steps(data: dict[str, Any]) -> Section:
    return Section(
        "steps",
        "Everything that was tried",
        f"In this order; configurations as {text.order(data)}.",
        table=table_of(text.steps_columns(data, data["steps"][:ROWS_MOST]), "step"),
    )
