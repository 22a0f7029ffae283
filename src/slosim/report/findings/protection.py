"""Rules about what services do to protect themselves: circuit breaker, retry budget, load shedding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slosim.report import statistics
from slosim.report.faults import services_hit
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.loss import failing_during
from slosim.report.units import count, duration, plural, share, three_digits


def circuit_breaker(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        mechanisms, breaker = evidence.mechanisms(name), service.circuit_breaker
        if mechanisms is None or breaker is None or not mechanisms["breaker_opened"]["value"]:
            continue
        seconds = mechanisms["breaker_open_s"]["value"]
        text = (
            f"the circuit breaker of {name} opens {_times(mechanisms['breaker_opened']['value'])} per run and"
            f" is open for {duration(seconds)} in all ({share(seconds / evidence.seconds)} of the time), when"
            " nothing is taken"
        )
        waiting = _waiting_while_open(evidence, name)
        if waiting is not None:
            text += f": meanwhile up to {count(waiting)} messages wait"
        yield Finding(f"services.{name}.circuit_breaker", f"{text}.{_made_total(evidence, name)}")


def _times(number: float) -> str:
    return "once" if number == 1 else plural(number, "time")


def _waiting_while_open(evidence: Evidence, name: str) -> float | None:
    """Most messages that wait at a sample at which the breaker is open; None without such a sample."""
    most = []
    for one in evidence.measurements:
        mechanisms = one.services[name].mechanisms
        if mechanisms is None:
            continue
        topics = evidence.scenario.services[name].consumes
        waiting = np.sum([one.lines[topic, name].waiting.samples for topic in topics], axis=0)
        inside = statistics.measured_samples(one) & (mechanisms.open.samples > 0)
        most += waiting[inside].tolist()
    return max(most, default=None)


def _made_total(evidence: Evidence, name: str) -> str:
    """Faults that fail only a part of the attempts, which an open breaker stops altogether."""
    partial = [
        f"'{fault.name}' fails {share(failing)} of the attempts"
        for fault in evidence.scenario.faults
        if name in services_hit(fault, evidence.scenario)
        and (fault.effect.error_rate or fault.effect.outage)
        and 0 < (failing := failing_during(evidence, fault, name)) < 1
    ]
    if not partial:
        return ""
    return f" A partial failure is made total: {', '.join(partial)}, the open breaker stops all."


def retry_budget(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        mechanisms, budget, retry = evidence.mechanisms(name), service.retry_budget, service.retry
        denied = None if mechanisms is None else mechanisms["denied_retries"]["value"]
        if budget is None or retry is None or not denied:
            continue
        numbers = evidence.service(name)
        per_message, retried = numbers["attempts_per_message"]["value"], numbers["retried"]["value"]
        asked = "without limit" if retry.maximum_attempts is None else f"up to {retry.maximum_attempts}"
        stays = "" if per_message is None else f" Attempts per message stay at {three_digits(per_message)}."
        yield Finding(
            f"services.{name}.retry_budget",
            f"the retry budget of {name} ({budget.kind}, {share(budget.ratio, 0)}) denies {count(denied)}"
            f" retries per run and lets {count(retried)} through: those failures are final, though `retry`"
            f" allows attempts {asked}.{stays}",
        )


def shed(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        dropped = sum(line["shed"]["value"] for _, line in evidence.lines_of(name))
        if service.shed is None or not dropped:
            continue
        if service.shed.codel is None:
            rule = f"having waited longer than {duration(service.shed.wait_over)}"
        else:
            codel = service.shed.codel
            rule = f"waits having stayed above {duration(codel.target)} for {duration(codel.interval)}"
        reached = sum(evidence.published(topic) for topic in service.consumes)
        waits = evidence.service(name)["wait_s"]
        yield Finding(
            f"services.{name}.shed",
            f"{name} sheds {count(dropped)} of {count(reached)} messages per run ({share(dropped / reached)},"
            f" {three_digits(dropped / evidence.seconds)} per second), {rule}. What it takes has waited"
            f" {duration(waits['mean']['value'])} on average, p99 {duration(waits['p99']['value'])}.",
        )
