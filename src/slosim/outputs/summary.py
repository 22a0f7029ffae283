"""A report in short, for notebooks: HTML without scripts and style sheets, on light and dark paper alike.

Notebooks and the sites that show them strip what they do not trust; what is left then still reads well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from slosim.report import text_verdict
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.report.text_tables import POINTS
from slosim.report.units import clock, count, duration, exact_share, plural, share

COLOURS = {MET: "#14693d", MISSED: "#c62828", UNDECIDED: "#9a6200"}
"""Of a verdict: white letters on it, and it on white and on black, can be read."""
OTHER = "#556070"
CELL = "padding: .2em .8em .2em 0; border-bottom: 1px solid rgba(128, 128, 128, .35)"
FINDINGS_MOST = 5


def summary_of(data: dict[str, Any]) -> str:
    """The verdict, objectives, percentiles of flows, and what limits the system."""
    return f'<div class="slosim">{"".join(_parts(data))}</div>'


def _parts(data: dict[str, Any]) -> Iterable[str]:
    run = data["run"]
    yield _paragraph(
        f"{_badge(data['verdict'])} <strong>{_words(data['scenario']['name'])}</strong>:"
        f" {_words(text_verdict.verdict_sentence(data).partition('. ')[2])}"
    )
    if "stopped" in run:
        yield _paragraph(f"Stopped early, at {clock(run['ended_s'])}: {_words(run['stopped'])}.")
    if data["objectives"]:
        headings = ("objective", "", "target", "measured", "95% interval", "burn rate", "budget left")
        yield _table(headings, [_objective(one) for one in data["objectives"]])
    flows = {name: flow for name, flow in data["flows"].items() if flow["latency_s"]["count"]}
    if flows:
        yield _table(
            ("latency", "completed", *POINTS, "max"), [_flow(name, one) for name, one in flows.items()]
        )
    severe = [one["text"] for one in data["findings"] if one["rule"] in text_verdict.SEVERE]
    if severe:
        more = len(severe) - FINDINGS_MOST
        items = [_words(text) for text in severe[:FINDINGS_MOST]] + ([f"and {more} more"] if more > 0 else [])
        yield f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"
    yield _paragraph(
        f"<small>{plural(run['replications'], 'replication')} of {clock(run['duration_s'])},"
        f" seed {run['seed']}, slosim {_words(run['version'])}</small>"
    )


def _objective(one: dict[str, Any]) -> list[str]:
    budget = one["error_budget"]
    return [
        _words(one["name"]),
        _badge(one["verdict"]),
        exact_share(one["target_ratio"]),
        share(one["sli_ratio"]["value"], text_verdict.decimals_of(one)),
        text_verdict.interval_of(one),
        text_verdict.times(budget["burn_rate"]["value"]),
        share(budget["remaining_in_run_ratio"]["value"]),
    ]


def _flow(name: str, flow: dict[str, Any]) -> list[str]:
    stat = flow["latency_s"]
    points = [duration(stat[point]["value"]) for point in POINTS]
    return [_words(name), count(flow["completed"]["value"]), *points, duration(stat["max"])]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(_cell("th", index, text) for index, text in enumerate(headings))
    body = "".join(
        f"<tr>{''.join(_cell('td', index, text) for index, text in enumerate(row))}</tr>" for row in rows
    )
    style = "color: inherit; border-collapse: collapse"
    return f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(tag: str, index: int, text: str) -> str:
    return f'<{tag} style="text-align: {"right" if index else "left"}; {CELL}">{text}</{tag}>'


def _badge(verdict: str) -> str:
    colour = COLOURS.get(verdict, OTHER)
    style = f"background: {colour}; color: #fff; padding: .1em .5em; border-radius: .8em; font-size: .85em"
    return f'<strong style="{style}">{escape(verdict)}</strong>'


def _paragraph(html: str) -> str:
    return f'<p style="margin: .4em 0">{html}</p>'


def _words(text: str) -> str:
    """Text of the user's: escaped, and in a direction of its own."""
    return f"<bdi>{escape(text)}</bdi>"
