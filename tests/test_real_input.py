"""Arrivals of the real world: a load balancer's counts of requests, and files of timestamps.

The counts are two weeks of a real load balancer, 4,032 rows of five minutes (eight of ten) with a peak of ten
times their mean (numenta/NAB, `elb_request_count_8c0756.csv`, MIT licence). They are not part of this
repository; tests that read them are skipped where `../shared/data` does not lie beside the checkout. That
simulated requests agree with a file is tested without them too, on one that is made up here.

False alarms. Requests in an interval are Poisson with its count, so their chi-square statistic over the n
intervals, summed over replications, is compared with the chi-square distribution with n degrees of freedom,
totals with the Poisson distribution, and times within their interval with the uniform one (Kolmogorov and
Smirnov). Each check fails without a fault with a probability of 1e-5, one of the 6 in this file below 1e-4.
Everything else is exact. Seeds are fixed, so only a change that brings other random numbers can bring a false
alarm.
"""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.special import chdtr

import slosim
from slosim.compile import program as P
from slosim.compile.lower import lower
from slosim.engine.run import Run, trace

ROOT = Path(__file__).resolve().parents[1]
REQUESTS = ROOT.parent / "shared" / "data" / "elb_request_count.csv"
WITH_REQUESTS = pytest.mark.skipif(
    not REQUESTS.exists(), reason="the real request counts, ../shared/data, are not beside this checkout"
)
ORDERS = ROOT / "examples" / "orders.yaml"
FALSE_ALARM_RATE = 1e-5
REPLICATIONS = 8

ARRIVALS_ONLY = """
name: arrivals
run: {{duration: {duration_s}s, sample_every: {duration_s}s}}
topics: {{requests: {{}}}}
producers: {{clients: {{topic: requests, arrivals: {arrivals}}}}}
"""
PIPELINE = """
name: pipeline
run: {{duration: {duration_s}s, sample_every: {duration_s}s, replications: 2}}
topics: {{orders: {{}}, payment: {{}}}}
producers: {{customers: {{topic: orders, arrivals: {arrivals}}}}}
services:
  orders: {{consumes: orders, concurrency: 4, service_time: 100ms, emits: payment}}
  payment: {{consumes: payment, concurrency: 4, service_time: {{exponential: 200ms}}}}
"""


def counts(file: Path, time: str = "timestamp", count: str = "value") -> str:
    return f"{{counts: {{file: '{file}', time: {time}, count: {count}}}}}"


def published_s(scenario: slosim.Scenario, seed: int = 1, replication: int = 0) -> np.ndarray:
    """Times at which messages are published, in order, where nobody consumes: they come to rest at once."""
    parts: list = []
    run = Run(lower(scenario), seed, replication, watch=parts.append)
    run.measure()
    rows = np.concatenate(parts)
    return np.sort(rows["time"][rows["what"] == P.RESTED])


def command(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(slosim.__file__).parents[1]), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "slosim", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
        check=False,
    )


