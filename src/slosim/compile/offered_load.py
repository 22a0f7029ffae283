"""How much work a scenario brings to each service, from its numbers alone: the traffic equations.

    messages into a topic = what producers publish + Σ services: messages × share that succeeds × emits
    messages into a service = Σ over the topics it consumes (a join: the least of them)
    attempts per message = (1 - pⁿ) / (1 - p)        p: an attempt fails, n: maximum attempts
    offered load = messages per second × attempts per message × mean time an attempt holds a slot
    utilisation = offered load ÷ slots

A slot works on full batches, and calls take their mean time without waiting and hedges. Requests to a
dependency are the attempts that come as far as the call. Closed-loop clients have no rate of their own: they
publish at most count ÷ think time, so what follows from them is a bound.

This is what a calculation on paper says before anything queues: faults, keys, capacity, message expiry and
all that protects a service are not considered, and nothing is limited by what comes before it.
`slosim explain` prints it.

Source of the traffic equations: J. R. Jackson, "Jobshop-like queueing systems", Management Science 10 (1963);
the attempts are the mean of a truncated geometric distribution.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

from slosim.model import (
    Call,
    Clients,
    Dependency,
    Distribution,
    Scenario,
    Service,
)
from slosim.model.rates import At, producer_rate_per_s

ROUNDS_MAX = 20_000  # a loop of emits that returns 99.9% of its messages settles within these
SETTLED = 1e-12  # relative change of all rates between two rounds
QUANTILE_STEPS = 4_096  # for the mean of a service time cut off by a timeout
BISECTIONS = 60
INSTANCES_MAX = 1_000_000


@dataclass(frozen=True)
class ServiceLoad:
    """What one service is offered; rates are per second of simulated time.

    arrival_rate_per_s     messages that reach it; infinite where a cycle of emits only ever grows
    failure_probability    of one attempt, timeouts included
    attempts_per_message   mean; infinite for unlimited retries of a certain failure
    service_time_mean_s    mean time one attempt holds a slot, cut off by the timeout; in a batch, its share
    calls_mean_s           part of it that calls take
    slots                  messages served at once by all instances, one per partition; None: unlimited
    most_slots             the same with as many instances as an autoscaler may ask for
    offered_load           mean number of slots that the attempts would keep busy (erlangs)
    utilisation_ratio      offered load over slots; None without a limit
    instances_needed       fewest instances with a utilisation below 1; None: no number would do
    rate_limit_per_s       attempts per second that the rate limit admits; None: no rate limit
    is_bound               messages of closed-loop clients are among them, so all of this is at most
    """

    arrival_rate_per_s: float
    failure_probability: float
    attempts_per_message: float
    service_time_mean_s: float
    calls_mean_s: float
    slots: int | None
    most_slots: int | None
    offered_load: float
    utilisation_ratio: float | None
    instances_needed: int | None
    rate_limit_per_s: float | None
    is_bound: bool

    @property
    def attempt_rate_per_s(self) -> float:
        return _product(self.arrival_rate_per_s, self.attempts_per_message)


@dataclass(frozen=True)
class DependencyLoad:
    """What one dependency is asked to do by all its callers.

    request_rate_per_s   requests per second, hedges not included
    service_time_mean_s  mean time one request holds a place, cut off where a call is cancelled
    capacity             requests worked on at once; None: unlimited
    offered_load         mean number of places that the requests would keep busy (erlangs)
    utilisation_ratio    offered load over capacity; None without a limit
    is_bound             requests for messages of closed-loop clients are among them: at most
    """

    request_rate_per_s: float
    service_time_mean_s: float
    capacity: int | None
    offered_load: float
    utilisation_ratio: float | None
    is_bound: bool


class Requests(NamedTuple):
    """The requests of one call of a service."""

    rate_per_s: float  # hedges not included
    call: Call
    is_bound: bool  # as in DependencyLoad


def offered_loads(scenario: Scenario, at: At = "mean") -> dict[str, ServiceLoad]:
    """The load of every service, by name, with the producers' mean or peak rates.

    The mean is over the whole duration. The peak takes every producer at its own highest rate, whether or not
    these coincide.
    """
    into_topics, bound = topic_rates_per_s(scenario, at), _topics_of_clients(scenario)
    return {
        name: _service_load(
            scenario, name, _taken(service, into_topics), not bound.isdisjoint(service.consumes)
        )
        for name, service in scenario.services.items()
    }


def dependency_loads(scenario: Scenario, at: At = "mean") -> dict[str, DependencyLoad]:
    """The load of every dependency, by name, with the producers' mean or peak rates."""
    return {
        name: _dependency_load(scenario.dependencies[name], requests)
        for name, requests in requests_of(scenario, at).items()
    }


