"""Relations between services and what they take from and call."""

from __future__ import annotations

import math

from slosim.model.joins import check_joins
from slosim.model.kinds import Reading
from slosim.model.parts import Parts
from slosim.model.topology import Service
from slosim.model.values import listed

ON_QUEUES = {
    "prefetch": "a log hands out its partitions, not messages",
    "visibility_timeout": "a message of a log is never given to another slot while it is in work",
}
ON_LOGS = {"rebalance": "a queue has no partitions that could change hands"}


def check_services(parts: Parts, reading: Reading) -> None:
    for name, service in parts.services.items():
        _check_kind_of_topics(name, service, parts, reading)
        _check_even_partitions(name, service, parts, reading)
        _check_cancel(name, service, parts, reading)
    _check_queue_limits(parts, reading)
    check_joins(parts, reading)


def _check_kind_of_topics(name: str, service: Service, parts: Parts, reading: Reading) -> None:
    """Refuse logs and queues together, and on either what only the other has."""
    topics = parts.topics_of(service)
    logs = [topic for topic, its in topics.items() if its.partitions is not None]
    queues = [topic for topic in topics if topic not in logs]
    if logs and queues:
        what = f"a service takes from logs or from queues, got the log {logs[0]} and the queue {queues[0]}"
        reading.problem_at(f"services.{name}.consumes", what, "partitions for all of the topics, or for none")
        return
    for kind, found, other, wrong in (("log", logs, "queue", ON_QUEUES), ("queue", queues, "log", ON_LOGS)):
        for key, why in wrong.items() if found else ():
            if getattr(service, key) is not None:
                what = f"{why}, and {found[0]} is a {kind}"
                reading.problem_at(
                    f"services.{name}.{key}", what, f"{key} is for services that consume a {other}"
                )


def _check_even_partitions(name: str, service: Service, parts: Parts, reading: Reading) -> None:
    scale, topics = service.autoscale, parts.topics_of(service)
    if scale is None or not scale.even_partitions or not topics:
        return
    path = f"services.{name}.autoscale.even_partitions"
    partitions = max(topic.partitions or 0 for topic in topics.values())
    if not partitions:
        reading.problem_at(path, "a queue has no partitions to share out evenly, got true")
    elif not any(scale.minimum <= count <= scale.maximum for count in _divisors(partitions)):
        bounds = f"{scale.minimum} to {scale.maximum}"
        what = f"no number of instances from {bounds} divides {partitions} partitions"
        reading.problem_at(
            path, what, f"bounds that include one of {listed(map(str, _divisors(partitions)))}"
        )


def _divisors(number: int) -> list[int]:
    """All divisors, ascending (of up to 10^12)."""
    small = [one for one in range(1, min(math.isqrt(number), 10**6) + 1) if number % one == 0]
    return sorted({*small, *(number // one for one in small)})


def _check_cancel(name: str, service: Service, parts: Parts, reading: Reading) -> None:
    """Refuse to cancel calls that nothing ever leaves behind."""
    crashes = any(effect.crash for effect in parts.effects_on(f"services.{name}"))
    if service.timeout is not None or crashes:
        return
    for index, call in enumerate(service.calls):
        if call.cancel and call.timeout is None and call.hedge_after is None:
            what = "every call is waited for to its end, got true"
            reading.problem_at(
                f"services.{name}.calls[{index}].cancel", what, "timeout or hedge_after beside it"
            )


def _check_queue_limits(parts: Parts, reading: Reading) -> None:
    for name, dependency in parts.dependencies.items():
        if dependency.capacity is not None or dependency.queue_limit is None:
            continue
        if not any(effect.pause for effect in parts.effects_on(f"dependencies.{name}")):
            what = f"no call ever waits for an unlimited capacity, got {dependency.queue_limit}"
            reading.problem_at(f"dependencies.{name}.queue_limit", what, "a number for capacity")