def intervals(file: Path, time: str = "timestamp", count: str = "value") -> tuple[np.ndarray, np.ndarray]:
    """Edges (s, the first is 0) and counts of the intervals of a file, read without slosim."""
    with open(file, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    moments = [datetime.fromisoformat(row[time]) for row in rows]
    starts = [(moment - moments[0]).total_seconds() for moment in moments]
    return np.array([*starts, 2 * starts[-1] - starts[-2]]), np.array([float(row[count]) for row in rows])


def agree(times: list[np.ndarray], edges: np.ndarray, expected: np.ndarray) -> None:
    """Requests of several replications are Poisson with the counts of the file, evenly in each interval."""
    found = sum(np.histogram(of_run, edges)[0] for of_run in times)
    expected = expected * len(times)
    assert sum(map(len, times)) == found.sum(), "requests outside the file's intervals"
    assert np.all(found[expected == 0] == 0)
    found, known = found[expected > 0], expected[expected > 0]
    share_below = chdtr(len(known), ((found - known) ** 2 / known).sum())
    assert FALSE_ALARM_RATE / 2 <= share_below <= 1 - FALSE_ALARM_RATE / 2
    assert abs(found.sum() - known.sum()) <= 4.42 * math.sqrt(known.sum())

    together = np.concatenate(times)
    row = np.searchsorted(edges, together, side="right") - 1
    within = np.sort((together - edges[row]) / (edges[row + 1] - edges[row]))
    distance = np.abs(within - (np.arange(len(within)) + 0.5) / len(within)).max()
    assert distance <= math.sqrt(-math.log(FALSE_ALARM_RATE / 2) / 2 / len(within))


# --- counts of requests


def test_requests_agree_with_the_counts_of_a_file(tmp_path: Path):
    """A day and its night, a peak, an hour without requests, and a gap."""
    file = tmp_path / "requests.csv"
    by_hour = {hour: 40 * hour + 5 for hour in range(24) if hour != 9} | {4: 0, 20: 3000}
    rows = [f"2024-02-29 {hour:02}:00:00,{requests}" for hour, requests in by_hour.items()]
    file.write_text("timestamp,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=90_000, arrivals=counts(file)))

    times = [published_s(scenario, replication=index) for index in range(REPLICATIONS)]

    edges, expected = intervals(file)
    assert edges[-1] == 86_400
    assert max(np.diff(edges)) == 7200
    agree(times, edges, expected)


@WITH_REQUESTS
def test_requests_agree_with_two_weeks_of_a_real_load_balancer():
    edges, expected = intervals(REQUESTS)
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=edges[-1] + 3600, arrivals=counts(REQUESTS)))

    times = [published_s(scenario, replication=index) for index in range(REPLICATIONS)]

    assert (len(expected), expected.sum(), expected.max()) == (4032, 249_327, 656)
    assert expected.max() > 10 * expected.mean()
    agree(times, edges, expected)
    assert not np.array_equal(times[0], times[1])


@WITH_REQUESTS
def test_the_pipeline_driven_by_real_requests_from_the_command_line(tmp_path: Path):
    """`--set` puts the file in the place of the example's arrivals; no order is lost from sight."""
    duration_s = 14 * 86_400 + 2400
    report_file = tmp_path / "report.json"
    arrivals = counts(REQUESTS)
    ran = command(
        "run",
        ORDERS,
        "--set",
        f"producers.checkout.arrivals={arrivals}",
        "--set",
        f"run.duration={duration_s}s",
        "--set",
        "run.warmup=0s",
        "--replications",
        "2",
        "--seed",
        "7",
        "--json",
        report_file,
    )

    assert ran.returncode == 0, ran.stderr
    report = json.loads(report_file.read_text(encoding="utf-8"))
    flow = report["flows"]["fulfilment"]
    started = flow["started"]["value"]
    ends = ("completed", "completed_elsewhere", "dead_lettered", "dropped", "in_flight")
    assert abs(2 * started - 2 * 249_327) <= 4.42 * math.sqrt(2 * 249_327)
    assert sum(flow[end]["value"] for end in ends) == pytest.approx(started)
    assert flow["completed"]["value"] > 0.99 * started
    assert "FLOW fulfilment" in ran.stdout
    # The same orders as without a pipeline behind them: chance is addressed by producer and message.
    alone = slosim.loads(
        ARRIVALS_ONLY.format(duration_s=duration_s, arrivals=arrivals).replace("clients", "checkout")
    )
    counted = [len(published_s(alone, seed=7, replication=index)) for index in range(2)]
    assert 2 * started == sum(counted)


@WITH_REQUESTS
def test_the_peak_of_real_requests_is_where_the_file_has_it():
    """In the fullest five minutes 656 requests come, and at no other time nearly as many for long."""
    edges, expected = intervals(REQUESTS)
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=edges[-1], arrivals=counts(REQUESTS)))

    found = np.histogram(published_s(scenario), edges)[0]

    assert np.argmax(found) in np.flatnonzero(expected > 0.8 * expected.max())


