"""Requests that are sent to many, where the slowest counts, and requests that are sent twice."""

from collections.abc import Callable
from typing import NamedTuple

from ._numbers import (
    quantile_of_tail,
    require_count,
    require_not_negative,
    require_positive,
    require_probability,
)


def slow_share(slow_probability: float, answers: int) -> float:
    """Share of requests that are slow because at least one of the answers that they need is.

        1 - (1 - p)^n

    Args:
        slow_probability: p, that one answer is slow, independent, 0 … 1.
        answers: n that a request waits for, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: Dean and Barroso (2013), The tail at scale, Communications of the ACM 56(2).

    >>> round(slow_share(0.01, 100), 3), round(slow_share(0.0001, 2000), 3)
    (0.634, 0.181)
    """
    require_probability(slow_probability=slow_probability)
    require_count(answers=answers)
    return 1.0 - (1.0 - slow_probability) ** answers


class Hedged(NamedTuple):
    """Requests of which a second one is made when the first has not been answered after some time."""

    requests: float  # per call
    quantile_s: float


def hedged(tail: Callable[[float], float], hedge_after_s: float, probability: float) -> Hedged:
    """Load and a quantile of calls that are hedged: the first answer of two counts.

        P(T > t) = F̄(t) for t < d, F̄(t)·F̄(t - d) from d on;   requests = 1 + F̄(d)

    F̄ must not depend on the load: answers are independent, and nobody waits for the others.

    Args:
        tail: F̄, probability that an answer takes longer than some seconds; F̄(0) = 1, continuous.
        hedge_after_s: d, > 0.
        probability: of the quantile, 0 <= p < 1.

    Raises:
        ValueError: an argument out of range.

    Source: Dean and Barroso (2013), The tail at scale, Communications of the ACM 56(2), hedged requests.

    >>> import math
    >>> calls = hedged(lambda t: math.exp(-t), 1.0, 0.99)
    >>> round(calls.requests, 4), round(calls.quantile_s, 4), round((1 + math.log(100)) / 2, 4)
    (1.3679, 2.8026, 2.8026)
    """
    require_positive(hedge_after_s=hedge_after_s)
    require_not_negative(probability=probability)

    def of_two(time_s: float) -> float:
        second = tail(time_s - hedge_after_s) if time_s > hedge_after_s else 1.0
        return tail(time_s) * second

    return Hedged(1.0 + tail(hedge_after_s), quantile_of_tail(of_two, probability, hedge_after_s))
