"""Scalars of the language: exact both ways, and refused with the suggestion a person needs."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slosim.model import values
from slosim.model.values import Mistake

PAIRS = [
    (values.parse_duration, values.write_duration),
    (values.parse_rate, values.write_rate),
    (values.parse_factor, values.write_factor),
    (lambda text: values.parse_number(str(text)), values.write_number),
]
POSITIVE = st.floats(min_value=1e-200, max_value=1e200, allow_nan=False)
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": Fraction(1, 1000), "us": Fraction(1, 1_000_000)}


def mistake(parse, text: str) -> Mistake:
    with pytest.raises(Mistake) as raised:
        parse(text)
    return raised.value


@pytest.mark.parametrize(("parse", "write"), PAIRS, ids=["duration", "rate", "factor", "number"])
@given(value=st.one_of(st.just(0.0), POSITIVE, st.integers(0, 10**9).map(float)))
def test_what_is_written_is_read_as_the_same_float(parse, write, value: float):
    assert parse(write(value)) == value


@given(st.floats(min_value=0, max_value=1).filter(lambda x: x == 0 or x > 1e-300))
def test_a_written_share_is_read_as_the_same_float(ratio: float):
    assert values.parse_share(values.write_share(ratio)) == ratio


@given(
    st.lists(st.integers(0, 999), min_size=6, max_size=6), st.sets(st.sampled_from(list(UNITS)), min_size=1)
)
def test_a_duration_is_the_exact_sum_of_its_parts_rounded_once(numbers: list[int], used: set[str]):
    parts = [(number, unit) for number, unit in zip(numbers, UNITS, strict=True) if unit in used]
    text = "".join(f"{number}{unit}" for number, unit in parts)

    assert values.parse_duration(text) == float(sum(Fraction(number) * UNITS[unit] for number, unit in parts))


@given(st.text(max_size=30))
def test_no_text_does_anything_but_parse_or_be_refused(text: str):
    for parse in (
        values.parse_duration,
        values.parse_rate,
        values.parse_share,
        values.parse_factor,
        values.parse_number,
        values.parse_count,
        values.parse_name,
        values.parse_free_text,
        values.parse_boolean,
    ):
        try:
            value = parse(text)
        except Mistake:
            continue
        else:
            assert not isinstance(value, float) or (math.isfinite(value) and value >= 0)


@given(st.text(max_size=30))
def test_a_suggested_value_is_accepted(text: str):
    for parse in (
        values.parse_duration,
        values.parse_rate,
        values.parse_factor,
        values.parse_count,
        values.parse_name,
    ):
        try:
            parse(text)
        except Mistake as found:
            if found.suggestion:
                parse(found.suggestion.removeprefix("did you mean ").removesuffix("?").strip("'"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("2m", 120),
        ("1h30m", 5400),
        ("1d", 86400),
        ("0", 0),
        ("5us", 5e-6),
        ("0.1", 0.1),
        ("1e3", 1000),
        ("1e-3s", 0.001),
        (".5s", 0.5),
        ("1.1ms", 0.0011),
        ("1d2h3m4s5ms6us", 93784.005006),
    ],
)
def test_durations(text: str, seconds: float):
    assert values.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "per_second"),
    [("120/s", 120), ("90/min", 1.5), ("5000/h", 5000 / 3600), ("1/d", 1 / 86400), ("7", 7)],
)
def test_rates(text: str, per_second: float):
    assert values.parse_rate(text) == per_second


@pytest.mark.parametrize(
    ("text", "ratio"),
    [("2%", 0.02), ("0.02", 0.02), ("100%", 1), ("1", 1), ("0", 0), ("99.99%", 0.9999), ("1e-3%", 1e-5)],
)
def test_shares(text: str, ratio: float):
    assert values.parse_share(text) == ratio


@pytest.mark.parametrize(
    ("parse", "text", "suggested"),
    [
        (values.parse_duration, "5 minutes", "5m"),
        (values.parse_duration, "10min", "10m"),
        (values.parse_duration, "1h 30m", "1h30m"),
        (values.parse_duration, "30m1h", "1h30m"),
        (values.parse_duration, "1w", "7d"),
        (values.parse_duration, "5,5s", "5.5s"),
        (values.parse_duration, "2H", "2h"),
        (values.parse_duration, "100 ms", "100ms"),
        (values.parse_rate, "12rps", "12/s"),
        (values.parse_rate, "12/sec", "12/s"),
        (values.parse_rate, "12/minute", "12/min"),
        (values.parse_rate, "12k/s", "12000/s"),
        (values.parse_share, "99.5", "99.5%"),
        (values.parse_factor, "300%", "3x"),
        (values.parse_factor, "x3", "3x"),
        (values.parse_count, "010", "10"),
        (values.parse_count, "1e3", "1000"),
        (values.parse_count, "4.0", "4"),
        (values.parse_count, "1_000", "1000"),
        (values.parse_number, "1,5", "1.5"),
        (values.parse_number, "+5", "5"),
        (values.parse_name, "late payments", "late-payments"),
        (values.parse_boolean, "on", "true"),
        (values.parse_boolean, "False", "false"),
    ],
)
def test_suggestions(parse, text: str, suggested: str):
    assert mistake(parse, text).suggestion == f"did you mean '{suggested}'?"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.parse_duration, "-5s"),
        (values.parse_duration, "1h1h"),
        (values.parse_duration, "1e999"),
        (values.parse_duration, "1e999999999999s"),
        (values.parse_duration, "1e-999s"),
        (values.parse_duration, "nan"),
        (values.parse_duration, "0x10"),
        (values.parse_duration, "٣s"),
        (values.parse_share, "200%"),
        (values.parse_share, "-1%"),
        (values.parse_rate, "/s"),
        (values.parse_count, "9" * 400),
        (values.parse_count, "٣"),
        (values.parse_name, ""),
        (values.parse_name, "a" * 201),
        (values.parse_free_text, "two\nlines"),
        (values.parse_free_text, "\x1b[31m"),
    ],
)
def test_refused(parse, text: str):
    mistake(parse, text)


def test_messages_never_carry_control_characters_or_megabytes():
    assert "\x1b" not in values.show("\x1b[31m")
    assert "\n" not in values.show("a\nb")
    assert len(values.show("x" * 10**6)) < 100
