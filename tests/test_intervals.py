"""Estimates and their intervals: against textbook formulas, against SciPy, and by their coverage."""

import math

import numpy as np
import pytest
from scipy import stats

from estimates import exponential, poisson, replicate, station
from slosim.measure import intervals
from slosim.measure.histogram import Histogram
from slosim.measure.intervals import Estimate, Pooled, student_t


@pytest.mark.parametrize("degrees", [*range(1, 60), 99, 100, 199, 999, 1000])
def test_student_t_quantile_is_that_of_scipy(degrees):
    assert student_t(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-11)


def test_student_t_needs_a_degree_of_freedom():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        student_t(0)


def test_interval_of_a_mean_is_the_textbook_t_interval():
    values = [12.0, 15.0, 11.0, 14.5, 13.0]

    estimate = intervals.of_mean(values)

    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((np.mean(values), low, high))


def test_one_replication_has_a_value_and_no_interval():
    assert intervals.of_mean([7.0]) == Estimate(7.0, None, None)
    assert intervals.of_ratio([3.0], [4.0]) == Estimate(0.75, None, None)
    assert Pooled.of([Histogram.of(np.array([2.0]))]).quantiles([0.5])[0].low is None


def test_equal_replications_have_an_interval_of_no_width():
    assert intervals.of_ratio([3.0, 3.0, 3.0], [4.0, 4.0, 4.0]) == Estimate(0.75, 0.75, 0.75)


def test_interval_of_a_ratio_by_its_pseudo_values():
    """1/10 and 3/10: pooled 0.2, left out 0.3 and 0.1, so the pseudo-values are 0.1 and 0.3."""
    estimate = intervals.of_ratio([1.0, 3.0], [10.0, 10.0], least=-math.inf)

    half_width = student_t(1) * np.std([0.1, 0.3], ddof=1) / math.sqrt(2)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (0.2, 0.2 - half_width, 0.2 + half_width)
    )


def test_a_ratio_is_pooled_and_not_a_mean_of_ratios():
    assert intervals.of_ratio([0.0, 90.0], [10.0, 90.0]).value == 0.9


def test_bounds_stay_in_the_range_of_the_quantity_and_values_are_not_moved():
    assert intervals.of_mean([0.0, 0.0, 1.0]).low == 0.0
    share = intervals.of_share([99.0, 100.0], [1.0, 0.0])
    assert share.value == 0.995
    assert share.high == 1.0


def test_share_without_a_bad_one_is_bounded_by_the_rule_of_three():
    assert intervals.of_share([100.0, 200.0], [0.0, 0.0]) == Estimate(1.0, 0.99, 1.0)
    assert intervals.of_share([300.0], [0.0]) == Estimate(1.0, 0.99, 1.0)  # also with one replication
    assert intervals.of_share([2.0], [0.0]).low == 0.0


def test_nothing_counted_is_undefined():
    assert intervals.of_share([0.0, 0.0], [0.0, 0.0]) == Estimate(None)
    assert intervals.of_ratio([0.0], [0.0]) == Estimate(None)
    assert intervals.of_ratio([1.0], [math.inf]) == Estimate(None)
    assert intervals.of_mean([]) == Estimate(None)
    assert Pooled.of([Histogram.empty()] * 2).quantiles([0.5]) == [Estimate(None)]


def test_a_ratio_that_one_replication_decides_alone_has_no_interval():
    assert intervals.of_ratio([1.0, 0.0], [2.0, 0.0]) == Estimate(0.5, None, None)


def test_affine_swaps_the_bounds_for_a_negative_factor():
    assert Estimate(0.5, 0.25, 1.0).affine(-2.0, 1.0) == Estimate(0.0, -1.0, 0.5)


def test_quantiles_are_within_half_a_percent():
    values = np.random.default_rng(5).lognormal(0.0, 2.0, 20_000)
    halves = [Histogram.of(values[:10_000]), Histogram.of(values[10_000:])]
    shares = [0.5, 0.9, 0.95, 0.99, 0.999]

    estimates = Pooled.of(halves).quantiles(shares)

    exact = np.quantile(values, shares, method="inverted_cdf")
    assert [one.value for one in estimates] == pytest.approx(exact, rel=0.005)


def test_quantiles_of_whole_numbers_below_256_are_exact():
    samples = [Histogram.of(np.array([0.0, 3.0, 3.0, 255.0])) for _ in range(3)]

    estimates = Pooled.of(samples, whole=True).quantiles([0.2, 0.5, 0.99])

    assert [one.value for one in estimates] == [0.0, 3.0, 255.0]
    assert [one.high - one.low for one in estimates] == [0.0, 0.0, 0.0]


def test_a_constant_has_quantiles_of_no_width():
    estimate = Pooled.of([Histogram.of(np.full(count, 2.0)) for count in (50, 80, 110)]).quantiles([0.99])[0]

    assert estimate == Estimate(2.0, 2.0, 2.0)


def test_coverage_of_the_intervals():
    """600 experiments of 10 replications: the intervals of a mean, a ratio and two quantiles hold the truth
    in 95%.

    The number of misses is binomial; if the true coverage is 95% it lies in [92%, 97.5%] of 600 with a
    probability of more than 99.7%, so three of four would raise a false alarm less than once in a hundred
    seeds.
    """
    generator = np.random.default_rng(20_261)
    experiments, replications = 600, 10
    held = np.zeros(4)
    for _ in range(experiments):
        counts = generator.poisson(300, replications)
        samples = [generator.exponential(size=count) for count in counts]
        p50, p95 = Pooled.of([Histogram.of(sample) for sample in samples]).quantiles([0.5, 0.95])
        ratio = intervals.of_ratio(
            [float(sample.sum()) for sample in samples], [float(count) for count in counts]
        )
        estimates = (intervals.of_mean([float(count) for count in counts]), ratio, p50, p95)
        truths = (300.0, 1.0, math.log(2), math.log(20))
        held += [one.low <= truth <= one.high for one, truth in zip(estimates, truths, strict=True)]

    assert np.all(held / experiments >= 0.92)
    assert np.all(held / experiments <= 0.975)


def test_coverage_of_simulated_studies():
    """300 studies of M/M/1 at 80%, ten replications of 30 s each: mean, median, p99 and a share of latencies.

    The truth is a formula; the warm-up of 10 s is eleven relaxation times, so e^-11 is left of the empty
    start. With a true coverage of 95% each of the four counts lies outside [270, 296] with a probability of
    0.03%; with 94% (the t interval of a skewed quantity falls a little short) with one of 0.25%. So other
    seeds would raise a false alarm in at most 1%.
    """
    text = station(
        poisson(80),
        exponential(0.01),
        40,
        warmup_s=10,
        objectives="[{name: quick, flow: source, within: 100ms, target: 80%}]",
    )
    truths = (0.05, math.log(2) / 20, math.log(100) / 20, 1 - math.exp(-2))
    held = np.zeros(4)
    for seed in range(300):
        runs = replicate(text, 10, seed)
        latencies = [run.flows["source"].latency for run in runs]
        quick = [run.objectives["quick"] for run in runs]
        p50, p99 = Pooled.of(latencies).quantiles([0.5, 0.99])
        mean = intervals.of_ratio([one.total for one in latencies], [one.count for one in latencies])
        share = intervals.of_share(
            [one.good.sum() + one.good_after for one in quick],
            [one.bad.sum() + one.bad_after for one in quick],
        )
        estimates = (mean, p50, p99, share)
        held += [one.low <= truth <= one.high for one, truth in zip(estimates, truths, strict=True)]

    assert np.all(held >= 270), held
    assert np.all(held <= 296), held
