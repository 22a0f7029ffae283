"""The load that arrives at a service, as measured, and the arithmetic that findings show."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from slosim.compile.offered_load import useful_slots
from slosim.report.faults import services_hit
from slosim.report.findings.evidence import Evidence
from slosim.report.findings.slots import mean_slots, most_instances
from slosim.report.units import duration, three_digits

if TYPE_CHECKING:
    from slosim.model import Service


@dataclass(frozen=True)
class OfferedLoad:
    """What arrives at a service and what it takes to do it, all as measured.

    messages_per_s x attempts x slot_s = slots that are needed on average
    slots: those of the instances that were up, on average where that changes; None: unlimited
    rate_limit: attempts per second that are allowed; inf without a limit
    """

    messages_per_s: float
    attempts: float
    slot_s: float
    slots: float | None
    rate_limit: float = math.inf

    def with_attempts(self, attempts: float) -> OfferedLoad:
        return replace(self, attempts=attempts)

    @property
    def needed_slots(self) -> float:
        return self.messages_per_s * self.attempts * self.slot_s

    @property
    def attempts_per_s(self) -> float:
        return self.messages_per_s * self.attempts

    @property
    def utilisation(self) -> float:
        """Of its slots or of its rate limit, whichever is used more; 0 when neither is limited."""
        of_slots = self.needed_slots / self.slots if self.slots else 0.0
        return max(of_slots, self.attempts_per_s / self.rate_limit)

    @property
    def is_rate_limited(self) -> bool:
        """The rate limit is what it would run into first."""
        return self.attempts_per_s / self.rate_limit == self.utilisation > 0

    def arithmetic(self, divisor: str) -> str:
        """`66.0 messages/s x 1.02 attempts x 40.0 ms / 2 slots`; attempts only when they differ from one."""
        factors = [f"{three_digits(self.messages_per_s)} messages/s"]
        if self.attempts >= 1.005:
            factors.append(f"{three_digits(self.attempts)} attempts")
        factors.append(duration(self.slot_s))
        return f"{' × '.join(factors)} ÷ {divisor}"


def offered_load(evidence: Evidence, name: str) -> OfferedLoad | None:
    """Offered load of a service over the measured window; None when it made no attempt.

    slot_s is the time that one attempt holds a slot, blocking retries and abandoned work included; at least
    the mean service time of the scenario when most attempts have not ended. In a batch each message has
    its share of it.
    """
    numbers = evidence.service(name)
    rate, attempts = evidence.accepted_per_s(name), numbers["attempts"]["value"]
    if not rate or not attempts or numbers["attempts_per_message"]["value"] is None:
        return None
    slot_s = numbers["busy_slots"]["value"] * evidence.seconds / attempts
    ended = numbers["service_s"]["count"] / evidence.replications
    if ended < 0.5 * attempts:  # most are still in work: what they have done so far says too little
        slot_s = max(slot_s, evidence.scenario.services[name].service_time.mean())
    limit = evidence.scenario.services[name].rate_limit
    return OfferedLoad(
        messages_per_s=rate,
        attempts=numbers["attempts_per_message"]["value"],
        slot_s=slot_s,
        slots=mean_slots(evidence, name),
        rate_limit=math.inf if limit is None else limit.rate,
    )


def own_attempts(evidence: Evidence, name: str, made: float) -> float:
    """Of the attempts made per message, those that a service's own failures and time-outs ask for.

    On paper: what goes beyond them are repeats that faults, waiting for dependencies or redelivery cause.
    """
    return min(made, evidence.on_paper[name].attempts_per_message)


def attempts_per_message(attempts: float) -> str:
    """`1 attempt per message`, or `1.43 attempts per message`."""
    number = "1 attempt" if attempts < 1.005 else f"{three_digits(attempts)} attempts"
    return f"{number} per message"


def load_outside_faults(evidence: Evidence, name: str, load: OfferedLoad) -> OfferedLoad:
    """What an attempt takes, and how many there are, while no fault of the service acts.

    As measured where it has no such fault; else from the scenario, where that suffices to tell.
    """
    service, paper = evidence.scenario.services[name], evidence.on_paper[name]
    blocking = service.retry is not None and service.retry.blocking
    effects = [one.effect for one in evidence.scenario.faults if name in services_hit(one, evidence.scenario)]
    changing = any(
        its.outage or its.error_rate or its.slowdown != 1 or its.added_latency > 0 for its in effects
    )
    if not changing or service.calls or service.batch or service.visibility_timeout is not None or blocking:
        return load
    if math.isinf(paper.attempts_per_message):
        return load
    return replace(load, attempts=paper.attempts_per_message, slot_s=paper.service_time_mean_s)


def load_at_most(evidence: Evidence, name: str) -> OfferedLoad | None:
    """The offered load against all that a service may use: full batches, an autoscaler's most instances."""
    load, service = offered_load(evidence, name), evidence.scenario.services[name]
    if load is None:
        return None
    if service.autoscale is not None:
        most = most_instances(evidence.scenario, name)
        load = replace(load, slots=useful_slots(evidence.scenario, name, most))
    full = seconds_in_full_batch(service)
    return load if full is None else replace(load, slot_s=min(load.slot_s, full))


def seconds_in_full_batch(service: Service) -> float | None:
    """Mean time that each message of a full batch holds a slot, s; None without batches."""
    batch = service.batch
    return None if batch is None else service.service_time.mean() / batch.max_messages + batch.per_message
