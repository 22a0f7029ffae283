"""Clients that wait for their answer before they ask again: a closed loop."""

from typing import NamedTuple

from ._numbers import require_count, require_positive


class ClosedLoop(NamedTuple):
    """Steady state of a station that a fixed number of clients use."""

    throughput_per_s: float
    mean_sojourn_s: float  # at the station: waiting and in work
    mean_present: float  # messages at the station
    utilisation: float  # busy slots over slots


def closed_loop(clients: int, think_time_s: float, service_time_s: float, slots: int = 1) -> ClosedLoop:
    """M/M/c//N: N clients think, ask, wait for the answer, and think again (the machine repairman).

        p_n ∝ Π_{k=1}^{n} (N - k + 1)·S / (Z·min(k, c));   X = Σ_n (N - n)·p_n / Z;   R = L/X

    The slower the station, the less it is asked, so it is never overloaded.

    Args:
        clients: N, >= 1.
        think_time_s: Z, mean; the result depends on no more of its distribution. > 0.
        service_time_s: S, exponential mean, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: Palm (1947); Kleinrock (1975), Queueing Systems, volume 1, section 3.8.

    >>> alone = closed_loop(1, 0.02, 0.1)
    >>> ten = closed_loop(10, 1.145, 0.1)
    >>> round(alone.mean_sojourn_s, 4), round(ten.mean_sojourn_s, 4), round(ten.throughput_per_s, 2)
    (0.1, 0.242, 7.21)
    """
    require_count(clients=clients, slots=slots)
    require_positive(think_time_s=think_time_s, service_time_s=service_time_s)
    weights = _weights(clients, think_time_s, service_time_s, slots, clients)
    total = sum(weights)
    present = sum(n * weight for n, weight in enumerate(weights)) / total
    busy = sum(min(n, slots) * weight for n, weight in enumerate(weights)) / total
    throughput = busy / service_time_s
    return ClosedLoop(throughput, present / throughput, present, busy / slots)


def refused_share(clients: int, think_time_s: float, service_time_s: float, slots: int) -> float:
    """Share of questions that find all slots busy and are refused; their clients think again.

        B = C(N-1, c)·a^c / Σ_{k<=c} C(N-1, k)·a^k,   a = S/Z

    Args:
        clients: N, >= 1.
        think_time_s: Z, mean, > 0. The result depends on no more of both distributions.
        service_time_s: S, mean, > 0.
        slots: c, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: Engset (1918); Cooper (1981), Introduction to Queueing Theory, 2nd edition, section 3.4.

    >>> round(refused_share(10, 2.0, 1.0, 3), 4)
    0.42
    """
    require_count(clients=clients, slots=slots)
    require_positive(think_time_s=think_time_s, service_time_s=service_time_s)
    if clients <= slots:
        return 0.0
    seen = _weights(clients - 1, think_time_s, service_time_s, slots, slots)  # by a client: the others
    return seen[slots] / sum(seen)


def _weights(clients: int, think_time_s: float, service_time_s: float, slots: int, room: int) -> list[float]:
    """Of 0 … room messages at the station."""
    weights = [1.0]
    for n in range(1, room + 1):
        asking = (clients - n + 1) / think_time_s
        weights.append(weights[-1] * asking * service_time_s / min(n, slots))
    return weights
