"""Distributions: means against integrals, quantiles against distribution functions and closed forms."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from slosim.model import Distribution, loads, lognormal
from slosim.model import distributions as d

LOGNORMAL = d.LogNormal(math.log(0.05), 0.8)
ALL: dict[str, Distribution] = {
    "constant": d.Constant(0.08),
    "uniform": d.Uniform(4.0, 12.0),
    "integers": d.Integers(4.0, 11.0),
    "exponential": d.Exponential(0.05),
    "normal": d.Normal(0.05, 0.009),
    "normal, half cut": d.Normal(0.01, 0.05),
    "lognormal": LOGNORMAL,
    "gamma": d.Gamma(1.0, 0.5),
    "gamma, heavy": d.Gamma(1.0, 3.0),
    "erlang": d.Erlang(1.0, 3),
    "weibull": d.Weibull(1.0, 0.7),
    "pareto": d.Pareto(1.0, 5.5),
    "hyperexponential": d.Hyperexponential(1.0, 2.0),
    "hyperexponential, cv 1": d.Hyperexponential(1.0, 1.0),
    "quantiles": d.Quantiles(((0.0, 0.0), (0.5, 0.04), (0.9, 0.09), (0.99, 0.3), (1.0, 2.0))),
    "empirical": d.Empirical((0.02, 0.04, 0.08, 0.4)),
    "mixture": d.Mixture(((0.99, d.Constant(0.01)), (0.01, d.Exponential(1.0)))),
    "mixture, smooth": d.Mixture(((0.3, d.Exponential(0.1)), (0.7, LOGNORMAL))),
}
VARIANTS = dict(ALL.items())
VARIANTS |= {f"{name}, shifted": dataclasses.replace(one, shift=0.5) for name, one in ALL.items()}
VARIANTS |= {
    f"{name}, shifted and capped": dataclasses.replace(one, shift=0.5, cap=0.5 + one.mean() * 1.3)
    for name, one in ALL.items()
}
P = np.concatenate([np.logspace(-12, -2, 30), np.linspace(0.011, 0.989, 201), 1 - np.logspace(-2, -12, 30)])


def upper(p: np.ndarray) -> np.ndarray:
    """1 - p without cancellation for the points of P."""
    return np.concatenate([1 - P[:-30], np.logspace(-2, -12, 30)])


def fine_mean(one: Distribution, power: int = 1) -> float:
    """Mean of X^power by the midpoint rule in both tails, on a grid that is dense near 0 and 1."""
    edges = np.concatenate([[0.0], np.logspace(-14, math.log10(0.5), 20_000)])
    middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    low = one.quantile(middle, 1 - middle) ** power
    high = one.quantile(1 - middle, middle) ** power
    return float(np.sum(width * low) + np.sum(width * high))


@pytest.mark.parametrize("name", VARIANTS)
def test_mean_and_variation_are_those_of_the_quantile_function(name: str):
    """The tolerances are the error of the midpoint rule where a quantile function jumps."""
    one = VARIANTS[name]
    mean = fine_mean(one)

    assert one.mean() == pytest.approx(mean, rel=1e-3)
    assert one.squared_cv() == pytest.approx(fine_mean(one, 2) / mean**2 - 1, rel=2e-3, abs=2e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_quantile_is_the_smallest_value_that_the_distribution_function_reaches(name: str):
    one = VARIANTS[name]
    x = one.quantile(P, upper(P))
    lower, above = one.cdf(x * (1 + 1e-9))  # x itself may be rounded down
    just_below, _ = one.cdf(x * (1 - 1e-9) - 1e-15)
    near = 1e-6 * np.minimum(P, upper(P)) + 1e-7 * P * (one.shift > 0) + 1e-12

    assert np.all(np.diff(x) >= 0)
    assert np.all((lower >= P - near) & (above <= upper(P) + near))
    assert np.all(just_below <= P + near)


@pytest.mark.parametrize("name", VARIANTS)
def test_quantiles_stay_between_minimum_and_maximum(name: str):
    one = VARIANTS[name]
    x = one.quantile(np.array([0.0, *P, 1.0]), np.array([1.0, *upper(P), 0.0]))

    assert one.minimum() <= x.min() * (1 + 1e-12)
    assert x.max() <= one.maximum() * (1 + 1e-12)
    assert x[0] == pytest.approx(one.minimum(), abs=1e-12)
    assert x[-1] == one.maximum()
    assert x.min() >= 0


@pytest.mark.parametrize(
    ("one", "p", "expected"),
    [
        (d.Exponential(2.0), 0.5, 2 * math.log(2)),
        (d.Uniform(4.0, 12.0), 0.25, 6.0),
        (d.Integers(4.0, 11.0), 0.125, 4.0),
        (d.Integers(4.0, 11.0), 0.126, 5.0),
        (d.Pareto(1.0, 2.0), 0.75, 2.0),
        (d.Weibull(1.0, 1.0), 0.5, math.log(2)),
        (d.Erlang(1.0, 1), 0.5, math.log(2)),
        (d.Empirical((1.0, 2.0, 3.0, 4.0)), 0.5, 2.0),
        (d.Quantiles(((0.0, 0.0), (0.5, 2.0), (1.0, 4.0))), 0.75, 3.0),
        (d.Normal(1.0, 0.1), 0.975, 1.1959963984540054),
        (d.Gamma(2.0, 1.0), 0.9, -2 * math.log(0.1)),
    ],
)
def test_quantiles_known_in_closed_form(one: Distribution, p: float, expected: float):
    found = one.quantile(np.array([p]), np.array([1 - p]))[0]

    assert found == pytest.approx(expected, rel=1e-12)


def test_far_tails_are_exact():
    tiny = np.array([1e-18])
    assert d.Exponential(1.0).quantile(1 - tiny, tiny)[0] == pytest.approx(18 * math.log(10), rel=1e-14)
    assert d.Exponential(1.0).quantile(tiny, 1 - tiny)[0] == pytest.approx(1e-18, rel=1e-14)
    assert d.Hyperexponential(1.0, 1.0).quantile(1 - tiny, tiny)[0] == pytest.approx(
        18 * math.log(10), rel=1e-12
    )
    assert d.Hyperexponential(1.0, 2.0).quantile(tiny, 1 - tiny)[0] > 0


def test_an_atom_of_a_mixture_is_hit_exactly():
    mixture = ALL["mixture"]
    p = np.linspace(0.02, 0.98, 50)

    assert np.all(mixture.quantile(p, 1 - p) == 0.01)


def test_moments_that_do_not_exist_are_infinite():
    assert d.Pareto(1.0, 1.0).mean() == math.inf
    assert d.Pareto(1.0, 1.5).mean() == 3.0
    assert d.Pareto(1.0, 1.5).squared_cv() == math.inf
    assert dataclasses.replace(d.Pareto(1.0, 1.0), cap=10.0).mean() == pytest.approx(
        1 + math.log(10), rel=1e-9
    )


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(lognormal.PARAMETERS, 2)))
@pytest.mark.parametrize("sigma", [0.2, 0.9])
def test_lognormal_from_any_two_parameters(first: str, second: str, sigma: float):
    """sigma below every z_p, so that the smaller of two solutions is the one we started from."""
    mean, median = math.exp(-3 + sigma**2 / 2), math.exp(-3)
    cv = math.sqrt(math.expm1(sigma**2))
    known = {"mean": mean, "median": median, "cv": cv, "sd": mean * cv}
    known |= {name: math.exp(-3 + z * sigma) for name, z in lognormal.Z.items()}

    assert lognormal.solve(first, known[first], second, known[second]) == pytest.approx((-3, sigma), rel=1e-9)


def test_of_two_lognormal_solutions_the_smaller_sigma_is_taken():
    z = lognormal.Z["p99"]
    large = z + 1.0  # its twin with the same mean and p99 is z - 1
    mean, p99 = math.exp(large**2 / 2), math.exp(z * large)

    assert lognormal.solve("mean", mean, "p99", p99)[1] == pytest.approx(z - 1.0, rel=1e-9)


def test_what_is_written_in_a_scenario_is_what_is_built():
    text = """
name: x
run: {duration: 1h}
topics: {a: {}}
producers: {p: {topic: a, arrivals: {poisson: 1/s}}}
services: {s: {consumes: a, service_time: {lognormal: {mean: 40ms, p99: 250ms}, shift: 10ms, cap: 1s}}}
"""
    one = loads(text).services["s"].service_time

    assert isinstance(one, d.LogNormal)
    assert (one.shift, one.cap) == (0.01, 1.0)
    assert math.exp(one.mu + one.sigma**2 / 2) == pytest.approx(0.04, rel=1e-12)
    assert one.quantile(np.array([0.99]), np.array([0.01]))[0] == pytest.approx(0.26, rel=1e-9)
