"""Erlang's formulas: how often all slots are busy, with and without a queue, and how many slots are enough.

Offered load a = λ·S, mean arrivals per second times the mean seconds of work of one message, is a pure
number: the slots that would be busy if there were always one free.
"""

import math
from statistics import NormalDist

from ._numbers import (
    require_count,
    require_not_negative,
    require_positive,
    require_probability,
    require_steady,
)


def loss_probability(offered_load: float, slots: int) -> float:
    """Probability that a message finds all slots busy and is lost, M/G/c/c (Erlang B).

        B(0, a) = 1,   B(k, a) = a·B(k-1, a) / (k + a·B(k-1, a)),   k = 1 … c

    It depends on the service time only through its mean. The recursion has positive terms only and is stable
    for any number of slots.

    Args:
        offered_load: a = λ·S, >= 0.
        slots: c, >= 0.

    Raises:
        ValueError: an argument out of range.

    Source: Erlang (1917), Solution of some problems in the theory of probabilities of significance in
    automatic telephone exchanges; the recursion: Jagers and van Doorn (1986), On the continued Erlang loss
    function, Operations Research Letters 5(1). Checked against published 1% tables.

    >>> round(loss_probability(5.0, 10), 6)
    0.018385
    """
    require_not_negative(offered_load=offered_load, slots=slots)
    blocking = 1.0
    for k in range(1, int(slots) + 1):
        blocking = offered_load * blocking / (k + offered_load * blocking)
    return blocking


def wait_probability(offered_load: float, slots: int) -> float:
    """Probability that an arriving message must wait, M/M/c (Erlang C).

        C(c, a) = B(c, a) / (1 - ρ·(1 - B(c, a))),   ρ = a / c

    Args:
        offered_load: a = λ·S, >= 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range, or a >= c; the queue has no steady state.

    Source: Erlang (1917) as above; this form: Cooper (1981), Introduction to Queueing Theory, 2nd edition,
    chapter 3. Checked by solving the birth-death equations.

    >>> round(wait_probability(66.0 * 0.025, 2), 4)
    0.7459
    """
    require_count(slots=slots)
    utilisation = offered_load / slots
    require_steady(utilisation)
    blocking = loss_probability(offered_load, slots)
    return blocking / (1.0 - utilisation * (1.0 - blocking))


def load_for_loss(loss: float, slots: int) -> float:
    """The offered load at which a share `loss` finds all slots busy: the inverse of `loss_probability`.

    Args:
        loss: share lost, between 0 and 1, both excluded.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: root of Erlang B by bisection. Checked against published 1% tables.

    >>> round(load_for_loss(0.01, 10), 3)
    4.461
    """
    require_count(slots=slots)
    if not 0 < loss < 1:
        raise ValueError(f"loss must lie between 0 and 1, got {loss!r}")
    low, high = 0.0, float(slots)
    while loss_probability(high, slots) < loss:
        low, high = high, 2.0 * high
    for _ in range(200):
        middle = 0.5 * (low + high)
        if loss_probability(middle, slots) < loss:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def slots_for_utilisation(offered_load: float, utilisation_limit: float = 1.0) -> int:
    """The fewest slots whose utilisation stays below a limit.

        min { c : a / c < limit }

    Args:
        offered_load: a = λ·S, >= 0.
        utilisation_limit: above 0, at most 1; with 1 (the default) these are the slots that let the queue be
            stable.

    Raises:
        ValueError: an argument out of range.

    Source: definition.

    >>> slots_for_utilisation(66.0 * 0.040)
    3
    """
    require_not_negative(offered_load=offered_load)
    if not 0 < utilisation_limit <= 1:
        raise ValueError(f"utilisation_limit must be above 0 and at most 1, got {utilisation_limit!r}")
    slots = max(1, math.ceil(offered_load / utilisation_limit))
    return slots + 1 if offered_load / slots >= utilisation_limit else slots


def slots_for_wait(
    arrival_rate_per_s: float, service_time_s: float, wait_s: float, late_probability: float
) -> int:
    """The fewest slots of M/M/c with which at most a share of messages waits longer than `wait_s`.

        min { c > a : C(c, a) · exp(-(c - a)·t / S) <= share },   a = λ·S

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, mean, > 0.
        wait_s: t, >= 0.
        late_probability: above 0, at most 1.

    Raises:
        ValueError: an argument out of range.

    Source: the distribution of the wait in M/M/c, see `mm.wait_tail`.

    >>> slots_for_wait(100.0, 0.080, 0.100, 0.05)
    10
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_not_negative(wait_s=wait_s)
    require_probability(late_probability=late_probability)
    if late_probability == 0:
        raise ValueError("late_probability must be above 0: no number of slots rules a wait out")
    load = arrival_rate_per_s * service_time_s
    slots = slots_for_utilisation(load)
    while (
        wait_probability(load, slots) * math.exp(-(slots - load) * wait_s / service_time_s) > late_probability
    ):
        slots += 1
    return slots


def wait_probability_of_many_slots(spare: float) -> float:
    """Limit of Erlang C for many slots, when the spare slots are `spare` times the square root of the load.

        1 / (1 + β·Φ(β) / φ(β)),   c = a + β·√a

    Args:
        spare: β, > 0.

    Raises:
        ValueError: β not above 0.

    Source: Halfin and Whitt (1981), Heavy-traffic limits for queues with many exponential servers, Operations
    Research 29(3), proposition 1. Checked against Erlang C at a = 10,000.

    >>> round(wait_probability_of_many_slots(0.5), 4), round(wait_probability_of_many_slots(1.0), 4)
    (0.5045, 0.2234)
    """
    require_positive(spare=spare)
    normal = NormalDist()
    return 1.0 / (1.0 + spare * normal.cdf(spare) / normal.pdf(spare))
