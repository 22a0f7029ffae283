"""Retries: how often they help, what they add to the load, and the load that a system survives with them.

p is the probability that an attempt fails, the same for every attempt and independent.
"""

import math
from typing import NamedTuple

from ._numbers import (
    require_count,
    require_not_negative,
    require_positive,
    require_probability,
    require_steady,
    solve_linear,
)


class Attempts(NamedTuple):
    """What becomes of a message that may be tried several times."""

    success: float  # probability
    mean_attempts: float  # attempts per message: the factor on the load


def attempts(failure_probability: float, maximum_attempts: int | None) -> Attempts:
    """Success and load of retries.

        success = 1 - p^n;   attempts = (1 - p^n)/(1 - p);   without a maximum 1 and 1/(1 - p)

    Args:
        failure_probability: p, 0 … 1; below 1 without a maximum.
        maximum_attempts: n, counts the first try, >= 1; None: no maximum.

    Raises:
        ValueError: an argument out of range.

    Source: geometric distribution, cut at n.

    >>> attempts(0.5, 4)
    Attempts(success=0.9375, mean_attempts=1.875)
    >>> attempts(0.02, None).mean_attempts == 1 / 0.98
    True
    """
    require_probability(failure_probability=failure_probability)
    if maximum_attempts is None:
        if failure_probability == 1:
            raise ValueError("attempts without a maximum never end when every attempt fails")
        return Attempts(1.0, 1.0 / (1.0 - failure_probability))
    require_count(maximum_attempts=maximum_attempts)
    success = 1.0 - failure_probability**maximum_attempts
    if failure_probability == 1:
        return Attempts(0.0, float(maximum_attempts))
    return Attempts(success, success / (1.0 - failure_probability))


def nested_attempts(maximum_attempts: int, layers: int) -> int:
    """Attempts that reach the lowest of several layers which all retry, when it fails: n^layers.

    Args:
        maximum_attempts: n of each layer, counts the first try, >= 1.
        layers: >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: each attempt of a layer is a message of the layer below.

    >>> nested_attempts(3, 5), nested_attempts(4, 3)
    (243, 64)
    """
    require_count(maximum_attempts=maximum_attempts, layers=layers)
    return int(maximum_attempts) ** int(layers)


def mean_sojourn_with_feedback_s(
    arrival_rate_per_s: float, service_time_s: float, failure_probability: float
) -> float:
    """Mean time from first arrival to success at M/M/1 whose failures join the tail again at once, seconds.

        E[T] = 1 / (μ·(1 - p) - λ),   μ = 1/S

    A delay before the retry adds its mean times p/(1 - p) and changes nothing else.

    Args:
        arrival_rate_per_s: λ, > 0, first attempts only.
        service_time_s: S, exponential mean, > 0.
        failure_probability: p, 0 <= p < 1, decided at the end of service.

    Raises:
        ValueError: an argument out of range, or λS/(1 - p) >= 1.

    Source: Jackson (1957), Networks of waiting lines, Operations Research 5(4), one station with feedback.

    >>> round(mean_sojourn_with_feedback_s(0.5, 1.0, 0.2), 4)
    3.3333
    """
    require_positive(arrival_rate_per_s=arrival_rate_per_s, service_time_s=service_time_s)
    load = arrival_rate_per_s * attempts(failure_probability, None).mean_attempts * service_time_s
    require_steady(load)
    return service_time_s / (1.0 - failure_probability) / (1.0 - load)


def budgeted_attempts(failure_probability: float, maximum_attempts: int, budget_ratio: float) -> Attempts:
    """Success and load when retries may be at most a share of the messages (a token bucket, in the long run).

        attempts = min((1 - p^n)/(1 - p), 1 + budget);   success = attempts·(1 - p)

    Args:
        failure_probability: p, 0 … 1.
        maximum_attempts: n, counts the first try, >= 1.
        budget_ratio: retries per message that the budget allows, >= 0.

    Raises:
        ValueError: an argument out of range.

    Source: balance of tokens; each attempt succeeds with probability 1 - p, and each success is another
    message.

    >>> [round(budgeted_attempts(p, 4, 0.1).success, 3) for p in (0.1, 0.2, 0.5, 0.75)]
    [0.99, 0.88, 0.55, 0.275]
    """
    require_not_negative(budget_ratio=budget_ratio)
    free = attempts(failure_probability, maximum_attempts)
    allowed = min(free.mean_attempts, 1.0 + budget_ratio)
    return Attempts(allowed * (1.0 - failure_probability), allowed)


def quota_attempts(failure_probability: float, maximum_attempts: int, retry_cost: float) -> Attempts:
    """Success and load, in the long run, under a quota of tokens that retries cost and successes bring.

    A first attempt that succeeds brings one token, a retry costs `retry_cost`, and a retry that succeeds
    brings its cost back. With r retries per message the tokens balance when r·cost·p = 1 - p:

        attempts = min((1 - p^n)/(1 - p), 1 + (1 - p)/(cost·p));   success = attempts·(1 - p)

    Args:
        failure_probability: p, 0 … 1.
        maximum_attempts: n, counts the first try, >= 1.
        retry_cost: tokens, > 0.

    Raises:
        ValueError: an argument out of range.

    Source: balance of tokens under the rules of the AWS SDKs' standard retry mode.

    >>> [round(quota_attempts(p, 3, 5).mean_attempts, 3) for p in (0.2, 0.5, 0.8, 0.95)]
    [1.24, 1.2, 1.05, 1.011]
    """
    require_positive(retry_cost=retry_cost)
    free = attempts(failure_probability, maximum_attempts)
    if failure_probability == 0:
        return free
    allowed = min(free.mean_attempts, 1.0 + (1.0 - failure_probability) / (retry_cost * failure_probability))
    return Attempts(allowed * (1.0 - failure_probability), allowed)