def requests_of(scenario: Scenario, at: At = "mean") -> dict[str, list[Requests]]:
    """Who asks each dependency how often, by its name."""
    found: dict[str, list[Requests]] = {name: [] for name in scenario.dependencies}
    for name, load in offered_loads(scenario, at).items():
        service = scenario.services[name]
        for call, made in zip(service.calls, _calls_made(scenario, service), strict=True):
            rate = _product(load.attempt_rate_per_s, made)
            found[call.dependency].append(Requests(rate, call, load.is_bound))
    return found


def topic_rates_per_s(scenario: Scenario, at: At = "mean") -> dict[str, float]:
    """Messages per second published to every topic, by name: the solution of the traffic equations."""
    published = dict.fromkeys(scenario.topics, 0.0)
    for producer in scenario.producers.values():
        published[producer.topic] += producer.copies * producer_rate_per_s(
            producer, scenario.run.duration, at
        )
    emitted = [(service, _emitted(scenario, service)) for service in scenario.services.values()]
    rates, after = published, _one_more_step(published, published, emitted)
    for _ in range(ROUNDS_MAX):
        if not _unsettled(rates, after):
            break
        rates, after = after, _one_more_step(published, after, emitted)
    return after | dict.fromkeys(_unsettled(rates, after), math.inf)


def _one_more_step(
    published: dict[str, float],
    rates: dict[str, float],
    emitted: list[tuple[Service, list[tuple[str, float]]]],
) -> dict[str, float]:
    """Rates into topics when services pass on what comes at `rates`."""
    after = dict(published)
    for service, outputs in emitted:
        taken = _taken(service, rates)
        for topic, copies in outputs:
            after[topic] += _product(taken, copies)
    return after


def _taken(service: Service, rates: dict[str, float]) -> float:
    """Messages per second that a service works on, a joined set being one."""
    into = [rates[topic] for topic in service.consumes]
    return min(into) if service.join else sum(into)


def _topics_of_clients(scenario: Scenario) -> set[str]:
    """Topics that messages of closed-loop clients reach."""
    found = {one.topic for one in scenario.producers.values() if isinstance(one.arrivals, Clients)}
    waiting = list(found)
    while waiting:
        topic = waiting.pop()
        takers = [service for service in scenario.services.values() if topic in service.consumes]
        new = {after for service in takers for after, _ in _emitted(scenario, service)} - found
        found |= new
        waiting += new
    return found


def _unsettled(before: dict[str, float], after: dict[str, float]) -> list[str]:
    """Topics whose rate still changes: beyond all rounds, those that a cycle of emits feeds without end."""
    return [topic for topic, rate in after.items() if not math.isclose(rate, before[topic], rel_tol=SETTLED)]


def mean_attempts(failure_probability: float, maximum_attempts: int | None) -> float:
    """Mean attempts of a message that is tried until it succeeds, at most so often (None: no limit)."""
    if maximum_attempts is None:
        return math.inf if failure_probability >= 1.0 else 1.0 / (1.0 - failure_probability)
    if failure_probability >= 1.0:
        return float(maximum_attempts)
    return (1.0 - failure_probability**maximum_attempts) / (1.0 - failure_probability)


def useful_slots(scenario: Scenario, name: str, instances: int | None = None) -> int | None:
    """Messages a service can have in work at once, with its own or another number of instances; None: any.

    On a log, partitions are shared out in ranges (or evenly over all topics) and each has at most one message
    in work, so an instance's slots beyond its partitions are never used. A batch counts as one message.
    """
    service = scenario.services[name]
    instances = service.instances if instances is None else instances
    partitions = partitions_of(scenario, name)
    if partitions is None:
        return None if service.concurrency is None else instances * service.concurrency
    if instances == 0:
        return 0
    most = partitions if service.concurrency is None else service.concurrency
    balanced = service.rebalance is not None and service.rebalance.protocol == "cooperative"
    logs = [partitions] if balanced else [scenario.topics[one].partitions or 0 for one in service.consumes]
    shares = [divmod(one, instances) for one in logs]  # the first so many instances own one more
    ends = sorted({0, instances, *(with_one_more for _, with_one_more in shares)})
    return sum(
        (end - start) * min(most, sum(each + (start < with_one_more) for each, with_one_more in shares))
        for start, end in pairwise(ends)
    )


