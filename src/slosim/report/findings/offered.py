"""The load that arrives at a service, as measured, and the arithmetic that findings show."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from slosim.compile.offered_load import useful_slots
from slosim.report.faults import services_hit
from slosim.report.findings.evidence import Evidence
from slosim.report.findings.slots import blocked_at_end, mean_slots, most_instances
from slosim.report.topology import may_be_held_back
from slosim.report.units import duration, three_digits

if TYPE_CHECKING:
    from slosim.model import Service


HELD = 0.1
"""Share of the slots held by finished messages from which on their time says little about the work."""
LONGER = 1.1
"""Measured over expected time of an attempt from which on something else holds its slot."""


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
    its share of it. Time in which finished attempts wait to be published is not theirs: then the time on
    paper.
    """
    numbers = evidence.service(name)
    rate, attempts = evidence.accepted_per_s(name), numbers["attempts"]["value"]
    if not rate or not attempts or numbers["attempts_per_message"]["value"] is None:
        return None
    time_s = slot_s(evidence, name)
    if waits_to_publish(evidence, name):
        time_s = min(time_s, evidence.on_paper[name].service_time_mean_s)
    limit = evidence.scenario.services[name].rate_limit
    return OfferedLoad(
        messages_per_s=rate,
        attempts=numbers["attempts_per_message"]["value"],
        slot_s=time_s,
        slots=mean_slots(evidence, name),
        rate_limit=math.inf if limit is None else limit.rate,
    )


def slot_s(evidence: Evidence, name: str) -> float:
    """Time that one attempt holds a slot, s, as measured."""
    numbers = evidence.service(name)
    attempts = numbers["attempts"]["value"]
    measured_s = numbers["busy_slots"]["value"] * evidence.seconds / attempts
    ended = numbers["service_s"]["count"] / evidence.replications + numbers["lost"]["value"]
    if ended >= 0.5 * attempts:
        return measured_s
    # most are still in work: what they have done so far says too little
    return max(measured_s, evidence.scenario.services[name].service_time.mean())


def waits_to_publish(evidence: Evidence, name: str) -> bool:
    """Whether finished attempts hold a notable part of the slots while they wait for a topic.

    How long they do is not measured: some are held at the end, or nothing else explains their time.
    """
    scenario = evidence.scenario
    if not may_be_held_back(scenario, name) or not evidence.service(name)["attempts"]["value"]:
        return False
    slots = mean_slots(evidence, name)
    held = sum(blocked_at_end(one, name) for one in evidence.measurements) / evidence.replications
    if held >= HELD * (slots or evidence.service(name)["busy_slots"]["value"]) > 0:
        return True
    service = scenario.services[name]
    blocking_retries = service.retry is not None and service.retry.blocking
    effects = [fault.effect for fault in scenario.faults if name in services_hit(fault, scenario)]
    slower = any(effect.slowdown > 1 or effect.added_latency > 0 for effect in effects)
    others = service.calls or service.batch or blocking_retries or slower
    return not others and slot_s(evidence, name) > LONGER * evidence.on_paper[name].service_time_mean_s


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
