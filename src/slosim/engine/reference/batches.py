"""Batches: a slot takes several messages together (S55)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slosim.engine.reference.instances import ServiceInstance
from slosim.engine.reference.records import Attempt, Entry, Slot

if TYPE_CHECKING:
    from slosim.engine.reference.lines import Line
    from slosim.engine.reference.services import Service


class Batches:
    """How a service with `batch` takes."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.rules = service.rules.batch

    def begin_one(self) -> bool:
        """S55: the first instance that has a batch begins it: round on a queue, by number on a log."""
        first_ready_s = math.inf
        for instance in self.candidates():
            ready_s = self.ready_s(instance)
            if ready_s <= self.world.now:
                return self.service.token_is_there() and self.begin(instance)
            first_ready_s = min(first_ready_s, ready_s)
        if first_ready_s < math.inf:
            self.service.take_at(first_ready_s)
        return False

    def candidates(self) -> list[ServiceInstance]:
        """S42: those that could begin a batch."""
        instances = self.service.instances
        is_log = self.service.lines[0].is_log
        those = instances.existing() if is_log else instances.round_from_last()
        return [instance for instance in those if instance.takes()]

    def idle_partitions(self, instance: ServiceInstance) -> list[tuple[Line, int]]:
        """S16, S53, S64: the partitions that it owns and can take from now."""
        service = self.service
        return [
            (line, p)
            for line, p in service.partitions.all
            if line.topic.is_available()
            and not line.held[p]
            and service.partitions.owner(line, p) is instance
            and not service.partitions.stands_still(line, p)
        ]

    def next_of(self, instance: ServiceInstance, partitions: list[tuple[Line, int]]) -> Entry | None:
        """S15, S16, S46, S54: what it would take next; `partitions`: those that were idle when the batch
        began."""
        heads = [line.queues[p][0] for line, p in partitions if line.queues[p]]
        if self.service.rules.prefetch is not None:
            heads += instance.ahead[:1]
        else:
            heads += self.service.heads_of_queues()
        return min(heads, key=lambda e: (e.visible_s, e.order()), default=None)

    def takeable(self, instance: ServiceInstance, partitions: list[tuple[Line, int]]) -> int:
        """How many visible messages it could take."""
        number = sum(len(line.queues[p]) for line, p in partitions)
        if self.service.rules.prefetch is not None:
            return number + len(instance.ahead)
        return number + sum(
            len(line.queues[-1])
            for line in self.service.lines
            if not line.is_log and line.topic.is_available()
        )

    def ready_s(self, instance: ServiceInstance) -> float:
        """S55: when it begins a batch: full, or the first has waited long enough; infinite without any."""
        partitions = self.idle_partitions(instance)
        first = self.next_of(instance, partitions)
        if first is None:
            return math.inf
        if self.takeable(instance, partitions) >= self.rules.max_messages:
            return self.world.now
        return first.visible_s + self.rules.wait

    def begin(self, instance: ServiceInstance) -> bool:
        """S55: it takes one after the other, until the batch is full or something says no. Whether it took
        or shed anything."""
        service = self.service
        partitions = self.idle_partitions(instance)
        slot = service.instances.take_slot(instance)
        slot.holders += 1  # the batch itself, while it is being filled
        batch: list[Attempt] = []
        anything = took = False
        while len(batch) < self.rules.max_messages and self.may_begin():
            entry = self.next_of(instance, partitions)
            if entry is None:
                break
            anything = True
            if not service.sheds(entry):
                took = True
                self.add(entry, slot, batch)
        if batch:
            first = batch[0]
            self.world.tell("batch", service.name, first.entry.message, first.number, len(batch))
            service.attempts.plan(batch, service.attempts.work_s(batch[0], len(batch)))
        service.instances.release(slot)
        if took and service.rules.prefetch is None:
            service.instances.last = instance.number
        return anything

    def add(self, entry: Entry, slot: Slot, batch: list[Attempt]) -> None:
        """S55: a failure at the start does not join the batch."""
        attempts = self.service.attempts
        attempt = attempts.take(entry, slot)
        if attempts.fails_at_start(attempt):
            attempts.end(attempt, "failed")
        else:
            batch.append(attempt)

    def may_begin(self) -> bool:
        """S55, S59: each message needs a token, and a place of the circuit breaker."""
        breaker = self.service.breaker
        return (breaker is None or breaker.lets_begin()) and self.service.token_is_there()
