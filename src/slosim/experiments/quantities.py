"""The numbers that experiments compare: each an estimator over summaries of replications, with its interval.

A quantity is a function of sums over replications (a mean, a ratio, a quantile of a summed histogram), so
leaving one replication out is a subtraction, and the difference of two variants is estimated from pairs:
replication k of both meets the same arrivals and the same luck, and what is common to them cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from slosim.experiments.summary import ServiceSummary, Summary
from slosim.measure import changes, intervals
from slosim.measure.intervals import Estimate, Pooled, quantiles_of_sums
from slosim.model import Scenario

PAIRS_LEAST = 5
"""With fewer pairs two variances, and more so their ratio, say nothing."""
LATENCY_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


class Quantity(NamedTuple):
    """One number of a variant.

    key         place in the report, such as `flows.fulfilment.latency_s.p99`
    name        for people: `fulfilment p99`
    unit        ratio, s, messages, per_message, cost_per_h
    better      "lower", "higher", or "" where neither is
    statistics  of one replication: float64[k]
    value       of sums of statistics: float64[n, k] to float64[n], NaN where undefined
    most        the largest value it can have
    own         the estimate and its interval, where those of `value` and the jackknife are not the report's
    """

    key: str
    name: str
    unit: str
    better: str
    statistics: Callable[[Summary], np.ndarray]
    value: Callable[[np.ndarray], np.ndarray]
    most: float = math.inf
    own: Callable[[Sequence[Summary]], Estimate] | None = None


class Change(NamedTuple):
    """From one variant to another, on the same work.

    before, after  the two values
    difference     after - before
    ratio          (after - before) / before, its interval that of the logarithm; undefined when before is 0
    pairing        how many times more replications independent runs would need for the same interval; None
                   where that cannot be said, and for fewer than PAIRS_LEAST pairs
    """

    before: Estimate
    after: Estimate
    difference: Estimate
    ratio: Estimate
    pairing: float | None


def estimate(quantity: Quantity, summaries: Sequence[Summary]) -> Estimate:
    """The pooled value with its 95% interval, as in the report of these replications."""
    if quantity.own is not None:
        return quantity.own(summaries)
    pooled, left_out = _jackknifed(quantity, _statistics(quantity, summaries))
    return _estimate(pooled, left_out, least=0.0, most=quantity.most)


def change(quantity: Quantity, before: Sequence[Summary], after: Sequence[Summary]) -> Change:
    """What changes from one variant to another; replication k of both on the same work."""
    if len(before) != len(after):
        raise ValueError(f"pairs need the same number of replications, got {len(before)} and {len(after)}")
    pairs = [_jackknifed(quantity, _statistics(quantity, its)) for its in (before, after)]
    (old, olds), (new, news) = pairs
    its = changes.paired(old, new, olds, news)
    own = [_estimate(pooled, left_out, least=-math.inf) for pooled, left_out in pairs]
    return Change(
        estimate(quantity, before),
        estimate(quantity, after),
        its.difference,
        its.ratio,
        _pairing(own, its.difference) if len(before) >= PAIRS_LEAST else None,
    )


def effect_of(quantity: Quantity, its: Change) -> str:
    """The effect that the interval shown beside it says, as `changes.effect_of` puts it."""
    return changes.effect_of(quantity.unit, quantity.better, changes.Change(its.difference, its.ratio))


def _pairing(own: Sequence[Estimate], difference: Estimate) -> float | None:
    """Variance of the difference of independent runs over that of pairs."""
    widths = [half_width(one) for one in (*own, difference)]
    if any(width is None for width in widths) or not widths[2]:
        return None
    return (widths[0] ** 2 + widths[1] ** 2) / widths[2] ** 2  # type: ignore[operator]


def half_width(estimate: Estimate) -> float | None:
    """Half the width of the interval, None without one."""
    if estimate.low is None or estimate.high is None:
        return None
    return (estimate.high - estimate.low) / 2


def _statistics(quantity: Quantity, summaries: Sequence[Summary]) -> np.ndarray:
    return np.array([quantity.statistics(one) for one in summaries], dtype=np.float64)


def _jackknifed(quantity: Quantity, statistics: np.ndarray) -> tuple[float, np.ndarray]:
    """The pooled value, and those with one replication left out each."""
    total = statistics.sum(axis=0)
    rows = np.vstack([total[None, :], total[None, :] - statistics])
    values = quantity.value(rows)
    return float(values[0]), values[1:] if len(statistics) > 1 else np.full(1, np.nan)


def _estimate(pooled: float, left_out: np.ndarray, least: float, most: float = math.inf) -> Estimate:
    if not math.isfinite(pooled):
        return intervals.UNDEFINED
    values = [float(value) if math.isfinite(value) else None for value in left_out]
    return intervals.jackknife(pooled, values, least, most)


# The quantities of a scenario


def quantities_of(scenario: Scenario) -> list[Quantity]:
    """Everything that experiments show of a variant, in the order of the report."""
    return [
        *(objective(one.name) for one in scenario.objectives),
        *(one for name in scenario.flows for one in flow_quantities(name)),
        *(one for name in scenario.services for one in service_quantities(name)),
        *(dependency_utilisation(name) for name in scenario.dependencies),
        *(
            one
            for name, service in scenario.services.items()
            for topic in service.consumes
            for one in line_quantities(topic, name)
        ),
        *([cost_per_hour(scenario)] if has_prices(scenario) else []),
    ]


def objective(name: str) -> Quantity:
    """Share of good among good and bad."""
    return Quantity(
        f"objectives.{name}.sli_ratio",
        name,
        "ratio",
        "higher",
        lambda one: np.array([one.objectives[name][0], sum(one.objectives[name])]),
        _ratio,
        most=1.0,
        own=lambda summaries: sli_of(name, summaries),
    )


def sli_of(name: str, summaries: Sequence[Summary]) -> Estimate:
    """Share of good of an objective, as the report gives it: with a lower bound when there is no bad one."""
    counts = [one.objectives[name] for one in summaries]
    return intervals.of_share([good for good, _ in counts], [bad for _, bad in counts])


def flow_quantities(name: str) -> list[Quantity]:
    """Mean and percentiles of the latency of a flow."""
    path = f"flows.{name}.latency_s"
    mean = Quantity(
        f"{path}.mean",
        f"{name} mean",
        "s",
        "lower",
        lambda one: np.array([one.flows[name].latency.total, float(one.flows[name].latency.count)]),
        _ratio,
    )
    percentiles = [
        Quantity(
            f"{path}.{word}",
            f"{name} {word}",
            "s",
            "lower",
            lambda one: one.flows[name].latency.counts,
            partial(quantiles_of_sums, share=share),
            own=_own_quantile(name, share),
        )
        for word, share in LATENCY_QUANTILES.items()
    ]
    return [mean, *percentiles]


def _own_quantile(name: str, share: float) -> Callable[[Sequence[Summary]], Estimate]:
    """The quantile of a latency as the report gives it: the middle of its bucket, Woodruff's interval."""
    return lambda summaries: Pooled.of([one.flows[name].latency for one in summaries]).quantiles([share])[0]