def partitions_of(scenario: Scenario, name: str) -> int | None:
    """Partitions of all logs that a service consumes; None where it consumes queues, as any slot may."""
    found = [scenario.topics[topic].partitions for topic in scenario.services[name].consumes]
    return None if None in found else sum(one or 0 for one in found)


# ---- one service -----------------------------------------------------------------------------------------


def _service_load(scenario: Scenario, name: str, arrival_rate_per_s: float, is_bound: bool) -> ServiceLoad:
    service = scenario.services[name]
    failure = _failure_probability(scenario, service)
    attempts = _mean_attempts(service, failure)
    service_time = _slot_time_mean_s(scenario, service)
    offered = _product(arrival_rate_per_s, attempts, service_time)
    slots = useful_slots(scenario, name)
    return ServiceLoad(
        arrival_rate_per_s=arrival_rate_per_s,
        failure_probability=failure,
        attempts_per_message=attempts,
        service_time_mean_s=service_time,
        calls_mean_s=_share_that_starts(service) * _calls_mean_s(scenario, service),
        slots=slots,
        most_slots=useful_slots(scenario, name, service.instances_at_most),
        offered_load=offered,
        utilisation_ratio=None if slots is None else offered / slots,
        instances_needed=_instances_needed(scenario, name, offered),
        rate_limit_per_s=None if service.rate_limit is None else service.rate_limit.rate,
        is_bound=is_bound,
    )


def _maximum_attempts(service: Service) -> int | None:
    return 1 if service.retry is None else service.retry.maximum_attempts


def _mean_attempts(service: Service, failure: float) -> float:
    """Attempts per message; a poison message uses all it may."""
    most, poison = _maximum_attempts(service), service.failures.poison
    attempts = (1.0 - poison) * mean_attempts(failure, most) if poison < 1.0 else 0.0
    return attempts + poison * (math.inf if most is None else most) if poison > 0.0 else attempts


def _success_share(scenario: Scenario, service: Service) -> float:
    """Share of the messages that succeed in the end."""
    maximum = _maximum_attempts(service)
    failure = _failure_probability(scenario, service)
    healthy = 1.0 - service.failures.poison
    if maximum is None:
        return healthy if failure < 1.0 else 0.0
    return healthy * (1.0 - failure**maximum)


def _failure_probability(scenario: Scenario, service: Service) -> float:
    success = (1.0 - service.failures.probability) * (1.0 - _timeout_probability(scenario, service))
    return 1.0 - success * math.prod(1.0 - one for one in _call_failures(scenario, service))


def _share_that_starts(service: Service) -> float:
    """Share of the attempts that take any time."""
    return 1.0 - service.failures.probability if service.failures.at == "start" else 1.0


def _timeout_probability(scenario: Scenario, service: Service) -> float:
    """Probability that an attempt exceeds the timeout; equal is success."""
    if service.timeout is None:
        return 0.0
    return _probability_above(
        service.service_time, service.timeout - _beyond_service_time_s(scenario, service)
    )


def _slot_time_mean_s(scenario: Scenario, service: Service) -> float:
    """Mean time one attempt holds its slot: 0 for a failure at start; cut by a timeout, unless abandoned.

    In a full batch each message has its share of that time.
    """
    beyond = _beyond_service_time_s(scenario, service)
    timeout = None if service.on_timeout == "abandon" else service.timeout
    if timeout is None:
        time = service.service_time.mean() + beyond
    else:
        time = (
            timeout if beyond >= timeout else _mean_at_most(service.service_time, timeout - beyond) + beyond
        )
    together = 1 if service.batch is None else service.batch.max_messages
    return _share_that_starts(service) * time / together


def _beyond_service_time_s(scenario: Scenario, service: Service) -> float:
    """Mean time of an attempt that is not service time: its calls, or the messages of its batch."""
    batch = service.batch
    return _calls_mean_s(scenario, service) + (
        0.0 if batch is None else batch.max_messages * batch.per_message
    )


