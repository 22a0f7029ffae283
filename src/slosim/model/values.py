"""Scalars of the scenario language: text to number and back.

Every scalar is read as text and parsed by the type of its field. Parsing is exact (decimal arithmetic,
rounded once to a float) and every `write_*` gives the shortest text that parses to the same float again.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from decimal import Decimal, DecimalException

SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": Decimal("1e-3"), "us": Decimal("1e-6")}
PER_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
NAME_LENGTH_MAX = 200
COUNT_MAX = 2**53  # beyond it a float no longer holds every integer

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER_ONLY = re.compile(_NUMBER)
_DURATION_PART = re.compile(rf"({_NUMBER})(us|ms|s|m|h|d)")
_NOT_FINITE = re.compile(r"[+-]?(\.?inf(inity)?|\.?nan)", re.IGNORECASE)
_NAME = re.compile(r"[\w.\-]+")
_UNIT_WORDS = {
    "us": "us µs μs usec microsecond microseconds",
    "ms": "ms msec millis millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
}
_UNITS_MEANT = {word: unit for unit, words in _UNIT_WORDS.items() for word in words.split()}
_RATE_UNITS_MEANT = _UNITS_MEANT | dict.fromkeys(_UNIT_WORDS["m"].split(), "min")


class Mistake(Exception):
    """A scalar that its field cannot take. `what` fits before ", got …"; `suggestion` is a whole sentence or
    empty.

    complete  `what` already says all that would be accepted
    """

    def __init__(self, what: str, suggestion: str = "", complete: bool = False) -> None:
        self.what = what
        self.suggestion = suggestion
        self.complete = complete
        super().__init__(what)


# --- words for messages
# ------------------------------------------------------------------------------------------


def show(text: str, longest: int = 60) -> str:
    """Text as it can stand in a message: on one line, of bounded length, without control characters."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    if re.fullmatch(r"[\w.+\-/%]+…?", cut):
        return cut
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut) + "'"


def did_you_mean(text: str) -> str:
    return f"did you mean {quoted(text)}?"


