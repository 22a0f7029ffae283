"""Spells: times when everything that can work is busy, and what waits for it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from slosim.report.findings.evidence import Evidence

ALL_BUSY = 0.98
"""Mean over replications of the busy share of the slots from which on all of them count as busy."""
SHORTEST_SPELL_SAMPLES = 5
NOTABLE_RISE = 10.0
"""Rise of what waits during a spell, per slot or server, from which on it is worth telling."""


def worst_spell(
    busy: np.ndarray, waiting: np.ndarray, places: float, from_zero: bool = False
) -> tuple[int, int, int] | None:
    """First, last and highest index of the spell of busy samples in which `waiting` rises most.

    from_zero: all that waits counts, not only what comes to it in the spell.
    None without a spell that is worth telling: too short, or too small a rise for so many places.
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], busy, [False])).astype(np.int8)))
    spells = list(zip(edges[::2], edges[1::2] - 1, strict=True))
    if not spells:
        return None

    def rise(spell: tuple[int, int]) -> float:
        inside = waiting[spell[0] : spell[1] + 1]
        return float(inside.max() - (0.0 if from_zero else inside[0]))

    first, last = max(spells, key=rise)
    if last - first < SHORTEST_SPELL_SAMPLES or rise((first, last)) < NOTABLE_RISE * places:
        return None
    return int(first), int(last), int(first + np.argmax(waiting[first : last + 1]))


def busiest_mean(series: dict, of: str, first_s: float, last_s: float, length_s: float) -> float:
    """Highest mean of a reported series over a time of that length within [first, last]; nan without one."""
    times, values = np.array(series["t_s"]), np.array(series[of])
    inside = values[(times >= first_s) & (times <= last_s)]
    if len(times) < 2 or not len(inside):
        return float("nan")
    samples = min(len(inside), max(1, round(length_s / (times[1] - times[0]))))
    sums = np.concatenate(([0.0], np.cumsum(inside)))
    return float((sums[samples:] - sums[:-samples]).max() / samples)


def mean_between(series: dict, of: str, first_s: float, last_s: float) -> float:
    """Mean of a reported series over its samples in [first, last]; nan without one."""
    times, values = np.array(series["t_s"]), np.array(series[of])
    inside = values[(times >= first_s) & (times <= last_s)]
    return float(inside.mean()) if len(inside) else float("nan")


def mean_outside(evidence: Evidence, series: dict, of: str, first_s: float, last_s: float) -> float:
    """The same over the measured samples before and after; 0 without one."""
    times, values = np.array(series["t_s"]), np.array(series[of])
    outside = (times >= evidence.scenario.run.warmup) & ((times < first_s) | (times > last_s))
    return float(values[outside].mean()) if outside.any() else 0.0
