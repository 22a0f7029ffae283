"""Flow instances: which messages matter, what became of each instance, where its time went (S34 to S37)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from slosim.engine.reference.order import consumers_of, topics_published

DEAD_LETTERED, DROPPED = "dead_lettered", "dropped"


class FlowInstance(NamedTuple):
    """What became of one instance. latency_s and parts (seconds by "service.part") only when completed."""

    flow: str
    producer: str
    number: int
    start_s: float
    state: str
    latency_s: float | None
    parts: dict[str, float]


class Success(NamedTuple):
    """A success at `to`: the last one, by time and then message order, ends the latency."""

    time_s: float
    order: tuple[Any, ...]
    parts: dict[str, float]


@dataclass
class Instance:
    """One instance while it lives. outstanding: messages left that matter, publishes under way included."""

    flow: Flow
    producer: str
    number: int
    start_s: float
    outstanding: int = 1
    ended_s: float | None = None
    last_success: Success | None = None
    losses: dict[str, float] = field(default_factory=dict)  # first time of each kind of loss
    when_over: Callable[[], None] = lambda: None  # S63: whoever waits for it goes on

    def lose_at(self, kind: str, time_s: float) -> None:
        """S65: a loss that is known later only."""
        self.losses[kind] = min(time_s, self.losses.get(kind, time_s))

    def state(self) -> str:
        """S35: a loss fixes the state, dead-lettered before dropped."""
        for kind in (DEAD_LETTERED, DROPPED):
            if kind in self.losses:
                return kind
        if self.ended_s is None:
            return "in_flight"
        return "completed_elsewhere" if self.last_success is None else "completed"

    def finish(self) -> Success | None:
        """S34: the success that ends the latency of a completed instance."""
        return self.last_success if self.state() == "completed" else None

    def latency_s(self) -> float | None:
        """S34: from the intended publish to the last success at `to`."""
        finish = self.finish()
        return None if finish is None else finish.time_s - self.start_s

    def result(self) -> FlowInstance:
        finish = self.finish()
        parts = {} if finish is None else dict(finish.parts)
        return FlowInstance(
            self.flow.name, self.producer, self.number, self.start_s, self.state(), self.latency_s(), parts
        )


class Flow:
    """A flow and its instances."""

    def __init__(self, name: str, flow: Any, scenario: Any) -> None:
        self.name = name
        self.producer = flow.from_
        self.to = set(flow.to)
        self.instances: list[Instance] = []
        self.matters = services_that_reach(scenario, self.to)

    def start(self, producer: str, number: int, start_s: float) -> Instance:
        """S11, S34: a message of the flow's producer is due."""
        instance = Instance(self, producer, number, start_s)
        self.instances.append(instance)
        return instance


def services_that_reach(scenario: Any, to: set[str]) -> set[str]:
    """S34: the services from which `to` can still be reached through emits and dead letters."""
    found = set(to)
    grown = True
    while grown:
        grown = False
        for name, service in scenario.services.items():
            following = {c for t in topics_published(scenario, service) for c in consumers_of(scenario, t)}
            if name not in found and following & found:
                found.add(name)
                grown = True
    return found


def judge(objective: Any, instance: Instance, end_s: float) -> tuple[bool, float] | None:
    """S36: whether an instance is good and since when; None when it is not counted."""
    if instance.state() == "completed_elsewhere":
        return None
    within_s, ended_s, latency_s = objective.threshold, instance.ended_s, instance.latency_s()
    lost_s = min(instance.losses.values(), default=None)
    if within_s is None:
        if lost_s is not None:
            return False, lost_s
        return None if ended_s is None else (True, ended_s)
    late_s = instance.start_s + within_s
    if lost_s is not None:
        return False, min(lost_s, late_s)
    if ended_s is not None and latency_s is not None:
        return (True, ended_s) if latency_s <= within_s else (False, late_s)
    return (False, late_s) if late_s < end_s else None


class Judgement:
    """Good and bad instances of one objective per sample; the last entry: after the last sample."""

    def __init__(self, samples: int) -> None:
        self.good = [0] * (samples + 1)
        self.bad = [0] * (samples + 1)

    def count(self, good: bool, time_s: float, sample_times_s: list[float]) -> None:
        (self.good if good else self.bad)[bisect_left(sample_times_s, time_s)] += 1