def _instances_needed(scenario: Scenario, name: str, offered_load: float) -> int | None:
    """Fewest instances with more slots than the offered load; slots never fall with instances."""

    def suffices(instances: int) -> bool:
        slots = useful_slots(scenario, name, instances)
        return slots is None or slots > offered_load

    low, high = 1, partitions_of(scenario, name) or INSTANCES_MAX
    if not suffices(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return low


def _emitted(scenario: Scenario, service: Service) -> list[tuple[str, float]]:
    """(topic, messages published to it per message that reaches the service), dead letters included."""
    success = _success_share(scenario, service)
    emitted = [(emit.topic, success * emit.probability * emit.copies) for emit in service.emits]
    emitted += [(choice.topic, success * choice.share) for choice in service.choose]
    if service.dead_letter is not None:
        emitted.append((service.dead_letter, 1.0 - success))
    return emitted


# ---- calls -----------------------------------------------------------------------------------------------


def _call_failures(scenario: Scenario, service: Service) -> list[float]:
    """Probability that each call of an attempt fails, by itself or by its timeout."""
    found: list[float] = []
    for call in service.calls:
        dependency = scenario.dependencies[call.dependency]
        late = 0.0 if call.timeout is None else _probability_above(call.time_at(dependency), call.timeout)
        found.append(1.0 - (1.0 - dependency.failures) * (1.0 - late))
    return found


def _calls_made(scenario: Scenario, service: Service) -> list[float]:
    """Share of the attempts that make each call: those that start, with no call failed before."""
    failures = _call_failures(scenario, service)
    after = accumulate((1.0 - one for one in failures), operator.mul, initial=_share_that_starts(service))
    return list(after)[: len(failures)]


def _calls_mean_s(scenario: Scenario, service: Service) -> float:
    """Mean time that the calls of an attempt that starts take, without waiting."""
    starts = _share_that_starts(service)
    if starts == 0.0:
        return 0.0
    made = zip(service.calls, _calls_made(scenario, service), strict=True)
    return sum(
        share / starts * _mean_at_most(call.time_at(scenario.dependencies[call.dependency]), call.timeout)
        for call, share in made
    )


def _held_mean_s(call: Call, dependency: Dependency) -> float:
    """Mean time a request holds its place: what nobody waits for goes on, unless it is cancelled."""
    return _mean_at_most(call.time_at(dependency), call.timeout if call.cancel else None)


def _dependency_load(dependency: Dependency, requests: list[Requests]) -> DependencyLoad:
    rate = sum(one.rate_per_s for one in requests)
    offered = sum(_product(one.rate_per_s, _held_mean_s(one.call, dependency)) for one in requests)
    mean = offered / rate if 0.0 < rate < math.inf else dependency.service_time.mean()
    capacity = dependency.capacity
    return DependencyLoad(
        request_rate_per_s=rate,
        service_time_mean_s=mean,
        capacity=capacity,
        offered_load=offered,
        utilisation_ratio=None if capacity is None else offered / capacity,
        is_bound=any(one.is_bound for one in requests),
    )


# ---- distributions ---------------------------------------------------------------------------------------


def _probability_above(distribution: Distribution, limit: float) -> float:
    """Probability of a value above the limit."""
    if distribution.maximum() <= limit:
        return 0.0
    if distribution.minimum() > limit:
        return 1.0
    below, above = 0.0, 1.0  # bisection on the quantile function, which never falls
    for _ in range(BISECTIONS):
        middle = 0.5 * (below + above)
        if _quantiles(distribution, [middle])[0] <= limit:
            below = middle
        else:
            above = middle
    return 1.0 - above


def _mean_at_most(distribution: Distribution, limit: float | None) -> float:
    """Mean of the values, each cut off at the limit."""
    if limit is None or distribution.maximum() <= limit:
        return distribution.mean()
    middles = [(step + 0.5) / QUANTILE_STEPS for step in range(QUANTILE_STEPS)]
    return sum(min(value, limit) for value in _quantiles(distribution, middles)) / QUANTILE_STEPS


def _quantiles(distribution: Distribution, probabilities: list[float]) -> list[float]:
    import numpy as np

    p = np.array(probabilities)
    return distribution.quantile(p, 1.0 - p).tolist()


# ---- producers -------------------------------------------------------------------------------------------


# ---- numbers ---------------------------------------------------------------------------------------------


def _product(*factors: float) -> float:
    """Product in which nothing, however often, is nothing: 0 × ∞ = 0."""
    return 0.0 if 0.0 in factors else math.prod(factors)