def flow_parts(name: str, parts: Sequence[str], slowest: bool) -> list[Quantity]:
    """Where the time of a flow goes: of all completed instances, or of the slowest 1% of each replication."""
    word = "slowest_1%" if slowest else "mean"
    return [
        Quantity(
            f"flows.{name}.where_time_goes_s.{word}.{part}",
            part,
            "s",
            "lower",
            _part_statistics(name, part, slowest),
            _ratio,
        )
        for part in parts
    ]


def _part_statistics(name: str, part: str, slowest: bool) -> Callable[[Summary], np.ndarray]:
    def of(one: Summary) -> np.ndarray:
        flow = one.flows[name]
        if slowest:
            return np.array([flow.slowest_parts.get(part, 0.0), 1.0])
        return np.array([flow.parts.get(part, 0.0), float(flow.latency.count)])

    return of


def service_quantities(name: str) -> list[Quantity]:
    """Utilisation, mean wait and attempts per message of a service."""
    path = f"services.{name}"

    def of(numbers: Callable[[ServiceSummary], tuple[float, float]]) -> Callable[[Summary], np.ndarray]:
        return lambda one: np.array(numbers(one.services[name]))

    return [
        Quantity(
            f"{path}.utilisation_ratio",
            f"{name} busy",
            "ratio",
            "",
            of(lambda its: (its.busy_seconds, math.nan if its.slot_seconds is None else its.slot_seconds)),
            _ratio,
            most=1.0,
        ),
        Quantity(
            f"{path}.wait_s.mean",
            f"{name} wait",
            "s",
            "lower",
            of(lambda its: (its.wait_total_s, float(its.wait_count))),
            _ratio,
        ),
        Quantity(
            f"{path}.attempts_per_message",
            f"{name} attempts per message",
            "per_message",
            "lower",
            of(lambda its: (float(its.attempts), float(its.first_attempts))),
            _ratio,
        ),
    ]


def dependency_utilisation(name: str) -> Quantity:
    """Busy server seconds over server seconds."""

    def statistics(one: Summary) -> np.ndarray:
        its = one.dependencies[name]
        return np.array([its.busy_seconds, math.nan if its.server_seconds is None else its.server_seconds])

    return Quantity(
        f"dependencies.{name}.utilisation_ratio", f"{name} busy", "ratio", "", statistics, _ratio, most=1.0
    )


def line_quantities(topic: str, service: str) -> list[Quantity]:
    """Mean and largest lag of a line; the largest is the mean over replications of each one's maximum."""
    name = f"{topic} → {service}"
    path = f"topics.{topic}.consumers.{service}.lag"
    return [
        Quantity(
            f"{path}.mean",
            f"{name} lag",
            "messages",
            "lower",
            lambda one: np.array([one.lines[name].lag_integral, one.measured_s]),
            _ratio,
        ),
        Quantity(
            f"{path}.max_mean",
            f"{name} largest lag",
            "messages",
            "lower",
            lambda one: np.array([one.lines[name].lag_max, 1.0]),
            _ratio,
        ),
    ]


def has_prices(scenario: Scenario) -> bool:
    return any(service.cost_per_instance_hour is not None for service in scenario.services.values())


def cost_per_hour(scenario: Scenario) -> Quantity:
    """Instance hours times their price, per hour; services without a price cost nothing."""
    prices = {name: service.cost_per_instance_hour or 0.0 for name, service in scenario.services.items()}

    def statistics(one: Summary) -> np.ndarray:
        cost = sum(price * one.services[name].instance_seconds for name, price in prices.items())
        return np.array([cost, one.measured_s])

    return Quantity("cost_per_h", "cost per hour", "cost_per_h", "lower", statistics, _ratio)


def _ratio(sums: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return sums[:, 0] / sums[:, 1]
