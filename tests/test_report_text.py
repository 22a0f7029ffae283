"""How the report writes numbers, lays out tables and draws plots in a terminal."""

import pytest

from slosim.report import plots, units
from slosim.report.layout import Column, clean, cut, finish, pad, paint, paragraph, table, width_of


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (1.4e-12, "0"),
        (1e-9, "0.00100 µs"),
        (0.00025, "250 µs"),
        (0.0404, "40.4 ms"),
        (0.99996, "1.00 s"),
        (1.234, "1.23 s"),
        (99.96, "100 s"),
        (119.99, "2.00 min"),
        (754.0, "12.6 min"),
        (7200.0, "2.00 h"),
        (604800.0, "7.00 d"),
    ],
)
def test_duration(seconds, text):
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.25, "250ms"),
        (0.0005, "500us"),
        (45.0, "45s"),
        (90.0, "1m30s"),
        (1807.2, "30m7.2s"),
        (5400.0, "1h30m"),
        (86400.0, "1d"),
        (1800.00001, "30m"),
    ],
)
def test_clock_is_in_the_language_of_scenarios(seconds, text):
    assert units.clock(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.00005, "<0.001"),
        (0.1234, "0.123"),
        (12, "12"),
        (12.345, "12.3"),
        (999.96, "1.00k"),
        (12_345, "12.3k"),
        (1_234_567, "1.23M"),
        (5e9, "5.00G"),
    ],
)
def test_short(number, text):
    assert units.short(number) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "–"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.5, "50.0%"),
        (0.9921, "99.21%"),
        (0.99987, "99.987%"),
        (0.000123, "0.012%"),
        (1e-12, "<0.000001%"),
        (1 - 1e-12, ">99.999999%"),
        (4.2, "420.0%"),
    ],
)
def test_share_shows_two_digits_of_what_is_missing(ratio, text):
    assert units.share(ratio) == text


def test_a_share_that_someone_wrote_keeps_its_digits():
    assert [units.exact_share(ratio) for ratio in (0.995, 0.9999, 0.9, 1.0)] == [
        "99.5%",
        "99.99%",
        "90%",
        "100%",
    ]


def test_words():
    assert units.enumeration(["a"]) == "a"
    assert units.enumeration(["a", "b", "c"]) == "a, b and c"
    assert (units.plural(1, "slot"), units.plural(1200, "slot")) == ("1 slot", "1,200 slots")


def test_width_counts_columns_of_the_terminal():
    assert width_of("étape") == 5
    assert width_of("e\u0301tape") == 5  # a combining accent needs no column
    assert width_of("注文") == 4
    assert width_of(paint("red", "red")) == 3


def test_cut_and_pad():
    assert cut("abcdef", 4) == "abc…"
    assert cut("注文注文", 6) == "注文…"
    assert pad("ab", 4, ">") == "  ab"
    assert pad("abcdef", 4) == "abc…"


def test_clean_obeys_no_terminal():
    assert clean("a\x1b[2J\tb\nc") == "a [2J b c"


def test_paint_becomes_colour_or_nothing():
    assert finish([paint("bad", "red") + "  "], colour=False) == "bad\n"
    assert finish([paint("bad", "red")], colour=True) == "\x1b[31mbad\x1b[0m\n"


def test_table_aligns_and_drops_what_has_least_to_say():
    columns = [
        Column("name", ["a", "long name"], "<"),
        Column("value", ["1", "20"]),
        Column("less", ["x" * 20] * 2, keep=1),
        Column("least", ["y" * 20] * 2, keep=2),
    ]

    header = finish(table(columns, 100), colour=False).splitlines()[0]
    assert header == "name       value                  less                 least"
    assert [line.rstrip() for line in table(columns, 30)[1:]] == ["a              1", "long name     20"]
    assert table(columns, 15)[2] == "long na…     20"


def test_paragraph_hangs():
    assert paragraph("one two three", 9, "- ") == ["- one two", "  three"]


def test_area_stacks_waiting_in_front_of_lag():
    assert plots.area([4, 8, 16], [0, 8, 4], 2) == ["    16 ┤  ░", "       │░█▄"]
    assert plots.area([0, 0], [0, 0], 1) == ["     0 ┤  "]


def test_columns_keep_peaks():
    assert plots.column_maxima([0, 1, 2, 3], [1, 9, 2, 3], 4.0, 2) == [9, 3]
    assert plots.column_maxima([0, 2], [5, 7], 4.0, 4) == [5, 5, 7, 7]


def test_columns_after_a_run_was_stopped_are_empty():
    assert plots.column_maxima([0, 1], [5, 7], 8.0, 4) == [7, 0, 0, 0]


def test_time_axis_has_round_times_and_a_dotted_warm_up():
    axis, labels = plots.time_axis(7200.0, 600.0, 60)

    assert axis == "     0 ┼┄┄┄┄┄──────────┬──────────────┬──────────────┬──────────────"
    assert labels.split() == ["0s", "30m", "1h", "1h30m", "2h"]
    assert labels.index("30m") == axis.index("┬")


def test_marks_of_a_fault_name_it_where_there_is_room():
    assert plots.span_marks([(10.0, 20.0)], 100.0, 60, "down") == " " * 14 + "▲▲▲▲▲▲ down"
    assert plots.span_marks([(90.0, 200.0)], 100.0, 60, "down") == " " * 57 + "down ▲▲▲▲▲▲"


def test_marks_of_a_fault_that_comes_again_share_a_line():
    marks = plots.span_marks([(10.0, 20.0), (50.0, 51.0)], 100.0, 60, "down")

    assert marks == " " * 14 + "▲▲▲▲▲▲" + " " * 18 + "▲ down"


def test_density_and_bar():
    assert plots.density([0.1, 0.1, 0.6], [4, 4, 1], 2) == "█▁"
    assert plots.bar(0.5, 4) == "██"
    assert plots.bar(0.03, 4) == "▏"


def test_columns_keep_peaks_and_dips():
    assert plots.column_extremes([0, 1, 2, 3], [4, 4, 0, 4], 4.0, 2) == [4, 0]
    assert plots.column_extremes([0, 1, 2, 3], [1, 9, 1, 1], 4.0, 2) == [9, 1]


def test_sparkline_begins_at_nothing():
    assert plots.sparkline([0, 1, 4, 8]) == " ▁▄█"
    assert plots.sparkline([0, 0.01, 100]) == " ▁█"
    assert plots.sparkline([0, 0]) == "  "