def switched_attempts(failure_probability: float, burst_tokens: int, successes_per_token: int) -> Attempts:
    """Success and load of retries that are switched off while too many attempts fail; no other limit.

    Each failed attempt takes a token, each success brings 1/k of one, up to `burst_tokens`; a failure is
    retried if more than half of them are left. The tokens after each attempt are a Markov chain of its own:

        q = P(more than half are left after a failure);   attempts = 1/(1 - p·q);   success = attempts·(1 - p)

    Retries are as good as off where p > 1/(1 + k), the share of failures at which the tokens balance.

    Args:
        failure_probability: p, 0 < p < 1.
        burst_tokens: >= 1.
        successes_per_token: k, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: retryThrottling of gRPC, proposal A6; stationary distribution of the chain, solved numerically.
    Checked by simulating the tokens.

    >>> [round(switched_attempts(p, 10, 10).mean_attempts, 4) for p in (0.05, 0.1, 0.2)]
    [1.0521, 1.0204, 1.0]
    """
    require_probability(failure_probability=failure_probability)
    require_count(burst_tokens=burst_tokens, successes_per_token=successes_per_token)
    if failure_probability in (0.0, 1.0):
        raise ValueError("failure_probability must lie between 0 and 1: else the tokens do not move")
    p, top = failure_probability, burst_tokens * successes_per_token
    balance = [[0.0] * (top + 1) for _ in range(top + 1)]
    for tokens in range(top + 1):
        balance[tokens][tokens] -= 1.0
        balance[max(0, tokens - successes_per_token)][tokens] += p
        balance[min(top, tokens + 1)][tokens] += 1.0 - p
    balance[0] = [1.0] * (top + 1)  # one equation is superfluous
    shares = solve_linear(balance, [1.0] + [0.0] * top)
    allowed = math.fsum(
        share for tokens, share in enumerate(shares) if 2 * (tokens - successes_per_token) > top
    )
    mean_attempts = 1.0 / (1.0 - p * allowed)
    return Attempts(mean_attempts * (1.0 - p), mean_attempts)


def stable_rate_per_s(capacity_per_s: float, maximum_attempts: int) -> float:
    """The arrival rate up to which a system recovers from any overload though all clients retry, per second.

        μ / n

    Above it, up to μ, the system works as long as nothing goes wrong; once attempts fail because of the load,
    their retries can keep the load above capacity for ever.

    Args:
        capacity_per_s: μ, attempts per second, > 0.
        maximum_attempts: n, counts the first try, >= 1.

    Raises:
        ValueError: an argument out of range.

    Source: Bronson, Aghayev, Charapko and Zhu (2021), Metastable failures in distributed systems, HotOS,
    section 2.

    >>> stable_rate_per_s(300.0, 2)
    150.0
    """
    require_positive(capacity_per_s=capacity_per_s)
    require_count(maximum_attempts=maximum_attempts)
    return capacity_per_s / maximum_attempts


class Recovery(NamedTuple):
    """What an outage leaves behind where calls time out and are retried, and abandoned work goes on."""

    backlog: float  # requests, at the end of the outage
    recovery_s: float  # from then on until answers come in time again; infinite: never


def recovery_from_outage(
    outage_s: float, arrival_rate_per_s: float, capacity_per_s: float, timeout_s: float, maximum_attempts: int
) -> Recovery:
    """Requests pile up in an outage, all come too late, and each message is tried as often as it may be.

        backlog = λ·Σ_{k<n} max(0, d - k·τ);   recovery = (backlog - μτ)/(μ - λn)

    0 where the backlog is no longer than the time-out, infinite where it is and λn >= μ: the overload feeds
    itself, which is called metastable.

    Args:
        outage_s: d, in which nothing is served, >= 0.
        arrival_rate_per_s: λ, messages, > 0.
        capacity_per_s: μ, requests, > λ.
        timeout_s: τ of each attempt, > 0.
        maximum_attempts: n, counts the first try, >= 1; a retry follows at once.

    Raises:
        ValueError: an argument out of range, or λ >= μ.

    Source: fluid approximation of the example of Bronson, Aghayev, Charapko and Zhu (2021), as
    `stable_rate_per_s`.

    >>> recovery_from_outage(10.0, 140.0, 300.0, 1.0, 2)
    Recovery(backlog=2660.0, recovery_s=118.0)
    >>> recovery_from_outage(10.0, 280.0, 300.0, 1.0, 2).recovery_s
    inf
    """
    require_not_negative(outage_s=outage_s)
    require_positive(
        arrival_rate_per_s=arrival_rate_per_s, capacity_per_s=capacity_per_s, timeout_s=timeout_s
    )
    require_count(maximum_attempts=maximum_attempts)
    if arrival_rate_per_s >= capacity_per_s:
        raise ValueError("arrival_rate_per_s must be below capacity_per_s: else there is nothing to recover")
    backlog = arrival_rate_per_s * math.fsum(
        max(0.0, outage_s - attempt * timeout_s) for attempt in range(maximum_attempts)
    )
    too_many = backlog - capacity_per_s * timeout_s
    spare = capacity_per_s - arrival_rate_per_s * maximum_attempts
    if too_many <= 0:
        return Recovery(backlog, 0.0)
    return Recovery(backlog, too_many / spare if spare > 0 else math.inf)
