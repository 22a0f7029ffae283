"""Rules about retries and lost messages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from slosim.report.faults import services_hit
from slosim.report.findings.delivery import over_delivery_limit
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import OfferedLoad, load_at_most
from slosim.report.units import count, duration, enumeration, plural, share, three_digits

if TYPE_CHECKING:
    from slosim.model import Fault, Retry


AMPLIFIED = 1.05
NOTABLE = 0.01
MORE_LOST = 1.5
"""Dead letters over those that a service's own failures explain, from which on an outage is to blame."""
MEAN_OF_JITTER = {"none": 1.0, "equal": 0.75, "full": 0.5}
"""Mean wait over the longest one: full is uniform from 0, equal from half of it."""


def retry_amplification(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["services"].items():
        per_message = numbers["attempts_per_message"]["value"]
        if per_message is None or per_message < AMPLIFIED:
            continue
        attempts, failed = numbers["attempts"]["value"], numbers["failed"]["value"]
        timed_out = numbers["timed_out"]["value"]
        text = (
            f"{name} makes {per_message:.2f} attempts per message ({count(attempts)} attempts per run):"
            f" {_repeats(evidence, name)} add {share(per_message - 1, 0)} to its attempts."
            f" {share(failed / attempts)} of its attempts fail"
        )
        if timed_out and timed_out >= 0.01 * failed:
            text += f", {share(timed_out / failed)} of these by time-out"
        text += "."
        utilisation = numbers["utilisation_ratio"]["value"]
        if utilisation is not None:
            text += f" Its slots are busy {share(utilisation, 0)} of the time."
        yield Finding(f"services.{name}", text)


def _repeats(evidence: Evidence, name: str) -> str:
    """What later attempts are: retries of failures, or messages that are delivered again without one."""
    numbers = evidence.service(name)
    timeout = evidence.scenario.services[name].visibility_timeout
    redelivered = numbers["lost"]["value"] > 0 or timeout is not None
    if not redelivered:
        return "retries"
    return "retries and redeliveries" if numbers["retried"]["value"] else "redeliveries"


def retry_storm(evidence: Evidence) -> Iterator[Finding]:
    """Attempts that fail at their end hold a slot like others, so retries multiply the load."""
    for fault in evidence.scenario.faults:
        for name in services_hit(fault, evidence.scenario):
            then = _load_during(evidence, fault, name)
            if then is None or not then.slots or then.needed_slots < then.slots:
                continue
            once = replace(then, attempts=1.0)
            yield Finding(
                f"faults.{fault.name}",
                f"retry storm: while '{fault.name}' lasts, {share(failing_during(evidence, fault, name))} of"
                f" the attempts of {name} fail, and"
                f" {then.arithmetic(plural(then.slots, 'usable slot'))} = utilisation"
                f" {then.needed_slots / then.slots:.2f}. With 1 attempt per message it would be"
                f" {once.needed_slots / then.slots:.2f}.",
            )


def _load_during(evidence: Evidence, fault: Fault, name: str) -> OfferedLoad | None:
    """The load of a service whose failed attempts take time and are all retried, while a fault raises them.

    None where they are not: without retries, or with a circuit breaker, which stops taking. A retry budget
    of kind cap limits what is added.
    """
    service, load = evidence.scenario.services[name], load_at_most(evidence, name)
    on_service = fault.target.startswith("services.")
    if load is None or service.retry is None or service.circuit_breaker is not None:
        return None
    if on_service and (service.failures.at == "start" or fault.effect.outage):
        return None
    if not fault.effect.outage and not fault.effect.error_rate:
        return None
    failing = failing_during(evidence, fault, name)
    attempts = attempts_of(failing, service.retry.maximum_attempts)
    if service.failures.poison:
        poisoned = attempts_of(1.0, service.retry.maximum_attempts)
        attempts += service.failures.poison * (poisoned - attempts)
    budget = service.retry_budget
    if budget is not None:
        attempts = min(attempts, 1 + budget.ratio) if budget.kind == "cap" else 1.0
    if math.isinf(attempts):  # the waits between them decide how many there are
        return None
    slot_s = load.slot_s
    if on_service:
        slot_s = slot_s * fault.effect.slowdown + fault.effect.added_latency
    elif fault.effect.outage:  # calls take no time then
        slot_s = min(slot_s, service.service_time.mean())
    return replace(load, attempts=attempts, slot_s=slot_s)


def failing_during(evidence: Evidence, fault: Fault, name: str) -> float:
    """Share of the attempts of a service that fail by themselves, or by this fault of it or of its calls."""
    service = evidence.scenario.services[name]
    passing = 1 - service.failures.probability
    its = 1.0 if fault.effect.outage else fault.effect.error_rate
    if fault.target.startswith("services."):
        return 1 - passing * (1 - its)
    dependency = fault.target.split(".", 1)[1]
    calls = sum(call.dependency == dependency for call in service.calls)
    return 1 - passing * (1 - its) ** calls


def attempts_of(failing: float, most: int | None) -> float:
    """Mean attempts per message when each fails with this probability; most: None is unlimited."""
    if failing == 1:
        return math.inf if most is None else float(most)
    return (1 - (0.0 if most is None else failing**most)) / (1 - failing)


def impatient_retries(evidence: Evidence) -> Iterator[Finding]:
    """Retries that end before the outage does lose what arrives early in it."""
    for fault in evidence.scenario.faults:
        for name in services_hit(fault, evidence.scenario):
            yield from _impatience(evidence, fault, name)


def _impatience(evidence: Evidence, fault: Fault, name: str) -> Iterator[Finding]:
    retry = evidence.scenario.services[name].retry
    if retry is None or retry.maximum_attempts is None or not fault.effect.outage or fault.duration is None:
        return
    numbers, waits = evidence.service(name), waits_of(retry)
    lost = numbers["dead_lettered"]["value"]
    anyway = _messages(numbers) * _own_loss(evidence, name, retry.maximum_attempts)
    if not lost or lost < MORE_LOST * anyway or waits is None or waits[0] >= fault.duration:
        return
    mean, longest = waits
    reach = "" if mean == longest else f", on average {duration(mean)}"
    early = "What comes" if longest < fault.duration else "Much of what comes"
    without = f", of which about {count(anyway)} would be without it" if anyway >= NOTABLE * lost else ""
    yield Finding(
        f"services.{name}.retry",
        f"'{fault.name}' outlasts the patience of {name}: the"
        f" {plural(retry.maximum_attempts - 1, 'wait')} between its {retry.maximum_attempts} attempts add"
        f" up to at most {duration(longest)}{reach}, and the outage lasts {duration(fault.duration)}."
        f" {early} early in it is dead-lettered ({count(lost)} per run{without}).",
    )


def _messages(numbers: dict) -> float:
    """Messages per run that a service made a first attempt for."""
    per_message = numbers["attempts_per_message"]["value"]
    return numbers["attempts"]["value"] / per_message if per_message else 0.0


def _own_loss(evidence: Evidence, name: str, most: int) -> float:
    """Share of the messages that a service's own failures dead-letter, without any fault."""
    poison = evidence.scenario.services[name].failures.poison
    return 1 - (1 - poison) * (1 - evidence.on_paper[name].failure_probability ** most)


def waits_of(retry: Retry) -> tuple[float, float] | None:
    """Mean and longest sum of the waits between all attempts, s; None where there is no such limit."""
    if retry.maximum_attempts is None or retry.jitter == "decorrelated":
        return None
    if retry.delay is not None:
        waits = retry.maximum_attempts - 1
        return waits * retry.delay.mean(), waits * retry.delay.maximum()
    longest, interval = 0.0, retry.initial_interval
    for _ in range(retry.maximum_attempts - 1):
        longest += min(interval, retry.maximum_interval)
        interval = min(interval * retry.backoff_coefficient, retry.maximum_interval)
    return MEAN_OF_JITTER[retry.jitter] * longest, longest


def dead_lettered(evidence: Evidence) -> Iterator[Finding]:
    for name, flow in evidence.content["flows"].items():
        lost, started = flow["dead_lettered"]["value"], flow["started"]["value"]
        if not lost:
            continue
        services = evidence.services_of_flow(name)
        causes = [
            f"{count(final)} at {service}{_attempts(evidence, service)}"
            for service in services
            if (final := evidence.service(service)["dead_lettered"]["value"])
        ]
        causes += [
            f"{count(limited)} by the delivery limit of {service}"
            for service in services
            if (limited := over_delivery_limit(evidence, service))
        ]
        causes += _left(evidence, services, with_dead_letter=True)
        where = f" Messages: {enumeration(causes)}." if causes else ""
        yield Finding(
            f"flows.{name}",
            f"{share(lost / started)} of {name} is dead-lettered: {count(lost)} of {count(started)} per"
            f" run.{where}",
        )


def _attempts(evidence: Evidence, service: str) -> str:
    """How many attempts a message had before it was given up."""
    retry = evidence.scenario.services[service].retry
    if retry is None:
        return " after 1 attempt"
    if evidence.scenario.services[service].retry_budget is not None and retry.maximum_attempts is not None:
        return f" after at most {retry.maximum_attempts} attempts"
    return "" if retry.maximum_attempts is None else f" after {plural(retry.maximum_attempts, 'attempt')}"


def dropped(evidence: Evidence) -> Iterator[Finding]:
    for name, flow in evidence.content["flows"].items():
        lost, started = flow["dropped"]["value"], flow["started"]["value"]
        if not lost:
            continue
        reasons = _left(evidence, evidence.services_of_flow(name), with_dead_letter=False)
        where = f" Messages: {enumeration(reasons)}." if reasons else ""
        yield Finding(
            f"flows.{name}",
            f"{share(lost / started)} of {name} is dropped: {count(lost)} of {count(started)} per run,"
            f" {three_digits(lost / evidence.seconds)} per second.{where}",
        )


def _left(evidence: Evidence, services: list[str], with_dead_letter: bool) -> list[str]:
    """How many messages left these lines unserved, of topics with (without) a dead letter."""
    return [
        f"{count(line[how]['value'])} {how} in {topic} before {service}"
        for service in services
        for topic, line in evidence.lines_of(service)
        for how in ("rejected", "expired", "dropped", "shed")
        if line[how]["value"]
        and (how != "shed" and evidence.scenario.topics[topic].dead_letter is not None) == with_dead_letter
    ]
