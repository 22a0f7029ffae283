"""Series and histograms as CSV and Parquet: every one of the report, with its numbers and no others."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import duckdb
import pytest

import slosim as library
from slosim.errors import UserError
from slosim.outputs import tables
from slosim.outputs.tables import Table, histograms_of, series_of
from test_cli import EXAMPLES, KEPT, slosim, written

EVERYTHING = """
name: everything
run: {duration: 10m, warmup: 1m, sample_every: 10s, replications: 2}
topics: {a.b: {}, parts: {partitions: 4}, rest: {}}
producers: {p: {topic: a.b, arrivals: {poisson: 2/s}}}
services:
  first:
    consumes: a.b
    instances: 2
    service_time: {exponential: 100ms}
    calls: [{dependency: base}]
    emits: parts
  second:
    consumes: parts
    service_time: {exponential: 50ms}
    failures: {probability: 40%}
    circuit_breaker: {failure_rate: 50%, window: 10, minimum_calls: 5, open_for: 30s}
    emits: rest
  third: {consumes: rest, service_time: 10ms}
dependencies: {base: {capacity: 2, service_time: {exponential: 20ms}}}
objectives:
  - {name: 'quick "most" of, the time', flow: p, within: 1s, target: 90%}
  - {name: fresh, topic: a.b, consumer: first, age_below: 10s, target: 90%}