def test_requests_from_a_scenario_with_the_file_beside_it(tmp_path: Path):
    """A name of a file is relative to the folder of the scenario, not to where the command runs."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "requests.csv").write_text("at,requests\n0,600\n600,0\n1200,300\n")
    arrivals = counts(Path("requests.csv"), "at", "requests")
    (tmp_path / "model" / "pipeline.yaml").write_text(PIPELINE.format(duration_s=3600, arrivals=arrivals))

    ran = command("run", Path("model") / "pipeline.yaml", "--json", "report.json", "--quiet", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    flow = json.loads((tmp_path / "report.json").read_text())["flows"]["customers"]
    assert abs(2 * flow["started"]["value"] - 1800) <= 4.42 * math.sqrt(1800)
    assert flow["completed"]["value"] == flow["started"]["value"]


# --- timestamps

# two at once, and gaps of a minute, an hour and a day
SECONDS = [0.0, 0.25, 0.25, 1.0, 61.0, 3661.0, 90_061.125]
FORMS = {
    "ISO": [
        "2024-02-28 23:59:59",
        "2024-02-28 23:59:59.250",
        "2024-02-28 23:59:59.250",
        "2024-02-29 00:00:00",
        "2024-02-29 00:01:00",
        "2024-02-29 01:01:00",
        "2024-03-01 01:01:00.125",
    ],
    "ISO with zones": [
        "2024-02-28T23:59:59Z",
        "2024-02-29T00:59:59.250+01:00",
        "2024-02-28T23:59:59.250Z",
        "2024-02-29T00:00:00Z",
        "2024-02-29T00:01:00Z",
        "2024-02-28T20:01:00-05:00",
        "2024-03-01T01:01:00.125Z",
    ],
    "epoch seconds": [f"{1_709_164_799 + seconds:.3f}" for seconds in SECONDS],
    "epoch milliseconds": [f"{1_709_164_799_000 + int(1000 * seconds)}" for seconds in SECONDS],
    "seconds since the start": [f"{seconds}" for seconds in SECONDS],
}


def written(folder: Path, times: list[str]) -> str:
    """Write a file of orders by three customers in turn; the arrivals that read it."""
    rows = ["placed_at,customer", *(f"{time},c{index % 3}" for index, time in enumerate(times))]
    (folder / "orders.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return "{trace: {file: orders.csv, time: placed_at}}"


@pytest.mark.parametrize("form", FORMS)
def test_messages_are_published_at_the_times_of_the_file(form: str, tmp_path: Path):
    """Exactly, shifted so that the first is at 0."""
    arrivals = written(tmp_path, FORMS[form])
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=100_000, arrivals=arrivals), base=tmp_path)

    assert published_s(scenario).tolist() == SECONDS


def test_what_a_file_has_after_the_end_of_the_run_does_not_happen(tmp_path: Path):
    arrivals = written(tmp_path, FORMS["ISO"])
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=3661, arrivals=arrivals), base=tmp_path)

    assert published_s(scenario).tolist() == SECONDS[:5]


def test_a_trace_brings_the_same_messages_to_every_replication(tmp_path: Path):
    arrivals = written(tmp_path, FORMS["ISO"])
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=100_000, arrivals=arrivals), base=tmp_path)

    assert published_s(scenario, seed=1).tolist() == published_s(scenario, seed=2, replication=3).tolist()


def test_a_column_of_the_file_is_the_key(tmp_path: Path):
    """All messages of a customer are in one partition, in their order."""
    written(tmp_path, [str(second) for second in range(300)])
    arrivals = "{trace: {file: orders.csv, time: placed_at, key: customer}}"
    text = ARRIVALS_ONLY.format(duration_s=1000, arrivals=arrivals)
    text = text.replace("requests: {}", "requests: {partitions: 50}")
    text += "services: {s: {consumes: requests, concurrency: unlimited, service_time: 5s}}\n"
    run = trace(slosim.loads(text, base=tmp_path))

    published = run.measurements.lines["requests", "s"].partition_published
    assert sorted(count for count in published if count) in ([100, 100, 100], [100, 200], [300])
    taken = [event.number for event in run.events if event.what == "taken"]
    for customer in range(3):
        numbers = [number for number in taken if number % 3 == customer]
        assert numbers == sorted(numbers)


@pytest.mark.parametrize("form", ["ISO", "epoch seconds", "epoch milliseconds"])
def test_a_trace_from_the_command_line(form: str, tmp_path: Path):
    arrivals = written(tmp_path, FORMS[form])
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(duration_s=100_000, arrivals=arrivals))

    ran = command("run", "pipeline.yaml", "--json", "report.json", "--quiet", cwd=tmp_path)

    assert ran.returncode == 0, ran.stderr
    flow = json.loads((tmp_path / "report.json").read_text())["flows"]["customers"]
    assert flow["started"] == {"value": 7.0, "low": 7.0, "high": 7.0}
    assert flow["completed"]["value"] == 7


@WITH_REQUESTS
def test_real_timestamps_as_a_trace():
    """A publish for each row of the real file, five minutes apart and eight times ten."""
    edges, _ = intervals(REQUESTS)
    arrivals = f"{{trace: {{file: '{REQUESTS}', time: timestamp}}}}"
    scenario = slosim.loads(ARRIVALS_ONLY.format(duration_s=edges[-1], arrivals=arrivals))

    found = published_s(scenario)

    assert found.tolist() == edges[:-1].tolist()
    assert sorted({*np.diff(found)}) == [300, 600]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            ["2024-02-29 00:00:00", "", "2024-02-29 00:01:00"],
            "orders.csv:3 placed_at: expected a timestamp, got noth",
        ),
        (["2024-02-29 00:00:00", "yesterday"], "orders.csv:3 placed_at: expected a timestamp, got yesterday"),
        (["2024-02-29 00:00:00", "2024-02-30 00:00:00"], "orders.csv:3 placed_at: expected a timestamp, got"),
        (["1709164800", "17091648O1"], "orders.csv:3 placed_at: expected a number like the rows above, got"),
        (["1709164801", "1709164800"], "orders.csv:3 placed_at: 1709164800 is before the row above"),
        (["1709164801", "1709164802,x"], "orders.csv:3: expected 2 cells, got 3"),
    ],
    ids=["no time", "word", "no such day", "letter", "backwards", "another cell"],
)
def test_a_broken_row_is_named_from_the_command_line(rows: list[str], message: str, tmp_path: Path):
    arrivals = written(tmp_path, rows)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(duration_s=1000, arrivals=arrivals))

    ran = command("run", "pipeline.yaml", cwd=tmp_path)

    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_blank_row_is_named_from_the_command_line(tmp_path: Path):
    (tmp_path / "orders.csv").write_text("placed_at,customer\n0,a\n\n2,b\n")
    arrivals = "{trace: {file: orders.csv, time: placed_at}}"
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(duration_s=1000, arrivals=arrivals))

    ran = command("run", "pipeline.yaml", cwd=tmp_path)

    assert ran.returncode == 2
    assert "orders.csv:3: a blank row" in ran.stderr


def test_a_file_that_is_not_there_is_named_with_its_field(tmp_path: Path):
    arrivals = "{counts: {file: requests.csv, time: timestamp, count: value}}"
    (tmp_path / "pipeline.yaml").write_text(PIPELINE.format(duration_s=1000, arrivals=arrivals))

    ran = command("run", "pipeline.yaml", cwd=tmp_path)

    assert ran.returncode == 2
    assert "producers.customers.arrivals.counts.file: requests.csv: no such file" in ran.stderr
