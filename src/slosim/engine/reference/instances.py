"""The instances of a service: they start, crash, leave and restart (S42 to S45)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import COMES_UP, FAULT, TIMER, order_of_service
from slosim.engine.reference.chance import identity_of_number
from slosim.engine.reference.faults import Occurrence
from slosim.engine.reference.measures import TimeAverage
from slosim.engine.reference.records import Entry, Slot

if TYPE_CHECKING:
    from slosim.engine.reference.calls import Call
    from slosim.engine.reference.services import Service

UP, STARTING, DOWN, LEAVING, GONE = "up", "starting", "down", "leaving", "gone"
"""S42: what an instance can be; one that is gone is no longer counted."""


class ServiceInstance:
    """One instance. for_good: it leaves because the autoscaler wants fewer; else it is restarted."""

    def __init__(self, service: Service, number: int) -> None:
        self.service = service
        self.number = number
        self.state = GONE
        self.for_good = False
        self.slots: dict[Slot, None] = {}  # busy ones
        self.ahead: list[Entry] = []  # S46
        self.stopped_by: Occurrence | None = None
        self.ups = 0  # how often it has come up
        self.starts = 0  # of this number, those before it included

    def is_up(self) -> bool:
        return self.state == UP

    def has_free_slot(self) -> bool:
        slots = self.service.rules.concurrency
        return slots is None or len(self.slots) < slots

    def is_paused_by_itself(self) -> bool:
        """S67: a pause of this instance alone."""
        return any(o.effect.pause and o.instance is not None for o in self.service.active_faults(self.number))

    def takes(self) -> bool:
        """S42: whether it is up, not paused by itself and has a free slot."""
        return self.is_up() and self.has_free_slot() and not self.is_paused_by_itself()


class Instances:
    """All instances of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.by_number: dict[int, ServiceInstance] = {}
        self.last = -1  # the number of the one that got the last message
        self.slot_serial = count()
        warmup_s = self.world.warmup_s
        self.wanted = TimeAverage(warmup_s)  # all that exist
        self.up = TimeAverage(warmup_s)
        self.slots_up = TimeAverage(warmup_s)
        self.restarts = [
            RollingRestart(self, o) for o in service.faults if o.effect.rolling_restart is not None
        ]
        for number in range(service.rules.instances):
            self.set_state(self.create(number), UP)

    # ------------------------------------------------------------------ which there are

    def existing(self) -> list[ServiceInstance]:
        return [i for _, i in sorted(self.by_number.items()) if i.state != GONE]

    def those_up(self) -> list[ServiceInstance]:
        return [instance for instance in self.existing() if instance.is_up()]

    def round_from_last(self) -> list[ServiceInstance]:
        """S42: counted on from the one after the instance that got the last message."""
        return sorted(self.existing(), key=lambda i: (i.number <= self.last, i.number))

    def next_that(self, fits: Callable[[ServiceInstance], bool]) -> ServiceInstance | None:
        """S42: messages of a queue go round."""
        return next((instance for instance in self.round_from_last() if fits(instance)), None)

    def create(self, number: int) -> ServiceInstance:
        before = self.by_number.get(number)
        instance = ServiceInstance(self.service, number)
        instance.starts = 0 if before is None else before.starts
        self.by_number[number] = instance
        return instance

    def set_state(self, instance: ServiceInstance, state: str) -> None:
        """The state and the counts over time that follow from it."""
        before, instance.state = instance.state, state
        slots = self.service.rules.concurrency or 0
        for average, states, weight in (
            (self.wanted, (UP, STARTING, DOWN, LEAVING), 1),
            (self.up, (UP,), 1),
            (self.slots_up, (UP, LEAVING), slots),
        ):
            average.add(weight * ((state in states) - (before in states)), self.world.now)

    # ------------------------------------------------------------------ start

    def start(self, instance: ServiceInstance) -> None:
        """S43: it is up after the startup time."""
        world, name = self.world, self.service.name
        self.set_state(instance, STARTING)
        self.service.counts.add("starts", world.now)
        world.tell_of_service("starting", self.service, instance.number)
        instance.starts += 1
        start = instance.starts
        startup_s = world.chance.draw(
            self.service.rules.startup_time,
            f"services.{name}/startup_time",
            identity_of_number(f"services.{name}/instances", instance.number),
            start,
        )

        def comes_up() -> bool:
            if instance.state != STARTING or instance.starts != start:
                return False
            self.come_up(instance)
            return True

        order = order_of_service(self.service.place, COMES_UP, instance.number)
        world.calendar.add(world.now + startup_s, self.service, TIMER, order, comes_up)

    def come_up(self, instance: ServiceInstance) -> None:
        """S43, S45, S52."""
        self.set_state(instance, UP)
        instance.ups += 1
        self.world.tell_of_service("up", self.service, instance.number)
        self.service.partitions.members_change()
        self.tell_restarts(instance.number)

    def tell_restarts(self, number: int) -> None:
        for restart in self.restarts:
            restart.is_back(number)

    # ------------------------------------------------------------------ crash

    def schedule_faults(self) -> None:
        """S44, S45: when faults stop instances, and start them again."""
        for o in self.service.faults:
            if o.effect.crash is not None:
                self.at_fault(o.start_s, o, True, lambda o=o: self.crash(o))
                self.at_fault(o.end_s, o, False, lambda o=o: self.start_again(o))
        for restart in self.restarts:
            self.at_fault(restart.fault.start_s, restart.fault, True, restart.begin)

    def at_fault(
        self, time_s: float, fault: Occurrence, begins: bool, action: Callable[[], bool | None]
    ) -> None:
        """S1: ends come before begins, then the fault's place in the file, then the instance's number."""
        among = (begins, fault.place, -1 if fault.instance is None else fault.instance)
        order = order_of_service(self.service.place, FAULT, *among)
        self.world.calendar.add(time_s, self.service, TIMER, order, action)

    def crash(self, fault: Occurrence) -> None:
        """S44, S67: which instances go down."""
        wanted = fault.effect.crash.instances
        if fault.instance is not None:
            found = [i for i in self.existing() if i.number == fault.instance and i.state != DOWN]
        elif wanted is None:
            found = [i for i in self.existing() if i.state != DOWN]
        else:
            found = [i for i in self.existing() if i.state in (UP, STARTING)][:wanted]
        calls: list[Call | None] = []
        for instance in found:
            self.go_down(instance, fault, calls)
        if found:
            self.service.partitions.members_crash()
        self.service.calls.leave_behind(*calls)

    def go_down(self, instance: ServiceInstance, fault: Occurrence, calls: list[Call | None]) -> None:
        """S44, S47: its attempts are lost, and what it had goes back, the last taken first."""
        state = instance.state
        self.service.counts.add("crashes", self.world.now)
        self.world.tell_of_service("crashed", self.service, instance.number)
        self.set_state(instance, DOWN)
        instance.stopped_by = fault
        returning = self.service.attempts.lose_all(instance, calls)
        self.service.deliveries.give_back_ahead(instance, crashed=True)
        for entry in reversed(returning):
            self.service.deliveries.give_back(entry)
        if state == UP:
            self.service.partitions.schedule_session(instance)
        elif state == LEAVING:
            self.has_stopped(instance)

    def start_again(self, fault: Occurrence) -> bool:
        """S44: at the end of a crash those that it stopped start."""
        stopped = [i for i in self.existing() if i.state == DOWN and i.stopped_by is fault]
        for instance in stopped:
            self.start(instance)
        return bool(stopped)

    # ------------------------------------------------------------------ leave

    def leave(self, instance: ServiceInstance, for_good: bool) -> None:
        """S45, S62: it takes nothing more, and stops when its last attempt has ended."""
        instance.for_good = for_good
        if instance.state == LEAVING:
            return  # it was to restart, and will not
        if instance.state != UP:
            self.go(instance)
            return
        self.set_state(instance, LEAVING)
        self.world.tell_of_service("leaving", self.service, instance.number)
        self.service.deliveries.give_back_ahead(instance, crashed=False)
        self.stop_when_idle(instance)

    def stop_when_idle(self, instance: ServiceInstance) -> None:
        """S45: no slot of it is busy any more."""
        if instance.state == LEAVING and not instance.slots:
            self.has_stopped(instance)

    def has_stopped(self, instance: ServiceInstance) -> None:
        """S45, S62: it starts at once, or is gone."""
        if instance.for_good:
            self.go(instance)
        else:
            self.start(instance)

    def go(self, instance: ServiceInstance) -> None:
        self.set_state(instance, GONE)
        self.world.tell_of_service("gone", self.service, instance.number)
        self.tell_restarts(instance.number)

    # ------------------------------------------------------------------ slots

    def take_slot(self, instance: ServiceInstance) -> Slot:
        slot = Slot(instance, next(self.slot_serial))
        instance.slots[slot] = None
        self.service.busy.add(1, self.world.now)
        return slot

    def release(self, slot: Slot, holders: int = 1) -> None:
        """One holder of a slot less; the slot of the last is free."""
        slot.holders -= holders
        assert slot.holders >= 0
        if slot.holders == 0 and not slot.is_free:
            slot.is_free = True
            del slot.instance.slots[slot]
            self.service.busy.add(-1, self.world.now)
            self.stop_when_idle(slot.instance)


class RollingRestart:
    """S45: one occurrence of a rolling restart."""

    def __init__(self, instances: Instances, fault: Occurrence) -> None:
        self.instances = instances
        self.fault = fault
        self.turns: list[int] = []
        self.restarting: int | None = None

    def begin(self) -> bool:
        """S45: the turns go by the instances there are."""
        self.turns = list(range(max((i.number for i in self.instances.existing()), default=-1) + 1))
        return self.next_turn()

    def next_turn(self) -> bool:
        """S45: the next one that is up leaves; none at or after the end of the fault."""
        now = self.instances.world.now
        if now >= self.fault.end_s:
            return False
        while self.turns:
            number = self.turns.pop(0)
            instance = self.instances.by_number.get(number)
            if instance is not None and instance.is_up():
                self.restarting = number
                self.instances.leave(instance, for_good=False)
                self.instances.service.partitions.members_change()
                return True
        return False

    def is_back(self, number: int) -> None:
        """S45: `pause_between` after it is up (or gone for good) it is the next one's turn."""
        if number == self.restarting:
            self.restarting = None
            at_s = self.instances.world.now + self.fault.effect.rolling_restart.pause_between
            self.instances.at_fault(at_s, self.fault, True, self.next_turn)
