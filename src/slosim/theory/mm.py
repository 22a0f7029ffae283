"""Poisson arrivals and exponential service times: M/M/1, M/M/c, M/M/c/K. First come first served.

λ arrivals per second, S mean seconds of service, c slots, a = λ·S offered load, ρ = a/c utilisation,
C = C(c, a) the probability of waiting (Erlang C). M/M/1 is M/M/c with one slot.
"""

import math
from typing import NamedTuple

from ._numbers import (
    poisson_terms,
    quantile_of_tail,
    require_count,
    require_not_negative,
    require_positive,
    require_probability,
)
from .erlang import wait_probability


def mean_wait_s(arrival_rate_per_s: float, service_time_s: float, slots: int = 1) -> float:
    """Mean wait in M/M/c, seconds.

        E[W] = C(c, λS) · S / (c - λS)

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, mean, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or λS >= c; the queue has no steady state.

    Source: Erlang (1917); Kleinrock (1975), Queueing Systems, volume 1, section 3.5. Checked against the
    County Hospital example of Hillier and Lieberman, Introduction to Operations Research, and by solving the
    birth-death equations.

    >>> round(mean_wait_s(2.0, 1 / 3, 1), 4), round(mean_wait_s(2.0, 1 / 3, 2), 4)
    (0.6667, 0.0417)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    load = arrival_rate_per_s * service_time_s
    return wait_probability(load, slots) * service_time_s / (slots - load)


def mean_waiting(arrival_rate_per_s: float, service_time_s: float, slots: int = 1) -> float:
    """Mean number of messages waiting in M/M/c, by Little's law from `mean_wait_s`.

        L_q = λ · E[W]

    Args, Raises, Source: as `mean_wait_s`.

    >>> round(mean_waiting(1 / 4, 3.0), 4)
    2.25
    """
    return arrival_rate_per_s * mean_wait_s(arrival_rate_per_s, service_time_s, slots)


def wait_tail(wait_s: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1) -> float:
    """Probability that a message waits longer than `wait_s` in M/M/c.

        P(W > t) = C(c, λS) · exp(-(c - λS)·t / S)

    Args:
        wait_s: t, >= 0.
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, mean, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or λS >= c.

    Source: Erlang (1917); Cooper (1981), Introduction to Queueing Theory, 2nd edition, chapter 3. Checked
    against the County Hospital example of Hillier and Lieberman.

    >>> round(wait_tail(0.5, 2.0, 1 / 3, 1), 3), round(wait_tail(0.5, 2.0, 1 / 3, 2), 4)
    (0.404, 0.0226)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_not_negative(wait_s=wait_s)
    load = arrival_rate_per_s * service_time_s
    return wait_probability(load, slots) * math.exp(-(slots - load) * wait_s / service_time_s)


def wait_quantile_s(
    probability: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1
) -> float:
    """The wait that a share `probability` of messages does not exceed in M/M/c, seconds.

        t_p = max(0, ln(C(c, λS) / (1 - p)) · S / (c - λS))

    Args:
        probability: p, 0 <= p < 1.
        arrival_rate_per_s, service_time_s, slots: as `wait_tail`.

    Raises:
        ValueError: an argument out of range, or λS >= c.

    Source: inverse of `wait_tail`.

    >>> [round(wait_quantile_s(p, 8.0, 1.0, 10), 3) for p in (0.5, 0.95, 0.99)]
    [0.0, 1.051, 1.856]
    """
    if not 0 <= probability < 1:
        raise ValueError(f"probability must be at least 0 and below 1, got {probability!r}")
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    load = arrival_rate_per_s * service_time_s
    waits = wait_probability(load, slots)
    if waits <= 1.0 - probability:
        return 0.0
    return math.log(waits / (1.0 - probability)) * service_time_s / (slots - load)


