"""Numbers as people write them: 40 ms, 12.3k, 99.21%, 1h30m. Used by the findings and by the text report."""

from __future__ import annotations

import math
from decimal import Decimal

NOTHING = "–"
"""Shown for an undefined number."""

SHORTEST_S = 1e-9
"""What is shorter is 0, as in the lowest bucket of histograms: rounding errors look like this."""

_DURATIONS = (
    (1e-3, 1e6, "µs"),
    (1.0, 1e3, "ms"),
    (120.0, 1.0, "s"),
    (7_200.0, 1 / 60, "min"),
    (172_800.0, 1 / 3_600, "h"),
)


def three_digits(number: float) -> str:
    """Three significant digits without an exponent: 0.0123, 1.23, 12.3, 123, 1234."""
    if number == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(number))))
    text = f"{number:.{decimals}f}"
    if decimals and abs(float(text)) >= 10 ** (3 - decimals):  # rounded up to one digit more: 9.996 -> 10.0
        text = f"{number:.{decimals - 1}f}"
    return text


def duration(seconds: float | None) -> str:
    """A length of time: 250 µs, 40.0 ms, 1.23 s, 12.3 min, 5.20 h, 3.10 d."""
    if seconds is None:
        return NOTHING
    size = abs(seconds)
    if size < SHORTEST_S:
        return "0"
    for below, factor, unit in _DURATIONS:
        if size < below * 0.9995:
            return f"{three_digits(seconds * factor)} {unit}"
    return f"{three_digits(seconds / 86_400)} d"


def clock(seconds: float) -> str:
    """A point in time, or a round length of time, in the language's notation: 0s, 250ms, 45s, 30m7.2s."""
    whole, parts = round(seconds, 1) if seconds >= 1 else seconds, []
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "m")):
        count = int(whole // unit)
        whole -= count * unit
        if count:
            parts.append(f"{count}{name}")
    if whole or not parts:
        text = f"{whole:.1f}".removesuffix(".0") + "s"
        if not parts and 0 < whole < 1:
            text = f"{1e3 * whole:.12g}ms" if whole >= 1e-3 else f"{1e6 * whole:.12g}us"
        if text != "0s" or not parts:
            parts.append(text)
    return "".join(parts)


def count(number: float | None) -> str:
    """How many, in full: 0, 12, 12.3 (a mean), 12,345."""
    if number is None:
        return NOTHING
    if number == round(number) or abs(number) >= 1_000:
        return f"{number:,.0f}"
    return three_digits(number)


def short(number: float | None) -> str:
    """How many, in three digits: 0.12, 12.3, 123, 1.23k, 12.3M."""
    if number is None:
        return NOTHING
    if number == round(number) and abs(number) < 1_000:
        return f"{number:.0f}"
    if abs(number) < 0.0005:
        return "<0.001"
    for below, factor, suffix in ((1e3, 1.0, ""), (1e6, 1e-3, "k"), (1e9, 1e-6, "M")):
        if abs(number) < below * 0.9995:
            return three_digits(number * factor) + suffix
    return three_digits(number * 1e-9) + "G"


def share(ratio: float | None, decimals: int | None = None) -> str:
    """A ratio in percent; without `decimals`, two digits of its distance to 0% or 100%."""
    if ratio is None:
        return NOTHING
    if decimals is None:
        decimals = share_decimals(ratio)
    text = f"{100 * ratio:.{decimals}f}"
    if ratio in (0, 1):
        return f"{100 * ratio:.0f}%"
    if not text.strip("-0."):
        return f"<{10.0**-decimals:.{decimals}f}%"
    if text.startswith("100") and ratio < 1:
        return f">{100 - 10.0**-decimals:.{decimals}f}%"
    return f"{text}%"


def exact_share(ratio: float) -> str:
    """A ratio that someone wrote, in percent as it was written: 99.5%."""
    return f"{float(100 * Decimal(repr(ratio))):.12g}%"


def share_decimals(ratio: float, most: int = 6) -> int:
    """Decimals of the percentage that show two digits of the distance to 0% or 100%, whichever is nearer."""
    distance = min(abs(ratio), abs(1 - ratio)) * 100
    if distance == 0:
        return 0
    return min(most, max(1, 1 - math.floor(math.log10(distance))))


def enumeration(names: list[str]) -> str:
    """a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def plural(number: float, one: str, many: str | None = None) -> str:
    """`3 instances`, `1 instance`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
