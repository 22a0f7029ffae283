"""How pages of experiments show verdicts and effects: classes of the style sheet, and legends of those that
occur.
"""

from __future__ import annotations

from collections.abc import Sequence

from slosim.experiments.text import MARKS, MISSING
from slosim.report.objectives import MET, MISSED, UNDECIDED

VERDICTS = {MET: "good", MISSED: "bad", UNDECIDED: "unsure", MISSING: "soft", "": "c0"}
PAPERS = {MET: "good-paper", MISSED: "bad-paper", UNDECIDED: "unsure-paper", MISSING: "card", "": "card"}
"""Behind a verdict."""
EFFECTS = {
    "better": "good",
    "worse": "bad",
    "changed": "c0",
    "unclear": "soft",
    "same": "soft",
    "undefined": "soft",
}


def legend_of_verdicts(verdicts: Sequence[str]) -> list[tuple[str, str]]:
    return [(VERDICTS[one], one) for one in (MET, UNDECIDED, MISSED) if one in verdicts]


def legend_of_papers(verdicts: Sequence[str]) -> list[tuple[str, str]]:
    """With their marks."""
    return [(PAPERS[one], f"{MARKS[one]} {one}") for one in (MET, UNDECIDED, MISSED) if one in verdicts]


def legend_of_effects(effects: Sequence[str]) -> list[tuple[str, str]]:
    """As one where they look alike."""
    found: dict[str, list[str]] = {}
    for effect, look in EFFECTS.items():
        if effect in effects:
            found.setdefault(look, []).append(effect)
    return [(look, " or ".join(words)) for look, words in found.items()]
