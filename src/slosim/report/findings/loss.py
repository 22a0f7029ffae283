"""Rules about retries and lost messages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import offered_load
from slosim.report.units import count, duration, enumeration, plural, share, three_digits

if TYPE_CHECKING:
    from slosim.model import Retry


AMPLIFIED = 1.05
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
            f" retries add {share(per_message - 1, 0)} to its load. {share(failed / attempts)} of its"
            " attempts fail"
        )
        if timed_out and timed_out >= 0.01 * failed:
            text += f", {share(timed_out / failed)} of these by time-out"
        text += "."
        utilisation = numbers["utilisation_ratio"]["value"]
        if utilisation is not None:
            text += f" Its slots are busy {share(utilisation, 0)} of the time."
        yield Finding(f"services.{name}", text)


def retry_storm(evidence: Evidence) -> Iterator[Finding]:
    """Attempts that fail at their end hold a slot like others, so retries multiply the load."""
    for fault in evidence.scenario.faults:
        kind, name = fault.target.split(".", 1)
        load = offered_load(evidence, name) if kind == "services" else None
        if load is None or load.slots is None or not fault.effect.error_rate:
            continue
        service = evidence.scenario.services[name]
        if service.retry is None or service.failures.at == "start":
            continue
        failing = 1 - (1 - service.failures.probability) * (1 - fault.effect.error_rate)
        slot_s = load.slot_s * fault.effect.slowdown + fault.effect.added_latency
        then = replace(load, attempts=attempts_of(failing, service.retry.maximum_attempts), slot_s=slot_s)
        if then.needed_slots < load.slots:
            continue
        once = replace(then, attempts=1.0)
        yield Finding(
            f"faults.{fault.name}",
            f"retry storm: while '{fault.name}' lasts, {share(failing)} of the attempts of {name} fail, and"
            f" {then.arithmetic(plural(load.slots, 'usable slot'))} = utilisation"
            f" {then.needed_slots / load.slots:.2f}. With 1 attempt per message it would be"
            f" {once.needed_slots / load.slots:.2f}.",
        )


def attempts_of(failing: float, most: int | None) -> float:
    """Mean attempts per message when each fails with this probability; most: None is unlimited."""
    if failing == 1:
        return math.inf if most is None else float(most)
    return (1 - (0.0 if most is None else failing**most)) / (1 - failing)


def impatient_retries(evidence: Evidence) -> Iterator[Finding]:
    """Retries that end before the outage does lose what arrives early in it."""
    for fault in evidence.scenario.faults:
        kind, name = fault.target.split(".", 1)
        retry = evidence.scenario.services[name].retry if kind == "services" else None
        if retry is None or retry.maximum_attempts is None or not fault.effect.outage:
            continue
        if fault.duration is None:  # a random fault has no one length
            continue
        lost, waits = evidence.service(name)["dead_lettered"]["value"], waits_of(retry)
        if not lost or waits is None or waits[1] >= fault.duration:
            continue
        mean, longest = waits
        reach = "" if mean == longest else f", on average {duration(mean)}"
        yield Finding(
            f"services.{name}.retry",
            f"'{fault.name}' outlasts the patience of {name}: the"
            f" {plural(retry.maximum_attempts - 1, 'wait')} between its {retry.maximum_attempts} attempts add"
            f" up to at most {duration(longest)}{reach}, and the outage lasts {duration(fault.duration)}."
            f" What comes early in it is dead-lettered ({count(lost)} per run).",
        )


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
    return "" if retry.maximum_attempts is None else f" after {retry.maximum_attempts} attempts"


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
        if (evidence.scenario.topics[topic].dead_letter is not None) == with_dead_letter
        for how in ("rejected", "expired", "dropped", "shed")
        if line[how]["value"]
    ]
