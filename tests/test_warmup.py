"""The empty start: MSER-5 on series, and what a report says about the warm-up of real runs."""

from __future__ import annotations

import numpy as np
import pytest

import slosim
from estimates import replicate
from slosim.measure.warmup import BATCH, LAST_BATCHES, truncation
from slosim.report.warmup import bias_of, start_of, suggested_s
from strategies import DATA


def by_definition(series: np.ndarray) -> int | None:
    """MSER-5 written as its formula."""
    batches = len(series) // BATCH
    means = [np.mean(series[BATCH * i : BATCH * (i + 1)]) for i in range(batches)]
    z = [
        sum((one - np.mean(means[d:])) ** 2 for one in means[d:]) / (batches - d) ** 2
        for d in range(batches - LAST_BATCHES)
    ]
    first = z.index(min(z))
    return BATCH * first if first <= batches / 2 else None


@pytest.mark.parametrize("seed", range(20))
def test_truncation_is_that_of_the_formula(seed: int):
    generator = np.random.default_rng(seed)
    length = int(generator.integers(50, 400))
    start = 5.0 * np.exp(-np.arange(length) / generator.uniform(1.0, 100.0))

    series = 1e6 + generator.normal(size=length) - start

    assert truncation(series) == by_definition(series)


@pytest.mark.parametrize(
    ("series", "samples", "why"),
    [
        (np.full(100, 7.0), 0, "nothing to leave out"),
        (np.repeat([0.0, 7.0], [32, 168]), 35, "the first whole batch after the step"),
        (np.repeat([9.0, 7.0], [30, 170]), 30, "a start that is too high is one as well"),
        (np.arange(200.0), None, "it grows to the end"),
        (np.repeat([0.0, 7.0], [120, 80]), None, "it settles in the second half"),
        (np.repeat([0.0, 7.0], [10, 39]), None, "fewer than ten batches"),
        (np.zeros(0), None, "no samples"),
    ],
)
def test_truncation(series: np.ndarray, samples: int | None, why: str):
    assert truncation(series) == samples, why


RELAXATION_S = 15.6


def queue(rate: str = "95/s", run: str = "duration: 400s", more: str = "") -> str:
    """M/M/1 at 95%: its lag nears 19 messages like e^(-t/T), T = 1/(μ(1 - √ρ)²)."""
    return f"""
name: queue
run: {{{run}}}
topics: {{line: {{}}}}
producers: {{source: {{topic: line, arrivals: {{poisson: {rate}}}}}}}
services: {{station: {{consumes: line, service_time: {{exponential: 10ms}}}}}}
{more}
"""


def short_warmups(report: slosim.Report) -> list[str]:
    return [one.text for one in report.findings if one.rule == "short_warmup"]


def mean_lag(report: slosim.Report) -> float:
    return report.topics.line.consumers.station.lag.mean.value


def test_a_run_from_empty_gets_a_longer_warmup():
    """300 replications make the interval so narrow that the start shows; with ten it drowns in the noise."""
    short = slosim.run(slosim.loads(queue()), seed=2, replications=300)

    suggested = short.run.warmup_suggested_s
    assert 0.5 * RELAXATION_S <= suggested <= 4 * RELAXATION_S
    (text,) = short_warmups(short)
    assert "there is no warm-up" in text
    assert f"--set run.warmup={suggested:g}s" in text

    long = slosim.run(
        slosim.loads(queue(run=f"duration: 400s, warmup: {suggested}s")), seed=2, replications=300
    )
    assert short_warmups(long) == []
    assert long.run.warmup_suggested_s == suggested
    assert mean_lag(short) < mean_lag(long)


def test_time_from_the_first_fault_on_is_not_looked_at():
    """A pause of 20 s lifts the lag to 1,900; before it nothing changes."""
    pause = "faults: [{{name: stop, at: {at}, for: 20s, target: services.station, effect: {{pause: true}}}}]"
    at_100_s, at_5_s = (
        slosim.loads(queue("90/s", "duration: 200s, sample_every: 200ms", more=pause.format(at=at)))
        for at in ("100s", "5s")
    )
    without = slosim.loads(queue("90/s", "duration: 100s, sample_every: 200ms"))

    suggested, with_fault, with_early_fault = (
        slosim.run(one, seed=3, replications=40).run.warmup_suggested_s for one in (without, at_100_s, at_5_s)
    )

    assert suggested is not None
    assert with_fault == suggested
    assert with_early_fault is None, "25 samples are too few"


@pytest.mark.parametrize(
    "arrivals",
    [
        "{poisson: 95/s, profile: [{at: 0s, factor: 0.1x}, {at: 60s, factor: 1x}]}",
        "{counts: {file: requests.csv, time: time, count: requests}}",
    ],
)
def test_a_load_that_varies_by_design_has_no_start_to_leave_out(arrivals: str):
    text = queue(run="duration: 200s, replications: 20").replace("{poisson: 95/s}", arrivals)
    report = slosim.run(slosim.loads(text, base=DATA))

    assert report.run.warmup_suggested_s is None
    assert short_warmups(report) == []


def test_an_autoscaler_follows_the_load_and_is_left_alone():
    text = queue(run="duration: 200s, replications: 20").replace(
        "{exponential: 10ms}", "{exponential: 10ms}, autoscale: {metric: lag, target: 50, maximum: 3}"
    )
    assert slosim.run(slosim.loads(text)).run.warmup_suggested_s is None


def test_no_false_alarms_after_a_warmup():
    """60 studies of ten replications with a warm-up of 12 relaxation times. The rule speaks in one of 1,260
    such studies (measured once, see `trust.short_warmup`); twice here would have a probability of 0.2%."""
    text = queue("80/s", "duration: 50s, warmup: 10s")
    scenario = slosim.loads(text)
    alarms = 0
    for seed in range(60):
        start = start_of(scenario, replicate(text, 10, seed))
        suggested = suggested_s(start)
        bias = None if start is None or suggested is None else bias_of(start, 10.0, suggested)
        alarms += bias is not None and bias.is_certain and bias.weighs

    assert alarms <= 1
