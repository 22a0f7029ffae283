"""Scenario to Program: names become indices, objects records. No name or unit survives past here."""

from __future__ import annotations

import numpy as np

from slosim.compile import clocks, keys
from slosim.compile import program as P
from slosim.compile.mechanisms import mechanism_arrays
from slosim.compile.quantiles import DistributionTable
from slosim.compile.streams import key_of
from slosim.compile.timelines import Timelines
from slosim.compile.topology import (
    blocks,
    callers_of,
    connected_systems,
    services_that_reach,
    topology,
    uses_mechanisms,
)
from slosim.model import Scenario
from slosim.model import arrivals as model
from slosim.model.redrive import with_redrives

RETRY_KINDS = {
    "none": P.RETRY_NONE,
    "equal": P.RETRY_EQUAL,
    "full": P.RETRY_FULL,
    "decorrelated": P.RETRY_DECORRELATED,
}
ORDERS = {"fifo": P.FIFO, "lifo": P.LIFO, "priority": P.PRIORITY}
WHEN_FULL = {"reject": P.REJECT, "drop_oldest": P.DROP_OLDEST, "block": P.BLOCK}
STREAMS = (
    ("services", "service_stream"),
    ("services", "failure_stream"),
    ("services", "poison_stream"),
    ("services", "retry_stream"),
    ("services", "choose_stream"),
    ("lines", "delay_stream"),
    ("lines", "ttl_stream"),
    ("outlets", "probability_stream"),
    ("outlets", "delay_stream"),
    ("producers", "gap_stream"),
    ("producers", "key_stream"),
    ("producers", "priority_stream"),
    ("producers", "think_stream"),
    ("mechanisms", "startup_stream"),
    ("dependencies", "service_stream"),
    ("dependencies", "failure_stream"),
)
MESSAGES_PER_SLICE = 300
"""Messages that start in one time slice: few enough to stay in the processor's nearest cache."""
MARGIN = 16
"""Records one event may need besides the copies it publishes."""


def lower(scenario: Scenario) -> P.Program:
    """The program of a resolved scenario."""
    return _Lowering(with_redrives(scenario)).program()