def quoted(text: str) -> str:
    """A name in quotes, of bounded length and without control characters."""
    shown = show(text)
    return shown if shown.startswith("'") else f"'{shown}'"


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` most like `word`, or empty if none is much like it."""
    by_lower = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    close = difflib.get_close_matches(word[:NAME_LENGTH_MAX].lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


def listed(words: Iterable[str], longest: int = 12) -> str:
    """Words joined by commas, a long list shortened."""
    known = list(words)
    shown = ", ".join(show(word) for word in known[:longest])
    return shown if len(known) <= longest else f"{shown} and {len(known) - longest} more"


# --- numbers
# -----------------------------------------------------------------------------------------------------


def parse_number(text: str) -> float:
    """A decimal number with an optional exponent, finite and not negative."""
    return _finite(_decimal(text))


def write_number(value: float) -> float | int:
    """The number as JSON and YAML write it: without a fraction where there is none."""
    return int(value) if value == int(value) and abs(value) < COUNT_MAX else value


def parse_count(text: str, minimum: int = 0, maximum: int = COUNT_MAX) -> int:
    """An integer written with digits only."""
    if re.fullmatch(r"0|[1-9][0-9]{0,16}", text):
        count = int(text)
        if count < minimum:
            raise Mistake(f"expected an integer of at least {minimum}", complete=True)
        if count > maximum:
            raise Mistake(f"expected an integer of at most {maximum}", complete=True)
        return count
    if re.fullmatch(r"[1-9][0-9]*", text):
        raise Mistake(f"expected an integer of at most {maximum}", complete=True)
    what = f"expected an integer of at least {minimum}"
    digits = re.sub(r"[_,' ]", "", text)
    if re.fullmatch(r"[0-9]{1,16}", digits) and minimum <= int(digits) <= maximum:
        raise Mistake(what, did_you_mean(str(int(digits))))
    try:
        number = float(text)
    except ValueError:
        raise Mistake(what) from None
    if math.isfinite(number) and number == int(number) and minimum <= number <= maximum:
        raise Mistake(what, did_you_mean(str(int(number))))
    raise Mistake(what)


def _decimal(text: str, noun: str = "a number") -> Decimal:
    if not _NUMBER_ONLY.fullmatch(text):
        bare = re.sub(r"[_ ']|,(?=[0-9]{3}(?:[,.]|$))", "", text.removeprefix("+")).replace(",", ".")
        meant = did_you_mean(bare) if bare != text and _NUMBER_ONLY.fullmatch(bare) else ""
        if re.fullmatch(rf"-{_NUMBER}", text):
            raise Mistake(f"expected {noun} that is not negative", complete=True)
        if _NOT_FINITE.fullmatch(text):
            raise Mistake(f"expected {noun} that is finite", complete=True)
        raise Mistake(f"expected {noun}", meant)
    if re.match(r"0[0-9]", text):
        raise Mistake(
            f"expected {noun} without a leading zero",
            complete=True,
            suggestion=did_you_mean(text.lstrip("0") or "0"),
        )
    try:
        return Decimal(text)
    except DecimalException:
        raise Mistake(f"expected {noun} that a computer can hold", complete=True) from None


def _finite(number: Decimal, factor: Decimal | int = 1, divisor: int = 1) -> float:
    """number x factor / divisor as a float; infinity, and a positive number that rounds to 0, are refused."""
    try:
        value = float(number * factor / divisor)
    except (DecimalException, OverflowError):
        value = math.inf
    if not math.isfinite(value) or (value == 0 and number != 0):
        raise Mistake("expected a number that a computer can hold", complete=True)
    return value


def _shortest(value: float) -> Decimal:
    return Decimal(repr(float(value)))


def _plain(number: Decimal) -> str:
    """Digits without a needless exponent or trailing zeros."""
    number = number.normalize()
    if number == 0:
        return "0"
    if -7 <= number.adjusted() <= 17:
        return format(number, "f")
    return format(number, "e").replace("e+", "e")


# --- durations
# ---------------------------------------------------------------------------------------------------


def parse_duration(text: str) -> float:
    """Seconds of `250ms`, `1.5s`, `1h30m`: units descending, each once; a bare number is seconds."""
    if _NUMBER_ONLY.fullmatch(text) or not text:
        return _finite(_decimal(text, "a duration"))
    parts = _DURATION_PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise _duration_mistake(text)
    order = [list(SECONDS).index(unit) for _, unit in parts]
    if order != sorted(set(order)):
        raise Mistake("expected a duration whose units descend, each used once", _duration_meant(parts))
    numbers = [_decimal(number, "a duration") for number, _ in parts]
    try:
        total = sum(
            (number * SECONDS[unit] for number, (_, unit) in zip(numbers, parts, strict=True)), Decimal(0)
        )
    except DecimalException:
        raise Mistake("expected a duration that a computer can hold", complete=True) from None
    return _finite(total)


def write_duration(seconds: float) -> str:
    exact = _shortest(seconds)
    if exact == 0:
        return "0s"
    if exact < 1:
        unit = "ms" if exact >= SECONDS["ms"] else "us"
        return _plain(exact / SECONDS[unit]) + unit
    if exact >= 10**12:
        return _plain(exact) + "s"
    text = ""
    for unit in ("d", "h", "m"):
        whole, exact = divmod(exact, SECONDS[unit])
        text += f"{whole}{unit}" if whole else ""
    return text + _plain(exact) + "s" if exact or not text else text


def _duration_mistake(text: str) -> Mistake:
    if text.startswith("-"):
        return Mistake("expected a duration that is not negative", complete=True)
    if _NOT_FINITE.fullmatch(text):
        return Mistake("expected a duration that is finite", complete=True)
    words = re.findall(rf"({_NUMBER}|[0-9]+,[0-9]+)\s*([A-Za-zµμ]+)[\s,]*", text)
    if not words or re.sub(r"[\s,]", "", text) != "".join(n + u for n, u in words).replace(",", ""):
        return Mistake("expected a duration")
    parts = []
    for number, word in words:
        unit = _UNITS_MEANT.get(word) or _UNITS_MEANT.get(word.lower())
        if word.lower() in ("w", "week", "weeks"):
            number, unit = _plain(Decimal(number.replace(",", ".")) * 7), "d"
        if unit is None or (word == "M"):
            return Mistake("expected a duration")
        parts.append((number.replace(",", "."), unit))
    return Mistake("expected a duration", _duration_meant(parts))


def _duration_meant(parts: list[tuple[str, str]]) -> str:
    """A suggestion with the same parts in descending order, where that gives a duration."""
    if len({unit for _, unit in parts}) != len(parts):
        return ""
    meant = "".join(n + u for n, u in sorted(parts, key=lambda part: list(SECONDS).index(part[1])))
    try:
        parse_duration(meant)
    except Mistake:
        return ""
    return did_you_mean(meant)


# --- rates, shares, factors, names
# ----------------------------------------------------------------------------------


def parse_rate(text: str) -> float:
    """Events per second of `120/s`, `90/min`, `5000/h`, `1/d`; a bare number is per second."""
    number, slash, unit = text.partition("/")
    if not slash:
        if _NUMBER_ONLY.fullmatch(text):
            return _finite(_decimal(text, "a rate"))
        raise _rate_mistake(text)
    if unit not in PER_SECONDS or not _NUMBER_ONLY.fullmatch(number):
        raise _rate_mistake(text)
    return _finite(_decimal(number, "a rate"), divisor=PER_SECONDS[unit])


def write_rate(per_second: float) -> str:
    return _plain(_shortest(per_second)) + "/s"


def _rate_mistake(text: str) -> Mistake:
    if re.match(rf"-{_NUMBER}", text):
        return Mistake("expected a rate that is not negative", complete=True)
    if _NOT_FINITE.fullmatch(text):
        return Mistake("expected a rate that is finite", complete=True)
    match = re.fullmatch(rf"({_NUMBER})\s*([kK]?)\s*(?:/|per|rp|tp|qp)?\s*([A-Za-z]+)", text)
    if not match or (re.fullmatch(rf"{_NUMBER}\s*[a-z]+", text) and not re.search(r"per|rp|tp|qp", text)):
        return Mistake("expected a rate")
    number, thousand, word = match.groups()
    unit = _RATE_UNITS_MEANT.get(word.lower())
    if unit is None or unit not in PER_SECONDS:
        return Mistake("expected a rate")
    return Mistake(
        "expected a rate", did_you_mean(_plain(Decimal(number) * (1000 if thousand else 1)) + "/" + unit)
    )


def parse_share(text: str) -> float:
    """Ratio of `2%` or `0.02`, from 0 to 1."""
    percent = text.endswith("%")
    number = _decimal(text.removesuffix("%"), "a share")
    if percent and number > 100:
        raise Mistake("expected a share of at most 100%")
    if not percent and number > 1:
        suggestion = did_you_mean(f"{text}%") if number <= 100 else ""
        raise Mistake("expected a share of at most 1", suggestion)
    return _finite(number, divisor=100 if percent else 1)


def write_share(ratio: float) -> str:
    return _plain(_shortest(ratio) * 100) + "%"


def parse_factor(text: str) -> float:
    """Multiplier of `3x` or `3`."""
    if text.endswith("%"):
        try:
            meant = _plain(_decimal(text.removesuffix("%")) / 100)
        except Mistake:
            raise Mistake("expected a factor") from None
        raise Mistake("expected a factor", did_you_mean(f"{meant}x"))
    if re.fullmatch(rf"[xX×]{_NUMBER}|{_NUMBER}[X×]", text):
        raise Mistake("expected a factor", did_you_mean(text.strip("xX×") + "x"))
    return _finite(_decimal(text.removesuffix("x"), "a factor"))


def write_factor(value: float) -> str:
    return _plain(_shortest(value)) + "x"


def parse_name(text: str) -> str:
    """A name of letters, digits, `_`, `-` and `.`."""
    if len(text) > NAME_LENGTH_MAX:
        raise Mistake(f"expected a name of at most {NAME_LENGTH_MAX} characters")
    if not _NAME.fullmatch(text):
        meant = re.sub(r"[^\w.\-]+", "-", text).strip("-")
        hint = did_you_mean(meant) if meant else ""
        raise Mistake("expected a name of letters, digits, '_', '-' and '.'", hint, complete=True)
    return text


def parse_free_text(text: str) -> str:
    """A name that may hold any printable text, on one line."""
    if not text.strip():
        raise Mistake("expected a text that is not empty")
    if len(text) > NAME_LENGTH_MAX:
        raise Mistake(f"expected a text of at most {NAME_LENGTH_MAX} characters")
    if not text.isprintable():
        raise Mistake("expected a text on one line without control characters")
    return text


def parse_boolean(text: str) -> bool:
    if text in ("true", "false"):
        return text == "true"
    meant = {"yes": "true", "on": "true", "no": "false", "off": "false", "1": "true", "0": "false"}
    lower = text.lower()
    suggestion = meant.get(lower, lower if lower in ("true", "false") else "")
    raise Mistake("expected true or false", did_you_mean(suggestion) if suggestion else "")
