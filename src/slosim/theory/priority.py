"""Priority classes: who is more important is served first; within a class, first come first served.

Classes are given in order of importance, the first is served first. σ_k is the utilisation by classes 1 … k.
"""

from collections.abc import Sequence

from ._numbers import require_count, require_not_negative, require_positive, require_steady
from .erlang import wait_probability


def mean_waits_s(
    arrival_rates_per_s: Sequence[float], service_time_s: float, slots: int = 1
) -> tuple[float, ...]:
    """Mean wait of each class in M/M/c with priorities that do not interrupt, seconds.

        E[W_k] = C(c, a)·S/c / ((1 - σ_{k-1})·(1 - σ_k)),   σ_k = (λ_1 + … + λ_k)·S/c,   a = σ_n·c

    Args:
        arrival_rates_per_s: λ_k of each class, the most important first, each >= 0, not all 0.
        service_time_s: S, the exponential mean of every class, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or the sum of λ_k·S >= c.

    Source: Cobham (1954), Priority assignment in waiting line problems, Operations Research 2(1). Checked
    against Hillier and Lieberman, Introduction to Operations Research, the example of the county hospital
    with priorities.

    >>> [round(w, 4) for w in mean_waits_s([0.2, 0.6, 1.2], 1 / 3)]
    [0.2381, 0.3247, 0.9091]
    >>> [round(w, 4) for w in mean_waits_s([0.2, 0.6, 1.2], 1 / 3, slots=2)]
    [0.0287, 0.0332, 0.0481]
    """
    require_positive(service_time_s=service_time_s)
    require_count(slots=slots)
    for rate in arrival_rates_per_s:
        require_not_negative(arrival_rate_per_s=rate)
    load = sum(arrival_rates_per_s) * service_time_s
    residual_s = wait_probability(load, slots) * service_time_s / slots
    shares = [rate * service_time_s / slots for rate in arrival_rates_per_s]
    return _cobham(residual_s, shares)


def mean_waits_one_slot_s(
    arrival_rates_per_s: Sequence[float],
    service_times_s: Sequence[float],
    service_squared_cvs: Sequence[float],
) -> tuple[float, ...]:
    """Mean wait of each class in M/G/1 with priorities that do not interrupt, seconds.

        E[W_k] = Σ_i λ_i·E[S_i²]/2 / ((1 - σ_{k-1})·(1 - σ_k)),   E[S_i²] = E[S_i]²·(1 + c_i²)

    Args:
        arrival_rates_per_s: λ_k of each class, the most important first, each >= 0.
        service_times_s: E[S_k] of each class, > 0.
        service_squared_cvs: c_k² of each class, >= 0.

    Raises:
        ValueError: an argument out of range, lists of different length, or σ_n >= 1.

    Source: Cobham (1954), as `mean_waits_s`; Kleinrock (1976), Queueing Systems, volume 2, chapter 3.

    >>> [round(w, 4) for w in mean_waits_one_slot_s([0.2, 0.6, 1.2], [1 / 3] * 3, [1.0] * 3)]
    [0.2381, 0.3247, 0.9091]
    """
    residual_s = 0.0
    shares = []
    for rate, mean, squared_cv in zip(arrival_rates_per_s, service_times_s, service_squared_cvs, strict=True):
        require_not_negative(arrival_rate_per_s=rate, service_squared_cv=squared_cv)
        require_positive(service_time_s=mean)
        residual_s += 0.5 * rate * mean**2 * (1.0 + squared_cv)
        shares.append(rate * mean)
    return _cobham(residual_s, shares)


def mean_sojourns_preemptive_s(
    arrival_rates_per_s: Sequence[float], service_time_s: float
) -> tuple[float, ...]:
    """Mean wait and service of each class in M/M/1 with interruption, work being resumed, seconds.

        E[T_k] = S / ((1 - σ_{k-1})·(1 - σ_k))

    Args:
        arrival_rates_per_s: λ_k of each class, the most important first, each >= 0.
        service_time_s: S, the exponential mean of every class, > 0.

    Raises:
        ValueError: an argument out of range, or σ_n >= 1.

    Source: Hillier and Lieberman, Introduction to Operations Research, queueing theory, priority-discipline
    models.

    >>> [round(t, 4) for t in mean_sojourns_preemptive_s([0.2, 0.6, 1.2], 1 / 3)]
    [0.3571, 0.487, 1.3636]
    """
    require_positive(service_time_s=service_time_s)
    for rate in arrival_rates_per_s:
        require_not_negative(arrival_rate_per_s=rate)
    return _cobham(service_time_s, [rate * service_time_s for rate in arrival_rates_per_s])


def _cobham(residual_s: float, shares: Sequence[float]) -> tuple[float, ...]:
    require_steady(sum(shares))
    means = []
    before = 0.0
    for share in shares:
        until = before + share
        means.append(residual_s / ((1.0 - before) * (1.0 - until)))
        before = until
    return tuple(means)
