"""A report as a comment of a pull request, in GitHub-flavoured Markdown: verdict first, and short."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from slosim.report import text_tables, text_verdict
from slosim.report.amounts import amount, change_of
from slosim.report.differences import NamedReport, differences_of
from slosim.report.layout import Column, clean, whole
from slosim.report.text import command_again
from slosim.report.text_differences import (
    floor_of,
    largest,
    notes_of,
    provenance_of,
    rest_of,
    sentence_of,
    targets,
    told_objectives,
    verdicts,
)
from slosim.report.units import duration, exact_share, plural, share

SIGNS = {"met": "✅", "missed": "❌", "undecided": "❔", "no objectives": "➖"}
EFFECT_SIGNS = {
    "better": "🟢",
    "worse": "🔴",
    "changed": "🔵",
    "unclear": "⚪",
    "same": "⚪",
    "undefined": "⚪",
}
FINDINGS_MOST = 5
CHANGES_MOST = 8
PARTS_MOST = 4
"""Parts of a latency that are named."""
MARKS = re.compile(r"[\\`*_{}\[\]<>|~&$]")
"""What would be markup wherever it stands."""
BEGINNINGS = re.compile(r"^(?:([#+=-])(?=[#=\s-]|$)|(\d+)([.)])(?=\s|$))")
"""What would be a heading, an item or a rule at the beginning of a line."""
ADDRESSES = re.compile(r":(?=//)|(?<=\bwww)\.", re.IGNORECASE)
"""What makes a link of an address that stands in the text."""
CALLS = re.compile(r"@(?=\w)|#(?=\d)|:(?=[\w+-]+:)")
"""What calls a person, names an issue or draws a picture, even where it is escaped."""
APART = "\u200b"
"""A space without width, which keeps a call from being one."""
ISOLATE, ISOLATED = "\u2068", "\u2069"
"""Around what runs from right to left, so that the rest of the line stays in its place."""


def markdown_of(data: dict[str, Any], source: str | None = None, baseline: NamedReport | None = None) -> str:
    """The whole comment.

    source    the scenario as the command that reproduces the report names it
    baseline  another report: what changes from it is told
    """
    verdict = data["verdict"]
    blocks = [
        [f"### {SIGNS[verdict]} {plain(data['scenario']['name'])}: {verdict}"],
        [plain(text_verdict.verdict_sentence(data)), *_stopped(data)],
        _objectives(data),
        [] if baseline is None else changes(differences_of(baseline.data, data), baseline.name),
        _findings(data),
        [_where_time_goes(name, flow) for name, flow in data["flows"].items() if flow["latency_s"]["count"]],
        _details(data),
        _again(data, source),
    ]
    return _joined(blocks)


def markdown_of_runs(runs: Sequence[NamedReport]) -> str:
    """Several reports, and what changes from the first one to each of the others."""
    first, *others = runs
    blocks: list[list[str]] = [
        [f"### What changes from {plain(first.name)}"],
        table(
            ["run", "verdict"],
            [[plain(one.name), plain(text_verdict.verdict_sentence(one.data))] for one in runs],
            [":--", ":--"],
        ),
    ]
    for run in others:
        blocks += [[f"#### {plain(run.name)}"], changes(differences_of(first.data, run.data), first.name)]
    blocks.append([f"<sub>{plain(provenance_of(runs))}</sub>"])
    return _joined(blocks)


def _joined(blocks: Sequence[Sequence[str]]) -> str:
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


# ---- text that arrives as it is ----------------------------------------------------------------------------


def plain(text: str) -> str:
    """Any text on one line, with nothing in it that Markdown or GitHub would take for more than text."""
    text = clean(text)
    is_rightwards = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    text = BEGINNINGS.sub(
        lambda found: f"{found[2] or ''}\\{found[1] or found[3]}", MARKS.sub(r"\\\g<0>", text)
    )
    text = CALLS.sub(rf"\g<0>{APART}", ADDRESSES.sub(r"\\\g<0>", text))
    return f"{ISOLATE}{text}{ISOLATED}" if is_rightwards else text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[str] = ()) -> list[str]:
    """A table of cells that are Markdown already; the first column to the left, the others to the right."""
    align = align or [":--", *["--:"] * (len(headings) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (headings, align, *rows)]


def _of_columns(columns: Sequence[Column]) -> list[str]:
    """A table of the text report; nothing where that is empty."""
    shown = whole(columns)
    rows = [[plain(cell) for cell in row] for row in zip(*(column.cells for column in shown), strict=True)]
    return table([column.title for column in shown], rows) if shown else []


# ---- what it tells -----------------------------------------------------------------------------------------


def _stopped(data: dict[str, Any]) -> list[str]:
    return [f"⚠️ Stopped early: {plain(data['run']['stopped'])}."] if "stopped" in data["run"] else []


def _objectives(data: dict[str, Any]) -> list[str]:
    rows = [
        [
            plain(one["name"]),
            exact_share(one["target_ratio"]),
            _measured(one),
            share(one["error_budget"]["remaining_in_run_ratio"]["value"]),
            f"{SIGNS[one['verdict']]} {one['verdict']}",
        ]
        for one in data["objectives"]
    ]
    if not rows:
        return []
    align = [":--", "--:", "--:", "--:", ":--"]
    return table(["objective", "target", "measured (95%)", "budget left", "verdict"], rows, align)


def _measured(objective: dict[str, Any]) -> str:
    """`97.45% (97.2% to 97.7%)`."""
    value = share(objective["sli_ratio"]["value"], text_verdict.decimals_of(objective))
    interval = text_verdict.interval_of(objective)
    return plain(f"{value} ({interval})" if interval else value)


def changes(differences: dict[str, Any], baseline: str) -> list[str]:
    """What changes clearly: objectives first, then the largest."""
    how = "independent runs" if differences["unpaired"] else "the same work"
    objectives = told_objectives(differences)
    shown, more = largest(differences, max(1, CHANGES_MOST - len(objectives)))
    rows = [_change(one["sli_ratio"], f"{one['name']} ({targets(one)})", _verdict(one)) for one in objectives]
    rows += [_change(one, one["name"]) for one in shown]
    align = [":--", "--:", "--:", "--:", ":--"]
    notes = [*notes_of(differences), *([rest_of(differences, more)] if shown else [])]
    return [
        f"**From {plain(baseline)}** ({how}): {plain(sentence_of(differences))}",
        *(["", *table(["number", "before", "after", "change (95%)", ""], rows, align), ""] if rows else [""]),
        f"{plain(' '.join(notes))} <sub>{plain(floor_of(differences))}</sub>",
    ]


def _verdict(objective: dict[str, Any]) -> str:
    """`, met → missed`, or `, still met`."""
    is_still = objective["before"] == objective["after"]
    return f", {'still ' if is_still else ''}{verdicts(objective)}"


def _change(one: dict[str, Any], name: str, more: str = "") -> list[str]:
    before, after = (amount(one[side]["value"], one["unit"]) for side in ("before", "after"))
    return [
        plain(name),
        plain(before),
        plain(after),
        plain(change_of(one)),
        f"{EFFECT_SIGNS[one['effect']]} {one['effect']}{more}",
    ]


def _findings(data: dict[str, Any]) -> list[str]:
    severe = [one["text"] for one in data["findings"] if one["rule"] in text_verdict.SEVERE]
    lines = [f"- {plain(text)}" for text in severe[:FINDINGS_MOST]]
    more = len(severe) - FINDINGS_MOST
    return [*lines, *([f"- and {plural(more, 'more finding')}"] if more > 0 else [])]


def _where_time_goes(name: str, flow: dict[str, Any]) -> str:
    """`fulfilment: p50 1.58 s, p99 24.4 s; of the mean 2.62 s payment.retry 17%, …; of the slowest 1% …`."""
    stat = flow["latency_s"]
    parts = text_tables.shares_of_latency(flow["where_time_goes_s"])
    told = [f"p50 {duration(stat['p50']['value'])}, p99 {duration(stat['p99']['value'])}"]
    for key, words in (
        ("mean", f"of the mean {duration(stat['mean']['value'])}"),
        ("slowest 1%", "of the slowest 1%"),
    ):
        ratios = sorted(((its[key][1], part) for part, its in parts.items()), reverse=True)[:PARTS_MOST]
        named = ", ".join(f"{part} {share(ratio, 0)}" for ratio, part in ratios if ratio >= 0.01)
        told += [f"{words} {named}"] if named else []
    return f"**{plain(name)}**: {plain('; '.join(told))}."


def _details(data: dict[str, Any]) -> list[str]:
    tables = [_of_columns(text_tables.services_columns(data)), _of_columns(text_tables.topics_columns(data))]
    tables = [its for its in tables if its]
    if not tables:
        return []
    lines = ["<details><summary>Services and topics</summary>", ""]
    for its in tables:
        lines += [*its, ""]
    return [*lines, "</details>"]


def _again(data: dict[str, Any], source: str | None) -> list[str]:
    """The command in a fence that nothing in it can close."""
    run, command = data["run"], command_again(data, source)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", command)), default=0))
    digest = data["scenario"]["digest"][:12]
    return [
        f"<sub>slosim {plain(run['version'])}, scenario {digest}, seed {run['seed']}. Again:</sub>",
        "",
        fence,
        command,
        fence,
    ]
