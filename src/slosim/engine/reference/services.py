"""A service: when and what it takes (S17, S23, S25, S33, S42, S54)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from slosim.engine.reference.attempts import Attempts
from slosim.engine.reference.autoscaler import Autoscaler
from slosim.engine.reference.batches import Batches
from slosim.engine.reference.breaker import Breaker
from slosim.engine.reference.budget import Budget
from slosim.engine.reference.calendar import TIMER, order_of_taking
from slosim.engine.reference.calls import Calls
from slosim.engine.reference.deliveries import Deliveries
from slosim.engine.reference.faults import Occurrence
from slosim.engine.reference.instances import Instances, ServiceInstance
from slosim.engine.reference.joins import Joins
from slosim.engine.reference.lines import Line, Topic
from slosim.engine.reference.measures import Counts, Durations, TimeAverage
from slosim.engine.reference.partitions import Partitions
from slosim.engine.reference.records import Attempt, Entry
from slosim.engine.reference.shedding import Shedding

if TYPE_CHECKING:
    from slosim.engine.reference.simulation import Group, World

Choice = tuple[Entry, ServiceInstance]


class Service:
    """A service with its lines and everything that it uses; what it does not use is None."""

    group: Group

    def __init__(self, world: World, name: str, place: int, topics: dict[str, Topic]) -> None:
        self.world = world
        self.name = name
        self.place = place
        self.rules = rules = world.scenario.services[name]
        self.is_redrive = name.endswith("/redrive")
        self.faults = world.faults.on(f"services.{name}")
        self.rotation: dict[str, int] = {}
        self.next_token_s = 0.0  # S25's `next`
        self.timers_s: set[float] = set()  # when it takes again
        self.counts = Counts(world.warmup_s)
        self.durations = Durations(world.warmup_s)
        self.busy = TimeAverage(world.warmup_s)
        self.lines = [Line(world, topics[topic], self, i) for i, topic in enumerate(rules.consumes)]
        self.instances = Instances(self)
        self.partitions = Partitions(self)
        self.deliveries = Deliveries(self)
        self.attempts = Attempts(self)
        self.calls = Calls(self)
        self.joins = Joins(self) if rules.join else None
        self.batches = None if rules.batch is None else Batches(self)
        self.breaker = None if rules.circuit_breaker is None else Breaker(self)
        self.budget = None if rules.retry_budget is None else Budget(rules.retry_budget)
        self.shedding = None if rules.shed is None else Shedding(rules.shed)
        self.autoscaler = None if rules.autoscale is None else Autoscaler(self)

    def begin(self) -> None:
        """What is known from the start to happen to it."""
        self.instances.schedule_faults()
        for o in self.faults:
            if o.effect.pause:
                self.take_at(o.end_s)
        for line in self.lines:
            for o in line.topic.faults:
                if o.effect.unavailable:
                    self.take_at(o.end_s)
                if o.effect.redrive is not None and self.is_redrive:
                    self.take_at(o.start_s)
        if self.autoscaler is not None:
            self.autoscaler.begin()

    # ------------------------------------------------------------------ whether it takes

    def active_faults(self, instance: int | None = None) -> list[Occurrence]:
        """S32, S67: the faults that are active now, on the service or on one of its instances."""
        return [o for o in self.faults if o.hits(instance, self.world.now)]

    def is_paused(self) -> bool:
        """S33, S65."""
        if self.is_redrive:
            faults = self.lines[0].topic.faults
            return not any(o.effect.redrive is not None and o.hits(None, self.world.now) for o in faults)
        return any(o.effect.pause for o in self.active_faults())

    def token_ready_s(self) -> float:
        """S25: the first time at which an attempt may start."""
        limit = self.rules.rate_limit
        return -math.inf if limit is None else self.next_token_s - (limit.burst - 1) * (1 / limit.rate)

    def use_token(self, at: float) -> None:
        """S25."""
        if self.rules.rate_limit is not None:
            self.next_token_s = max(at, self.next_token_s) + 1 / self.rules.rate_limit.rate

    def token_is_there(self) -> bool:
        """S25: if not, the service takes again when the next token is there."""
        ready_s = self.token_ready_s()
        if self.world.now >= ready_s:
            return True
        self.take_at(ready_s)
        return False

    def take_at(self, time_s: float) -> None:
        """S1: a timer after which it takes."""
        if time_s not in self.timers_s:
            self.timers_s.add(time_s)
            self.world.calendar.add(time_s, self, TIMER, order_of_taking(self.place), lambda: None)

    def takes_at_once(self, line: Line, partition: int) -> bool:
        """S17: whether a free slot would take a message that becomes visible in a line now."""
        batch = self.rules.batch
        return (
            self.joins is None
            and not self.is_paused()
            and (self.breaker is None or self.breaker.lets_begin())
            and line.topic.is_available()
            and (batch is None or batch.max_messages == 1 or batch.wait == 0)
            and (self.log_takes_at_once(line, partition) if line.is_log else self.queue_takes_at_once())
            and self.token_is_there()
        )

    def queue_takes_at_once(self) -> bool:
        """S17, S46: nobody waits in the queues, and an instance has room ahead of its slots or a free one."""
        if any(line.in_queues() for line in self.lines):
            return False
        return any(
            self.deliveries.has_room(instance) or (instance.takes() and not instance.ahead)
            for instance in self.instances.existing()
        )

    def log_takes_at_once(self, line: Line, partition: int) -> bool:
        """S17: none waits in its idle partition, nor as many in the others of its instance as that has free
        slots."""
        owner = self.partitions.owner(line, partition)
        if line.held[partition] or line.queues[partition] or self.partitions.stands_still(line, partition):
            return False
        slots = self.rules.concurrency
        free = math.inf if slots is None else slots - len(owner.slots)
        ahead = [entry for entry, instance in self.heads_of_logs() if instance is owner]
        return owner.takes() and len(ahead) < free

    # ------------------------------------------------------------------ what it takes

    def take(self) -> bool:
        """S23, S46: deliveries and takings in turns, until nothing changes."""
        anything = False
        changed = True
        while changed:
            changed = self.deliveries.deliver_all()
            while self.take_next():
                changed = True
            anything |= changed
        return anything

    def take_next(self) -> bool:
        """S23, S59, S61: take one message, or begin one batch, unless something says no."""
        if self.is_paused() or (self.breaker is not None and not self.breaker.lets_begin()):
            return False
        if self.batches is not None:
            return self.batches.begin_one()
        choice = self.next_choice()
        if choice is None or not self.token_is_there():
            return False
        entry, instance = choice
        if self.sheds(entry):
            return True
        if not entry.line.is_log and self.rules.prefetch is None:
            self.instances.last = instance.number
        attempt = self.attempts.take(entry, self.instances.take_slot(instance))
        self.attempts.start(attempt)
        return True

    def sheds(self, entry: Entry) -> bool:
        """S61: a message about to be taken is dropped instead if it waited too long."""
        if self.shedding is None or not self.shedding.sheds(self.world.now - entry.visible_s, self.world.now):
            return False
        entry.line.leave_unserved(entry, "shed")
        return True

    def next_choice(self) -> Choice | None:
        """S15, S16, S42, S46, S54: what is taken next and by whom: of the messages that are next in their
        lines, the one that became visible first (then message order)."""
        choices = self.heads_of_logs()
        if self.rules.prefetch is not None:
            choices += [(i.ahead[0], i) for i in self.instances.existing() if i.ahead]
        else:
            instance = self.instances.next_that(ServiceInstance.takes)
            if instance is not None:
                choices += [(entry, instance) for entry in self.heads_of_queues()]
        choices = [(entry, instance) for entry, instance in choices if instance.takes()]
        return min(choices, key=lambda choice: (choice[0].visible_s, choice[0].order()), default=None)

    def heads_of_queues(self) -> list[Entry]:
        """S15, S64: the next messages of its queues that can be reached."""
        return [
            entry
            for line in self.lines
            if not line.is_log and line.topic.is_available()
            for entry in line.heads()
        ]

    def heads_of_logs(self) -> list[Choice]:
        """S16, S53, S64: the heads of the idle partitions that do not stand still, with their owners."""
        return [
            (entry, self.partitions.owner(line, entry.partition))
            for line in self.lines
            if line.is_log and line.topic.is_available()
            for entry in line.heads()
            if not self.partitions.stands_still(line, entry.partition)
        ]

    # ------------------------------------------------------------------ measures

    def in_work_of(self, line: Line) -> list[Attempt]:
        return [attempt for attempt in self.attempts.in_work if attempt.entry.line is line]

    def averages(self) -> dict[str, TimeAverage]:
        """What it counts over time, by name."""
        nothing = TimeAverage(self.world.warmup_s)
        return {
            "busy": self.busy,
            "wanted": self.instances.wanted,
            "up": self.instances.up,
            "slots_up": self.instances.slots_up,
            "stopped": self.partitions.standing,
            "held_ahead": self.deliveries.held_ahead,
            "open": nothing if self.breaker is None else self.breaker.open,
        }

    def sample(self, time_s: float) -> None:
        """S4."""
        for line in self.lines:
            line.sample(time_s)
        for average in self.averages().values():
            average.samples.append(average.value)
        self.counts.sample()

    def finish(self, end_s: float) -> None:
        """S41: attempts are somewhere, and so are failures."""
        for line in self.lines:
            line.finish(end_s)
        for average in self.averages().values():
            average.hold(end_s)
        c = self.counts.whole_run
        assert c["attempts"] == c["succeeded"] + c["failed"] + c["lost"] + len(self.attempts.in_work), (
            f"attempts of {self.name}: {c}"
        )
        assert c["failed"] == c["retried"] + c["dead_lettered"], f"failures of {self.name}: {c}"
        assert c["succeeded"] == c["first_successes"] + c["duplicates"], f"successes of {self.name}: {c}"
        slots = sum(len(instance.slots) for instance in self.instances.by_number.values())
        assert self.busy.value == slots
