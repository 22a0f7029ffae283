"""What changed between two reports, for people: a section of the text report, and a text of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from slosim.report.amounts import EFFECTS, amount, change_of, points
from slosim.report.differences import (
    CLEAR,
    NamedReport,
    clear_changes,
    compared,
    differences_of,
    is_of_objective,
)
from slosim.report.headlines import BIN_RATIO, DIGIT_RATIO
from slosim.report.layout import Column, clean, cut, finish, paint, paragraph, table, title
from slosim.report.scenario_changes import ScenarioChange
from slosim.report.text_verdict import STYLES, verdict_sentence
from slosim.report.units import clock, enumeration, exact_share, plural, three_digits

SHOWN = 12
"""Changes beside those of objectives that are told, the largest."""
SCENARIO_MOST = 4
"""Differences of the scenarios that are named."""
CHANGE_MOST, CALLED_MOST = 90, 40
"""Columns of such a difference, and of the name of a run."""


def text_of_runs(runs: Sequence[NamedReport], width: int = 100, colour: bool = False) -> str:
    """The first run, and what changes from it to each of the others."""
    first, *others = runs
    lines = [*_verdict(first, width)]
    for run in others:
        differences = differences_of(first.data, run.data)
        lines += ["", *_verdict(run, width), *paragraph(sentence_of(differences), width), ""]
        lines += changes_section(differences, first.name, width)
    lines += ["", *(paint(line, "dim") for line in paragraph(provenance_of(runs), width))]
    return finish(lines, colour)


def _verdict(run: NamedReport, width: int) -> list[str]:
    sentence = f"{clean(run.name)}: {verdict_sentence(run.data)}"
    return [paint(line, STYLES[run.data["verdict"]]) for line in paragraph(sentence, width)]


def provenance_of(runs: Sequence[NamedReport]) -> str:
    """Each run in half a line."""
    return "; ".join(
        f"{clean(name)}: scenario {data['scenario']['digest'][:12]}, seed {data['run']['seed']},"
        f" {plural(data['run']['replications'], 'replication')} of {clock(data['run']['duration_s'])},"
        f" slosim {data['run']['version']}"
        for name, data in runs
    )


def changes_section(differences: dict[str, Any], baseline: str, width: int) -> list[str]:
    """Objectives, then the largest clear changes, then how many there are and what counts as one."""
    how = "independent" if differences["unpaired"] else "paired"
    note = f"from {cut(clean(baseline), CALLED_MOST)}, {how}"
    lines = [title("CHANGES", note, width), *_objectives(differences, width)]
    shown, more = largest(differences)
    if shown:
        lines += table(columns_of(shown), width)
    lines += paragraph(rest_of(differences, more), width)
    for note in notes_of(differences):
        lines += paragraph(note, width, "· ")
    return [*lines, *(paint(line, "dim") for line in paragraph(floor_of(differences), width))]


def _objectives(differences: dict[str, Any], width: int) -> list[str]:
    """Those that change clearly, or whose verdict does."""
    rows = told_objectives(differences)
    if not rows:
        return []
    its = [one["sli_ratio"] for one in rows]
    columns = [
        Column("objective", [clean(one["name"]) for one in rows], "<"),
        Column("target", [targets(one) for one in rows], keep=3),
        Column("before", [amount(one["before"]["value"], "ratio") for one in its], keep=2),
        Column("after", [amount(one["after"]["value"], "ratio") for one in its]),
        Column("change, points [95%]", [points(one["difference"]) for one in its]),
        Column("", [effect(one) for one in its], "<", keep=1),
        Column("verdict", [verdicts(one) for one in rows], "<"),
    ]
    return table(columns, width)


def told_objectives(differences: dict[str, Any]) -> list[dict[str, Any]]:
    """Objectives that change clearly, or whose verdict does."""
    return [
        one
        for one in differences["objectives"]
        if one["sli_ratio"] is not None
        and (one["before"] != one["after"] or one["sli_ratio"]["effect"] in CLEAR)
    ]


def largest(differences: dict[str, Any], most: int = SHOWN) -> tuple[list[dict[str, Any]], int]:
    """The largest clear changes beside those of objectives, and how many more there are."""
    clear = [one for one in clear_changes(differences) if not is_of_objective(one)]
    return clear[:most], max(0, len(clear) - most)


def columns_of(changes: Sequence[dict[str, Any]]) -> list[Column]:
    return [
        Column("", [clean(one["name"]) for one in changes], "<"),
        Column("before", [amount(one["before"]["value"], one["unit"]) for one in changes], keep=1),
        Column("after", [amount(one["after"]["value"], one["unit"]) for one in changes]),
        Column("change [95%]", [change_of(one) for one in changes]),
        Column("", [effect(one) for one in changes], "<"),
    ]


def targets(one: dict[str, Any]) -> str:
    """`97%`, or `97% → 98%`."""
    return " → ".join(exact_share(target) for target in dict.fromkeys(one["target_ratio"]))


def verdicts(one: dict[str, Any]) -> str:
    """`met → missed`, or `met`."""
    return " → ".join(dict.fromkeys((one["before"], one["after"])))


def effect(one: dict[str, Any]) -> str:
    return paint(one["effect"], EFFECTS[one["effect"]])


def sentence_of(differences: dict[str, Any]) -> str:
    """What changed, the objectives first."""
    objectives = differences["objectives"]
    sentences = [
        f"'{clean(one['name'])}' goes from {one['before']} to {one['after']}."
        for one in objectives
        if one["before"] != one["after"]
    ]
    if objectives and not sentences:
        sentences = ["No objective changes its verdict."]
    slow = [
        one
        for one in differences["changes"]
        if one["key"].endswith(".latency_s.p99") and one["effect"] in CLEAR and one["ratio"]["value"]
    ]
    sentences += [rises_by(one) for one in slow]
    clear = Counter(one["effect"] for one in differences["changes"] if one["effect"] in CLEAR)
    total = plural(compared(differences), "number")
    if not clear:
        return " ".join([*sentences, f"Nothing changes clearly, of {total}."])
    words = [f"{clear[word]} {word}" for word in ("better", "worse") if clear[word]]
    words += [f"{clear['changed']} neither"] if clear["changed"] else []
    return " ".join([*sentences, f"{clear.total()} of {total} change clearly: {enumeration(words)}."])


def rises_by(one: dict[str, Any]) -> str:
    """`fulfilment p99 rises by 31%.`"""
    ratio = one["ratio"]["value"]
    word = "falls" if ratio < 0 else "rises"
    return f"{clean(one['name'])} {word} by {three_digits(abs(100 * ratio))}%."


def rest_of(differences: dict[str, Any], more: int) -> str:
    """How many more clear changes there are, or that there are none."""
    total = plural(compared(differences), "number")
    if more:
        return f"{more} more of {total} {'changes' if more == 1 else 'change'} clearly."
    is_any = any(one["effect"] in CLEAR for one in differences["changes"])
    return f"Nothing {'else ' if is_any else ''}changes clearly, of {total}."


def notes_of(differences: dict[str, Any]) -> list[str]:
    """Sentences on what else differs: the scenarios, how they were run, what only one of the two has."""
    return [
        *_scenario(differences["scenario"]),
        *differences["notes"],
        *(
            f"{word}: {enumeration([clean(name) for name in differences['missing'][side]])}."
            for word, side in (("No longer there", "before"), ("New", "after"))
            if differences["missing"][side]
        ),
    ]


def _scenario(changes: Sequence[ScenarioChange]) -> list[str]:
    if not changes:
        return []
    named = ", ".join(cut(clean(one.text), CHANGE_MOST) for one in changes[:SCENARIO_MOST])
    more = len(changes) - SCENARIO_MOST
    return [f"In the scenario: {named}{f' and {more} more' if more > 0 else ''}."]


def floor_of(differences: dict[str, Any]) -> str:
    """What counts as a clear change, and how often chance makes one."""
    why = differences["unpaired"]
    pairs = (
        f"The runs are independent, as {why}"
        if why
        else "Both met the same work, so what they have in common cancels"
    )
    return (
        f"Clear: the 95% interval of the difference leaves out 0, and the difference is at least"
        f" {100 * DIGIT_RATIO:g}% ({100 * BIN_RATIO:g}% of a percentile). {pairs}. Of the numbers that differ"
        " by chance alone, about 1 in 20 would seem clear."
    )
