"""The load that arrives at a service, as measured, and the arithmetic that findings show."""

from __future__ import annotations

from dataclasses import dataclass

from slosim.report.findings.evidence import Evidence
from slosim.report.topology import useful_slots
from slosim.report.units import duration, three_digits


@dataclass(frozen=True)
class OfferedLoad:
    """What arrives at a service and what it takes to do it, all as measured.

    messages_per_s x attempts x slot_s = slots that are needed on average
    """

    messages_per_s: float
    attempts: float
    slot_s: float
    slots: int | None

    @property
    def needed_slots(self) -> float:
        return self.messages_per_s * self.attempts * self.slot_s

    @property
    def attempts_per_s(self) -> float:
        return self.messages_per_s * self.attempts

    def arithmetic(self, divisor: str) -> str:
        """`66.0 messages/s x 1.02 attempts x 40.0 ms / 2 slots`; attempts only when they differ from one."""
        factors = [f"{three_digits(self.messages_per_s)} messages/s"]
        if self.attempts >= 1.005:
            factors.append(f"{three_digits(self.attempts)} attempts")
        factors.append(duration(self.slot_s))
        return f"{' × '.join(factors)} ÷ {divisor}"


def offered_load(evidence: Evidence, name: str) -> OfferedLoad | None:
    """Offered load of a service over the measured window; None when it made no attempt.

    slot_s is the time that one attempt holds a slot, blocking retries and abandoned work included.
    """
    numbers = evidence.service(name)
    rate, attempts = evidence.accepted_per_s(name), numbers["attempts"]["value"]
    if not rate or not attempts or numbers["attempts_per_message"]["value"] is None:
        return None
    slot_s = numbers["busy_slots"]["value"] * evidence.seconds / attempts
    return OfferedLoad(
        rate, numbers["attempts_per_message"]["value"], slot_s, useful_slots(evidence.scenario, name)
    )
