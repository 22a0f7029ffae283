"""The rarer mechanisms of services as records: rows of `mechanisms`, `calls` and `dependencies`."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile import program as P
from slosim.compile.draft import Draft, joined
from slosim.compile.streams import key_of
from slosim.model import Scenario
from slosim.model.redrive import is_redrive
from slosim.model.topology import Service

BUDGETS = {"cap": P.CAP, "switch": P.SWITCH}
METRICS = {"lag": P.BY_LAG, "age": P.BY_AGE, "utilisation": P.BY_UTILISATION}


def mechanism_arrays(draft: Draft) -> dict[str, np.ndarray]:
    """Everything about mechanisms that does not change from run to run."""
    rows = np.zeros(max(1, len(draft.services)), P.MECHANISM)
    calls: list[np.ndarray] = []
    room = _Room()
    for row, (name, service) in zip(rows, draft.scenario.services.items(), strict=False):
        _deliveries(draft, name, service, row)
        _protection(service, row, room)
        _scaling(draft, service, row, room)
        row["first_call"], row["call_count"] = len(calls), len(service.calls)
        calls += [_call(draft, name, i) for i in range(len(service.calls))]
        _parts(draft, name, service, row)
    return {
        "mechanisms": rows,
        "calls": joined(calls, P.CALL),
        "dependencies": _dependencies(draft.scenario),
        "outcomes": np.zeros(max(1, room.outcomes), np.uint8),
        "readings": np.zeros(max(1, room.readings)),
        "advice": np.zeros((max(1, room.advice), 2)),
        "scalings": np.zeros((max(1, room.scalings), 3)),
    }


class _Room:
    """How much of the arrays that several services share is taken."""

    def __init__(self) -> None:
        self.outcomes = self.readings = self.advice = self.scalings = 0


def _deliveries(draft: Draft, name: str, service: Service, row: np.void) -> None:
    """How messages come to instances, and instances and partitions come and go."""
    is_log = _is_log(draft, service)
    row["prefetch"] = service.prefetch or 0
    row["visibility"] = np.inf if service.visibility_timeout is None else service.visibility_timeout
    row["idempotent"] = service.idempotent
    row["limits_deliveries"] = service.retry is not None and not is_log
    row["batch_max"] = 1
    if service.batch is not None:
        row["batches"], row["batch_max"] = 1, service.batch.max_messages
        row["batch_wait"], row["batch_each"] = service.batch.wait, service.batch.per_message
    row["startup"] = draft.distributions.add(service.startup_time)
    row["startup_stream"] = key_of(f"services.{name}/startup_time")
    row["startup_key"] = key_of(f"services.{name}/instances")
    if service.rebalance is not None:
        row["rebalances"], row["cooperative"] = 1, service.rebalance.protocol == "cooperative"
        row["rebalance_pause"], row["session"] = service.rebalance.pause, service.rebalance.session_timeout
    row["joins"], row["is_redrive"] = service.join, is_redrive(name)
    row["last_instance"] = P.NONE
    row["wanted"] = row["existing"] = row["up"] = row["with_slots"] = service.instances


def _protection(service: Service, row: np.void, room: _Room) -> None:
    breaker, budget, shed = service.circuit_breaker, service.retry_budget, service.shed
    if breaker is not None:
        row["breaks"], row["failure_rate"] = 1, breaker.failure_rate
        row["window"], row["minimum_calls"] = breaker.window, breaker.minimum_calls
        row["open_for"], row["half_open_calls"] = breaker.open_for, breaker.half_open_calls
        row["first_outcome"] = room.outcomes
        room.outcomes += breaker.window
    if budget is not None:
        row["budget"], row["budget_ratio"] = BUDGETS[budget.kind], budget.ratio
        row["budget_burst"] = row["tokens"] = budget.burst
    row["first_above"] = P.NONE
    if shed is not None and shed.wait_over is not None:
        row["sheds"], row["shed_target"] = P.WAIT_OVER, shed.wait_over
    elif shed is not None and shed.codel is not None:
        row["sheds"] = P.CODEL
        row["shed_target"], row["shed_interval"] = shed.codel.target, shed.codel.interval


def _scaling(draft: Draft, service: Service, row: np.void, room: _Room) -> None:
    scale = service.autoscale
    row["partitions_max"] = max(draft.scenario.topics[topic].partitions or 0 for topic in service.consumes)
    if scale is None:
        return
    row["scales"], row["scale_target"] = METRICS[scale.metric], scale.target
    row["scale_minimum"], row["scale_maximum"] = scale.minimum, scale.maximum
    row["scale_interval"], row["scale_delay"] = scale.interval, scale.metric_delay
    row["scale_tolerance"], row["scale_window"] = scale.tolerance, scale.scale_down_window
    row["scale_up_factor"] = scale.scale_up_limit.factor
    row["scale_up_instances"] = scale.scale_up_limit.instances
    row["scale_down_share"] = 1.0
    if scale.scale_down_limit is not None:
        row["scale_down_share"] = scale.scale_down_limit.share
        row["scale_down_instances"] = scale.scale_down_limit.instances
    row["scale_even"] = scale.even_partitions
    decisions = int(draft.scenario.run.duration / scale.interval) + 2
    row["first_reading"], row["reading_count"] = (
        room.readings,
        _ring(scale.metric_delay, scale.interval, decisions),
    )
    row["first_advice"] = room.advice
    row["advice_count"] = _ring(scale.scale_down_window, scale.interval, decisions)
    row["first_scaling"] = room.scalings
    room.readings += int(row["reading_count"])
    room.advice += int(row["advice_count"])
    room.scalings += decisions


def _ring(span: float, interval: float, most: int) -> int:
    """How many values that come every `interval` are younger than `span`."""
    return min(most, math.ceil(span / interval) + 2)


def _call(draft: Draft, name: str, i: int) -> np.ndarray:
    call, dependencies = draft.scenario.services[name].calls[i], draft.scenario.dependencies
    row = np.zeros(1, P.CALL)
    row["dependency"] = list(dependencies).index(call.dependency)
    row["service_time"] = draft.distributions.add(call.time_at(dependencies[call.dependency]))
    row["timeout"] = np.inf if call.timeout is None else call.timeout
    row["hedge_after"] = np.inf if call.hedge_after is None else call.hedge_after
    row["cancel"] = call.cancel
    row["key"] = key_of(f"services.{name}/calls[{i}]")
    return row


def _parts(draft: Draft, name: str, service: Service, row: np.void) -> None:
    """Columns of the parts of the latency that only some services have (rule S37)."""
    node = f"services.{name}"
    changes_owners = service.autoscale is not None or any(
        fault.target == node and (fault.effect.crash is not None or fault.effect.rolling_restart is not None)
        for fault in draft.scenario.faults
    )
    row["part_dependency"] = draft.parts.add(node, "dependency", bool(service.calls))
    row["part_rebalance"] = draft.parts.add(node, "rebalance", _is_log(draft, service) and changes_owners)


def _is_log(draft: Draft, service: Service) -> bool:
    return draft.scenario.topics[service.consumes[0]].partitions is not None


def _dependencies(scenario: Scenario) -> np.ndarray:
    rows = np.zeros(max(1, len(scenario.dependencies)), P.DEPENDENCY)
    for row, (name, dependency) in zip(rows, scenario.dependencies.items(), strict=False):
        row["capacity"] = P.UNLIMITED if dependency.capacity is None else dependency.capacity
        row["queue_limit"] = P.UNLIMITED if dependency.queue_limit is None else dependency.queue_limit
        row["service_stream"] = key_of(f"dependencies.{name}/service_time")
        row["failure_probability"] = dependency.failures
        row["failure_stream"] = key_of(f"dependencies.{name}/failure")
        row["head"] = row["tail"] = P.NONE
    return rows
