"""Waiting for a rate limit: a token bucket with Poisson arrivals and nothing else to wait for.

With a burst of one, messages are let through one by one at least 1/r apart: an M/D/1 queue with service time
1/r. A bucket of b tokens lets a message through (b - 1)/r earlier, so its wait is that of M/D/1 less (b -
1)/r.
"""

from . import deterministic
from ._numbers import require_count, require_positive


def mean_wait_s(arrival_rate_per_s: float, limit_per_s: float, burst: int = 1) -> float:
    """Mean wait for a token, seconds.

        E[max(0, W - (b - 1)/r)],   W the wait in M/D/1 with service time 1/r

    Args:
        arrival_rate_per_s: λ, attempts per second, > 0.
        limit_per_s: r, tokens per second, > λ.
        burst: b, tokens that the bucket holds, >= 1.

    Raises:
        ValueError: an argument out of range, or λ >= r.

    Source: the bucket as a queue of virtual work, Turner (1986), New directions in communications, IEEE
    Communications Magazine 24(10); `deterministic.mean_wait_beyond_s`. Checked by simulating the bucket.

    >>> round(mean_wait_s(80.0, 100.0), 6)
    0.02
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, limit_per_s=limit_per_s)
    require_count(burst=burst)
    return deterministic.mean_wait_beyond_s((burst - 1) / limit_per_s, arrival_rate_per_s, 1.0 / limit_per_s)


def wait_tail(wait_s: float, arrival_rate_per_s: float, limit_per_s: float, burst: int = 1) -> float:
    """Probability that a message waits longer than `wait_s` for a token.

        P(W > t + (b - 1)/r),   W the wait in M/D/1 with service time 1/r

    Args:
        wait_s: t, >= 0.
        arrival_rate_per_s, limit_per_s, burst: as `mean_wait_s`.

    Raises, Source: as `mean_wait_s`.

    >>> round(wait_tail(0.0, 80.0, 100.0), 6)
    0.8
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, limit_per_s=limit_per_s)
    require_count(burst=burst)
    return deterministic.wait_tail(wait_s + (burst - 1) / limit_per_s, arrival_rate_per_s, 1.0 / limit_per_s)


def wait_quantile_s(
    probability: float, arrival_rate_per_s: float, limit_per_s: float, burst: int = 1
) -> float:
    """The wait for a token that a share `probability` of messages does not exceed, seconds.

    Args:
        probability: p, 0 <= p < 1.
        arrival_rate_per_s, limit_per_s, burst: as `mean_wait_s`.

    Raises, Source: as `mean_wait_s`.

    >>> round(wait_quantile_s(0.99, 80.0, 100.0), 5), round(wait_quantile_s(0.99, 80.0, 100.0, burst=11), 5)
    (0.10356, 0.00356)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, limit_per_s=limit_per_s)
    require_count(burst=burst)
    unlimited = deterministic.wait_quantile_s(probability, arrival_rate_per_s, 1.0 / limit_per_s)
    return max(0.0, unlimited - (burst - 1) / limit_per_s)
