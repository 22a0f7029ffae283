"""CSV files: every usual form of timestamps, gaps, and rows that are refused with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from slosim.errors import ScenarioError
from slosim.model import Counts, Scenario, Trace, loads
from speed import cost_s

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "elb_request_count.csv"


def with_arrivals(arrivals: str, folder: Path, duration: str = "1h") -> Scenario:
    text = (
        f"name: x\nrun: {{duration: {duration}}}\ntopics: {{a: {{}}}}\nproducers: "
        f"{{p: {{topic: a, arrivals: {arrivals}}}}}\n"
    )
    return loads(text, name="x.yaml", base=folder)


def trace(content: str | bytes, folder: Path, key: str = "") -> Trace:
    (folder / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    arrivals = f"{{trace: {{file: t.csv, time: t{', key: ' + key if key else ''}}}}}"
    found = with_arrivals(arrivals, folder).producers["p"].arrivals
    assert isinstance(found, Trace)
    return found


def counts(content: str, folder: Path) -> Counts:
    (folder / "c.csv").write_text(content)
    found = with_arrivals("{counts: {file: c.csv, time: t, count: n}}", folder).producers["p"].arrivals
    assert isinstance(found, Counts)
    return found


def refused(read, content: str | bytes, folder: Path) -> str:
    with pytest.raises(ScenarioError) as raised:
        read(content, folder)
    return str(raised.value)


@pytest.mark.parametrize(
    "rows",
    [
        "2024-03-07 03:41:00\n2024-03-07 03:41:00.5\n2024-03-07 03:42:00",
        "2024-03-07T03:41:00\n2024-03-07T03:41:00.500\n2024-03-07T03:42:00",
        "2024-03-07T03:41:00Z\n2024-03-07T03:41:00.500000Z\n2024-03-07T03:42:00Z",
        "2024-03-07T03:41:00+02:00\n2024-03-07T02:41:00.5+01:00\n2024-03-07T01:42:00Z",
        "1709782860\n1709782860.5\n1709782920",
        "1709782860000\n1709782860500\n1709782920000",
        "1709782860000000\n1709782860500000\n1709782920000000",
        "1709782860000000000\n1709782860500000000\n1709782920000000000",
        "0\n0.5\n60",
        "5\n5.5\n65",
        '"0"\n"0.5"\n"60"',
    ],
    ids=[
        "blank",
        "T",
        "Z",
        "zones",
        "seconds",
        "milliseconds",
        "microseconds",
        "nanoseconds",
        "from 0",
        "from 5",
        "quoted",
    ],
)
def test_timestamps_of_every_usual_form(rows: str, tmp_path: Path):
    assert list(trace(f"t\n{rows}\n", tmp_path).times) == [0, 0.5, 60]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbft\n0\n1\n",
        b"t\r\n0\r\n1\r\n",
        b"t\n0\n1",
        b"t\n0\n1\n\n\n",
        b"t\n0\n1\n  \n",
        b"note,t\nx,0\ny,1\n,\n",
        b'note,t\n"a, b",0\n"two\nlines",1\n',
        b" t \n0\n1\n",
    ],
    ids=["BOM", "CRLF", "no end", "blank end", "spaces", "commas", "quotes", "padded header"],
)
def test_usual_variations_of_csv(content: bytes, tmp_path: Path):
    assert list(trace(content, tmp_path).times) == [0, 1]


def test_equal_times_and_keys_are_kept_in_order(tmp_path: Path):
    found = trace("t,who\n0,ada\n0,grace\n2,ada\n", tmp_path, key="who")

    assert (list(found.times), found.keys) == ([0, 0, 2], ["ada", "grace", "ada"])


def test_counts_cover_gaps_and_the_last_interval_is_as_long_as_the_one_before(tmp_path: Path):
    found = counts("t,n\n1700000000,5\n1700000300,0\n1700000900,7.5\n", tmp_path)

    assert list(found.starts) == [0, 300, 900]
    assert list(found.ends) == [300, 900, 1500]
    assert list(found.counts) == [5, 0, 7.5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0\n\n1", "t.csv:3: a blank row"),
        ("0\nabc\n1", "t.csv:3 t: expected a number like the rows above, got abc"),
        ("2024-03-07\nabc", "t.csv:3 t: expected a timestamp, got abc"),
        ("abc\n1", "t.csv:2 t: expected a timestamp, got abc"),
        ("0\n2\n1", "t.csv:4 t: 1 is before the row above, got 2 there"),
        ("0\nnan", "t.csv:3 t: expected a time that is finite, got nan"),
        ("0\n1,2", "t.csv:3: expected 1 cells, got 2"),
        ("", "t.csv:1: no row follows the header"),
        (
            "2024-03-07T00:00:00\n2024-03-07T00:00:01Z",
            "t.csv:3 t: a time with a zone below times without one",
        ),
        ('0\n"1', "t.csv:3: broken CSV"),
    ],
)
def test_broken_rows_of_a_trace_are_named(rows: str, message: str, tmp_path: Path):
    assert message in refused(trace, f"t\n{rows}\n", tmp_path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("0,1\n1,-1\n2,1", "c.csv:3 n: expected a count that is not negative, got -1"),
        ("0,1\n1,\n2,1", "c.csv:3 n: expected a count, got ''"),
        ("0,1\n1,nan", "c.csv:3 n: expected a count that is finite, got nan"),
        ("0,1\n0,1", "c.csv:3 t: 0 is not after the row above"),
        ("0,1", "c.csv:2 t: expected at least two rows, got 1"),
    ],
)
def test_broken_rows_of_counts_are_named(rows: str, message: str, tmp_path: Path):
    assert message in refused(counts, f"t,n\n{rows}\n", tmp_path)


def test_many_broken_rows_are_summed_up(tmp_path: Path):
    message = refused(counts, "t,n\n" + "".join(f"{row},-1\n" for row in range(100)), tmp_path)

    assert message.count("not negative") == 5
    assert "95 more rows of this file have such a fault" in message


def test_empirical_values_are_sorted_durations(tmp_path: Path):
    (tmp_path / "e.csv").write_text("s\n0.25\n100ms\n1e-3\n")
    text = (
        "name: x\nrun: {duration: 1h}\ntopics: {a: {}}\nproducers: {p: {topic: a, arrivals: "
        "{interarrival: {empirical: {file: e.csv, column: s}}}}}"
    )
    gap = loads(text, base=tmp_path).producers["p"].arrivals.gap

    assert gap.values == (0.001, 0.1, 0.25)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", "missing.csv: no such file"),
        (".", ".: is a folder, not a CSV file"),
        ("/dev/zero", "/dev/zero: is a device or a pipe, not a CSV file"),
        ("t.parquet", "t.parquet: Parquet files: not supported yet"),
        ("binary.csv", "binary.csv:1: a zero byte: this is a binary file, not text"),
        ("magic.csv", "magic.csv: Parquet files: not supported yet"),
        ("latin.csv", "latin.csv:2: not UTF-8"),
        ("huge.csv", "too large, got 1,000,000,000 bytes"),
    ],
)
def test_files_that_are_no_csv_files(name: str, message: str, tmp_path: Path):
    (tmp_path / "binary.csv").write_bytes(b"t\0\n")
    (tmp_path / "magic.csv").write_bytes(b"PAR1\0\0")
    (tmp_path / "latin.csv").write_bytes(b"t\n\xe9\n")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(ScenarioError) as raised:
        with_arrivals(f"{{trace: {{file: {name}, time: t}}}}", tmp_path)

    assert message in str(raised.value)


def test_files_are_found_beside_the_scenario_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from slosim.model import load

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "t.csv").write_text("t\n0\n1\n")
    (tmp_path / "in" / "x.yaml").write_text(
        "name: x\nrun: {duration: 1h}\ntopics: {a: {}}\nproducers: {p: {topic: a, arrivals: {trace: "
        "{file: t.csv, time: t}}}}\n"
    )
    monkeypatch.chdir(tmp_path)

    assert list(load("in/x.yaml").producers["p"].arrivals.times) == [0, 1]


def test_a_million_rows_cost_little_more_than_reading_their_numbers(tmp_path: Path):
    """At most 60 times what Python's own float() needs for the same lines: 7 to 19 times were measured."""
    content = "t\n" + "".join(f"{1_700_000_000 + row / 10}\n" for row in range(1_000_000))
    plain_s = cost_s(lambda: [float(line) for line in content.splitlines()[1:]])
    found: list[Trace] = []
    read_s = cost_s(lambda: found.append(trace(content, tmp_path)))

    assert len(found[0].times) == 1_000_000
    assert found[0].times[-1] == pytest.approx(99999.9)
    assert read_s < 60 * plain_s


@pytest.mark.skipif(
    not SHARED.exists(), reason="the two weeks of real request counts are not beside this checkout"
)
def test_two_weeks_of_a_real_load_balancer():
    found = with_arrivals(
        "{counts: {file: elb_request_count.csv, time: timestamp, count: value}}", SHARED.parent, "14d"
    )
    arrivals = found.producers["p"].arrivals

    assert len(arrivals.counts) == 4032
    assert max(arrivals.counts) == 656
    assert sum(arrivals.counts) / 4032 == pytest.approx(61.8, abs=0.5)
    lengths = [end - start for start, end in zip(arrivals.starts, arrivals.ends, strict=True)]
    assert min(lengths) == 300
    assert max(lengths) > 300
