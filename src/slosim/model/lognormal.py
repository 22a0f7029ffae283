"""The lognormal distribution from any two of mean, median, sd, cv, p90, p95, p99.

With ln X normal of mean mu and standard deviation sigma:

    median = e^mu           mean = e^(mu + sigma²/2)     p-quantile = e^(mu + z_p·sigma)
    cv² = e^(sigma²) - 1    sd = cv · mean

Of two solutions the smaller sigma is taken.
"""

from __future__ import annotations

import math
from statistics import NormalDist

QUANTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}
PARAMETERS = ("mean", "median", "sd", "cv", *QUANTILES)
Z = {name: NormalDist().inv_cdf(p) for name, p in QUANTILES.items()}


class NoSolution(Exception):
    """No lognormal distribution has these two values; the text says why."""


def solve(first: str, a: float, second: str, b: float) -> tuple[float, float]:
    """(mu, sigma) of the distribution whose parameters `first` and `second` have the values a and b, both
    above 0.

    Raises:
        NoSolution: there is none.
    """
    given = {first: a, second: b}
    sigma = _sigma(given)
    if not math.isfinite(sigma):
        raise NoSolution("the two values are too far apart")
    return _mu(given, sigma), sigma


def _mu(given: dict[str, float], sigma: float) -> float:
    """mu from the first parameter that fixes it once sigma is known."""
    for name, value in given.items():
        if name == "median":
            return math.log(value)
        if name == "mean":
            return math.log(value) - sigma**2 / 2
        if name in Z:
            return math.log(value) - Z[name] * sigma
    mean = given["sd"] / given["cv"]
    return math.log(mean) - sigma**2 / 2


def _sigma(given: dict[str, float]) -> float:
    names = set(given)
    if "cv" in names:
        return math.sqrt(math.log1p(given["cv"] ** 2))
    if names == {"mean", "sd"}:
        return math.sqrt(math.log1p((given["sd"] / given["mean"]) ** 2))
    if names == {"mean", "median"}:
        if given["mean"] < given["median"]:
            raise NoSolution("the mean of a lognormal distribution is at least its median")
        return math.sqrt(2 * math.log(given["mean"] / given["median"]))
    if names == {"median", "sd"}:
        r = (given["sd"] / given["median"]) ** 2
        return math.sqrt(math.log((1 + math.sqrt(1 + 4 * r)) / 2))
    if "sd" in names:
        return _sigma_of_sd_and_quantile(given)
    if "mean" in names:
        return _sigma_of_mean_and_quantile(given)
    return _sigma_of_median_or_quantiles(given)


def _sigma_of_median_or_quantiles(given: dict[str, float]) -> float:
    (low, a), (high, b) = sorted(given.items(), key=lambda item: Z.get(item[0], 0.0))
    if b < a:
        raise NoSolution(f"{high} is below {low}")
    return math.log(b / a) / (Z[high] - Z.get(low, 0.0))


def _sigma_of_mean_and_quantile(given: dict[str, float]) -> float:
    """sigma²/2 - z·sigma + ln(quantile/mean) = 0."""
    name = next(name for name in given if name in Z)
    z, distance = Z[name], math.log(given[name] / given["mean"])
    if 2 * distance > z * z:
        most = math.exp(z * z / 2)
        raise NoSolution(f"{name} of a lognormal distribution is at most {most:.3g} times its mean")
    root = math.sqrt(z * z - 2 * distance)
    return 2 * distance / (z + root) if distance >= 0 else z + root


def _sigma_of_sd_and_quantile(given: dict[str, float]) -> float:
    """Bisection on z·sigma - sigma²/2 - ln(e^(sigma²) - 1)/2 = ln(quantile/sd).

    The left side only falls, because z < 2.4.
    """
    name = next(name for name in given if name in Z)
    z, target = Z[name], math.log(given[name] / given["sd"])

    def left(sigma: float) -> float:
        square = sigma**2
        log_expm1 = square + math.log(-math.expm1(-square))
        return z * sigma - square / 2 - log_expm1 / 2

    low, high = 1e-8, 30.0
    if not left(high) <= target <= left(low):
        raise NoSolution("the two values are too far apart")
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle) > target else (low, middle)
    return (low + high) / 2
