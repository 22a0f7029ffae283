"""Queues that are not in a steady state: outages and what they leave behind, draining, daily rhythms.

The outage arithmetic treats messages as a fluid: exact in the mean for large numbers, without randomness.
"""

import math
from typing import NamedTuple

from ._numbers import require_count, require_not_negative, require_positive, require_steady


class Outage(NamedTuple):
    """What one outage does to a queue that keeps up before and after it."""

    peak_backlog: float  # messages, at the end of the outage
    drain_s: float  # from the end of the outage until the backlog is gone
    longest_delay_s: float  # of the message that arrives as the outage begins
    late_messages: float  # delayed by more than the limit
    sum_of_delay_s: float  # message-seconds


def outage(
    duration_s: float, arrival_rate_per_s: float, capacity_per_s: float, limit_s: float = 0.0
) -> Outage:
    """Backlog of an outage in which messages keep arriving and nothing is served.

        peak = λ·d;   drain = λ·d/(μ - λ);   delay of the message that arrives at t: d - t·(1 - λ/μ)
        late = λ·(d - limit)/(1 - λ/μ);   sum of delay = λ·d·(d + drain)/2

    Args:
        duration_s: d, >= 0.
        arrival_rate_per_s: λ, > 0.
        capacity_per_s: μ, messages per second when everything works, > λ.
        limit_s: delay above which a message is late, >= 0.

    Raises:
        ValueError: an argument out of range, or λ >= μ; the backlog never drains.

    Source: fluid approximation, Newell (1982), Applications of Queueing Theory, 2nd edition, chapter 2.

    >>> backlog = outage(600.0, 100.0, 125.0, limit_s=60.0)
    >>> backlog.peak_backlog, backlog.drain_s, backlog.late_messages, backlog.sum_of_delay_s
    (60000.0, 2400.0, 270000.0, 90000000.0)
    """
    require_not_negative(duration_s=duration_s, limit_s=limit_s)
    require_positive(arrival_rate_per_s=arrival_rate_per_s, capacity_per_s=capacity_per_s)
    if arrival_rate_per_s >= capacity_per_s:
        raise ValueError("arrival_rate_per_s must be below capacity_per_s: else the backlog never drains")
    peak = arrival_rate_per_s * duration_s
    drain_s = peak / (capacity_per_s - arrival_rate_per_s)
    late_s = max(0.0, duration_s - limit_s) * capacity_per_s / (capacity_per_s - arrival_rate_per_s)
    return Outage(
        peak_backlog=peak,
        drain_s=drain_s,
        longest_delay_s=duration_s,
        late_messages=arrival_rate_per_s * late_s,
        sum_of_delay_s=0.5 * peak * (duration_s + drain_s),
    )


def mean_delay_of_stalls_s(stall_s: float, every_s: float, utilisation: float) -> float:
    """Mean delay added to each message by stalls that come at regular intervals, seconds.

        d² / (2·(1 - ρ)·P)

    Args:
        stall_s: d, length of a stall, >= 0.
        every_s: P, from one stall to the next, > 0; long enough for the backlog to drain.
        utilisation: ρ, arrivals over capacity, 0 <= ρ < 1.

    Raises:
        ValueError: an argument out of range, or the backlog of a stall is not gone before the next.

    Source: `outage`, the sum of delay over the messages of one interval.

    >>> mean_delay_of_stalls_s(0.5, 10.0, 0.5)
    0.025
    """
    require_not_negative(stall_s=stall_s, utilisation=utilisation)
    require_positive(every_s=every_s)
    if utilisation >= 1 or stall_s / (1.0 - utilisation) > every_s:
        raise ValueError("the backlog of one stall must be gone before the next begins")
    return stall_s**2 / (2.0 * (1.0 - utilisation) * every_s)


class Drain(NamedTuple):
    """Time until a backlog is empty for the first time."""

    mean_s: float
    variance_s2: float


def drain(
    backlog: int, arrival_rate_per_s: float, service_time_s: float, service_squared_cv: float = 1.0
) -> Drain:
    """Time for one slot to work off a backlog while messages keep arriving, M/G/1.

        mean = n·S/(1 - ρ);   variance = n·(E[S²]/(1 - ρ)³ - S²/(1 - ρ)²),   E[S²] = S²·(1 + c_S²)

    Each of the n messages leaves one busy period behind, and busy periods are independent. Exact.

    Args:
        backlog: n messages, none of them begun, >= 1.
        arrival_rate_per_s: λ, >= 0.
        service_time_s: S, mean, > 0.
        service_squared_cv: c_S², >= 0.

    Raises:
        ValueError: an argument out of range, or λS >= 1; the backlog never drains.

    Source: moments of the busy period, Kleinrock (1975), Queueing Systems, volume 1, section 5.8.

    >>> [round(x, 6) for x in drain(10_000, 80.0, 0.01)]
    [500.0, 225.0]
    """
    require_count(backlog=backlog)
    require_not_negative(arrival_rate_per_s=arrival_rate_per_s, service_squared_cv=service_squared_cv)
    require_positive(service_time_s=service_time_s)
    spare = 1.0 - arrival_rate_per_s * service_time_s
    if spare <= 0:
        raise ValueError("arrival_rate_per_s × service_time_s must be below 1: else the backlog never drains")
    second_moment = service_time_s**2 * (1.0 + service_squared_cv)
    return Drain(
        mean_s=backlog * service_time_s / spare,
        variance_s2=backlog * (second_moment / spare**3 - service_time_s**2 / spare**2),
    )


