"""The autoscaler (S62)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from slosim.engine.reference.calendar import DECIDES, READS, TIMER, order_of_service
from slosim.engine.reference.instances import LEAVING, ServiceInstance

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service


class Autoscaler:
    """Changes the number of instances of a service.

    readings   the metric for each decision to come, by its number; none for those that come too early
    desired    (time, instances) of the decisions before
    scalings   (time, instances wanted before, after) of each change
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.rules = service.rules.autoscale
        self.readings: dict[int, float] = {}
        self.read_s = 0.0
        self.busy_integral = 0.0
        self.desired: list[tuple[float, int]] = []
        self.scalings: list[tuple[float, int, int]] = []

    def begin(self) -> None:
        """S62: at interval, 2·interval …; each decision by a reading `metric_delay` earlier."""
        step, interval = 1, self.rules.interval
        while step * interval < self.world.end_s:
            decides_s = step * interval
            reads_s = decides_s - self.rules.metric_delay
            if reads_s >= 0:
                self.at(reads_s, READS, partial(self.read, step))
            self.at(decides_s, DECIDES, partial(self.decide, step))
            step += 1

    def at(self, time_s: float, kind: int, action: Callable[[], None]) -> None:
        self.world.calendar.add(
            time_s, self.service, TIMER, order_of_service(self.service.place, kind), action
        )

    # ------------------------------------------------------------------ the metric

    def read(self, step: int) -> None:
        """S62: the metric for a decision."""
        self.readings[step] = self.metric()
        self.read_s = self.world.now

    def metric(self) -> float:
        """S62: messages of the lag, seconds of age, or mean busy slots since the previous reading."""
        now, lines = self.world.now, self.service.lines
        match self.rules.metric:
            case "lag":
                return sum(line.lag.value for line in lines)
            case "age":
                return max(line.oldest_age_s(now) for line in lines)
            case "utilisation":
                before, self.busy_integral = self.busy_integral, self.service.busy.integral_until(now)
                passed_s = now - self.read_s
                return (self.busy_integral - before) / passed_s if passed_s > 0 else 0.0
            case other:
                raise AssertionError(f"no such metric: {other}")

    def total(self, metric: float, current: int) -> float:
        """S62: how many instances would bring the metric to its target."""
        match self.rules.metric:
            case "lag":
                return metric / self.rules.target
            case "age":
                return current * metric / self.rules.target
            case _:
                return metric / self.service.rules.concurrency / self.rules.target

    # ------------------------------------------------------------------ the decision

    def staying(self) -> list[ServiceInstance]:
        """S62: instances that are not leaving for good, by number."""
        existing = self.service.instances.existing()
        return [instance for instance in existing if not (instance.state == LEAVING and instance.for_good)]

    def decide(self, step: int) -> None:
        """S62: before the first reading nothing happens."""
        if step not in self.readings:
            return
        metric = self.readings.pop(step)
        current = len(self.staying())
        wanted = wanted_instances(
            self.rules, self.total(metric, current), current, self.desired, self.world.now, self.partitions()
        )
        wanted = min(wanted, current + len(self.free_numbers()))
        if wanted != current:
            self.scalings.append((self.world.now, current, wanted))
            self.world.tell_of_service("scaled", self.service, value=wanted)
            self.scale(current, wanted)

    def free_numbers(self) -> list[int]:
        """S62: numbers of instances that could start."""
        taken = {instance.number for instance in self.service.instances.existing()}
        return [number for number in range(self.rules.maximum) if number not in taken]

    def partitions(self) -> int | None:
        """The largest number of partitions of its topics; None without logs."""
        logs = [line.topic.rules.partitions for line in self.service.lines if line.is_log]
        return max(logs, default=None)

    def scale(self, current: int, wanted: int) -> None:
        """S62: the lowest free numbers start; the highest numbers leave."""
        instances = self.service.instances
        for number in self.free_numbers()[: max(0, wanted - current)]:
            instances.start(instances.create(number))
        leaving = self.staying()[wanted:] if wanted < current else []
        were_up = [instance.is_up() for instance in leaving]
        for instance in reversed(leaving):
            instances.leave(instance, for_good=True)
        if any(were_up):
            self.service.partitions.members_change()


def wanted_instances(
    rules: Any,
    total: float,
    current: int,
    past: list[tuple[float, int]],
    now: float,
    partitions: int | None,
) -> int:
    """S62: how many instances the autoscaler wants; `past` holds what was desired before, and gets this one.

    total       instances that would bring the metric to its target
    partitions  of its largest log, None for queues
    """
    if abs(total / current - 1) <= rules.tolerance:
        desired = current
    else:
        desired = math.ceil(total - 1e-9)
    if rules.even_partitions and partitions is not None:
        desired = next_divisor(desired, partitions)
    past.append((now, desired))
    wanted = desired
    if desired < current:
        wanted = min(current, max(n for at, n in past if at > now - rules.scale_down_window or at == now))
    up = rules.scale_up_limit
    wanted = min(wanted, max(math.ceil(current * up.factor - 1e-9), current + up.instances))
    down = rules.scale_down_limit
    if down is not None:
        least = min(math.floor(current * (1 - down.share) + 1e-9), current - down.instances)
        wanted = max(wanted, least)
    if partitions is not None:
        wanted = min(wanted, partitions)
    return max(rules.minimum, min(rules.maximum, wanted))


def next_divisor(number: int, partitions: int) -> int:
    """S62: raised to the next divisor of the partitions; above all of them it stays."""
    return next((n for n in range(max(1, number), partitions + 1) if partitions % n == 0), number)
