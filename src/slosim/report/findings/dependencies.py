"""Rules about dependencies: too few servers, and work that nobody waits for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from slosim.report.faults import callers_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.units import count, duration, enumeration, plural, share, three_digits

BUSY = 0.95
"""Utilisation from which on the servers are what holds calls up."""
COMFORTABLE = 0.9
NOTABLE = 0.01
"""Share of the calls from which on those that fail this way are worth telling."""


@dataclass(frozen=True)
class DependencyLoad:
    """Requests that a dependency has to work on, and what one takes, as measured."""

    name: str
    requests_per_s: float
    server_s: float
    servers: int

    @property
    def utilisation(self) -> float:
        return self.requests_per_s * self.server_s / self.servers

    def arithmetic(self) -> str:
        return (
            f"{three_digits(self.requests_per_s)} requests/s × {duration(self.server_s)} ÷"
            f" {plural(self.servers, 'server')} = utilisation {self.utilisation:.2f}"
        )


def dependency_load(evidence: Evidence, name: str) -> DependencyLoad | None:
    """Load of a dependency with a limited capacity; None without one, or when no server took a request."""
    numbers, servers = evidence.content["dependencies"][name], evidence.scenario.dependencies[name].capacity
    taken = numbers["wait_s"]["count"] / evidence.replications
    if servers is None or not taken or not evidence.seconds:
        return None
    rate = (numbers["calls"]["value"] - numbers["refused"]["value"]) / evidence.seconds
    server_s = numbers["busy_servers"]["value"] * evidence.seconds / taken
    return DependencyLoad(name, rate, server_s, servers)


def busiest_dependency(evidence: Evidence) -> DependencyLoad | None:
    """The dependency that is nearest to its capacity."""
    loads = (dependency_load(evidence, name) for name in evidence.content["dependencies"])
    known = [load for load in loads if load is not None]
    return max(known, key=lambda load: load.utilisation, default=None)


def dependency_saturated(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["dependencies"].items():
        load, busy = dependency_load(evidence, name), numbers["utilisation_ratio"]["value"]
        if load is None or busy is None or busy < BUSY:
            continue
        servers = math.ceil(load.requests_per_s * load.server_s / COMFORTABLE)
        least = f"{plural(servers, 'server')} would give {load.utilisation * load.servers / servers:.2f}"
        yield Finding(
            f"dependencies.{name}",
            f"{name} is saturated: {load.arithmetic()}. Its servers are busy {share(busy, 0)} of the time and"
            f" requests wait {duration(numbers['wait_s']['mean']['value'])} on average, p99"
            f" {duration(numbers['wait_s']['p99']['value'])}, inside the attempts of"
            f" {_callers(evidence, name)}: more slots there only wait here. {least} for what is asked now.",
        )


def _callers(evidence: Evidence, name: str) -> str:
    """Who calls a dependency, and how often it tries: `payment (12.0 attempts/s)`."""
    return enumeration(
        [
            f"{caller} ({three_digits(evidence.service(caller)['attempts']['value'] / evidence.seconds)}"
            " attempts/s)"
            for caller in callers_of(name, evidence.scenario)
        ]
    )


def calls_nobody_waits_for(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["dependencies"].items():
        requests, timed_out = numbers["calls"]["value"], numbers["timed_out"]["value"]
        calls = requests - numbers["hedged"]["value"]
        if not timed_out or timed_out < NOTABLE * calls:
            continue
        text = f"{count(timed_out)} of {count(calls)} calls of {name} ({share(timed_out / calls)}) time out"
        cancelling = [call.cancel for call in _calls_of(evidence, name)]
        if not any(cancelling):
            text += (
                f"; nobody waits for their answers, but without `cancel` {name} still works on them: at least"
                f" {share(timed_out / requests)} of its requests are in vain"
            )
        elif all(cancelling):
            text += (
                f"; {count(numbers['cancelled']['value'])} requests were cancelled, which frees its servers"
            )
        wait = numbers["wait_s"]["p99"]["value"]
        waiting = f" Requests wait for a server for a p99 of {duration(wait)}." if wait else ""
        yield Finding(f"dependencies.{name}", f"{text}.{waiting}")


def _calls_of(evidence: Evidence, name: str) -> list:
    services = evidence.scenario.services.values()
    return [call for service in services for call in service.calls if call.dependency == name]


def dependency_refuses(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["dependencies"].items():
        refused, requests = numbers["refused"]["value"], numbers["calls"]["value"]
        limit = evidence.scenario.dependencies[name].queue_limit
        if not refused or limit is None or refused < NOTABLE * requests:
            continue
        yield Finding(
            f"dependencies.{name}",
            f"{name} refuses {count(refused)} of {count(requests)} requests ({share(refused / requests)}):"
            f" {count(limit)} may wait, and each one more fails at once.",
        )


def hedging(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["dependencies"].items():
        hedged, requests = numbers["hedged"]["value"], numbers["calls"]["value"]
        if not hedged:
            continue
        calls = requests - hedged
        text = (
            f"hedging makes {count(hedged)} second requests for {count(calls)} calls of {name}: it adds"
            f" {share(hedged / calls)} of requests"
        )
        busy = numbers["utilisation_ratio"]["value"]
        if busy is not None:
            text += f", and its servers are busy {share(busy, 0)} of the time"
        cancelled = numbers["cancelled"]["value"]
        if cancelled:
            text += f". {count(cancelled)} requests were cancelled when nobody waited for them any more"
        yield Finding(f"dependencies.{name}", f"{text}.")
