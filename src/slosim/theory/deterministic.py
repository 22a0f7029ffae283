"""Poisson arrivals and a constant service time: M/D/1 and M/D/c, first come first served.

The textbook series for the distribution of the wait alternates and loses every digit at high utilisation. For
one slot the forms used here have positive terms only; for several, probabilities come from a numerical
inversion that is exact to about 1e-11.
"""

import cmath
import math
from functools import lru_cache

from ._numbers import (
    fourier,
    poisson_terms,
    quantile_of_tail,
    require_count,
    require_not_negative,
    require_positive,
    require_steady,
)
from .mg1 import mean_wait_s as _mean_wait_s

_ALIASING = 1e-11  # error of a probability from the numerical inversion, relative to 1


def mean_wait_s(arrival_rate_per_s: float, service_time_s: float) -> float:
    """Mean wait in M/D/1, seconds.

        E[W] = ρ·D / (2·(1 - ρ)),   ρ = λD

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: D, > 0.

    Raises:
        ValueError: an argument out of range, or ρ >= 1.

    Source: Pollaczek and Khinchine, see `mg1.mean_wait_s`.

    >>> round(mean_wait_s(0.8, 1.0), 6)
    2.0
    """
    return _mean_wait_s(arrival_rate_per_s, service_time_s, 0.0)


def mean_wait_many_slots_s(arrival_rate_per_s: float, service_time_s: float, slots: int) -> float:
    """Mean wait in M/D/c, seconds.

        E[W] = D/a · ((c - (c - a)²)/(2·(c - a)) + Σ_{k=1}^{c-1} 1/(1 - z_k) - a),   a = λD

    where z_k are the zeros of Crommelin's generating function, see `_zeros`.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: D, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or λD >= c.

    Source: slope at 1 of the generating function of Crommelin (1932), as `wait_tail`, less the messages in
    work, by Little's law. Checked against the sum over the probabilities behind `wait_tail`.

    >>> round(mean_wait_many_slots_s(0.8, 1.0, 1), 6), round(mean_wait_many_slots_s(1.6, 1.0, 2), 6)
    (2.0, 0.903284)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_count(slots=slots)
    load = arrival_rate_per_s * service_time_s
    require_steady(load / slots)
    spare = slots - load
    present = (slots - spare**2) / (2 * spare) + math.fsum((1 / (1 - z)).real for z in _zeros(load, slots))
    return max(0.0, present - load) / arrival_rate_per_s


def wait_tail(wait_s: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1) -> float:
    """Probability that a message waits longer than `wait_s` in M/D/c.

        P(W <= x) = e^(-y) · Σ_{j=0}^{kc-1} Q_{kc-1-j} · y^j / j!,   (k-1)·D <= x < k·D,   y = λ·(k·D - x)

    where Q_j is the probability of at most j messages waiting, that is at most c + j present. For one slot
    the number present, p_n, follows from the balance of upward and downward steps between services,

        p_n·a_0 = p_0·A_{n-1} + Σ_{i=1}^{n-1} p_i·A_{n-i},   a_j = P(N = j),   A_j = P(N > j)

    with N Poisson with mean λD, for several from Crommelin's generating function, inverted numerically.

    Args:
        wait_s: x, >= 0.
        arrival_rate_per_s: λ, > 0.
        service_time_s: D, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or λD >= c.

    Source: Franx (2001), A simple solution for the M/D/c waiting time distribution, Operations Research
    Letters 29(5); Crommelin (1932), Delay probability formulas when the holding times are constant, Post
    Office Electrical Engineers' Journal 25. Checked against Erlang's alternating series with 80 digits
    and, for several slots, against a numerical solution of Lindley's equation.

    >>> round(wait_tail(0.0, 0.8, 1.0), 6)
    0.8
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_not_negative(wait_s=wait_s)
    require_count(slots=slots)
    load = arrival_rate_per_s * service_time_s
    require_steady(load / slots)
    x = wait_s / service_time_s
    k = math.floor(x) + 1
    cumulated = _cumulated_present(load, slots, _power_of_two((k + 1) * slots))
    terms = poisson_terms(load * (k - x), k * slots)
    at_most = math.fsum(cumulated[slots + k * slots - 1 - j] * term for j, term in enumerate(terms))
    return min(1.0, max(0.0, 1.0 - at_most))


def wait_quantile_s(
    probability: float, arrival_rate_per_s: float, service_time_s: float, slots: int = 1
) -> float:
    """The wait that a share `probability` of messages does not exceed in M/D/c, seconds.

    Args:
        probability: p, 0 <= p < 1; up to about 1 - 1e-9.
        arrival_rate_per_s, service_time_s, slots: as `wait_tail`.

    Raises:
        ValueError: an argument out of range, or λD >= c.

    Source: inverse of `wait_tail` by bisection.

    >>> [round(wait_quantile_s(p, 0.8, 1.0), 3) for p in (0.5, 0.9, 0.95, 0.99)]
    [1.276, 5.012, 6.62, 10.356]
    """
    return quantile_of_tail(
        lambda t: wait_tail(t, arrival_rate_per_s, service_time_s, slots), probability, service_time_s
    )


