"""The kinds of experiments, in one table: where the code of each is, and what its result holds."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """home: its package here; parts: what every result has besides `format`, `version` and `stopped`."""

    home: str
    parts: tuple[str, ...]


KINDS = {
    "compare": Kind(
        "compare", ("run", "before", "after", "objectives", "changes", "where_time_goes_s", "pairing")
    ),
    "sweep": Kind("sweep", ("scenario", "run", "axes", "quantities", "base", "rows", "flips")),
    "sensitivity": Kind(
        "sensitivity", ("scenario", "run", "by_ratio", "quantities", "base", "variations", "not_varied")
    ),
    "size": Kind(
        "size",
        (
            *("name", "services", "run", "demands", "vary", "cost_unit", "notes", "file", "answer"),
            *("nearest", "floor", "proof", "cheaper", "unmet", "limits", "steps", "front", "not_monotone"),
        ),
    ),
    "break": Kind("breaks", ("run", "reference", "triggers", "stresses", "left_out", "unfinished", "source")),
}
"""By the name of the command."""


def format_of(kind: str) -> str:
    """What the file of an experiment calls itself."""
    return f"slosim-{kind}/1"


FORMATS = {format_of(kind): kind for kind in KINDS}
"""The kind of each format."""
