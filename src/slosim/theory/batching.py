"""Work done in batches: loops that take all that waits, and batches that wait for more."""

from typing import NamedTuple

from ._numbers import poisson_terms, require_count, require_not_negative, require_positive, require_steady


class Loop(NamedTuple):
    """Steady state of a loop that takes what waits, works on it as one, and takes again."""

    capacity_per_s: float  # messages, when every batch is full
    mean_batch: float  # messages
    mean_sojourn_s: float  # from arrival to the end of its batch


def poll_loop(arrival_rate_per_s: float, fixed_s: float, per_message_s: float, maximum_batch: int) -> Loop:
    """A loop whose batch of n messages takes F + P·n, Poisson arrivals: larger batches make it faster.

    The next batch is what comes during this one, n' ~ Poisson(λ·(F + P·n)), hence

        E[n] = λF/(1 - λP);   Var[n] = E[n]/(1 - (λP)²);   D = F + P·n
        W = (E[n·D] + λ·E[D²]/2) / (λ·E[D]);   capacity = B/(F + P·B)

    as all of a batch leave at its end and the others come evenly while it lasts. Approximate: batches that
    are full, and ends of batches that nothing waits for, are taken to be too rare to matter.

    Args:
        arrival_rate_per_s: λ, > 0.
        fixed_s: F, >= 0.
        per_message_s: P, >= 0.
        maximum_batch: B, >= 1.

    Raises:
        ValueError: an argument out of range, no time at all, or a λ that is not below the capacity.

    Source: a batch queue of Bailey (1954), On queueing processes with bulk service, Journal of the Royal
    Statistical Society B 16(1), with a service time that grows with the batch. Checked by solving the
    chain of messages that wait when a batch begins.

    >>> loop = poll_loop(800.0, 0.050, 0.001, 500)
    >>> round(loop.capacity_per_s, 1), round(loop.mean_batch), round(loop.mean_sojourn_s, 4)
    (909.1, 200, 0.3789)
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, fixed_plus_per_message_s=fixed_s + per_message_s)
    require_not_negative(fixed_s=fixed_s, per_message_s=per_message_s)
    require_count(maximum_batch=maximum_batch)
    capacity = maximum_batch / (fixed_s + per_message_s * maximum_batch)
    require_steady(arrival_rate_per_s / capacity)
    load = arrival_rate_per_s * per_message_s
    mean = arrival_rate_per_s * fixed_s / (1.0 - load)
    variance = mean / (1.0 - load**2)
    lasts = fixed_s + per_message_s * mean
    lasts_squared = lasts**2 + per_message_s**2 * variance
    waiting = fixed_s * mean + per_message_s * (mean**2 + variance)
    sojourn = (waiting + 0.5 * arrival_rate_per_s * lasts_squared) / (arrival_rate_per_s * lasts)
    return Loop(capacity, mean, sojourn)


class Lingering(NamedTuple):
    """Batches that begin when they are full, or some time after their first message."""

    mean_batch: float  # messages
    mean_wait_s: float  # of a message, until its batch begins


def lingering(arrival_rate_per_s: float, linger_s: float, maximum_batch: int | None = None) -> Lingering:
    """Batches that wait for more messages, Poisson arrivals, and begin at once when they may.

    With N ~ Poisson(λ·linger) arrivals after the first message, and B the largest batch:

        batch = 1 + Σ_{j=1}^{B-1} P(N >= j);   wait = Σ_{j=1}^{B-1} j·P(N >= j) / (λ·batch)

        without a largest batch: 1 + λ·linger and linger·(1 + λ·linger/2)/(1 + λ·linger)

    Args:
        arrival_rate_per_s: λ, > 0.
        linger_s: >= 0.
        maximum_batch: B, >= 1; None: no limit.

    Raises:
        ValueError: an argument out of range.

    Source: renewal reward; j messages wait for ∫_0^linger P(N(t) = j - 1) dt = P(N >= j)/λ.

    >>> [round(x, 6) for x in lingering(1000.0, 0.005)]
    [6.0, 0.002917]
    >>> [round(x, 6) for x in lingering(1000.0, 0.005, 4)]
    [3.828182, 0.001447]
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s)
    require_not_negative(linger_s=linger_s)
    more = arrival_rate_per_s * linger_s
    if maximum_batch is None:
        return Lingering(1.0 + more, linger_s * (1.0 + more / 2.0) / (1.0 + more))
    require_count(maximum_batch=maximum_batch)
    batch, waiting, below = 1.0, 0.0, 0.0
    for j, term in enumerate(poisson_terms(more, maximum_batch - 1), start=1):
        below += term
        at_least = max(0.0, 1.0 - below)  # P(N >= j)
        batch += at_least
        waiting += j * at_least
    return Lingering(batch, waiting / (arrival_rate_per_s * batch))
