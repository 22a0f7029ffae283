"""Rules about retries and lost messages."""

from __future__ import annotations

from collections.abc import Iterator

from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.units import count, enumeration, share, three_digits

AMPLIFIED = 1.1


def retry_amplification(evidence: Evidence) -> Iterator[Finding]:
    for name, numbers in evidence.content["services"].items():
        per_message = numbers["attempts_per_message"]["value"]
        if per_message is None or per_message < AMPLIFIED:
            continue
        attempts, failed = numbers["attempts"]["value"], numbers["failed"]["value"]
        timed_out = numbers["timed_out"]["value"]
        text = (
            f"{name} makes {per_message:.2f} attempts per message ({count(attempts)} attempts per run):"
            " retries add"
            f" {share(per_message - 1, 0)} to its load. {share(failed / attempts)} of its attempts fail"
        )
        if timed_out and timed_out >= 0.01 * failed:
            text += f", {share(timed_out / failed)} of these by time-out"
        text += "."
        utilisation = numbers["utilisation_ratio"]["value"]
        if utilisation is not None:
            text += f" Its slots are busy {share(utilisation, 0)} of the time."
        yield Finding(f"services.{name}", text)


def dead_lettered(evidence: Evidence) -> Iterator[Finding]:
    for name, flow in evidence.content["flows"].items():
        lost, started = flow["dead_lettered"]["value"], flow["started"]["value"]
        if not lost:
            continue
        by_service = [
            f"{count(numbers['dead_lettered']['value'])} at {service}{_attempts(evidence, service)}"
            for service, numbers in evidence.content["services"].items()
            if numbers["dead_lettered"]["value"]
        ]
        where = f" Dead-lettered messages: {enumeration(by_service)}." if by_service else ""
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
        reasons = [
            f"{count(line[how]['value'])} {how} in {topic} before {service}"
            for topic, entry in evidence.content["topics"].items()
            for service, line in entry["consumers"].items()
            for how in ("rejected", "expired", "dropped", "shed")
            if line[how]["value"]
        ]
        where = f" Messages: {enumeration(reasons)}." if reasons else ""
        yield Finding(
            f"flows.{name}",
            f"{share(lost / started)} of {name} is dropped: {count(lost)} of {count(started)} per run,"
            f" {three_digits(lost / evidence.seconds)} per second.{where}",
        )
