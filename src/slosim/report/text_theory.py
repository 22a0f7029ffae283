"""The text report's table of theory beside simulation."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from slosim.report.layout import Column, clean, cut, table, title, width_of
from slosim.report.units import duration, share

FORMS = {
    "wait_mean_s": ("mean wait", duration),
    "refused_ratio": ("refused", share),
    "expired_ratio": ("expired", share),
}
"""What is compared, by the name of its number, and its form. Busy slots are not shown: without a queue theory
has nothing to add."""


def theory_section(data: dict, width: int) -> list[str]:
    """One line for each station that has a closed form and a queue."""
    rows = list(_rows(data))
    if not rows:
        return []
    words = [FORMS[theory["tested"]][0] for _, theory in rows]
    columns = [
        Column("station", [clean(name) for name, _ in rows], "<"),
        Column("model", [("" if one["exact"] else "≈ ") + one["model"] for _, one in rows], "<"),
        *([Column("", words, "<")] if len(set(words)) > 1 else []),
        Column("simulated", [_simulated(theory) for _, theory in rows]),
        Column("theory", [_form(theory)(_numbers(theory)["theory"]) for _, theory in rows]),
    ]
    room = max(20, width - width_of(table(columns, width)[0]) - 2)
    columns.append(Column("what it leaves out", [cut(_against(theory), room) for _, theory in rows], "<"))
    of_what = "" if len(set(words)) > 1 else f"{words[0]} "
    note = f"{of_what}at the arrival rate of the run; ± of the difference"
    if not all(theory["exact"] for _, theory in rows):
        note += "; ≈ an approximation"
    return [title("THEORY", note, width), *table(columns, width)]


def _numbers(theory: dict) -> dict:
    return theory["compared"][theory["tested"]]


def _form(theory: dict) -> Callable[[float | None], str]:
    return FORMS[theory["tested"]][1]


def _rows(data: dict) -> Iterator[tuple[str, dict]]:
    for kind in ("services", "dependencies"):
        for name, its in data[kind].items():
            if its["theory"] is not None and its["theory"]["tested"] in FORMS:
                yield name, its["theory"]


def _simulated(theory: dict) -> str:
    form, numbers = _form(theory), _numbers(theory)
    text, difference = form(numbers["simulated"]["value"]), numbers["difference"]
    if difference["low"] is None:
        return text
    return f"{text} ± {form((difference['high'] - difference['low']) / 2)}"


def _against(theory: dict) -> str:
    against = dict.fromkeys(why for one in theory["assumptions"] for why in one["against"])
    return clean(", ".join(against)) or "nothing"
