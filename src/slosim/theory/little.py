"""Little's law and utilisation: they hold for every queue, whatever its distributions and its order."""

from ._numbers import require_count, require_not_negative


def number_present(arrival_rate_per_s: float, time_s: float) -> float:
    """Mean number of messages in any part of a system, from the mean time each spends there.

        L = λ·W

    Args:
        arrival_rate_per_s: λ, messages per second that enter that part, >= 0.
        time_s: W, mean time in it, >= 0.

    Raises:
        ValueError: an argument out of range.

    Source: Little (1961), A proof for the queuing formula L = λW, Operations Research 9(3).

    >>> number_present(0.25, 12.0)
    3.0
    """
    require_not_negative(arrival_rate_per_s=arrival_rate_per_s, time_s=time_s)
    return arrival_rate_per_s * time_s


def utilisation(arrival_rate_per_s: float, service_time_s: float, slots: int) -> float:
    """Busy slots over slots, if all that arrives is served: Little's law for the slots.

        ρ = λ·S / c

    A value of 1 or more means that the queue grows without end.

    Args:
        arrival_rate_per_s: λ, attempts per second, >= 0.
        service_time_s: S, mean time an attempt holds its slot, >= 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: as `number_present`.

    >>> utilisation(66.0, 0.040, 2)
    1.32
    """
    require_not_negative(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    require_count(slots=slots)
    return arrival_rate_per_s * service_time_s / slots


def backlog_growth_per_s(arrival_rate_per_s: float, service_time_s: float, slots: int) -> float:
    """How fast the queue of a saturated service grows, messages per second; 0 if it is not saturated.

        max(0, λ - c/S)

    Args, Raises: as `utilisation`, and service_time_s > 0.

    Source: balance of flows.

    >>> round(backlog_growth_per_s(66.0, 0.040, 2), 6)
    16.0
    """
    if utilisation(arrival_rate_per_s, service_time_s, slots) <= 1:
        return 0.0
    return arrival_rate_per_s - slots / service_time_s
