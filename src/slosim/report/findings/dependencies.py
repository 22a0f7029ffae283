"""Rules about dependencies: too few servers, and work that nobody waits for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from slosim.report.faults import callers_of, occurrences_of
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import attempts_per_message, own_attempts
from slosim.report.findings.spells import ALL_BUSY, mean_between, mean_outside, worst_spell
from slosim.report.units import clock, count, duration, enumeration, plural, share, short, three_digits

BUSY = 0.95
"""Utilisation from which on the servers are what holds calls up."""
COMFORTABLE = 0.9
REPEATED = 1.05
"""Requests over those of the attempts that callers' own failures ask for, from which on the rest matters."""
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

    @property
    def most_per_s(self) -> float:
        """Requests per second that all servers can do."""
        return self.servers / self.server_s

    def capacity(self) -> str:
        """`20 servers ÷ 40.0 ms = 500 requests/s`."""
        return (
            f"{plural(self.servers, 'server')} ÷ {duration(self.server_s)} ="
            f" {three_digits(self.most_per_s)} requests/s"
        )

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
        yield Finding(
            f"dependencies.{name}",
            f"{name} is saturated: {load.arithmetic()}. Its servers are busy {share(busy, 0)} of the time and"
            f" requests wait {duration(numbers['wait_s']['mean']['value'])} on average, p99"
            f" {duration(numbers['wait_s']['p99']['value'])}, inside the attempts of"
            f" {_callers(evidence, name)}: more slots there only wait here. {_remedy(evidence, load)}",
        )


def _remedy(evidence: Evidence, load: DependencyLoad) -> str:
    """Servers for what is asked; of what callers repeat only what their own failures ask for."""
    once = load_without_repeats(evidence, load)
    if once is None:
        return f"{_enough(load)} for what is asked now."
    least = f", and {_enough(once)}" if once.utilisation > COMFORTABLE else ""
    return (
        f"{_without_repeats(evidence, load.name)} it would be {three_digits(once.requests_per_s)} requests/s"
        f" and a utilisation of {once.utilisation:.2f}{least}."
    )


def _enough(load: DependencyLoad) -> str:
    servers = math.ceil(load.requests_per_s * load.server_s / COMFORTABLE)
    return f"{plural(servers, 'server')} would give {load.utilisation * load.servers / servers:.2f}"


def load_without_repeats(
    evidence: Evidence, load: DependencyLoad, repeated: float = REPEATED
) -> DependencyLoad | None:
    """What would be asked without hedges and without repeats beyond the callers' own failures.

    None where that is not notably less. An attempt that fails before its last call makes fewer: at most.
    Calls that differ in the time they take are weighed as the callers make them.
    """
    dependency, times = evidence.scenario.dependencies[load.name], set()
    requests, server_s = 0.0, 0.0
    for caller in callers_of(load.name, evidence.scenario):
        its, made = evidence.scenario.services[caller], evidence.service(caller)["attempts_per_message"]
        calls = [call.time_at(dependency).mean() for call in its.calls if call.dependency == load.name]
        times.update(calls)
        starting = 1 - its.failures.probability if its.failures.at == "start" else 1.0
        attempts = own_attempts(evidence, caller, made["value"] or 1.0)
        per_s = (evidence.accepted_per_s(caller) or 0.0) * attempts * starting
        requests, server_s = requests + per_s * len(calls), server_s + per_s * sum(calls)
    if not requests or load.requests_per_s < repeated * requests:
        return None
    alike = len(times) == 1
    return replace(load, requests_per_s=requests, server_s=load.server_s if alike else server_s / requests)


def _without_repeats(evidence: Evidence, name: str) -> str:
    """`With 1 attempt per message of site (it makes 1.86)`."""
    callers = []
    for caller in callers_of(name, evidence.scenario):
        made = evidence.service(caller)["attempts_per_message"]["value"] or 1.0
        callers.append(
            f"{attempts_per_message(own_attempts(evidence, caller, made))} of {caller} (it makes"
            f" {three_digits(made)})"
        )
    hedged = evidence.content["dependencies"][name]["hedged"]["value"]
    return f"With {enumeration(callers)}{' and no hedges' if hedged else ''}"


@dataclass(frozen=True)
class DependencySpell:
    """A time when all servers of a dependency were busy and up to `peak` requests waited."""

    first_s: float
    last_s: float
    peak: float


