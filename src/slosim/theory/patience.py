"""Messages that do not wait for ever: a time to live (constant patience), or patience that varies.

A message that has waited as long as its patience leaves; one in work is finished.
"""

import math
from typing import NamedTuple

from ._numbers import require_count, require_not_negative, require_positive


class ImpatientQueue(NamedTuple):
    """Steady state of a queue whose messages leave when they have waited too long."""

    loss: float  # share of messages that leave without service
    wait_probability: float  # share of messages that find all slots busy
    mean_wait_s: float  # of all messages, those that leave included, s
    mean_waiting: float  # messages waiting, mean over time
    utilisation: float  # busy slots over slots


def expiring_queue(
    arrival_rate_per_s: float, service_time_s: float, slots: int, time_to_live_s: float
) -> ImpatientQueue:
    """M/M/c whose messages expire when they have waited exactly `time_to_live_s` (M/M/c + D).

    With p_n the probability of n < c busy slots, p_n ∝ a^n/n!, the wait that an arriving message would need
    has the density λ·p_{c-1}·e^(-θx) up to the time to live τ and then falls with rate c·μ; θ = c·μ - λ of
    either sign:

        loss = λ·p_{c-1}·e^(-θτ) / (c·μ)
        1 = Σ_{n<c} p_n + λ·p_{c-1}·((1 - e^(-θτ))/θ + e^(-θτ)/(c·μ))

    Every load has a steady state.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S = 1/μ, exponential mean, > 0.
        slots: c, >= 1.
        time_to_live_s: τ, >= 0; 0 is Erlang's loss system.

    Raises:
        ValueError: an argument out of range.

    Source: Barrer (1957), Queuing with impatient customers and ordered service, Operations Research 5(5);
    Gnedenko and Kovalenko (1989), Introduction to Queueing Theory, 2nd edition. Checked by simulation.

    >>> round(expiring_queue(1.2, 1.0, 1, 5.0).loss, 5), round(expiring_queue(9.0, 1.0, 10, 1.0).loss, 5)
    (0.22386, 0.0316)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_count(slots=slots)
    require_not_negative(time_to_live_s=time_to_live_s)
    load = arrival_rate_per_s * service_time_s
    tau = time_to_live_s / service_time_s  # the service time is the unit from here
    theta = slots - load
    before = _states_below(load, slots)  # p_n / p_{c-1}
    if theta >= 0:
        decay, area = math.exp(-theta * tau), _exponential_area(theta, tau)
        moment = _exponential_moment(theta, tau)
    else:  # all over e^(-θτ), which may be huge
        before = [p * math.exp(theta * tau) for p in before]
        decay, area = 1.0, _exponential_area(-theta, tau)
        moment = tau * area - _exponential_moment(-theta, tau)
    total = math.fsum(before) + load * (area + decay / slots)
    loss = load * decay / slots / total
    waits = load * (area + decay / slots) / total
    # Who expires has waited τ: E[min(V, τ)] for the wait V that would be needed.
    mean_wait = load * moment / total + tau * loss
    busy = load * (1.0 - loss)
    return ImpatientQueue(
        loss=loss,
        wait_probability=waits,
        mean_wait_s=mean_wait * service_time_s,
        mean_waiting=load * mean_wait,
        utilisation=busy / slots,
    )


def impatient_queue(
    arrival_rate_per_s: float, service_time_s: float, slots: int, mean_patience_s: float
) -> ImpatientQueue:
    """M/M/c whose messages have exponential patience (M/M/c + M, Erlang A).

        p_n ∝ Π_{k=1}^{n} λ / (min(k, c)·μ + max(0, k - c)·θ),   θ = 1/patience;   loss = θ·L_q/λ

    Every load has a steady state.

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S = 1/μ, exponential mean, > 0.
        slots: c, >= 1.
        mean_patience_s: mean time a message is ready to wait, > 0.

    Raises:
        ValueError: an argument out of range.

    Source: Palm (1957); Garnett, Mandelbaum and Reiman (2002), Designing a call center with impatient
    customers, Manufacturing and Service Operations Management 4(3). Checked by solving the birth-death
    equations.

    >>> round(impatient_queue(11.0, 1.0, 10, 2.0).loss, 4)
    0.1477
    """
    require_positive(
        arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s, mean_patience_s=mean_patience_s
    )
    require_count(slots=slots)
    load = arrival_rate_per_s * service_time_s
    leave = service_time_s / mean_patience_s  # rate of leaving, per service time
    below = _states_below(load, slots)
    weight = load / slots  # p_c / p_{c-1}
    at_or_above, waiting, n = weight, 0.0, 0
    while weight > 1e-18 * at_or_above or load > slots + n * leave:
        n += 1
        weight *= load / (slots + n * leave)
        at_or_above += weight
        waiting += n * weight
    total = math.fsum(below) + at_or_above
    mean_waiting = waiting / total
    loss = leave * mean_waiting / load
    return ImpatientQueue(
        loss=loss,
        wait_probability=at_or_above / total,
        mean_wait_s=mean_waiting / arrival_rate_per_s,
        mean_waiting=mean_waiting,
        utilisation=load * (1.0 - loss) / slots,
    )


def _states_below(load: float, slots: int) -> list[float]:
    """p_n / p_{c-1} of n = c - 1, c - 2, … 0 busy slots."""
    weights = [1.0]
    for n in range(slots - 1, 0, -1):
        weights.append(weights[-1] * n / load)
    return weights


def _exponential_area(theta: float, tau: float) -> float:
    """∫_0^τ e^(-θx) dx."""
    return tau if abs(theta * tau) < 1e-12 else -math.expm1(-theta * tau) / theta


def _exponential_moment(theta: float, tau: float) -> float:
    """∫_0^τ x·e^(-θx) dx, by its series where the closed form cancels."""
    y = theta * tau
    if abs(y) < 1e-3:
        return tau**2 * (0.5 - y / 3 + y**2 / 8 - y**3 / 30)
    return (1.0 - math.exp(-y) * (1.0 + y)) / theta**2
