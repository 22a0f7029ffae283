"""How changes are written: values with units, differences with signs and intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from slosim.measure.changes import is_told_as_ratio
from slosim.report.units import NOTHING, duration, share, short, three_digits

EFFECTS = {
    "better": "green",
    "worse": "red",
    "unclear": "dim",
    "same": "dim",
    "changed": "bold",
    "undefined": "dim",
}
"""How each effect is painted."""


def amount(value: float | None, unit: str) -> str:
    """A value with its unit: 24.4 s, 97.45%, 1.19."""
    if value is None:
        return NOTHING
    if unit == "s":
        return duration(value)
    if unit == "ratio":
        return share(value)
    return short(value)


def with_interval(estimate: dict[str, Any], unit: str) -> str:
    """`24.4 s [22.0, 26.8]`."""
    if estimate["low"] is None:
        return amount(estimate["value"], unit)
    low, high = (amount(estimate[key], unit) for key in ("low", "high"))
    return f"{amount(estimate['value'], unit)} [{low}, {high}]"


Digits = Callable[[float], str]


def two_digits(number: float) -> str:
    """Two significant digits, whole numbers in full: 0.012, 1.2, 12, 123; for narrow columns."""
    if number == 0:
        return "0"
    decimals = max(0, 1 - math.floor(math.log10(abs(number))))
    return f"{number:.{decimals}f}"


def relative(ratio: dict[str, Any], digits: Digits = three_digits) -> str:
    """A relative change: `-31% [-38, -24]`."""
    if ratio["value"] is None:
        return NOTHING
    value = f"{_signed(100 * ratio['value'], digits)}%"
    if ratio["low"] is None:
        return value
    return f"{value} [{_signed(100 * ratio['low'], digits)}, {_signed(100 * ratio['high'], digits)}]"


def points(difference: dict[str, Any], digits: Digits = three_digits) -> str:
    """The difference of two shares in percentage points: `+0.45 [+0.41, +0.49]`."""
    if difference["value"] is None:
        return NOTHING
    value = _signed(100 * difference["value"], digits)
    if difference["low"] is None or difference["low"] == difference["high"]:
        return value
    low, high = (_signed(100 * difference[bound], digits) for bound in ("low", "high"))
    return f"{value} [{low}, {high}]"


def signed(difference: dict[str, Any], unit: str) -> str:
    """A difference with its unit and interval: `-12.3 s [-15.0 s, -9.60 s]`."""
    value = signed_value(difference["value"], unit)
    if difference["low"] is None or difference["low"] == difference["high"]:
        return value
    low, high = (signed_value(difference[key], unit) for key in ("low", "high"))
    return f"{value} [{low}, {high}]"


def signed_value(value: float | None, unit: str) -> str:
    """A value that may go either way: `+12.3 s`."""
    return ("+" if value is not None and value > 0 else "") + amount(value, unit)


def change_of(entry: dict[str, Any]) -> str:
    """A change as people put it: points for shares, else relative, else with its unit where there was
    nothing.
    """
    if is_told_as_ratio(entry["unit"], entry["ratio"]["value"]):
        return relative(entry["ratio"])
    if entry["unit"] == "ratio":
        return f"{points(entry['difference'])} pt"
    return signed(entry["difference"], entry["unit"])


def _signed(number: float, digits: Digits) -> str:
    return ("+" if number > 0 else "") + digits(number)
