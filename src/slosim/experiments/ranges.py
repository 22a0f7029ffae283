"""Lists of values as people write them: `6,12,24`, `2..12`, `100/s..400/s:5`, `1..64:x2`.

Values stay text, as in a scenario file; what a range lies between is computed exactly, in decimals. Ends
that are whole numbers without a unit give whole numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from slosim.model.values import (
    Mistake,
    did_you_mean,
    parse_duration,
    parse_rate,
    quoted,
    write_duration,
    write_rate,
)

ACCEPTED = "values: a list 6,12,24; every whole number 2..12; five values 100/s..400/s:5; by factors 1..64:x2"
VALUES_MOST = 10_000
DIGITS = 6
"""Significant digits of what a range puts between its ends: 1/s..2/s:4 is 1/s, 1.33333/s, 1.66667/s, 2/s."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_RANGE = re.compile(
    rf"(?P<low>{_NUMBER})(?P<low_unit>[a-z%/]*)\.\.(?P<high>{_NUMBER})(?P<high_unit>[a-z%/]*)"
    rf"(?:\s*:\s*(?P<factor>x?)(?P<step>{_NUMBER}))?"
)
_LIKE_RANGE = re.compile(r"-?\.?[0-9][^\s/]*(/[a-z]+)?\s*\.\.")
_OPENING, _CLOSING = "[{(", "]})"


class _Range(NamedTuple):
    """From low to high in one unit; in seconds or events per second where the ends have different ones."""

    low: Decimal
    high: Decimal
    unit: str
    kind: str = ""

    def write(self, value: Decimal) -> str:
        if self.kind == "duration":
            return write_duration(float(value))
        if self.kind == "rate":
            return write_rate(float(value))
        number = value.normalize()
        return f"{number:f}{self.unit}"

    @property
    def is_whole(self) -> bool:
        return not self.unit and not self.kind and self.low == int(self.low) and self.high == int(self.high)


def expanded(text: str) -> tuple[str, ...]:
    """Each value of a list of values and ranges, once, in the order written.

    Raises:
        Mistake: a list or range that cannot be read.
    """
    values: dict[str, None] = {}
    for item in _items(text):
        for value in _values(item):
            values[value] = None
            if len(values) > VALUES_MOST:
                raise Mistake(f"expected at most {VALUES_MOST:,} values")
    return tuple(values)


def _items(text: str) -> list[str]:
    """The parts between commas that stand outside of brackets and quotes."""
    items, depth, quote, begin = [], 0, "", 0
    for place, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
        elif character == "," and depth == 0:
            items.append(text[begin:place].strip())
            begin = place + 1
    items.append(text[begin:].strip())
    if depth or quote:
        raise Mistake(f"expected every bracket and quote to be closed, got {quoted(text)}")
    if not all(items):
        raise Mistake(f"expected a value between commas, got {quoted(text)}")
    return items


def _values(item: str) -> Iterator[str]:
    """The values of a range, or the item itself."""
    if ".." not in item or not _LIKE_RANGE.match(item):
        yield item
        return
    found = _RANGE.fullmatch(item)
    if found is None:
        raise Mistake(f"expected a range, got {quoted(item)}")
    its = _range(item, found)
    if its.low >= its.high:
        raise Mistake(
            f"expected a range from a smaller to a larger value, got {quoted(item)}",
            did_you_mean(_turned(found)) if its.low > its.high else "",
        )
    step = found["step"]
    if step is None:
        yield from _whole_numbers(item, its)
    elif found["factor"]:
        yield from _by_factors(item, its, Decimal(step))
    else:
        yield from _evenly(item, its, step)


def _range(item: str, found: re.Match[str]) -> _Range:
    low, low_unit, high, high_unit = found.group("low", "low_unit", "high", "high_unit")
    if low_unit == high_unit:
        return _Range(Decimal(low), Decimal(high), low_unit)
    for kind, parse in (("duration", parse_duration), ("rate", parse_rate)):
        if not (low_unit and high_unit):
            break
        try:
            ends = [Decimal(repr(parse(text))) for text in (low + low_unit, high + high_unit)]
        except Mistake:
            continue
        return _Range(ends[0], ends[1], "", kind)
    meant = item.replace("..", f"{high_unit}..", 1) if not low_unit else ""
    raise Mistake(
        f"expected a range whose ends have units of one kind, got {quoted(item)}",
        did_you_mean(meant) if meant else "",
    )


def _turned(found: re.Match[str]) -> str:
    behind = found.string[found.end("high_unit") :]
    return f"{found['high']}{found['high_unit']}..{found['low']}{found['low_unit']}{behind}"


def _whole_numbers(item: str, its: _Range) -> Iterator[str]:
    if not its.is_whole:
        raise Mistake(f"expected how many values, got {quoted(item)}", did_you_mean(f"{item}:5"))
    return (str(number) for number in range(int(its.low), int(its.high) + 1))


def _evenly(item: str, its: _Range, text: str) -> Iterator[str]:
    if not text.isdecimal() or int(text) < 2:
        raise Mistake(
            f"expected a number of values of at least 2 behind ':', got {quoted(item)}",
            did_you_mean(f"{item.rpartition(':')[0]}:x{text}") if "." in text else "",
        )
    count = int(text)
    if its.is_whole and count > its.high - its.low + 1:
        within = item.rpartition(":")[0].strip()
        raise Mistake(
            f"{within} has only {its.high - its.low + 1:.0f} whole numbers, got {quoted(item)}",
            did_you_mean(within),
        )
    step = (its.high - its.low) / (count - 1)
    between = (its.low + number * step for number in range(1, count - 1))
    return (its.write(value) for value in (its.low, *(_rounded(its, one) for one in between), its.high))


def _by_factors(item: str, its: _Range, factor: Decimal) -> Iterator[str]:
    if factor <= 1 or its.low == 0:
        what = "a factor above 1" if its.low else "a start above 0"
        raise Mistake(f"expected {what}, got {quoted(item)}")
    value = its.low
    for _ in range(VALUES_MOST):
        if value > its.high:
            return
        yield its.write(_rounded(its, value))
        value *= factor
    raise Mistake(f"expected at most {VALUES_MOST:,} values, got {quoted(item)}")


def _rounded(its: _Range, value: Decimal) -> Decimal:
    """A whole number, or so many digits."""
    if its.is_whole:
        return value.quantize(Decimal(1), ROUND_HALF_EVEN)
    return Decimal(f"{value:.{DIGITS}g}")
