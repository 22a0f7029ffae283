"""`--precision`: as many replications as it takes, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import slosim
from slosim.cli.app import app
from slosim.errors import UserError
from slosim.report.precision import replications_wanted, widths

NOISY = """
name: noisy
run: {duration: 2m, warmup: 10s, seed: 1}
topics: {jobs: {}}
producers: {shop: {topic: jobs, arrivals: {poisson: 10/s}}}
services: {work: {consumes: jobs, service_time: {exponential: 60ms}}}
objectives: [{name: in time, flow: shop, within: 300ms, target: 90%}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "noisy.yaml"
    path.write_text(NOISY)
    return path


def test_replications_go_on_until_all_intervals_are_narrow(file: Path):
    report = slosim.run(slosim.load(file), precision=0.05)

    count = report.data["run"]["replications"]
    sli, p99 = report.objectives["in time"].sli_ratio, report.flows.shop.latency_s.p99
    assert 10 < count < 1000
    assert report.data["run"]["precision_ratio"] == 0.05
    for its in (sli, p99):
        assert max(its.high - its.value, its.value - its.low) <= 0.05 * its.value
    assert "imprecise" not in [finding.rule for finding in report.findings]
    # what was simulated in rounds is what is simulated at once
    at_once = slosim.run(slosim.load(file), replications=count)
    assert at_once.data["flows"] == report.data["flows"]


def test_the_least_is_ten_or_what_the_scenario_says(file: Path):
    scenario = slosim.load(file)

    assert slosim.run(scenario, precision=0.9).data["run"]["replications"] == 10
    more = scenario.replace({"run.replications": 15})
    assert slosim.run(more, precision=0.9).data["run"]["replications"] == 15


def test_at_the_cap_a_finding_says_what_is_missing(file: Path):
    report = slosim.run(slosim.load(file), precision=0.01, replications=12)

    (finding,) = [one for one in report.findings if one.rule == "imprecise"]
    assert report.complete
    assert report.data["run"]["replications"] == 12
    wanted = replications_wanted(report.data, 0.01)
    assert wanted > 12
    assert f"about {wanted:,} replications would be needed" in finding.text


def test_precision_is_the_same_bytes_for_any_workers_and_a_kept_start(file: Path, tmp_path: Path):
    scenario = slosim.load(file)
    slosim.run(scenario, replications=13, keep=tmp_path / "kept")
    reports = {
        slosim.run(scenario, precision=0.1, workers=1).to_json(),
        slosim.run(scenario, precision=0.1, workers=3).to_json(),
        slosim.run(scenario, precision=0.1, workers=2, backend="processes").to_json(),
        slosim.run(scenario, precision=0.1, keep=tmp_path / "kept").to_json(),
    }

    assert len(reports) == 1


def test_a_width_is_the_longer_side_over_the_value():
    data = {
        "run": {"replications": 10},
        "objectives": [
            {"name": "a", "sli_ratio": {"value": 0.8, "low": 0.72, "high": 0.84}},
            {"name": "nothing counted", "sli_ratio": {"value": None, "low": None, "high": None}},
        ],
        "flows": {"f": {"latency_s": {"p99": {"value": 2.0, "low": 1.9, "high": 2.5}}}},
    }

    assert [(one.subject, round(one.ratio or 0, 12)) for one in widths(data)] == [
        ("objectives.a", 0.1),
        ("flows.f", 0.25),
    ]
    assert replications_wanted(data, 0.25) == 10, "narrow enough"
    assert replications_wanted(data, 0.125) == 44, "half the width takes four times as many, and a tenth more"
    data["flows"]["f"]["latency_s"]["p99"] |= {"low": None}
    assert replications_wanted(data, 0.125) == 20, "no interval yet: twice as many"


def test_the_command_ends_with_the_codes_of_run_and_check(file: Path):
    run, check = (
        CliRunner().invoke(app, [command, str(file), "--precision", "10%", "--json", "-", "--quiet"])
        for command in ("run", "check")
    )
    data = json.loads(run.stdout)

    assert run.exit_code == 0
    assert data["run"]["precision_ratio"] == 0.1
    assert check.exit_code == {"met": 0}.get(data["verdict"], 99)


@pytest.mark.parametrize("text", ["0", "100%", "-1%", "narrow", "2 %%"])
def test_what_is_no_share_is_refused(file: Path, text: str):
    ran = CliRunner().invoke(app, ["run", str(file), "--precision", text])

    assert ran.exit_code == 2
    assert "expected a share above 0 and below 1, e.g. 2% or 0.02" in ran.stderr


@pytest.mark.parametrize("precision", [0.0, 1.0, -0.1])
def test_what_is_no_share_is_refused_from_python(file: Path, precision: float):
    with pytest.raises(UserError, match=r"expected a share above 0 and below 1"):
        slosim.run(slosim.load(file), precision=precision)
