"""How experiments write their numbers: sections as one text; `report/amounts.py` has the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slosim.report.layout import finish, paint, paragraph
from slosim.report.objectives import MET, MISSED, UNDECIDED

MARKS = {MET: "✓", MISSED: "✗", UNDECIDED: "?", None: ""}
"""Of verdicts."""
MISSING = "missing"
"""In place of what was not simulated before the end."""


class Said(NamedTuple):
    """A paragraph for people; style as of `paint`, or empty."""

    text: str
    style: str = ""


def stopped_early(data: Mapping[str, Any], what: str) -> list[Said]:
    """That an experiment ended before its time, and what that means for what is shown; nothing if it did
    not.
    """
    return [Said(f"Stopped early: {data['stopped']}. {what}", "yellow")] if data["stopped"] else []


def wrapped(said: Sequence[Said], width: int) -> list[str]:
    """Paragraphs as lines of a text."""
    return [
        paint(line, one.style) if one.style else line for one in said for line in paragraph(one.text, width)
    ]


def finished(sections: Sequence[list[str]], colour: bool) -> str:
    """Sections with an empty line between them, as one text."""
    lines: list[str] = []
    for section in sections:
        if section:
            lines += [*([""] if lines else []), *section]
    return finish(lines, colour)