def sojourn_tail(sojourn_s: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1) -> float:
    """Probability that wait and service together take longer than `sojourn_s` in M/M/c.

        P(T > t) = e^(-μt) + C · μ · (e^(-μt) - e^(-θt)) / (θ - μ),   μ = 1/S,   θ = (c - λS)/S

    For c = 1 this is e^(-(μ - λ)t). At θ = μ the fraction becomes t·e^(-μt); it is computed without
    cancellation.

    Args:
        sojourn_s: t, >= 0.
        arrival_rate_per_s, service_time_s, slots: as `wait_tail`.

    Raises:
        ValueError: an argument out of range, or λS >= c.

    Source: convolution of the wait (`wait_tail`) with an exponential service time, which are independent;
    Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th edition, section 2.3.
    Checked by numerical integration.

    >>> round(1 - sojourn_tail(5.0, 0.9, 1.0), 4)
    0.3935
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_not_negative(sojourn_s=sojourn_s)
    load = arrival_rate_per_s * service_time_s
    waits = wait_probability(load, slots)
    x = sojourn_s / service_time_s
    gap = slots - load - 1.0  # (θ - μ)·S
    if abs(gap * x) < 1e-9:
        fraction = x * math.exp(-x)
    elif gap > 0:
        fraction = math.exp(-x) * -math.expm1(-gap * x) / gap
    else:
        fraction = math.exp(-(slots - load) * x) * math.expm1(gap * x) / gap
    return min(1.0, math.exp(-x) + waits * fraction)


def sojourn_quantile_s(
    probability: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1
) -> float:
    """The wait and service that a share `probability` of messages does not exceed in M/M/c, seconds.

    Root of `sojourn_tail` by bisection.

    Args:
        probability: p, 0 <= p < 1.
        arrival_rate_per_s, service_time_s, slots: as `wait_tail`.

    Raises:
        ValueError: an argument out of range, or λS >= c.

    Source: as `sojourn_tail`.

    >>> round(sojourn_quantile_s(0.99, 8.0, 1.0, 10), 3)
    4.946
    """
    return quantile_of_tail(
        lambda t: sojourn_tail(t, arrival_rate_per_s, service_time_s, slots), probability, service_time_s
    )


class LossQueue(NamedTuple):
    """Steady state of M/M/c/K."""

    loss: float  # probability that an arriving message finds no room
    mean_waiting: float  # messages waiting, mean over time
    mean_busy: float  # slots busy, mean over time
    mean_wait_s: float  # of the accepted messages, s
    state: tuple[float, ...]  # P(n messages present), n = 0 … K


def loss_queue(arrival_rate_per_s: float, service_time_s: float, slots: int, room: int) -> LossQueue:
    """M/M/c/K: c slots and room for `room` messages in all, in work and waiting; who finds no room is lost.

        p_n ∝ a^n / n!  (n <= c),   p_n = p_c·ρ^(n - c)  (c <= n <= K);   loss = p_K

    Every load has a steady state. `room = slots` is Erlang's loss system.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, mean, > 0.
        slots: c, >= 1.
        room: K, >= c.

    Raises:
        ValueError: an argument out of range.

    Source: Gross, Shortle, Thompson and Harris (2008), Fundamentals of Queueing Theory, 4th edition, section
    2.5. Checked by solving the birth-death equations.

    >>> queue = loss_queue(3.0, 1 / 4, slots=2, room=3)
    >>> round(queue.loss, 5), round(queue.mean_waiting + queue.mean_busy, 4)
    (0.04936, 0.7623)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_count(slots=slots, room=room)
    if room < slots:
        raise ValueError(f"room counts messages in work too: at least {slots}, got {room}")
    load = arrival_rate_per_s * service_time_s
    weights = [1.0]
    for n in range(1, room + 1):
        weights.append(weights[-1] * load / min(n, slots))
        if weights[-1] > 1e250:  # only ratios matter
            weights = [w * 1e-250 for w in weights]
    total = math.fsum(weights)
    state = tuple(w / total for w in weights)
    waiting = math.fsum((n - slots) * p for n, p in enumerate(state) if n > slots)
    busy = math.fsum(min(n, slots) * p for n, p in enumerate(state))
    accepted_per_s = busy / service_time_s
    return LossQueue(state[room], waiting, busy, waiting / accepted_per_s, state)


def loss_queue_wait_tail(
    wait_s: float, arrival_rate_per_s: float, service_time_s: float, slots: int, room: int
) -> float:
    """Probability that an accepted message waits longer than `wait_s` in M/M/c/K.

        P(W > t) = Σ_{n=c}^{K-1} p_n / (1 - p_K) · P(Poisson(c·t/S) <= n - c)

    Args:
        wait_s: t, >= 0.
        arrival_rate_per_s, service_time_s, slots, room: as `loss_queue`.

    Raises:
        ValueError: an argument out of range.

    Source: Gross, Shortle, Thompson and Harris (2008), as `loss_queue`: who finds n present waits for n - c +
    1 ends of service, an Erlang time. Checked: its integral is the mean wait.

    >>> round(loss_queue_wait_tail(0.0, 3.0, 1 / 4, 2, 3), 4)
    0.1385
    """
    require_not_negative(wait_s=wait_s)
    state = loss_queue(arrival_rate_per_s, service_time_s, slots, room).state
    at_most = 0.0
    tail = 0.0
    terms = poisson_terms(slots * wait_s / service_time_s, room - slots)
    for p, term in zip(state[slots:room], terms, strict=True):
        at_most += term
        tail += p * at_most
    return tail / (1.0 - state[room])


def mean_wait_asymptotic_variance(arrival_rate_per_s: float, service_time_s: float) -> float:
    """n times the variance of the mean of n successive waits in M/M/1, for large n, seconds squared.

        σ² = S² · ρ·(2 + 5ρ - 4ρ² + ρ³) / (1 - ρ)⁴

    It says how long a run must be: successive waits resemble each other, so their mean is far less certain
    than that of independent ones.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, mean, > 0.

    Raises:
        ValueError: an argument out of range, or λS >= 1.

    Source: Daley (1968), The serial correlation coefficients of waiting times in a stationary single server
    queue, Journal of the Australian Mathematical Society 8(4). Checked by simulating Lindley's recursion.

    >>> round(mean_wait_asymptotic_variance(0.5, 1.0), 6)
    29.0
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    rho = arrival_rate_per_s * service_time_s
    wait_probability(rho, 1)  # refuses what has no steady state
    return service_time_s**2 * rho * (2 + 5 * rho - 4 * rho**2 + rho**3) / (1 - rho) ** 4


def arrivals_for_precision(
    utilisation: float, relative_error: float, confidence_factor: float = 1.96
) -> float:
    """How many messages an M/M/1 simulation must see for its mean wait to be that precise.

        n = z²·σ² / (ε·E[W])²,   σ² from `mean_wait_asymptotic_variance`

    Args:
        utilisation: ρ, between 0 and 1, both excluded.
        relative_error: ε, half the width of the interval over the mean, > 0.
        confidence_factor: z; 1.96 for 95%.

    Raises:
        ValueError: an argument out of range.

    Source: as `mean_wait_asymptotic_variance`.

    >>> [f"{arrivals_for_precision(rho, 0.01):.2g}" for rho in (0.5, 0.8, 0.9, 0.95)]
    ['1.1e+06', '4.7e+06', '1.7e+07', '6.5e+07']
    """
    require_positive(relative_error=relative_error, confidence_factor=confidence_factor)
    require_probability(utilisation=utilisation)
    variance = mean_wait_asymptotic_variance(utilisation, 1.0)
    return variance * (confidence_factor / (relative_error * mean_wait_s(utilisation, 1.0))) ** 2
