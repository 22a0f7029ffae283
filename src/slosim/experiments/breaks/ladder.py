"""Ladders: a stress is raised rung by rung until something breaks, then bisection finds where.

The searches are generators: they yield the level to try, and are sent whether it broke. Who drives them
decides what is simulated, and can advance many side by side. They take it for granted that what breaks at
one level breaks above it too.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Generator
from dataclasses import dataclass
from typing import NamedTuple

RESOLUTION = 0.05
"""Bisection ends when the level that breaks is at most this share above the one that holds."""


class Bracket(NamedTuple):
    """Where it breaks: between `holds`, the base if nothing higher is known to hold, and `breaks`; None: not
    even at the top of the ladder.
    """

    holds: float
    breaks: float | None


Search = Generator[float, bool, Bracket]


@dataclass(frozen=True)
class Ladder:
    """Levels of one stress.

    base   level without stress; it is never tried
    rungs  ascending, above the base; each about as much worse than the one before, so that the share of the
           ladder that holds is a scale on which stresses of different kinds can be compared
    whole  levels are whole numbers
    """

    base: float
    rungs: tuple[float, ...]
    whole: bool = False

    @property
    def most(self) -> float:
        return self.rungs[-1]

    def between(self, low: float, high: float) -> float | None:
        """The level to try next; None: they are close enough, or nothing lies below the first rung."""
        if self.whole:
            return float((low + high) // 2) if high - low > 1 else None
        if low <= 0 or high <= low * (1 + RESOLUTION):
            return None
        middle = rounded(math.sqrt(low * high))
        return middle if low < middle < high else None

    def below(self, level: float) -> float:
        """A step down, at lowest to the base."""
        if level <= self.rungs[0]:
            return self.base
        return max(self.base, level - 1 if self.whole else rounded(level / (1 + RESOLUTION)))

    def above(self, level: float) -> float | None:
        """A step up; None: there is none."""
        if level >= self.most:
            return None
        return min(self.most, level + 1 if self.whole else rounded(level * (1 + RESOLUTION)))

    def margin(self, holds: float) -> float:
        """The share of the ladder up to a level that holds, from 0 to 1; straight lines between rungs."""
        marks = (self.base, *self.rungs)
        upper = min(bisect_left(marks, holds), len(marks) - 1)
        if upper == 0:
            return 0.0
        inside = (holds - marks[upper - 1]) / (marks[upper] - marks[upper - 1])
        return min(1.0, (upper - 1 + inside) / len(self.rungs))


def rounded(level: float) -> float:
    """Three significant digits: levels are to be read and written down."""
    return float(f"{level:.3g}")


def climb(ladder: Ladder) -> Search:
    """Up the rungs to the first that breaks, then bisection."""
    low, high = ladder.base, None
    for rung in ladder.rungs:
        if (yield rung):
            high = rung
            break
        low = rung
    return (yield from _bisect(ladder, low, high))


def descend(ladder: Ladder) -> Search:
    """For what is not expected to break at all: the top first, and only if that breaks the rest."""
    if not (yield ladder.most):
        return Bracket(ladder.most, None)
    return (yield from climb(ladder))


def confirm(ladder: Ladder, bracket: Bracket) -> Search:
    """The bracket once more, with a sharper eye: it moves in small steps to where it is right."""
    low, high = bracket
    while low > ladder.base and (yield low):
        low, high = ladder.below(low), low
    while high is not None and not (yield high):
        low, high = high, ladder.above(high)
    return (yield from _bisect(ladder, low, high))


def _bisect(ladder: Ladder, low: float, high: float | None) -> Search:
    while high is not None and (middle := ladder.between(low, high)) is not None:
        if (yield middle):
            high = middle
        else:
            low = middle
    return Bracket(low, high)
