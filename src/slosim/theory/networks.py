"""Several stations, one after the other or in any order, fed from outside by Poisson arrivals."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from . import mm
from ._numbers import (
    quantile_of_tail,
    require_not_negative,
    require_positive,
    require_probability,
    require_steady,
    solve_linear,
)


def phases_tail(time_s: float, rates_per_s: Sequence[float]) -> float:
    """Probability that a sum of independent exponential times exceeds `time_s` (hypoexponential).

        P(T > t) = Σ_k Poisson(k; Λt) · P(not finished after k steps),   Λ = max rate

    by uniformisation: positive terms only, so equal or nearly equal rates do no harm, unlike in the sum over
    partial fractions.

    Args:
        time_s: t, >= 0.
        rates_per_s: rate of each phase, > 0.

    Raises:
        ValueError: an argument out of range, or no phase.

    Source: Jensen (1953), Markoff chains as an aid in the study of Markoff processes, Skandinavisk
    Aktuarietidskrift 36. Checked against partial fractions with distinct rates and against Erlang's
    distribution with equal ones.

    >>> round(phases_tail(2.0, [1.0, 1.0]), 6) == round(3 * math.exp(-2), 6)
    True
    """
    require_not_negative(time_s=time_s)
    if not rates_per_s:
        raise ValueError("at least one phase is needed")
    for rate in rates_per_s:
        require_positive(rate_per_s=rate)
    fastest = max(rates_per_s)
    mean = fastest * time_s
    if mean == 0:
        return 1.0
    leave = [rate / fastest for rate in rates_per_s]
    in_phase = [1.0] + [0.0] * (len(leave) - 1)
    tail = 0.0
    steps = math.ceil(mean + 12.0 * math.sqrt(mean) + 40.0)  # what lies beyond is below 1e-20
    log_mean = math.log(mean)
    for k in range(steps + 1):
        unfinished = math.fsum(in_phase)
        tail += math.exp(k * log_mean - mean - math.lgamma(k + 1)) * unfinished
        moved = 0.0
        for i, probability in enumerate(in_phase):
            in_phase[i] = probability * (1.0 - leave[i]) + moved
            moved = probability * leave[i]
    return min(1.0, tail)


def phases_quantile_s(probability: float, rates_per_s: Sequence[float]) -> float:
    """The value that a sum of independent exponential times does not exceed with that probability, seconds.

    Args:
        probability: p, 0 <= p < 1.
        rates_per_s: rate of each phase, > 0.

    Raises:
        ValueError: an argument out of range, or no phase.

    Source: inverse of `phases_tail` by bisection.

    >>> round(phases_quantile_s(0.99, [0.3, 0.2, 0.5]), 2)
    30.84
    """
    mean_s = sum(1.0 / rate for rate in rates_per_s)
    return quantile_of_tail(lambda t: phases_tail(t, rates_per_s), probability, mean_s)


def tandem_mean_sojourn_s(arrival_rate_per_s: float, service_times_s: Sequence[float]) -> float:
    """Mean time through M/M/1 stations one after the other, seconds.

        E[T] = Σ_i 1 / (μ_i - λ),   μ_i = 1/S_i

    Args:
        arrival_rate_per_s: λ, > 0.
        service_times_s: S_i of each station, exponential means, > 0.

    Raises:
        ValueError: an argument out of range, or λ·S_i >= 1.

    Source: as `tandem_sojourn_quantile_s`.

    >>> round(tandem_mean_sojourn_s(0.7, [1.0, 1 / 0.9, 1 / 1.2]), 3)
    10.333
    """
    return sum(1.0 / rate for rate in _spare_rates_per_s(arrival_rate_per_s, service_times_s))


def tandem_sojourn_quantile_s(
    probability: float, arrival_rate_per_s: float, service_times_s: Sequence[float]
) -> float:
    """The time through M/M/1 stations in series that a share p of messages does not exceed, seconds.

    The departures of an M/M/1 station are a Poisson process, and the sojourns of one message at successive
    stations are independent and exponential with rates μ_i - λ; their sum is hypoexponential
    (`phases_quantile_s`).

    Args:
        probability: p, 0 <= p < 1.
        arrival_rate_per_s: λ, > 0.
        service_times_s: S_i of each station, exponential means, > 0.

    Raises:
        ValueError: an argument out of range, or λ·S_i >= 1.

    Source: Burke (1956), The output of a queuing system, Operations Research 4(6); Reich (1957), Waiting
    times when queues are in tandem, Annals of Mathematical Statistics 28(3).

    >>> [round(tandem_sojourn_quantile_s(p, 0.7, [1.0, 1 / 0.9, 1 / 1.2]), 2) for p in (0.5, 0.99)]
    [9.02, 30.84]
    """
    return phases_quantile_s(probability, _spare_rates_per_s(arrival_rate_per_s, service_times_s))


def _spare_rates_per_s(arrival_rate_per_s: float, service_times_s: Sequence[float]) -> list[float]:
    require_positive(arrival_rate_per_s=arrival_rate_per_s)
    for service_time_s in service_times_s:
        require_positive(service_time_s=service_time_s)
        require_steady(arrival_rate_per_s * service_time_s)
    return [1.0 / service_time_s - arrival_rate_per_s for service_time_s in service_times_s]


def fork_and_join_mean_sojourn_s(arrival_rate_per_s: float, service_time_s: float) -> float:
    """Mean time until both of two equal M/M/1 stations, which get each message at once, are done, seconds.

        E[T] = (12 - ρ)/8 / (μ - λ),   ρ = λS

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S = 1/μ, exponential mean, > 0.

    Raises:
        ValueError: an argument out of range, or λS >= 1.

    Source: Flatto and Hahn (1984), Two parallel queues created by arrivals with two demands, SIAM Journal on
    Applied Mathematics 44(5); Nelson and Tantawi (1988), Approximate analysis of fork/join synchronization in
    parallel queues, IEEE Transactions on Computers 37(6).

    >>> [round(fork_and_join_mean_sojourn_s(rate, 1.0), 3) for rate in (0.5, 0.8, 0.9)]
    [2.875, 7.0, 13.875]
    """
    (spare,) = _spare_rates_per_s(arrival_rate_per_s, [service_time_s])
    return (12.0 - arrival_rate_per_s * service_time_s) / 8.0 / spare


def traffic_rates_per_s(
    external_rates_per_s: Sequence[float], routing: Sequence[Sequence[float]]
) -> tuple[float, ...]:
    """Total arrival rate of each station of an open network, per second.

        λ_j = γ_j + Σ_i λ_i·r_ij

    Args:
        external_rates_per_s: γ_j, arrivals from outside at each station, >= 0.
        routing: r_ij, share of what leaves i that goes to j; each row sums to at most 1, the rest leaves the
            network.

    Raises:
        ValueError: an argument out of range, or messages that can never leave.

    Source: Jackson (1957), Networks of waiting lines, Operations Research 5(4).

    >>> [round(rate, 4) for rate in traffic_rates_per_s([1.0, 0.0], [[0.0, 1.0], [0.5, 0.0]])]
    [2.0, 2.0]
    """
    stations = range(len(external_rates_per_s))
    for i in stations:
        require_not_negative(external_rate_per_s=external_rates_per_s[i])
        for share in routing[i]:
            require_probability(routing_share=share)
        if math.fsum(routing[i]) > 1 + 1e-12:
            raise ValueError(
                f"the routing shares of station {i} sum to {math.fsum(routing[i])!r}, more than 1"
            )
    equations = [[(1.0 if i == j else 0.0) - routing[i][j] for i in stations] for j in stations]
    return tuple(solve_linear(equations, external_rates_per_s))


class Network(NamedTuple):
    """Steady state of an open Jackson network. One entry for each station, in the order given."""

    arrival_rates_per_s: tuple[float, ...]
    utilisations: tuple[float, ...]
    mean_waits_s: tuple[float, ...]  # of one visit
    mean_present: tuple[float, ...]  # messages waiting and in work
    mean_sojourn_s: float  # of a message from outside until it leaves, all its visits together


def jackson_network(
    external_rates_per_s: Sequence[float],
    service_times_s: Sequence[float],
    slots: Sequence[int],
    routing: Sequence[Sequence[float]],
) -> Network:
    """Open Jackson network: every station behaves as an M/M/c of its own, with feedback or without.

        E[T] = Σ_j L_j / Σ_j γ_j,   L_j = λ_j·(E[W_j] + S_j),   λ from the traffic equations

    Args:
        external_rates_per_s: γ_j, >= 0, not all 0.
        service_times_s: S_j, exponential means, > 0.
        slots: c_j, >= 1.
        routing: r_ij as in `traffic_rates_per_s`.

    Raises:
        ValueError: an argument out of range, or a station with λ_j·S_j >= c_j.

    Source: Jackson (1957), as `traffic_rates_per_s`. Checked by solving the balance equations of two stations
    with feedback.

    >>> network = jackson_network([1.0, 0.0], [0.25, 0.2], [1, 1], [[0.0, 1.0], [0.5, 0.0]])
    >>> round(network.mean_sojourn_s, 4)
    1.6667
    """
    if sum(external_rates_per_s) <= 0:
        raise ValueError("at least one station must have arrivals from outside")
    rates = traffic_rates_per_s(external_rates_per_s, routing)
    waits, present, utilisations = [], [], []
    for rate, service_time_s, slot_count in zip(rates, service_times_s, slots, strict=True):
        require_positive(service_time_s=service_time_s)
        wait = mm.mean_wait_s(rate, service_time_s, slot_count) if rate > 0 else 0.0
        waits.append(wait)
        present.append(rate * (wait + service_time_s))
        utilisations.append(rate * service_time_s / slot_count)
    sojourn = sum(present) / sum(external_rates_per_s)
    return Network(rates, tuple(utilisations), tuple(waits), tuple(present), sojourn)