def ramp_drain_s(backlog: float, first_slots: float, slots_per_s: float, service_time_s: float) -> float:
    """Time in which slots that are added at a steady pace work off a backlog that gets no more, seconds.

        n·S = c·t + g·t²/2

    Args:
        backlog: n messages, >= 0.
        first_slots: c, slots at the start, > 0.
        slots_per_s: g, slots added per second, >= 0, without a limit.
        service_time_s: S, > 0.

    Raises:
        ValueError: an argument out of range.

    Source: fluid approximation, as `outage`.

    >>> round(ramp_drain_s(100_000, 5, 300 / 60, 1.0), 1)
    199.0
    """
    require_not_negative(backlog=backlog, slots_per_s=slots_per_s)
    require_positive(first_slots=first_slots, service_time_s=service_time_s)
    work = backlog * service_time_s
    return 2.0 * work / (first_slots + math.sqrt(first_slots**2 + 2.0 * slots_per_s * work))


class Rhythm(NamedTuple):
    """Messages in work under a load that swings, with a free slot for each of them."""

    mean: float  # messages, over a period
    peak: float  # messages
    lag_s: float  # from the peak of the load to the peak of the messages in work


def relaxation_time_s(
    arrival_rate_per_s: float, service_time_s: float, slots: int, service_squared_cv: float = 1.0
) -> float:
    """Time in which what the start of a queue has left fades to 1/e, seconds: an estimate.

        τ = max(S, (1 + c_S²)/2 · S / (c·(1 - √ρ)²)),   ρ = λS / c

    Args:
        arrival_rate_per_s: λ, > 0.
        service_time_s: S, > 0.
        slots: c, >= 1.
        service_squared_cv: c_S², >= 0.

    Raises:
        ValueError: an argument out of range, or λS >= c.

    Source: Morse (1958), Queues, Inventories and Maintenance, chapter 6, for M/M/1, where it is exact; the
    factor of other service times is that of a queue in heavy traffic, Newell (1982), as `outage`.

    >>> round(relaxation_time_s(0.81, 1.0, 1), 6)
    100.0
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_count(slots=slots)
    require_not_negative(service_squared_cv=service_squared_cv)
    utilisation = arrival_rate_per_s * service_time_s / slots
    require_steady(utilisation)
    crowded = 0.5 * (1 + service_squared_cv) / (slots * (1 - math.sqrt(utilisation)) ** 2)
    return service_time_s * max(1.0, crowded)


def rhythm(
    mean_rate_per_s: float, relative_amplitude: float, period_s: float, service_time_s: float
) -> Rhythm:
    """Busy slots under a sinusoidal load, M_t/M/∞: less extreme and later than the load itself.

        λ(t) = λ·(1 + β·sin(ωt));   m(t) = λS·(1 + β·(sin(ωt) - ωS·cos(ωt))/(1 + (ωS)²)),   ω = 2π/period
        peak = λS·(1 + β/√(1 + (ωS)²));   lag = arctan(ωS)/ω

    Args:
        mean_rate_per_s: λ, > 0.
        relative_amplitude: β, 0 … 1.
        period_s: > 0.
        service_time_s: S, exponential mean, > 0.

    Raises:
        ValueError: an argument out of range.

    Source: Eick, Massey and Whitt (1993), M_t/G/∞ queues with sinusoidal arrival rates, Management Science
    39(2), the section on exponential service times. Checked by integrating dm/dt = λ(t) - m/S.

    >>> day = rhythm(10 / 3600, 0.8, 24 * 3600, 3600)
    >>> round(day.peak, 3), round(day.lag_s / 3600, 3)
    (17.739, 0.978)
    """
    require_positive(mean_rate_per_s=mean_rate_per_s, period_s=period_s, service_time_s=service_time_s)
    if not 0 <= relative_amplitude <= 1:
        raise ValueError(f"relative_amplitude must lie from 0 to 1, got {relative_amplitude!r}")
    omega = 2.0 * math.pi / period_s
    x = omega * service_time_s
    mean = mean_rate_per_s * service_time_s
    return Rhythm(mean, mean * (1.0 + relative_amplitude / math.hypot(1.0, x)), math.atan(x) / omega)


def rhythm_busy(
    time_s: float, mean_rate_per_s: float, relative_amplitude: float, period_s: float, service_time_s: float
) -> float:
    """Mean number of busy slots m(t) of `rhythm` at a time, when the load has swung for ever.

    Args:
        time_s: t; at 0 the load is at its mean and rising.
        mean_rate_per_s, relative_amplitude, period_s, service_time_s: as `rhythm`.

    Raises, Source: as `rhythm`.

    >>> round(rhythm_busy(6 * 3600 + 0.978 * 3600, 10 / 3600, 0.8, 24 * 3600, 3600), 3)
    17.739
    """
    mean = rhythm(mean_rate_per_s, relative_amplitude, period_s, service_time_s).mean
    omega = 2.0 * math.pi / period_s
    x = omega * service_time_s
    swing = (math.sin(omega * time_s) - x * math.cos(omega * time_s)) / (1.0 + x**2)
    return mean * (1.0 + relative_amplitude * swing)