class _Lowering:
    """Builds the records of one program, one noun after the other."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.topology = topology(scenario)
        self.producers = list(scenario.producers)
        self.services = list(scenario.services)
        self.topics = list(scenario.topics)
        self.lines = [
            (topic, name) for name, service in scenario.services.items() for topic in service.consumes
        ]
        self.flows = [
            name
            for producer in self.producers
            for name, flow in scenario.flows.items()
            if flow.from_ == producer
        ]
        self.objectives = [
            objective
            for flow in self.flows
            for objective in scenario.objectives
            if objective.flow == flow and objective.kind in ("latency", "success")
        ]
        self.distributions = DistributionTable()
        self.outlets: list[np.ndarray] = []
        self.rotations: dict[tuple[str, str], int] = {}
        self.parts: dict[str, list[str]] = {}  # by system: the first of its producers and services
        self.system_of = connected_systems(scenario)
        self.group_of = {node: index for index, group in enumerate(self.topology.groups) for node in group}

    def program(self) -> P.Program:
        arrays = self._services()
        arrays |= mechanism_arrays(self.scenario, self.distributions)
        self._mechanism_parts(arrays["mechanisms"])
        arrays |= self._producers()
        arrays["outlets"] = np.concatenate(self.outlets)
        arrays["rotations"] = np.zeros(max(1, len(self.rotations)), np.int64)
        arrays |= self._topics()
        arrays |= self._groups()
        arrays |= self._flows()
        arrays |= self.distributions.arrays()
        timelines = Timelines(self.scenario)
        arrays |= timelines.lay(arrays, timelines.occurrences())
        arrays["run"] = self._run(arrays)
        self._find_relays(arrays)
        messages_per_s = self._messages_per_s(arrays)
        names = P.Names(
            tuple(self.producers),
            tuple(self.services),
            tuple(self.topics),
            tuple(self.lines),
            tuple(self.flows),
            tuple(objective.name for objective in self.objectives),
            tuple(tuple(self.parts[self._system_of_flow(flow)]) for flow in self.flows),
            tuple(self.scenario.dependencies),
            tuple(fault.name for fault in timelines.random),
        )
        return P.Program(names, arrays, STREAMS, self._bursts(), timelines, messages_per_s)

    # Nouns.

    def _run(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        run = self.scenario.run
        row = np.zeros(1, P.RUN)
        row["duration"], row["warmup"], row["sample_every"] = run.duration, run.warmup, run.sample_every
        row["samples"] = self._samples()
        slots = sum(int(outlet["copies"][0]) for outlet in self.outlets)
        row["path_base"] = slots + 1 if slots % 2 == 0 else slots + 2
        row["flows_per_producer"] = self._width()
        row["parts"] = max((len(parts) for parts in self.parts.values()), default=0)
        copies = max(
            [1] + [sum(emit.copies for emit in service.emits) for service in self.scenario.services.values()]
        )
        fan_out = max(1, *arrays["topics"]["consumer_count"].tolist())
        row["fan_out"], row["publishes"] = fan_out, copies + 4
        batch = int(arrays["mechanisms"]["batch_max"].max())
        row["margin"] = MARGIN + (copies + 4) * fan_out + (batch if batch > 1 else 0)
        row["mechanisms"] = arrays["groups"]["mechanisms"].any()
        row["slice_messages"] = MESSAGES_PER_SLICE
        row["group"] = row["groups"] = len(self.topology.groups)
        row["producers"] = len(self.producers)
        return row

    def _samples(self) -> int:
        run = self.scenario.run
        count = int(run.duration / run.sample_every)
        while count * run.sample_every < run.duration:
            count += 1
        while count > 1 and (count - 1) * run.sample_every >= run.duration:
            count -= 1
        return max(1, count)

    def _width(self) -> int:
        return max(
            [1]
            + [sum(flow.from_ == name for flow in self.scenario.flows.values()) for name in self.producers]
        )

    def _services(self) -> dict[str, np.ndarray]:
        services = np.zeros(len(self.services), P.SERVICE_RECORD)
        lines: list[np.ndarray] = []
        instances: list[np.ndarray] = []
        queues: list[np.ndarray] = []
        outlet_slot = 0
        for s, name in enumerate(self.services):
            row, service = services[s : s + 1], self.scenario.services[name]
            row["line"], row["line_count"] = len(lines), len(service.consumes)
            row["first_instance"] = _size(instances)
            instances.append(self._instances(name, s))
            first = len(queues)
            own = [self._line(name, s, topic, queues) for topic in service.consumes]
            self._assign(name, queues[first:], int(row["first_instance"][0]))
            if len(service.consumes) == 1:
                self._share_out(instances[-1], own[0])
            lines += own
            outlet_slot = self._emits(name, row, own, outlet_slot)
            self._service(name, row)
        return {
            "services": services,
            "lines": _joined(lines, P.LINE),
            "instances": _joined(instances, P.INSTANCE),
            "queues": _joined(queues, P.QUEUE),
        }

    def _instances(self, name: str, s: int) -> np.ndarray:
        """As many as there may ever be; those it begins with are up."""
        service = self.scenario.services[name]
        rows = np.zeros(service.instances_at_most, P.INSTANCE)
        rows["service"], rows["number"] = s, np.arange(len(rows))
        rows["state"][service.instances :] = P.GONE
        rows["effect_until"] = np.inf
        for field in ("crash", "restart", "head", "tail", "first_work", "last_work"):
            rows[field] = P.NONE
        return rows

    def _share_out(self, instances: np.ndarray, line: np.ndarray) -> None:
        """The partitions of each instance by range assignment (rule S16)."""
        count = int(np.sum(instances["state"] == P.UP))
        share, more = divmod(int(line["queue_count"][0]), count)
        first = int(line["first_queue"][0])
        for i in range(count):
            instances["first_queue"][i], instances["queue_count"][i] = first, share + (i < more)
            first += share + (i < more)

    def _queues(self, topic_name: str) -> np.ndarray:
        """Partitions, or classes of priority."""
        topic = self.scenario.topics[topic_name]
        count = topic.partitions or (len(self._priorities()) if topic.order == "priority" else 1)
        queues = np.zeros(count, P.QUEUE)
        for field in ("owner", "head", "tail", "next_owner"):
            queues[field] = P.NONE
        return queues

    def _assign(self, name: str, lists: list[np.ndarray], first_instance: int) -> None:
        """Owners of partitions at the start: by topic, or with cooperative rebalances of all (S16, S51)."""
        service = self.scenario.services[name]
        logs = [
            queues
            for queues, topic in zip(lists[:: 2 if service.join else 1], service.consumes, strict=True)
            if self.scenario.topics[topic].partitions is not None
        ]
        together = service.rebalance is not None and service.rebalance.protocol == "cooperative"
        for those in [logs] if together else [[queues] for queues in logs]:
            share, more = divmod(sum(len(queues) for queues in those), service.instances)
            counts = [share + (i < more) for i in range(service.instances)]
            owners = first_instance + np.repeat(np.arange(service.instances), counts)
            for queues in those:
                queues["owner"], owners = owners[: len(queues)], owners[len(queues) :]

    def _priorities(self) -> list[int]:
        """Distinct priorities, the one served first in front."""
        return sorted(
            {share.priority for producer in self.scenario.producers.values() for share in producer.priority}
            | {0}
        )

    def _line(self, name: str, s: int, topic_name: str, queues: list[np.ndarray]) -> np.ndarray:
        """The line of a service for a topic it consumes; its queues are added to `queues`."""
        topic = self.scenario.topics[topic_name]
        line = np.zeros(1, P.LINE)
        line["topic"] = self.topics.index(topic_name)
        line["service"] = s
        line["order"] = ORDERS[topic.order]
        line["first_queue"] = _size(queues)
        queues.append(self._queues(topic_name))
        line["queue_count"] = len(queues[-1])
        if self.scenario.services[name].join:
            line["first_bucket"] = _size(queues)
            queues.append(np.zeros(P.BUCKETS_PER_JOIN, P.QUEUE))
            queues[-1]["head"] = queues[-1]["tail"] = queues[-1]["owner"] = P.NONE
        line["is_log"] = topic.partitions is not None
        line["capacity"] = P.UNLIMITED if topic.capacity is None else topic.capacity
        line["when_full"] = WHEN_FULL[topic.when_full]
        line["delay"] = self.distributions.add_unless_zero(topic.delay)
        line["delay_stream"] = key_of(f"topics.{topic_name}/delay")
        line["delays"] = line["delay"][0] >= 0 or self._is_delayed_by_an_emit(topic_name)
        line["ttl"] = P.NONE if topic.message_ttl is None else self.distributions.add(topic.message_ttl)
        line["ttl_stream"] = key_of(f"topics.{topic_name}/message_ttl")
        line["oldest"] = line["newest"] = line["dead_letter"] = P.NONE
        return line

    def _is_delayed_by_an_emit(self, topic: str) -> bool:
        return any(
            emit.topic == topic and emit.delay.maximum() > 0
            for service in self.scenario.services.values()
            for emit in service.emits
        )

    def _service(self, name: str, row: np.ndarray) -> None:
        service = self.scenario.services[name]
        topics = [self.scenario.topics[topic] for topic in service.consumes]
        row["group"] = self.group_of[f"services.{name}"]
        row["is_log"] = topics[0].partitions is not None
        row["instance_count"] = service.instances_at_most
        row["concurrency"] = P.UNLIMITED if service.concurrency is None else service.concurrency
        row["slots"] = P.UNLIMITED if service.concurrency is None else service.concurrency * service.instances
        row["service_time"] = self.distributions.add(service.service_time)
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
        self._retry(name, row)
        node = f"services.{name}"
        is_delayed = any(topic.delay.maximum() > 0 for topic in topics) or any(
            self._is_delayed_by_an_emit(topic) for topic in service.consumes
        )
        row["part_delay"] = self._part(node, "delay", is_delayed)
        row["part_wait"] = self._part(node, "wait", True)
        row["part_service"] = self._part(node, "service", True)
        redelivers = service.visibility_timeout is not None or any(
            fault.target == node and fault.effect.crash is not None for fault in self.scenario.faults
        )
        row["part_retry"] = self._part(node, "retry", service.retry is not None or redelivers)

    def _mechanism_parts(self, rows: np.ndarray) -> None:
        """Columns of the parts that only some services have."""
        for row, (name, service) in zip(rows, self.scenario.services.items(), strict=False):
            node = f"services.{name}"
            changes_owners = service.autoscale is not None or any(
                fault.target == node
                and (fault.effect.crash is not None or fault.effect.rolling_restart is not None)
                for fault in self.scenario.faults
            )
            is_log = self.scenario.topics[service.consumes[0]].partitions is not None
            row["part_dependency"] = self._part(node, "dependency", bool(service.calls))
            row["part_rebalance"] = self._part(node, "rebalance", is_log and changes_owners)

    def _part(self, node: str, part: str, occurs: bool) -> int:
        """Column of a part of the latency; systems that nothing connects use the same columns."""
        if not occurs:
            return P.NONE
        parts = self.parts.setdefault(self.system_of[node], [])
        parts.append(f"{node.split('.', 1)[1]}.{part}")
        return len(parts) - 1

    def _system_of_flow(self, flow: str) -> str:
        return self.system_of[f"producers.{self.scenario.flows[flow].from_}"]

    def _retry(self, name: str, row: np.ndarray) -> None:
        retry = self.scenario.services[name].retry
        row["retry_stream"] = key_of(f"services.{name}/retry")
        row["attempts_max"] = 1
        row["retry_delay"] = P.NONE
        if retry is None:
            return
        row["attempts_max"] = P.UNLIMITED if retry.maximum_attempts is None else retry.maximum_attempts
        row["retry_blocks"] = retry.blocking
        if retry.delay is not None:
            row["retry_kind"], row["retry_delay"] = P.RETRY_DISTRIBUTION, self.distributions.add(retry.delay)
            return
        row["retry_kind"] = RETRY_KINDS[retry.jitter]
        row["retry_initial"] = retry.initial_interval
        row["retry_coefficient"] = retry.backoff_coefficient
        row["retry_maximum"] = retry.maximum_interval

    # Outlets, in the order of the emission slots (rule S3).

    def _outlet(self, topic: str, publisher: str, emission: str, slot: int) -> np.ndarray:
        outlet = np.zeros(1, P.OUTLET)
        outlet["topic"] = self.topics.index(topic)
        outlet["probability"], outlet["copies"], outlet["delay"] = 1.0, 1, P.NONE
        outlet["emission"], outlet["slot"] = key_of(emission), slot
        outlet["rotation"] = self.rotations.setdefault((publisher, topic), len(self.rotations))
        self.outlets.append(outlet)
        return outlet

    def _emits(self, name: str, row: np.ndarray, lines: list[np.ndarray], slot: int) -> int:
        """The outlets of a service and of its lines; the next free emission slot."""
        service = self.scenario.services[name]
        publisher = f"services.{name}"
        row["first_emit"] = len(self.outlets)
        for i, emit in enumerate(service.emits):
            emission = f"{publisher}/emits[{i}]"
            outlet = self._outlet(emit.topic, publisher, emission, slot)
            outlet["probability"], outlet["copies"] = emit.probability, emit.copies
            outlet["probability_stream"] = key_of(f"{emission}/probability")
            outlet["delay"] = self.distributions.add_unless_zero(emit.delay)
            outlet["delay_stream"] = key_of(f"{emission}/delay")
            slot += emit.copies
        cumulated = 0.0
        for i, choice in enumerate(service.choose):
            cumulated += choice.share
            outlet = self._outlet(choice.topic, publisher, f"{publisher}/choose[{i}]", slot)
            outlet["probability"] = cumulated
            slot += 1
        row["chooses"] = bool(service.choose)
        row["choose_stream"] = key_of(f"{publisher}/choose")
        row["emit_count"] = len(self.outlets) - row["first_emit"][0]
        row["dead_letter"] = P.NONE
        if service.dead_letter is not None:
            row["dead_letter"] = len(self.outlets)
            self._outlet(service.dead_letter, publisher, f"{publisher}/dead_letter", slot)
            slot += 1
        for line, topic in zip(lines, service.consumes, strict=True):
            dead_letter = self.scenario.topics[topic].dead_letter
            if dead_letter is not None:
                line["dead_letter"] = len(self.outlets)
                emission = f"topics.{topic}/dead_letter/{name}"
                self._outlet(dead_letter, f"topics.{topic}/{name}", emission, slot)
                slot += 1
        return slot

    def _find_relays(self, arrays: dict[str, np.ndarray]) -> None:
        """Services whose every success publishes exactly one message to one line."""
        services, outlets, topics = (arrays[key] for key in ("services", "outlets", "topics"))
        services["relay_line"] = P.NONE
        for service in services:
            if service["emit_count"] != 1 or service["chooses"]:
                continue
            outlet = outlets[service["first_emit"]]
            topic = topics[outlet["topic"]]
            is_plain = outlet["probability"] == 1.0 and outlet["copies"] == 1 and outlet["delay"] == P.NONE
            if is_plain and topic["consumer_count"] == 1 and not topic["blocks"]:
                line, own = arrays["consumers"][topic["first_consumer"]], service["line"]
                service["relay_line"] = line
                service["relay_keeps_flows"] = bool(
                    (arrays["matters"][own] == arrays["matters"][line]).all()
                    and not arrays["ends"][own].any()
                )

    def _topics(self) -> dict[str, np.ndarray]:
        rows = np.zeros(len(self.topics), P.TOPIC)
        consumers: list[int] = []
        dead_letters = {topic.dead_letter for topic in self.scenario.topics.values()} | {
            service.dead_letter for service in self.scenario.services.values()
        }
        for row, (name, topic) in zip(rows, self.scenario.topics.items(), strict=True):
            lines = self._lines_of(name)
            row["partitions"] = topic.partitions or 0
            row["first_consumer"], row["consumer_count"] = len(consumers), len(lines)
            row["blocks"] = blocks(self.scenario, name) and bool(lines)
            row["is_dead_letter"] = name in dead_letters
            row["publisher_head"] = row["publisher_tail"] = P.NONE
            consumers += lines
        return {"topics": rows, "consumers": np.array(consumers or [0], np.int64)}

    def _lines_of(self, topic: str) -> list[int]:
        """Lines of a topic, in file order of their services."""
        return [i for i, (consumed, _) in enumerate(self.lines) if consumed == topic]

    def _groups(self) -> dict[str, np.ndarray]:
        groups = np.zeros(len(self.topology.groups), P.GROUP)
        members: list[int] = []
        blocking: list[int] = []
        edges: list[tuple[int, int]] = []
        dependencies: list[int] = []
        closed: list[int] = []
        publishers = self._publishers()
        for g, nodes in enumerate(self.topology.groups):
            row = groups[g]
            own = [
                self.services.index(node.removeprefix("services."))
                for node in nodes
                if node.startswith("services.")
            ]
            row["producer"] = P.NONE if own else self.producers.index(nodes[0].removeprefix("producers."))
            row["first_service"], row["service_count"] = len(members), len(own)
            members += own
            inside = [
                t
                for t, topic in enumerate(self.topics)
                if blocks(self.scenario, topic)
                and set(self.topology.consumers[topic]) & {self.services[s] for s in own}
            ]
            row["first_topic"], row["topic_count"] = len(blocking), len(inside)
            blocking += inside
            row["first_edge"] = len(edges)
            edges += [
                (source, i)
                for i, (_, service) in enumerate(self.lines)
                if self.services.index(service) in own
                for source in sorted(publishers[i] - {g})
            ]
            row["edge_count"] = len(edges) - row["first_edge"]
            names = {self.services[s] for s in own}
            called = [
                d
                for d, name in enumerate(self.scenario.dependencies)
                if names & set(callers_of(self.scenario, name))
            ]
            row["first_dependency"], row["dependency_count"] = len(dependencies), len(called)
            dependencies += called
            waiting = (
                [p for p, name in enumerate(self.producers) if f"producers.{name}" in nodes] if own else []
            )
            row["first_closed"], row["closed_count"] = len(closed), len(waiting)
            closed += waiting
            row["mechanisms"] = bool(waiting) or any(uses_mechanisms(self.scenario, name) for name in names)
            row["now"], row["resume"] = -1.0, P.NONE
        edge_rows = np.zeros(max(1, len(edges)), P.EDGE)
        edge_rows["head"] = edge_rows["tail"] = P.NONE
        edge_of = np.full((len(groups), max(1, len(self.lines))), P.NONE, np.int32)
        for e, (source, line) in enumerate(edges):
            edge_rows["line"][e] = line
            edge_of[source, line] = e
        return {
            "groups": groups,
            "members": np.array(members or [0], np.int64),
            "blocking_topics": np.array(blocking or [0], np.int64),
            "edges": edge_rows,
            "edge_of": edge_of,
            "group_dependencies": np.array(dependencies or [0], np.int64),
            "closed_producers": np.array(closed or [0], np.int64),
        }

    def _publishers(self) -> list[set[int]]:
        """Groups that publish to each line."""
        result: list[set[int]] = [set() for _ in self.lines]
        for name, producer in self.scenario.producers.items():
            for line in self._lines_of(producer.topic):
                result[line].add(self.group_of[f"producers.{name}"])
        for name, topics in self.topology.outputs.items():
            for topic in topics:
                for line in self._lines_of(topic):
                    result[line].add(self.group_of[f"services.{name}"])
        return result

    def _flows(self) -> dict[str, np.ndarray]:
        flows = np.zeros(max(1, len(self.flows)), P.FLOW)
        objectives = np.zeros(max(1, len(self.objectives)), P.OBJECTIVE)
        matters = np.zeros((max(1, len(self.lines)), len(flows)), np.uint8)
        ends = np.zeros_like(matters)
        topic_matters = np.zeros((len(self.topics), len(flows)), np.uint8)
        for i, objective in enumerate(self.objectives):
            objectives["within"][i] = objective.threshold if objective.kind == "latency" else np.inf
        for f, name in enumerate(self.flows):
            to = self.scenario.flows[name].to
            own = [i for i, objective in enumerate(self.objectives) if objective.flow == name]
            flows["first_objective"][f], flows["objective_count"][f] = own[0] if own else 0, len(own)
            reaching = services_that_reach(self.scenario, to)
            for i, (_, service) in enumerate(self.lines):
                matters[i, f], ends[i, f] = service in reaching, service in to
            for t, topic in enumerate(self.topics):
                topic_matters[t, f] = any(matters[i, f] for i in self._lines_of(topic))
        return {
            "flows": flows,
            "objectives": objectives,
            "matters": matters,
            "ends": ends,
            "topic_matters": topic_matters,
        }

    # Producers.

    def _producers(self) -> dict[str, np.ndarray]:
        rows = np.zeros(len(self.producers), P.PRODUCER)
        rates: list[np.ndarray] = []
        times: list[np.ndarray] = []
        time_keys: list[np.ndarray] = []
        shares: list[np.ndarray] = []
        hashes: list[np.ndarray] = []
        priorities: list[np.ndarray] = []
        classes = self._priorities()
        for p, (name, producer) in enumerate(self.scenario.producers.items()):
            row, publisher = rows[p], f"producers.{name}"
            row["group"] = self.group_of[publisher]
            row["outlet"] = len(self.outlets)
            self._outlet(producer.topic, publisher, publisher, 0)["copies"] = 0
            row["name_key"] = key_of(publisher)
            for purpose in ("gap", "key", "priority"):
                row[f"{purpose}_stream"] = key_of(f"{publisher}/{purpose}")
            row["copies"] = producer.copies
            row["first_flow"] = next(
                (f for f, flow in enumerate(self.flows) if self.scenario.flows[flow].from_ == name), 0
            )
            row["flow_count"] = sum(flow.from_ == name for flow in self.scenario.flows.values())
            waits = blocks(self.scenario, producer.topic) or any(
                fault.target == f"topics.{producer.topic}" and fault.effect.unavailable
                for fault in self.scenario.faults
            )
            row["part_held_back"] = self._part(publisher, "held_back", waits)
            row["first_rate"], row["first_time"] = _size(rates), _size(times)
            row["first_key"], row["first_priority"] = _size(hashes), _size(priorities)
            row["client"] = P.NONE
            row["think_stream"] = key_of(f"{publisher}/think_time")
            rates.append(self._arrivals(producer.arrivals, row))
            row["rate"], row["rate_count"] = row["first_rate"], len(rates[-1])
            if isinstance(producer.arrivals, model.Trace):
                times.append(np.asarray(producer.arrivals.times, np.float64))
                row["time_count"] = len(times[-1])
                time_keys.append(self._trace_keys(producer.arrivals, row, hashes))
            if producer.keys is not None:
                row["key_count"], row["key_shares"] = producer.keys.count, _size(shares)
                shares.append(keys.zipf_shares(producer.keys.count, producer.keys.skew))
                hashes.append(keys.rank_hashes(producer.keys.count))
            priorities.append(self._priority_rows(producer.priority, classes))
            row["priority_count"] = len(priorities[-1])
        return {
            "producers": rows,
            "rates": _joined(rates, P.RATE),
            "trace_times": _joined(times, np.dtype(np.float64)),
            "trace_keys": _joined(time_keys, np.dtype(np.int64)),
            "key_shares": _joined(shares, np.dtype(np.float64)),
            "key_hashes": _joined(hashes, np.dtype(np.int64)),
            "priorities": _joined(priorities, P.PRIORITY_SHARE),
        }

    def _arrivals(self, arrivals, row: np.void) -> np.ndarray:
        """Fill in the process; returns its RATE rows, of a run that draws none."""
        none = np.zeros(0, P.RATE)
        match arrivals:
            case model.Poisson():
                row["process"] = P.BY_RATE
                return clocks.rate_rows(np.zeros(1), np.array([arrivals.rate]))
            case model.Counts():
                row["process"] = P.BY_RATE
                return counted_rates(arrivals)
            case model.Bursts():
                row["process"] = P.BY_RATE
            case model.Interarrival():
                row["process"], row["gap"] = P.BY_GAP, self.distributions.add(arrivals.gap)
            case model.Every():
                row["process"], row["interval"] = P.EVERY, arrivals.interval
            case model.Bernoulli():
                row["process"], row["interval"] = P.BERNOULLI, arrivals.every
                row["probability"] = arrivals.probability
            case model.Trace():
                row["process"] = P.TRACE
            case model.Clients():
                row["process"], row["clients"] = P.BY_CLIENTS, arrivals.count
                row["think_time"] = self.distributions.add(arrivals.think_time)
        return none

    def _trace_keys(self, arrivals: model.Trace, row: np.void, hashes: list[np.ndarray]) -> np.ndarray:
        if arrivals.keys is None:
            return np.zeros(len(arrivals.times), np.int64)
        texts, indices = np.unique(np.asarray(arrivals.keys), return_inverse=True)
        row["key_count"], row["key_shares"] = len(texts), P.NONE
        hashes.append(np.array([keys.positive_hash(str(text)) for text in texts], np.int64))
        return row["first_key"] + indices.astype(np.int64)

    def _priority_rows(self, shares, classes: list[int]) -> np.ndarray:
        if len(classes) == 1:
            return np.zeros(0, P.PRIORITY_SHARE)
        rows = np.zeros(len(shares), P.PRIORITY_SHARE)
        rows["cumulated"] = np.cumsum([share.share for share in shares])
        rows["rank"] = [classes.index(share.priority) for share in shares]
        return rows

    def _bursts(self) -> tuple:
        return tuple(
            (p, name, self.scenario.producers[name].arrivals)
            for p, name in enumerate(self.producers)
            if isinstance(self.scenario.producers[name].arrivals, model.Bursts)
        )

    def _messages_per_s(self, arrays: dict[str, np.ndarray]) -> float:
        """Rough rate at which messages start, for the length of the time slices."""
        duration = self.scenario.run.duration
        return sum(
            producer.copies
            * mean_rate(producer.arrivals, duration)
            * clocks.last_reading(arrays["producers"][p], arrays["clocks"], duration)
            / duration
            for p, producer in enumerate(self.scenario.producers.values())
        )


def counted_rates(arrivals: model.Counts) -> np.ndarray:
    """RATE rows of counts per interval, with nothing in the gaps and after the end."""
    starts, ends, counts = (
        np.asarray(column, np.float64) for column in (arrivals.starts, arrivals.ends, arrivals.counts)
    )
    times = np.column_stack((starts, ends)).ravel()
    rates = np.column_stack((counts / (ends - starts), np.zeros(len(ends)))).ravel()
    follows = np.append(times[1:] > times[:-1], True)
    return clocks.rate_rows(times[follows], rates[follows])


def mean_rate(arrivals, duration: float) -> float:
    """Publishes per second of an arrival process, without its profile."""
    match arrivals:
        case model.Poisson():
            return arrivals.rate
        case model.Interarrival():
            return 1.0 / arrivals.gap.mean()
        case model.Every():
            return 1.0 / arrivals.interval
        case model.Bernoulli():
            return arrivals.probability / arrivals.every
        case model.Trace():
            return float(np.searchsorted(np.asarray(arrivals.times), duration)) / duration
        case model.Counts():
            starts = np.asarray(arrivals.starts)
            return float(np.sum(np.asarray(arrivals.counts)[starts < duration])) / duration
        case model.Clients():
            return arrivals.count / max(arrivals.think_time.mean(), duration / MESSAGES_PER_SLICE)
        case _:
            on, off = arrivals.on.mean(), arrivals.off.mean()
            return (arrivals.rate * on + arrivals.idle_rate * off) / (on + off)


def _size(rows: list[np.ndarray]) -> int:
    return sum(len(row) for row in rows)


def _joined(rows: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    """One array of all rows; never empty, since compiled code wants something to point at."""
    return np.concatenate(rows) if _size(rows) else np.zeros(1, dtype)