def mean_wait_beyond_s(threshold_s: float, arrival_rate_per_s: float, service_time_s: float) -> float:
    """Mean of the part of a wait beyond a threshold in M/D/1, E[max(0, W - x)], seconds.

        E[W] - ∫_0^x P(W > t) dt,   piece by piece   ∫_{(k-1)D}^{kD} P(W <= t) dt = (1/λ)·Σ_{j<k}
        Q_{k-1-j}·P(N > j)

    with N Poisson with mean λD, and the last piece cut.

    Args:
        threshold_s: x, >= 0.
        arrival_rate_per_s: λ, > 0.
        service_time_s: D, > 0.

    Raises:
        ValueError: an argument out of range, or λD >= 1.

    Source: integral of the formula in `wait_tail`. Checked by numerical integration.

    >>> round(mean_wait_beyond_s(0.0, 0.8, 1.0), 6)
    2.0
    """
    mean = mean_wait_s(arrival_rate_per_s, service_time_s)
    require_not_negative(threshold_s=threshold_s)
    load = arrival_rate_per_s * service_time_s
    x = threshold_s / service_time_s
    pieces = math.ceil(x)
    cumulated = _cumulated_present(load, 1, _power_of_two(pieces + 1))
    below_s = 0.0
    for k in range(1, pieces + 1):
        from_start = _poisson_tails(load, k)
        to_cut = _poisson_tails(load * max(0.0, k - x), k)  # 0 but for the last piece
        area = math.fsum(cumulated[k - j] * (from_start[j] - to_cut[j]) for j in range(k))
        below_s += area / arrival_rate_per_s
    return max(0.0, mean - (threshold_s - below_s))


def _poisson_tails(mean: float, count: int) -> list[float]:
    """P(N > 0), …, P(N > count - 1)."""
    tails, at_most = [], 0.0
    for term in poisson_terms(mean, count):
        at_most += term
        tails.append(max(0.0, 1.0 - at_most))
    return tails


def _power_of_two(at_least: int) -> int:
    return 1 << max(6, (at_least - 1).bit_length())


@lru_cache(maxsize=64)
def _cumulated_present(load: float, slots: int, count: int) -> tuple[float, ...]:
    """P(at most n messages present), n = 0 … count - 1; count a power of two."""
    present = _present_one_slot(load, count) if slots == 1 else _present_many_slots(load, slots, count)
    cumulated, total = [], 0.0
    for p in present:
        total += p
        cumulated.append(min(total, 1.0))
    return tuple(cumulated)


def _present_one_slot(load: float, count: int) -> list[float]:
    terms = poisson_terms(load, count)
    beyond = _poisson_tails(load, count)
    present = [1.0 - load]
    for n in range(1, count):
        up = present[0] * beyond[n - 1] + math.fsum(present[i] * beyond[n - i] for i in range(1, n))
        present.append(up / terms[0])
    return present


def _present_many_slots(load: float, slots: int, count: int) -> list[float]:
    """Coefficients of P(z) = (c - a)·(1 - z)/(1 - z^c·e^(a(1 - z))) · Π_{k=1}^{c-1} (z - z_k)/(1 - z_k).

    Coefficients by the discrete Fourier transform on a circle a little smaller than the unit circle; the
    radius makes what is folded in from beyond `points` coefficients negligible.
    """
    zeros = _zeros(load, slots)
    points = 2 * count
    radius = _ALIASING ** (1.0 / points)

    def generating(z: complex) -> complex:
        value = (slots - load) * (1 - z) / (1 - z**slots * cmath.exp(load * (1 - z)))
        for zero in zeros:
            value *= (z - zero) / (1 - zero)
        return value

    around = [generating(radius * cmath.exp(2j * math.pi * m / points)) for m in range(points)]
    return [max(0.0, x.real / points / radius**n) for n, x in enumerate(fourier(around)[:count])]


def _zeros(load: float, slots: int) -> list[complex]:
    """z_1 … z_{c-1}, the zeros of 1 - z^c·e^(a(1 - z)) within the unit circle: z = e^(2πik/c)·e^(-ρ(1 - z)).

    Repeated substitution contracts, but slowly at high utilisation; a few steps of it and Newton's method
    finishes.
    """
    utilisation = load / slots
    upper = []  # k and c - k are conjugates
    for k in range(1, slots // 2 + 1):
        turn, z = cmath.exp(2j * math.pi * k / slots), 0j
        for step in range(200):
            following = turn * cmath.exp(-utilisation * (1 - z))
            if step >= 10:
                following = z - (z - following) / (1 - utilisation * following)
            change = abs(following - z)
            z = following
            if change < 1e-16:
                break
        upper.append(z)
    return upper + [z.conjugate() for z in reversed(upper[: (slots - 1) // 2])]