"""


@pytest.fixture(scope="module")
def report() -> library.Report:
    return library.run(library.loads(EVERYTHING))


def read(content: bytes, folder: Path) -> dict[str, list]:
    """{column: values} as duckdb reads them, and that their types are what they are said to be."""
    path = folder / "table.parquet"
    path.write_bytes(content)
    found = duckdb.connect(":memory:").execute("SELECT * FROM read_parquet(?)", [str(path)])
    names = [column[0] for column in found.description]
    kinds = {column[0]: str(column[1]) for column in found.description}
    rows = found.fetchall()
    assert kinds == {name: {"name": "VARCHAR", "count": "BIGINT"}.get(name, "DOUBLE") for name in names}
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}


def walk(value, key: str):
    """Every value called `key`, wherever it is in a report."""
    if isinstance(value, dict):
        for inner, its in value.items():
            if inner == key and isinstance(its, dict):
                yield its
            elif inner != "resolved":
                yield from walk(its, key)
    elif isinstance(value, list):
        for its in value:
            yield from walk(its, key)


def test_every_series_is_there(report: library.Report):
    data, columns = report.data, series_of(report.data).columns
    for place in (
        'objectives[quick "most" of, the time].good',
        "objectives[fresh].bad",
        "services.first.instances",
        "services.second.failed",
        "services.second.mechanisms.breaker_open",
        "topics.a.b.consumers.first.age_s",
        "topics.parts.consumers.second.lag",
        "topics.rest.consumers.third.waiting",
        "dependencies.base.busy",
    ):
        assert place in columns
    assert len(columns) - 1 == sum(len(series) - 1 for series in walk(data, "series"))
    assert columns["services.first.busy"] == data["services"]["first"]["series"]["busy"]
    assert columns["t_s"] == data["services"]["first"]["series"]["t_s"]


def test_every_histogram_is_there(report: library.Report):
    data, columns = report.data, histograms_of(report.data).columns
    assert {
        "flows.p.latency_s",
        "services.second.wait_s",
        "services.first.service_s",
        "topics.a.b.consumers.first.event_lag_s",
        "topics.parts.consumers.second.partition_lag_max",
        "dependencies.base.wait_s",
    } <= set(columns["name"])
    histograms = list(walk(data, "histogram"))
    assert len(columns["name"]) == sum(len(one["upper"]) for one in histograms)
    assert len(set(columns["name"])) == sum(bool(one["upper"]) for one in histograms)
    counts = [
        count
        for name, count in zip(columns["name"], columns["count"], strict=True)
        if name == "flows.p.latency_s"
    ]
    assert sum(counts) == data["flows"]["p"]["latency_s"]["count"]


@pytest.mark.parametrize("table_of", [series_of, histograms_of])
def test_what_is_read_back_is_what_the_report_says(table_of, report: library.Report, tmp_path: Path):
    table = table_of(report.data)
    found = read(table.to_parquet(), tmp_path)
    assert list(found.values()) == list(table.columns.values())
    assert list(found) == list(table.columns)
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows[0] == list(table.columns)
    for row, values in zip(rows[1:], zip(*table.columns.values(), strict=True), strict=True):
        assert row == ["" if value is None else str(value) for value in values]
    assert table.to_parquet() == table.to_parquet()


def test_missing_values_hostile_names_and_empty_tables(tmp_path: Path):
    hostile = "\"'; DROP TABLE columns; -- \n אבג 🦄"
    table = Table({hostile: [None, 1.5, None], "count": [1, None, 2**60], "name": ["a", "", "🦄"]}, KINDS)
    found = read(table.to_parquet(), tmp_path)
    assert found == table.columns
    empty = Table({"name": [], "upper": [], "count": []}, KINDS)
    assert read(empty.to_parquet(), tmp_path) == empty.columns
    large = Table({"x": [1e-300, math.pi, 1.7e308]}, {})
    assert read(large.to_parquet(), tmp_path) == large.columns


KINDS = {"name": str, "count": int}


def test_names_that_differ_in_case_alone_are_all_there(tmp_path: Path):
    table = Table({"t_s": [0.0], "Pay": [1.0], "pay": [2.0], "PAY": [3.0]}, {})
    assert list(read(table.to_parquet(), tmp_path).values()) == [[0.0], [1.0], [2.0], [3.0]]


@pytest.mark.parametrize("name", ["series", "histogram", "resolved", "t_s", "upper"])
def test_parts_may_be_called_as_parts_of_a_report_are(name: str):
    usual = library.run(library.loads(NAMED.replace("NAME", "name"))).data
    found = library.run(library.loads(NAMED.replace("NAME", name))).data
    for table_of, places in ((series_of, "columns"), (histograms_of, "name")):
        told = [str(its).replace("name", name) for its in places_of(table_of(usual), places)]
        assert list(places_of(table_of(found), places)) == told


NAMED = """
name: names
run: {duration: 1m, replications: 1}
topics: {NAME: {}}
producers: {NAME: {topic: NAME, arrivals: {poisson: 2/s}}}
services: {NAME: {consumes: NAME, service_time: {exponential: 100ms}, calls: [{dependency: NAME}]}}
dependencies: {NAME: {capacity: 2, service_time: 10ms}}
objectives: [{name: NAME, flow: NAME, within: 1s, target: 90%}]
"""


def places_of(table: Table, kind: str) -> dict[str, None]:
    """What a table is about: its columns, or the different names in it; in their order."""
    return dict.fromkeys(table.columns if kind == "columns" else table.columns["name"])


def test_thousands_of_columns(tmp_path: Path):
    columns = {f"services.s{number}.busy": [float(number), None] for number in range(3000)}
    assert read(Table(columns, {}).to_parquet(), tmp_path) == columns


# ---- files -------------------------------------------------------------------------------------------------


def test_tables_of_a_run(tmp_path: Path):
    folder = tmp_path / "new" / "tables"
    done = slosim("run", written(tmp_path, KEPT), "--tables", folder, "--out", tmp_path / "all", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    names = {"series.csv", "series.parquet", "histograms.csv", "histograms.parquet"}
    assert {path.name for path in folder.iterdir()} == names
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    assert not (tmp_path / "all" / "charts").exists()
    assert "t_s" in read((folder / "series.parquet").read_bytes(), tmp_path)


def test_without_duckdb_parquet_is_refused_before_the_run_and_out_has_csv(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as its\n"
        "found = its.find_spec\n"
        "its.find_spec = lambda name, *rest: None if name == 'duckdb' else found(name, *rest)\n"
    )
    path = f"{tmp_path}:{EXAMPLES.parent / 'src'}"
    scenario = written(tmp_path, KEPT)
    refused = slosim("run", scenario, "--tables", tmp_path / "tables", env={"PYTHONPATH": path})
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "pip install 'slosim[parquet]'" in refused.stderr
    assert not (tmp_path / "tables").exists()

    done = slosim("run", scenario, "--out", tmp_path / "all", "-q", env={"PYTHONPATH": path})
    assert (done.returncode, done.stderr) == (0, "")
    saved = {path.name for path in (tmp_path / "all").iterdir()}
    assert {"series.csv", "histograms.csv"} <= saved
    assert not {name for name in saved if name.endswith(".parquet")}


def test_to_parquet_without_duckdb_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="slosim\\[parquet\\]"):
        Table({"x": [1.0]}, {}).to_parquet()
