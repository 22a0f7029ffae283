"""Services as records: rows of `services`, `lines`, `instances` and `queues`, and the outlets they use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slosim.compile import program as P
from slosim.compile.draft import Draft, joined, size
from slosim.compile.streams import key_of
from slosim.model.topology import Service

RETRY_KINDS = {
    "none": P.RETRY_NONE,
    "equal": P.RETRY_EQUAL,
    "full": P.RETRY_FULL,
    "decorrelated": P.RETRY_DECORRELATED,
}
ORDERS = {"fifo": P.FIFO, "lifo": P.LIFO, "priority": P.PRIORITY}
WHEN_FULL = {"reject": P.REJECT, "drop_oldest": P.DROP_OLDEST, "block": P.BLOCK}


def service_arrays(draft: Draft) -> dict[str, np.ndarray]:
    """Everything about services that does not change from run to run and every service has."""
    services = np.zeros(len(draft.services), P.SERVICE_RECORD)
    lines: list[np.ndarray] = []
    instances: list[np.ndarray] = []
    queues: list[np.ndarray] = []
    for s, name in enumerate(draft.services):
        row, service = services[s : s + 1], draft.scenario.services[name]
        row["line"], row["line_count"] = len(lines), len(service.consumes)
        row["first_instance"], row["instance_count"] = size(instances), service.instances_at_most
        instances.append(_instances(service, s))
        first = len(queues)
        own = [_line(draft, name, topic, queues) for topic in service.consumes]
        _assign(draft, service, queues[first:], int(row["first_instance"][0]))
        if len(own) == 1:
            _share_out(instances[-1], own[0])
        lines += own
        _outlets(draft, name, row, own)
        _work(draft, name, row)
        _retry(draft, name, row)
        _parts(draft, name, row)
    return {
        "services": services,
        "lines": joined(lines, P.LINE),
        "instances": joined(instances, P.INSTANCE),
        "queues": joined(queues, P.QUEUE),
    }


# Instances, lines and queues.


def _instances(service: Service, s: int) -> np.ndarray:
    """As many as there may ever be; those it begins with are up."""
    rows = np.zeros(service.instances_at_most, P.INSTANCE)
    rows["service"], rows["number"] = s, np.arange(len(rows))
    rows["state"][service.instances :] = P.GONE
    rows["effect_until"] = np.inf
    for field in ("crash", "restart", "head", "tail", "first_work", "last_work"):
        rows[field] = P.NONE
    return rows


def _share_out(instances: np.ndarray, line: np.ndarray) -> None:
    """The partitions of each instance by range assignment (rule S16)."""
    count = int(np.sum(instances["state"] == P.UP))
    share, more = divmod(int(line["queue_count"][0]), count)
    first = int(line["first_queue"][0])
    for i in range(count):
        instances["first_queue"][i], instances["queue_count"][i] = first, share + (i < more)
        first += share + (i < more)


def _assign(draft: Draft, service: Service, lists: Sequence[np.ndarray], first_instance: int) -> None:
    """Owners of partitions at the start: by topic, or with cooperative rebalances of all (S16, S51)."""
    logs = [
        queues
        for queues, topic in zip(lists[:: 2 if service.join else 1], service.consumes, strict=True)
        if draft.scenario.topics[topic].partitions is not None
    ]
    together = service.rebalance is not None and service.rebalance.protocol == "cooperative"
    for those in [logs] if together else [[queues] for queues in logs]:
        share, more = divmod(sum(len(queues) for queues in those), service.instances)
        counts = [share + (i < more) for i in range(service.instances)]
        owners = first_instance + np.repeat(np.arange(service.instances), counts)
        for queues in those:
            queues["owner"], owners = owners[: len(queues)], owners[len(queues) :]


def _line(draft: Draft, name: str, topic_name: str, queues: list[np.ndarray]) -> np.ndarray:
    """The line of a service for a topic it consumes; its queues are added to `queues`."""
    topic = draft.scenario.topics[topic_name]
    line = np.zeros(1, P.LINE)
    line["topic"], line["service"] = draft.topics.index(topic_name), draft.services.index(name)
    line["order"] = ORDERS[topic.order]
    line["first_queue"] = size(queues)
    line["queue_count"] = topic.partitions or (len(draft.priorities) if topic.order == "priority" else 1)
    queues.append(_empty_queues(int(line["queue_count"][0])))
    if draft.scenario.services[name].join:
        line["first_bucket"] = size(queues)
        queues.append(_empty_queues(P.BUCKETS_PER_JOIN))
    line["is_log"] = topic.partitions is not None
    line["capacity"] = P.UNLIMITED if topic.capacity is None else topic.capacity
    line["when_full"] = WHEN_FULL[topic.when_full]
    line["delay"] = draft.distributions.add_unless_zero(topic.delay)
    line["delay_stream"] = key_of(f"topics.{topic_name}/delay")
    line["delays"] = _is_delayed(draft, topic_name)
    line["ttl"] = P.NONE if topic.message_ttl is None else draft.distributions.add(topic.message_ttl)
    line["ttl_stream"] = key_of(f"topics.{topic_name}/message_ttl")
    line["oldest"] = line["newest"] = P.NONE
    return line


def _empty_queues(count: int) -> np.ndarray:
    queues = np.zeros(count, P.QUEUE)
    for field in ("owner", "head", "tail", "next_owner"):
        queues[field] = P.NONE
    return queues


def _is_delayed(draft: Draft, topic: str) -> bool:
    """May messages of a topic become visible after they are published?"""
    return draft.scenario.topics[topic].delay.maximum() > 0 or any(
        emit.topic == topic and emit.delay.maximum() > 0
        for service in draft.scenario.services.values()
        for emit in service.emits
    )


# What services publish through, in the order of the emission slots (rule S3).


def _outlets(draft: Draft, name: str, row: np.ndarray, lines: Sequence[np.ndarray]) -> None:
    """The outlets of a service and of its lines."""
    service, publisher, outlets = draft.scenario.services[name], f"services.{name}", draft.outlets
    row["first_emit"] = len(outlets.rows)
    row["emit_count"] = len(service.emits) + len(service.choose)
    for i, emit in enumerate(service.emits):
        emission = f"{publisher}/emits[{i}]"
        outlet = outlets.add(emit.topic, publisher, emission, emit.copies)
        outlet["probability"] = emit.probability
        outlet["probability_stream"] = key_of(f"{emission}/probability")
        outlet["delay"] = draft.distributions.add_unless_zero(emit.delay)
        outlet["delay_stream"] = key_of(f"{emission}/delay")
    cumulated = 0.0
    for i, choice in enumerate(service.choose):
        cumulated += choice.share
        outlets.add(choice.topic, publisher, f"{publisher}/choose[{i}]")["probability"] = cumulated
    row["chooses"] = bool(service.choose)
    row["choose_stream"] = key_of(f"{publisher}/choose")
    row["dead_letter"] = outlets.add_dead_letter(service.dead_letter, publisher, f"{publisher}/dead_letter")
    for line, topic in zip(lines, service.consumes, strict=True):
        dead_letter = draft.scenario.topics[topic].dead_letter
        emission = f"topics.{topic}/dead_letter/{name}"
        line["dead_letter"] = outlets.add_dead_letter(dead_letter, f"topics.{topic}/{name}", emission)


# Work.


def _work(draft: Draft, name: str, row: np.ndarray) -> None:
    """Slots, times and failures."""
    service = draft.scenario.services[name]
    row["group"] = draft.group_of[f"services.{name}"]
    row["is_log"] = draft.scenario.topics[service.consumes[0]].partitions is not None
    row["concurrency"] = P.UNLIMITED if service.concurrency is None else service.concurrency
    row["slots"] = P.UNLIMITED if service.concurrency is None else service.concurrency * service.instances
    row["service_time"] = draft.distributions.add(service.service_time)
    row["service_stream"] = key_of(f"services.{name}/service_time")
    row["failure_probability"] = service.failures.probability
    row["failure_stream"] = key_of(f"services.{name}/failure")
    row["poison"] = service.failures.poison
    row["poison_stream"] = key_of(f"services.{name}/poison")
    row["fails_at_start"] = service.failures.at == "start"
    row["timeout"] = np.inf if service.timeout is None else service.timeout
    row["abandons"] = service.on_timeout == "abandon"
    if service.rate_limit is not None:
        row["token_interval"] = 1.0 / service.rate_limit.rate
        row["token_burst"] = service.rate_limit.burst


def _retry(draft: Draft, name: str, row: np.ndarray) -> None:
    retry = draft.scenario.services[name].retry
    row["retry_stream"] = key_of(f"services.{name}/retry")
    row["attempts_max"] = 1
    row["retry_delay"] = P.NONE
    if retry is None:
        return
    row["attempts_max"] = P.UNLIMITED if retry.maximum_attempts is None else retry.maximum_attempts
    row["retry_blocks"] = retry.blocking
    if retry.delay is not None:
        row["retry_kind"], row["retry_delay"] = P.RETRY_DISTRIBUTION, draft.distributions.add(retry.delay)
        return
    row["retry_kind"] = RETRY_KINDS[retry.jitter]
    row["retry_initial"] = retry.initial_interval
    row["retry_coefficient"] = retry.backoff_coefficient
    row["retry_maximum"] = retry.maximum_interval


def _parts(draft: Draft, name: str, row: np.ndarray) -> None:
    """Columns of the parts of the latency (rule S37)."""
    service, node = draft.scenario.services[name], f"services.{name}"
    redelivers = service.visibility_timeout is not None or any(
        fault.target == node and fault.effect.crash is not None for fault in draft.scenario.faults
    )
    is_delayed = any(_is_delayed(draft, topic) for topic in service.consumes)
    row["part_delay"] = draft.parts.add(node, "delay", is_delayed)
    row["part_wait"] = draft.parts.add(node, "wait")
    row["part_service"] = draft.parts.add(node, "service")
    row["part_retry"] = draft.parts.add(node, "retry", service.retry is not None or redelivers)
