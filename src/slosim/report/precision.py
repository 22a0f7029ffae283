"""Relative precision: whether the intervals of a report are as narrow as was asked for, and what it would
take.
"""

from __future__ import annotations

import math
from typing import NamedTuple

MARGIN = 1.1
"""More than the square-root law asks for, as the spread is itself an estimate."""


class Width(NamedTuple):
    """Half the width of an interval over its value; None: there is a value, but no interval."""

    subject: str
    name: str
    ratio: float | None


def widths(data: dict) -> list[Width]:
    """Relative half-widths of what a precision is asked of: the SLI of every objective, the p99 of every
    flow.

    An interval that is not symmetric counts with its longer side; what is undefined or zero has no relative
    width.
    """
    estimates = [
        (f"objectives.{one['name']}", f"'{one['name']}'", one["sli_ratio"]) for one in data["objectives"]
    ]
    estimates += [
        (f"flows.{name}", f"the p99 latency of {name}", flow["latency_s"]["p99"])
        for name, flow in data["flows"].items()
    ]
    return [Width(subject, name, _relative(one)) for subject, name, one in estimates if one["value"]]


def _relative(estimate: dict) -> float | None:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    return None if low is None else max(high - value, value - low) / value


def replications_wanted(data: dict, precision: float) -> int:
    """Replications until every width is at most `precision`, by the square-root law; those of the report if
    it is.
    """
    count = data["run"]["replications"]
    wanted = count
    for width in widths(data):
        if width.ratio is None:
            wanted = max(wanted, 2 * count)
        elif width.ratio > precision:
            needed = MARGIN * count * (width.ratio / precision) ** 2
            wanted = max(wanted, count + 1, math.ceil(min(needed, 1e9)))
    return wanted
