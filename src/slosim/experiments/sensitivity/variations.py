"""What a sensitivity analysis varies: a little more of each cause alone, and one more or fewer instance.

A time is made longer by a fault that lasts the whole run: a slowdown multiplies every draw (rule S24) and
changes nobody's luck, so any distribution can be varied, whatever its parameters or the file it comes from.
So is the rate of arrivals, which a fault on the producer's clock multiplies (rule S8), where the clock
changes nothing but the rate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from slosim.errors import ScenarioError
from slosim.model import (
    Bernoulli,
    Bursts,
    Clients,
    Counts,
    Every,
    Interarrival,
    Poisson,
    Producer,
    Scenario,
    Service,
    Trace,
)
from slosim.model.arrivals import ARRIVALS
from slosim.model.values import write_duration, write_rate, write_share
from slosim.report.units import duration, share, short

MORE, ONE_MORE, ONE_FEWER, NEXT = "more", "one more instance", "one instance fewer", "next step"
SECTIONS = (MORE, ONE_MORE, ONE_FEWER, NEXT)
DIGITS = 12
"""Significant digits of a value that is multiplied: 10% more than 1% is 1.1%, not 1.1000000000000001%."""


class Variation(NamedTuple):
    """The scenario with one thing changed.

    section  of SECTIONS
    name     for people: `payment service time`
    path     the place in the scenario
    before   what it is, for people: `400 ms`
    after    what it becomes: `440 ms`
    """

    section: str
    name: str
    path: str
    before: str
    after: str
    scenario: Scenario


class Left(NamedTuple):
    """What is not varied, and why."""

    name: str
    path: str
    why: str


class _Idea(NamedTuple):
    """A variation before it is tried; changes as `Scenario.replace` takes them, or why there are none."""

    section: str
    name: str
    path: str
    before: str
    after: str
    changes: Mapping[str, Any] | str


def variations_of(scenario: Scenario, by_ratio: float) -> tuple[list[Variation], list[Left]]:
    """All variations of a scenario, and what cannot be varied; by_ratio: 0.1 for 10% more."""
    made: list[Variation] = []
    left: list[Left] = []
    for idea in _ideas(scenario, 1.0 + by_ratio):
        changes = idea.changes
        if isinstance(changes, str):
            left.append(Left(idea.name, idea.path, changes))
            continue
        try:
            variant = scenario.replace(changes)
        except ScenarioError as error:
            left.append(Left(idea.name, idea.path, error.problems[0].what))
            continue
        made.append(Variation(*idea[:5], variant))
    return made, left


def _ideas(scenario: Scenario, factor: float) -> Iterator[_Idea]:
    for name, producer in scenario.producers.items():
        yield _rate(scenario, name, producer, factor)
    for name, service in scenario.services.items():
        yield from _times_and_shares(scenario, name, service, factor)
        yield from _instances(name, service)
    for name, dependency in scenario.dependencies.items():
        path = f"dependencies.{name}"
        yield _slowdown(scenario, path, f"{name} time", dependency.service_time.mean(), factor)
        if dependency.failures > 0:
            more = _more_of_share(dependency.failures, factor)
            yield _share(f"{path}.failures", f"{name} failures", dependency.failures, more, write_share(more))
        if dependency.capacity is not None:
            more = dependency.capacity + 1
            yield _counted(NEXT, f"{name} capacity", f"{path}.capacity", dependency.capacity, more)
    for name in scenario.topics:
        yield from _partitions(scenario, name)


# Times, shares and rates


def _times_and_shares(scenario: Scenario, name: str, service: Service, factor: float) -> Iterator[_Idea]:
    path = f"services.{name}"
    yield _slowdown(scenario, path, f"{name} service time", service.service_time.mean(), factor)
    its = service.failures
    for word, value in (("probability", its.probability), ("poison", its.poison)):
        if value > 0:
            more = _more_of_share(value, factor)
            changed = dataclasses.replace(its, **{word: more})
            written = {
                "probability": write_share(changed.probability),
                "poison": write_share(changed.poison),
                "at": changed.at,
            }
            label = f"{name} failures" if word == "probability" else f"{name} poison messages"
            yield _share(f"{path}.failures", label, value, more, written)
    if service.retry is not None:
        yield _retry(path, f"{name} back-off", service, factor)
    if service.rate_limit is not None:
        rate = service.rate_limit.rate
        more = _times(rate, factor)
        yield _Idea(
            MORE,
            f"{name} rate limit",
            f"{path}.rate_limit.rate",
            f"{short(rate)}/s",
            f"{short(more)}/s",
            {f"{path}.rate_limit.rate": write_rate(more)},
        )


def _slowdown(scenario: Scenario, path: str, name: str, mean_s: float, factor: float) -> _Idea:
    where = f"{path}.service_time"
    if mean_s == 0:
        return _left(name, where, "it takes no time")
    changes = _whole_run(scenario, path, {"slowdown": f"{factor:.{DIGITS}g}x"})
    return _Idea(MORE, name, where, duration(mean_s), duration(mean_s * factor), changes)


def _share(path: str, name: str, before: float, after: float, written: Any) -> _Idea:
    return _Idea(MORE, name, path, share(before), share(after), {path: written})


def _retry(path: str, name: str, service: Service, factor: float) -> _Idea:
    assert service.retry is not None
    retry, where = service.retry, f"{path}.retry"
    if retry.maximum_attempts == 1:
        return _left(name, where, "there is one attempt only")
    if retry.delay is not None:
        return _left(name, where, "its delay is a distribution; try others with slosim compare")
    if retry.maximum_interval == 0:
        return _left(name, where, "it waits for no time")
    intervals = {"initial_interval": retry.initial_interval, "maximum_interval": retry.maximum_interval}
    more = {key: _times(value, factor) for key, value in intervals.items()}
    before, after = duration(retry.initial_interval), duration(more["initial_interval"])
    changes = {f"{where}.{key}": write_duration(value) for key, value in more.items()}
    return _Idea(MORE, name, where, before, after, changes)


def _rate(scenario: Scenario, name: str, producer: Producer, factor: float) -> _Idea:
    path, arrivals = f"producers.{name}.arrivals", producer.arrivals
    label = f"{name} arrivals"
    if isinstance(arrivals, Clients):
        return _left(label, path, "clients wait for answers, they have no rate of their own")
    if isinstance(arrivals, Trace | Counts):
        return _left(label, path, f"the file {arrivals.file} tells when, and would end too early")
    if isinstance(arrivals, Bursts):  # the clock would make bursts and pauses shorter too
        more = dataclasses.replace(
            arrivals, rate=_times(arrivals.rate, factor), idle_rate=_times(arrivals.idle_rate, factor)
        )
        changes: Mapping[str, Any] = {path: ARRIVALS.write(more)}
    else:
        changes = _whole_run(scenario, f"producers.{name}", {"rate_factor": f"{factor:.{DIGITS}g}x"})
    rate = _rate_of(arrivals) * producer.copies
    return _Idea(MORE, label, path, f"{short(rate)}/s", f"{short(rate * factor)}/s", changes)


def _rate_of(arrivals: Poisson | Interarrival | Every | Bernoulli | Bursts) -> float:
    """Publishes per second, before any profile; of bursts while they are on."""
    if isinstance(arrivals, Poisson | Bursts):
        return arrivals.rate
    if isinstance(arrivals, Interarrival):
        return 1.0 / arrivals.gap.mean()
    return (
        arrivals.probability / arrivals.every if isinstance(arrivals, Bernoulli) else 1.0 / arrivals.interval
    )


def _whole_run(scenario: Scenario, target: str, effect: Mapping[str, Any]) -> Mapping[str, Any]:
    """One fault more, on one target for the whole run."""
    faults = scenario.resolved()["faults"]
    name = f"sensitivity of {target}"
    while any(fault["name"] == name for fault in faults):
        name += " again"
    whole = {"at": "0s", "for": write_duration(scenario.run.duration)}
    return {"faults": [*faults, {"name": name, **whole, "target": target, "effect": dict(effect)}]}


def _times(value: float, factor: float) -> float:
    return float(f"{value * factor:.{DIGITS}g}")


def _more_of_share(value: float, factor: float) -> float:
    return min(1.0, _times(value, factor))


# Instances and partitions


def _instances(name: str, service: Service) -> Iterator[_Idea]:
    """One more and one fewer; of an autoscaler's maximum where there is one."""
    scale = service.autoscale
    path = f"services.{name}.autoscale.maximum" if scale else f"services.{name}.instances"
    label = f"{name} most instances" if scale else f"{name} instances"
    count = service.instances_at_most
    least = max(scale.minimum, service.instances) if scale else 1
    yield _counted(ONE_MORE, label, path, count, count + 1)
    if count > least:
        yield _counted(ONE_FEWER, label, path, count, count - 1)


def _partitions(scenario: Scenario, name: str) -> Iterator[_Idea]:
    """The next larger number of partitions that the instances of all consumers share evenly."""
    partitions = scenario.topics[name].partitions
    counts = [service.instances for service in scenario.services.values() if name in service.consumes]
    if partitions is None or not counts:
        return
    step = math.lcm(*counts)
    more = (partitions // step + 1) * step
    yield _counted(NEXT, f"{name} partitions", f"topics.{name}.partitions", partitions, more)


def _counted(section: str, name: str, path: str, before: int, after: int) -> _Idea:
    return _Idea(section, name, path, str(before), str(after), {path: after})


def _left(name: str, path: str, why: str) -> _Idea:
    return _Idea(MORE, name, path, "", "", why)
