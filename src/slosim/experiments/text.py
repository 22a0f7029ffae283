"""How experiments write their numbers: sections as one text; `report/amounts.py` has the numbers."""

from __future__ import annotations

from collections.abc import Sequence

from slosim.report.amounts import (
    EFFECTS,
    amount,
    change_of,
    points,
    relative,
    signed,
    signed_value,
    two_digits,
    with_interval,
)
from slosim.report.layout import finish

__all__ = [
    "EFFECTS",
    "amount",
    "change_of",
    "finished",
    "points",
    "relative",
    "signed",
    "signed_value",
    "two_digits",
    "with_interval",
]


def finished(sections: Sequence[list[str]], colour: bool) -> str:
    """Sections with an empty line between them, as one text."""
    lines: list[str] = []
    for section in sections:
        if section:
            lines += [*([""] if lines else []), *section]
    return finish(lines, colour)