def overload_of_dependency(evidence: Evidence, name: str) -> DependencySpell | None:
    """The worst spell of a dependency that is not saturated on average; None when none is worth telling."""
    numbers, servers = evidence.content["dependencies"][name], evidence.scenario.dependencies[name].capacity
    busy_ratio = numbers["utilisation_ratio"]["value"]
    if servers is None or busy_ratio is None or busy_ratio >= BUSY:
        return None
    times, waiting = (np.array(numbers["series"][key]) for key in ("t_s", "waiting"))
    busy = np.array(numbers["series"]["busy"]) >= ALL_BUSY * servers
    spell = worst_spell(busy & (times >= evidence.scenario.run.warmup), waiting, servers, from_zero=True)
    if spell is None:
        return None
    first, last, top = spell
    return DependencySpell(float(times[first]), float(times[last]), float(waiting[top]))


def dependency_overloaded(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["dependencies"].items():
        load, spell = dependency_load(evidence, name), overload_of_dependency(evidence, name)
        if load is None or spell is None:
            continue
        length = duration(spell.last_s - spell.first_s)
        yield Finding(
            f"dependencies.{name}",
            f"{name} has all its {plural(load.servers, 'server')} busy from {clock(spell.first_s)} to"
            f" {clock(spell.last_s)} ({length}){_around_fault(evidence, name, spell)}, and up to"
            f" {short(spell.peak)} requests wait for one; over the run it is"
            f" {share(numbers['utilisation_ratio']['value'], 0)} busy. It can do {load.capacity()}."
            f" {_askers(evidence, name, spell)}",
        )


def _around_fault(evidence: Evidence, name: str, spell: DependencySpell) -> str:
    """The fault of a dependency that acts in a spell, or ends as it begins: ` after 'database stops'`."""
    step = evidence.scenario.run.sample_every
    faults = [
        one
        for one in occurrences_of(evidence.scenario)
        if one.target == f"dependencies.{name}"
        and one.start_s < spell.last_s
        and one.end_s >= spell.first_s - step
    ]
    return f" {'during' if faults[0].end_s > spell.first_s else 'after'} '{faults[0].name}'" if faults else ""


def _askers(evidence: Evidence, name: str, spell: DependencySpell) -> str:
    """Whose slots ask a dependency during a spell, in comparison with other times."""
    slots = []
    for caller in callers_of(name, evidence.scenario):
        series = evidence.service(caller)["series"]
        now = mean_between(series, "busy", spell.first_s, spell.last_s)
        usual = mean_outside(evidence, series, "busy", spell.first_s, spell.last_s)
        slots.append(f"{short(now)} of {caller} ({short(usual)} at other times)")
    return f"Busy slots of its callers meanwhile: {enumeration(slots)}; more of them would only wait here."


def busy_dependency(evidence: Evidence, service: str, first_s: float, last_s: float) -> str | None:
    """The dependency that a service waits for in [first, last]: `database, whose 20 servers are 99% busy`."""
    for call in evidence.scenario.services[service].calls:
        name, servers = call.dependency, evidence.scenario.dependencies[call.dependency].capacity
        if servers is None:
            continue
        series = evidence.content["dependencies"][name]["series"]
        busy = mean_between(series, "busy", first_s, last_s) / servers
        if busy >= BUSY:
            return f"{name}, whose {plural(servers, 'server')} are {share(busy, 0)} busy"
    return None


def too_much_for_a_dependency(evidence: Evidence, service: str, attempts_per_s: float) -> str | None:
    """What a dependency could not do if a service made so many attempts; None where all could."""
    calls = evidence.scenario.services[service].calls
    for name in dict.fromkeys(call.dependency for call in calls):
        dependency = evidence.scenario.dependencies[name]
        times = [call.time_at(dependency).mean() for call in calls if call.dependency == name]
        needed = attempts_per_s * sum(times)
        if dependency.capacity is not None and needed > dependency.capacity:
            return (
                f"No number of instances is enough: they would ask {name} for"
                f" {three_digits(attempts_per_s * len(times))} requests/s ×"
                f" {duration(sum(times) / len(times))} = {three_digits(needed)} servers, and it has"
                f" {count(dependency.capacity)}."
            )
    return None


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
