"""Rules about how messages reach slots: prefetch, redelivery, blocking retries, batches and joins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slosim.compile.offered_load import partitions_of
from slosim.measure.measurements import Measurements
from slosim.report import statistics
from slosim.report.faults import occurrences_within
from slosim.report.findings.evidence import Evidence, Finding
from slosim.report.findings.offered import offered_load, seconds_in_full_batch
from slosim.report.findings.slots import mean_slots
from slosim.report.units import count, duration, enumeration, plural, share, three_digits

HOARDING = 0.01
"""Share of the samples with messages held ahead while slots are free from which on it is worth telling."""
EARLY = 0.01
"""Share of redeliveries among the attempts from which on they are told although none succeeds twice."""
ALONE = 0.01
"""Share of the messages of a topic that lack a partner from which on chance does not explain it."""
ALONE_MESSAGES = 10


def prefetch_hoarding(evidence: Evidence) -> Iterator[Finding]:
    """An instance holds messages ahead only while its own slots are busy: free slots are elsewhere.

    Not where something else keeps slots from taking: a rate limit, a pause, an open circuit breaker.
    """
    for name, service in evidence.scenario.services.items():
        if service.prefetch is None or service.rate_limit is not None:
            continue
        found = [_held_and_free(evidence, name, one) for one in evidence.measurements]
        samples = np.concatenate([its for its in found if its is not None] or [np.zeros((0, 2))])
        both = samples[(samples[:, 0] > 0) & (samples[:, 1] >= 1)]
        if not len(both) or len(both) < HOARDING * len(samples):
            continue
        held, free = both.mean(axis=0)
        yield Finding(
            f"services.{name}.prefetch",
            f"prefetch keeps messages behind busy instances of {name} while others are free: in"
            f" {share(len(both) / len(samples))} of the samples {count(float(held))} messages on average (at"
            f" most {count(float(both[:, 0].max()))}) were held ahead and {count(float(free))} slots had"
            f" nothing to do. A prefetch below {service.prefetch} leaves them to whoever is free first.",
        )


def _held_and_free(evidence: Evidence, name: str, one: Measurements) -> np.ndarray | None:
    """Messages held ahead and free slots at each measured sample when slots may take: float64[samples, 2]."""
    its, concurrency = one.services[name], evidence.scenario.services[name].concurrency
    if its.mechanisms is None or concurrency is None:
        return None
    taking = statistics.measured_samples(one) & (its.mechanisms.open.samples == 0)
    for fault in evidence.scenario.faults:
        if fault.target != f"services.{name}" and fault.target.partition(".")[0] != "topics":
            continue
        known = fault.occurrences(evidence.scenario.run.duration)
        for start, end in [*known, *occurrences_within(fault.name, one)]:
            taking &= (one.sample_times_s < start) | (one.sample_times_s >= end)
    free = its.instances_samples * float(concurrency) - its.busy.samples
    return np.stack([its.mechanisms.held_ahead.samples, free], axis=1)[taking]


def early_redelivery(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        numbers = evidence.service(name)
        again = _redelivered(evidence, name)
        if service.visibility_timeout is None:
            continue
        if not numbers["duplicates"]["value"] and again < EARLY * numbers["attempts"]["value"]:
            continue
        p99, longest = numbers["service_s"]["p99"]["value"], numbers["service_s"]["max"]
        if p99 is None or not numbers["attempts"]["value"]:
            continue
        attempts, duplicates = numbers["attempts"]["value"], numbers["duplicates"]["value"]
        what = "delivered again while their first attempt goes on" if again else "overtaken by the timeout"
        text = (
            f"messages of {name} are {what}: its visibility"
            f" timeout is {duration(service.visibility_timeout)}, and its attempts take up to"
            f" {duration(longest)} (p99 {duration(p99)})"
        )
        mechanisms = evidence.mechanisms(name)
        if service.prefetch is not None and mechanisms is not None:
            held = mechanisms["prefetched"]
            text += (
                f", after being held ahead, which counts too (prefetch {service.prefetch},"
                f" {count(held['mean']['value'])} held on average, at most {count(held['max'])})"
            )
        costs = [
            f"{count(again)} of {count(attempts)} attempts per run ({share(again / attempts)}) are such"
            " redeliveries"
        ]
        costs = (costs if again else []) + _late_successes(evidence, name, duplicates)
        yield Finding(
            f"services.{name}.visibility_timeout",
            f"{text}. {', and '.join(costs)}.",
        )


def _late_successes(evidence: Evidence, name: str, duplicates: float) -> list[str]:
    """What succeeded too late: a second time, or after the delivery limit had given the message up."""
    if not duplicates:
        return []
    cost = "emits nothing" if evidence.scenario.services[name].idempotent else "emits everything again"
    firsts = sum(one.services[name].first_successes for one in evidence.measurements) / evidence.replications
    if duplicates > firsts or over_delivery_limit(evidence, name):
        verb = "attempt succeeds after its" if count(duplicates) == "1" else "attempts succeed after their"
        return [f"{count(duplicates)} {verb} message was settled or given up, which {cost}"]
    return [f"{count(duplicates)} succeed a second time, which {cost}"]


def _redelivered(evidence: Evidence, name: str) -> float:
    """Attempts per run that follow neither a failure nor a lost attempt: a visibility timeout ran out."""
    return max(0.0, _surplus(evidence, name))


def _surplus(evidence: Evidence, name: str) -> float:
    """Attempts per run beyond those that are first or follow a failure or a lost attempt."""
    numbers = {
        key: evidence.service(name)[key]["value"] for key in ("attempts", "retried", "lost")
    }  # fmt: skip
    first = sum(one.services[name].first_attempts for one in evidence.measurements) / evidence.replications
    return numbers["attempts"] - first - numbers["retried"] - numbers["lost"]


def lost_attempts(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        numbers, mechanisms = evidence.service(name), evidence.mechanisms(name)
        lost, attempts = numbers["lost"]["value"], numbers["attempts"]["value"]
        if not lost or not attempts or mechanisms is None:
            continue
        if service.visibility_timeout is None:
            after = "are delivered again at once"
        else:
            after = f"come back when {duration(service.visibility_timeout)} have passed since their delivery"
        yield Finding(
            f"services.{name}",
            f"{count(lost)} of {count(attempts)} attempts of {name} per run ({share(lost / attempts)}) are"
            f" lost in {plural(mechanisms['crashes']['value'], 'crash', 'crashes')} of its instances: their"
            f" messages {after}, and the work is done anew.",
        )


def delivery_limit(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        limited = over_delivery_limit(evidence, name)
        if limited and service.retry is not None:
            lost, overtaken = evidence.service(name)["lost"]["value"], _overtaken(evidence, name, limited)
            how = [f"lost ({plural(lost, 'attempt')})"] if lost else []
            how += [f"overtaken ({plural(overtaken, 'attempt')})"] if overtaken else []
            yield Finding(
                f"services.{name}.retry",
                f"{count(limited)} messages of {name} per run are dead-lettered though no attempt failed for"
                f" the last time: `maximum_attempts` counts deliveries, and {service.retry.maximum_attempts}"
                f" had begun{' and were ' if how else ''}{' or '.join(how)}.",
            )


def _overtaken(evidence: Evidence, name: str, limited: float) -> float:
    """Attempts per run that went on when their visibility timeout ran out.

    Their messages were delivered again, or, where the last attempt was not lost, given up (`limited`).
    """
    if evidence.scenario.services[name].visibility_timeout is None:
        return 0.0
    return max(0.0, _surplus(evidence, name) + limited)


def over_delivery_limit(evidence: Evidence, name: str) -> float:
    """Messages per run that a line gave up instead of delivering them again (rule S49)."""
    if evidence.mechanisms(name) is None or evidence.scenario.services[name].join:
        return 0.0
    by_lines = sum(line["dead_lettered"]["value"] for _, line in evidence.lines_of(name))
    return max(0.0, by_lines - evidence.service(name)["dead_lettered"]["value"])


def head_of_line(evidence: Evidence) -> Iterator[Finding]:
    """A blocking retry holds its partition (a slot of a queue): what comes behind it waits as long."""
    for name, service in evidence.scenario.services.items():
        retried = evidence.service(name)["retried"]["value"]
        if service.retry is None or not service.retry.blocking or not retried or evidence.seconds == 0:
            continue
        held_s = backing_off_s(evidence, name)
        partitions = partitions_of(evidence.scenario, name)
        places = mean_slots(evidence, name) if partitions is None else partitions
        if not held_s or not places:
            continue
        what = "slot" if partitions is None else "partition"
        waits = evidence.service(name)["wait_s"]
        yield Finding(
            f"services.{name}.retry",
            f"blocking retries hold {what}s of {name}: {count(retried)} retries per run wait"
            f" {duration(held_s)} in all, which is {share(held_s / (places * evidence.seconds))} of the time"
            f" of its {plural(places, what)}. What comes behind such a message waits for it: attempts wait"
            f" {duration(waits['mean']['value'])} on average, p99 {duration(waits['p99']['value'])}."
            f"{_worst_partition(evidence, name)}",
        )


def _worst_partition(evidence: Evidence, name: str) -> str:
    """How unevenly the lag of a log is spread, which its total does not show; empty for a queue."""
    worst = [
        f" The worst partition of {topic} has a lag of {count(line['partition_lag_max']['mean']['value'])} on"
        f" average and {count(line['partition_lag_max']['max'])} at most, all of them together"
        f" {count(line['lag']['mean']['value'])} on average."
        for topic, line in evidence.lines_of(name)
        if line["partition_lag_max"] is not None and line["partition_lag_max"]["max"]
    ]
    return "".join(worst)


def backing_off_s(evidence: Evidence, name: str) -> float:
    """Seconds per run that messages of a service backed off: of the lag, what neither waits nor is in work.

    Where that is not all (delayed messages, lost attempts): as completed instances of flows tell it.
    """
    service, numbers = evidence.scenario.services[name], evidence.service(name)
    if numbers["lost"]["value"] or any(_is_delayed(evidence, topic) for topic in service.consumes):
        return sum(
            (flow["where_time_goes_s"]["mean"].get(f"{name}.retry", {}).get("value") or 0.0)
            * flow["completed"]["value"]
            for flow in evidence.content["flows"].values()
        )
    held = [
        line["lag"]["mean"]["value"] - line["waiting"]["mean"]["value"] for _, line in evidence.lines_of(name)
    ]
    taken = sum(held) / (len(held) if service.join else 1)
    in_work_s = (
        numbers["service_s"]["count"] / evidence.replications * (numbers["service_s"]["mean"]["value"] or 0)
    )
    return max(0.0, taken * evidence.seconds - in_work_s)


def _is_delayed(evidence: Evidence, topic: str) -> bool:
    """Whether messages of a topic may become visible only later."""
    emits = [emit for its in evidence.scenario.services.values() for emit in its.emitted.all]
    delays = [emit.delay for emit in emits if emit.topic == topic]
    return any(delay.maximum() > 0 for delay in [evidence.scenario.topics[topic].delay, *delays])


def batch_capacity(evidence: Evidence) -> Iterator[Finding]:
    for name, service in evidence.scenario.services.items():
        each, slots, load = (
            seconds_in_full_batch(service),
            mean_slots(evidence, name),
            offered_load(evidence, name),
        )
        if service.batch is None or not each or not slots or load is None:
            continue
        most, per_message = service.batch.max_messages, service.batch.per_message
        whole, full = each * most, slots / each
        lasts = duration(service.service_time.mean())
        if per_message:
            lasts += f" + {count(most)} × {duration(per_message)} = {duration(whole)}"
        yield Finding(
            f"services.{name}.batch",
            f"{name} can do {three_digits(full)} messages/s in full batches: {plural(slots, 'usable slot')} ×"
            f" {count(most)} messages ÷ ({lasts}). It gets"
            f" {three_digits(load.messages_per_s)} messages/s, {load.messages_per_s / full:.2f} times that,"
            f" and each holds a slot for {duration(load.slot_s)} on average.",
        )


def join_alone(evidence: Evidence) -> Iterator[Finding]:
    """Messages put aside count as waiting; joined ones wait in every line, so the rest lacks a partner."""
    for name, service in evidence.scenario.services.items():
        if not service.join or len(service.consumes) < 2:
            continue
        waiting = {topic: line["at_end"]["waiting"]["value"] for topic, line in evidence.lines_of(name)}
        published = {topic: evidence.published(topic) for topic in service.consumes}
        most = max(waiting, key=lambda topic: waiting[topic])
        least = min(waiting, key=lambda topic: waiting[topic])
        alone = waiting[most] - waiting[least]
        if alone < max(ALONE_MESSAGES, ALONE * published[most]):
            continue
        expires = evidence.scenario.topics[most].message_ttl is not None
        end = "until they expire" if expires else "for ever: nothing bounds their wait without `message_ttl`"
        yield Finding(
            f"services.{name}.join",
            f"{name} ends the run with {count(waiting[most])} messages of {most} waiting and"
            f" {count(waiting[least])} of {least}: {count(alone)} lack a partner. Published were"
            f" {enumeration([f'{count(number)} to {topic}' for topic, number in published.items()])}; what"
            f" never gets a partner waits {end}.",
        )
