"""The page of `slosim break`: how near to normal each stress breaks something, and the ladders themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slosim.experiments.aftermath import DRAINING, RECOVERED, STUCK
from slosim.experiments.breaks import text
from slosim.experiments.page import Content, Section, table_of
from slosim.html import marks
from slosim.html.charts import Chart, Table, colour, finished, palette, told
from slosim.html.marks import Scale
from slosim.html.series import Columns
from slosim.report.amounts import amount, with_interval
from slosim.report.layout import bare, clean
from slosim.report.units import NOTHING, exact_share, share

HOLDS = "nothing breaks"
UNITS = {
    "factor": ("Times normal", "format(datum.value, '~g') + 'x'"),
    "s": ("How long it lasts", marks.CLOCK_LABEL),
    "share": ("Share that fails", "format(datum.value, '~%')"),
    "per_s": ("How many per second", marks.NUMBER_LABEL),
    "skew": ("Skew of the keys", marks.NUMBER_LABEL),
    "instances": ("How many instances are gone", marks.NUMBER_LABEL),
}
"""Title of a ladder and how its levels are written, by unit; `once` has no ladder."""
WHOLE = ("skew", "instances")
"""Units whose ladders are not logarithmic."""
OUTCOMES = {RECOVERED: "good", DRAINING: "unsure", STUCK: "bad"}
OUTCOME_WORDS = {RECOVERED: "tried, back", DRAINING: "tried, draining", STUCK: "tried, does not return"}
TOLD = {
    "": "name",
    "holds at": "holds text",
    "breaks at": "breaks text",
    "misses first": "objective",
    "share": "share",
    "costs": "costs",
    "afterwards": "afterwards",
}


def content_of(data: dict[str, Any]) -> Content:
    broken = text.broken_of(data)
    objectives = list(dict.fromkeys(clean(one["breaks"]["first"]) for one in broken))
    colours = {name: palette(number) for number, name in enumerate(objectives)} | {HOLDS: "soft"}
    sections = [
        _nearness(data, colours),
        _ladders(data, colours),
        _edge(broken),
        _afterwards(data),
        _again(data, broken),
        _rest(data),
    ]
    return Content(
        kind="Break: what breaks it first",
        name=clean(data["reference"]["name"]),
        verdict="",
        headline=[*text.headline(data), *text.context(data)],
        sections=[one for one in sections if one is not None],
        note=text.note(data),
        made=[("scenario digest", data["reference"]["digest"])],
    )


def _rows(stresses: Sequence[dict[str, Any]]) -> Columns:
    """What is told of each stress."""
    points = [one["breaks"] for one in stresses]
    return {
        "name": [text.stress_of(one) for one in stresses],
        "kind": [HOLDS if its is None else clean(its["first"]) for its in points],
        "objective": [HOLDS if its is None else clean(its["first"]) for its in points],
        "holds text": [text.holds_of(one).strip() for one in stresses],
        "breaks text": [_breaks_at(one) for one in stresses],
        "share": [_share(its) for its in points],
        "costs": [NOTHING if its is None else text.cost_of(its) for its in points],
        "afterwards": [_outcome(one) for one in stresses],
    }


def _breaks_at(one: dict[str, Any]) -> str:
    if one["breaks"] is None:
        return f"not up to {text.level_of(one['most'], one['unit'])}"
    return text.level_of(one["breaks"]["level"], one["unit"])


def _share(point: dict[str, Any] | None) -> str:
    if point is None:
        return NOTHING
    its = text.first_of(point)
    return f"{with_interval(its['sli_ratio'], 'ratio')} of {exact_share(its['target_ratio'])}"


def _outcome(one: dict[str, Any]) -> str:
    outcome = text.outcome_at(one, one["breaks"]["level"]) if one["breaks"] is not None else ""
    return bare(outcome) or NOTHING


def _table(stresses: Sequence[dict[str, Any]]) -> Table:
    columns = _rows(stresses)
    named = {word or "stress": columns[name] for word, name in TOLD.items()}
    return Table(list(named), [list(row) for row in zip(*named.values(), strict=True)])


# ---- how near to normal ------------------------------------------------------------------------------------


def _nearness(data: dict[str, Any], colours: dict[str, str]) -> Section | None:
    stresses = data["stresses"]
    if not stresses:
        return None
    rows = _rows(stresses) | {"margin": [one["margin_ratio"] for one in stresses]}
    rows["margin text"] = [share(one["margin_ratio"], 0) for one in stresses]
    scale = Scale("linear", (0.0, 1.0), "format(datum.value, '.0%')", "how much of its ladder holds")
    place = {"field": "margin", **scale.encoding}
    is_short = "datum.margin < 0.6"  # then there is room behind the bar
    layers = [
        {"mark": {"type": "bar"}, "encoding": {"x": place, "color": marks.kinds(colours)}},
        {
            "mark": {
                "type": "text",
                "fontSize": 11.5,
                "align": {"expr": f"{is_short} ? 'left' : 'right'"},
                "dx": {"expr": f"{is_short} ? 5 : -5"},
            },
            "encoding": {
                "x": place,
                "text": {"field": "breaks text"},
                "color": {"condition": {"test": is_short, "value": colour("ink")}, "value": colour("paper")},
            },
        },
        marks.hover_rows({**TOLD, "ladder left": "margin text"}),
    ]
    spec = {"data": {"name": "rows"}, "encoding": {"y": marks.names(rows)}, "layer": layers}
    chart = Chart(
        "how-near",
        "How far each stress may go",
        finished(spec, marks.height_of(rows)),
        {"rows": rows},
        _table(stresses),
        "",
        [(name, kind) for kind, name in colours.items() if kind in rows["kind"]],
        "The shorter the bar, the nearer to normal it breaks, at the level that is written there; the colour"
        " is the objective that is missed first. Ladders go up to what is far from normal for each kind.",
    )
    return Section(
        "nearness",
        "What breaks it",
        "Nearest to normal first.",
        charts=[chart],
    )


# ---- ladders -----------------------------------------------------------------------------------------------


def _ladders(data: dict[str, Any], colours: dict[str, str]) -> Section | None:
    charts = []
    for unit in dict.fromkeys(one["unit"] for one in data["stresses"]):
        its = [one for one in data["stresses"] if one["unit"] == unit]
        if unit in UNITS or unit.endswith("_s"):
            charts.append(_ladder(f"ladder-{unit}", unit, its, colours))
    if not charts:
        return None
    return Section(
        "ladders",
        "The ladders",
        "The thick end of each line is between the last level that holds and the first that breaks (the dot);"
        " the faint line goes up to the highest level of the ladder. Small diamonds are levels tried for what"
        " comes after.",
        charts=charts,
    )


def _ladder(key: str, unit: str, stresses: Sequence[dict[str, Any]], colours: dict[str, str]) -> Chart:
    title, label = UNITS.get(unit, UNITS["per_s"])
    rows = _rows(stresses)
    rows |= {
        "holds": [_holds(one) for one in stresses],
        "breaks": [None if one["breaks"] is None else one["breaks"]["level"] for one in stresses],
        "most": [one["most"] for one in stresses],
    }
    tried = _tried(stresses)
    levels = [*marks.bounds_of(rows, "holds", "breaks", "most"), *tried["level"]]
    is_log = unit not in WHOLE and min(levels) > 0
    domain = marks.spread_log(levels, 0.04) if is_log else marks.spread(levels, 0.04)
    scale = Scale("log" if is_log else "linear", domain, label, "", ticks=_ticks(unit, is_log, *domain))
    kinds = marks.kinds(colours)

    def rule(a: str, b: str, look: dict[str, Any], paint: dict[str, Any]) -> dict[str, Any]:
        return {
            "transform": [{"filter": f"datum.{a} !== null && datum.{b} !== null"}],
            "mark": {"type": "rule", **look},
            "encoding": {"x": {"field": a, **scale.encoding}, "x2": {"field": b}, "color": paint},
        }

    layers = [
        rule("holds", "most", {"strokeWidth": 1.5}, {"value": colour("faint")}),
        rule("holds", "breaks", {"strokeWidth": 6, "opacity": 0.55}, kinds),
        {
            "transform": [{"filter": "datum.breaks !== null"}],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": {"field": "breaks", **scale.encoding}, "color": kinds},
        },
        {
            "transform": [{"filter": "datum.breaks === null"}],
            "mark": {"type": "point", "shape": "triangle-right", "filled": True, "size": 90, "opacity": 1},
            "encoding": {"x": {"field": "most", **scale.encoding}, "color": {"value": colour("soft")}},
        },
        marks.hover_rows(TOLD),
    ]
    if tried["level"]:
        fields = {"": "name", "tried at": "at", "afterwards": "afterwards", "backlog at most": "peak"}
        layers.append(
            {
                "data": {"name": "tried"},
                "mark": {"type": "point", "shape": "diamond", "size": 60, "fill": colour("paper")},
                "encoding": {
                    "y": marks.names(rows),
                    "x": {"field": "level", **scale.encoding},
                    "stroke": marks.kinds(OUTCOMES, "outcome"),
                    "tooltip": told(fields),
                },
            }
        )
    spec = {"data": {"name": "rows"}, "encoding": {"y": marks.names(rows)}, "layer": layers}
    its_rows = {"rows": rows} | ({"tried": tried} if tried["level"] else {})
    legend = [(name, kind) for kind, name in colours.items() if kind in rows["kind"]]
    legend += [(OUTCOMES[one], OUTCOME_WORDS[one]) for one in OUTCOMES if one in tried["outcome"]]
    aid = "The levels; the axis is logarithmic." if is_log else "The levels."
    return Chart(
        key, title, finished(spec, marks.height_of(rows)), its_rows, _table(stresses), "", legend, aid
    )


def _ticks(unit: str, is_log: bool, low: float, high: float) -> Sequence[float]:
    if unit == "s":
        return [one for one in marks.CLOCK_TICKS if low <= one <= high]
    if unit == "instances":
        return range(math.ceil(low), math.floor(high) + 1)
    return marks.decades(low, high) if is_log else ()


def _holds(one: dict[str, Any]) -> float | None:
    """The last level that holds; without one the base, if there is any."""
    if one["holds"] is not None:
        return one["holds"]["level"]
    return one["base"] or None


def _tried(stresses: Sequence[dict[str, Any]]) -> Columns:
    """Levels whose aftermath was watched, but for the one that breaks."""
    found = [
        (one, its)
        for one in stresses
        if one["recovery"]
        for its in one["recovery"]["points"]
        if its["outcome"] in OUTCOMES and (one["breaks"] is None or its["level"] != one["breaks"]["level"])
    ]
    return {
        "name": [text.stress_of(one) for one, _ in found],
        "level": [its["level"] for _, its in found],
        "outcome": [its["outcome"] for _, its in found],
        "at": [text.level_of(its["level"], one["unit"]) for one, its in found],
        "afterwards": [bare(text.outcome_of(its)) for _, its in found],
        "peak": [amount(its["peak"]["value"], "") for _, its in found],
    }


# ---- the rest ----------------------------------------------------------------------------------------------


def _edge(broken: Sequence[dict[str, Any]]) -> Section | None:
    if not broken:
        return None
    return Section(
        "edge",
        "At the edge",
        "The share of the objective that breaks first: at the last level that holds, and the first that"
        " breaks.",
        table=table_of(text.edges_columns(broken)),
    )


def _afterwards(data: dict[str, Any]) -> Section | None:
    rows = text.aftermaths(data["stresses"])
    if not rows:
        return None
    return Section(
        "afterwards",
        "After twice as much",
        "And where it stops to heal; the backlog of the whole system, in messages.",
        table=table_of(text.aftermath_columns(rows)),
    )


def _again(data: dict[str, Any], broken: Sequence[dict[str, Any]]) -> Section | None:
    if not broken:
        return None
    codes = []
    for one in broken[: text.SHOWN_AGAIN]:
        what, *lines = text.again(data, one, text.WIDTH_ENDLESS)
        codes.append((what, "\n".join(line.removeprefix("    ") for line in lines)))
    return Section(
        "again",
        "To see it again",
        "The first breaks; those of the others are in the JSON, changes and faults.",
        codes=codes,
    )


def _rest(data: dict[str, Any]) -> Section | None:
    said = text.rest(data)
    return Section("rest", "What holds, and what was not tried", said=said) if said else None
