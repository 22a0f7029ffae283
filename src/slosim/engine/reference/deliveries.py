"""Deliveries of a queue: ahead of the slots, again after a crash, again after too long (S46 to S49)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import TIMER, VISIBILITY_ENDS, order_of_message
from slosim.engine.reference.flows import DEAD_LETTERED
from slosim.engine.reference.instances import ServiceInstance
from slosim.engine.reference.measures import TimeAverage
from slosim.engine.reference.records import BACKING_OFF, IN_WORK, RETURNING, Entry, add_part

if TYPE_CHECKING:
    from slosim.engine.reference.services import Service


class Deliveries:
    """What the queues of a service hand to its instances, and what comes back from them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.prefetch = service.rules.prefetch
        self.visibility_s = service.rules.visibility_timeout
        self.serial = count()
        self.held_ahead = TimeAverage(self.world.warmup_s)

    # ------------------------------------------------------------------ ahead of the slots

    def has_room(self, instance: ServiceInstance) -> bool:
        """S46: whatever keeps it from taking; free slots do not count."""
        return instance.is_up() and self.prefetch is not None and len(instance.ahead) < self.prefetch

    def deliver_all(self) -> bool:
        """S46: deliver messages round the instances as long as one has room."""
        delivered = False
        while self.prefetch is not None:
            heads = [
                entry
                for line in self.service.lines
                if not line.is_log and line.topic.is_available()
                for entry in line.heads()
            ]
            instance = self.service.instances.next_that(self.has_room)
            if not heads or instance is None:
                break
            self.deliver(min(heads, key=lambda e: (e.visible_s, e.order())), instance)
            delivered = True
        return delivered

    def deliver(self, entry: Entry, instance: ServiceInstance) -> None:
        """S46: an instance holds a message ahead of its slots; it still waits."""
        entry.line.remove(entry)
        entry.line.ahead += 1
        entry.holder = instance
        entry.delivered_serial = next(self.serial)
        instance.ahead.append(entry)
        self.held_ahead.add(1, self.world.now)
        self.service.instances.last = instance.number
        self.world.tell("delivered", self.service.name, entry.message, entry.attempt, instance.number)
        self.start_clock(entry)

    def let_go(self, entry: Entry) -> None:
        """The instance no longer holds it ahead: a slot takes it, or it is taken back."""
        assert entry.holder is not None
        if entry in entry.holder.ahead:
            entry.holder.ahead.remove(entry)
        entry.holder = None
        entry.line.ahead -= 1
        self.held_ahead.add(-1, self.world.now)

    def withdraw(self, entry: Entry) -> None:
        """S47, S48: an instance gives back what it held ahead."""
        self.let_go(entry)
        self.world.tell("withdrawn", self.service.name, entry.message, entry.attempt)
        entry.line.change_waiting(entry, -1)
        entry.line.end_wait(entry)
        entry.set_state(RETURNING)

    def give_back_ahead(self, instance: ServiceInstance, crashed: bool) -> None:
        """S44, S47: what it holds ahead goes back, the last first; a queue with a visibility time-out does
        not see a crash: the messages stay as they are, though the instance has forgotten them."""
        ahead, instance.ahead = list(instance.ahead), []
        if not (crashed and self.visibility_s is not None):
            for entry in reversed(ahead):
                self.withdraw(entry)
                self.return_to_line(entry, is_next=True)

    # ------------------------------------------------------------------ back to the line

    def give_back(self, entry: Entry) -> None:
        """S44, S47: a message whose attempt was lost, or whose blocking retry held a slot, goes back; not if
        its visibility clock runs: then it stays as it is."""
        if not entry.clock_runs:
            self.end_stay(entry)
            self.return_to_line(entry, is_next=True)

    def end_stay(self, entry: Entry) -> None:
        """S37: the time since a message that comes back was taken, or has backed off, is part `retry`."""
        name, now = self.service.name, self.world.now
        if entry.state == IN_WORK:
            assert entry.current is not None
            since_s = entry.current.taken_s
            if entry.line.is_log:
                entry.line.held[entry.partition] -= 1
        else:
            assert entry.state == BACKING_OFF
            since_s = entry.failed_s
            if entry.token_s is not None:  # it waited for its token already
                add_part(entry.parts, name, "wait", now - entry.visible_s)
                since_s = now
        add_part(entry.parts, name, "retry", now - since_s)
        entry.current = None
        entry.slot = None
        entry.token_s = None
        entry.retries_in_place = False

    def return_to_line(self, entry: Entry, is_next: bool) -> None:
        """S47, S48, S49: it becomes visible again, or it has been delivered too often."""
        entry.clock_runs = False
        retry = self.service.rules.retry
        if (
            retry is not None
            and retry.maximum_attempts is not None
            and entry.attempt >= retry.maximum_attempts
            and not entry.line.is_log
        ):
            self.dead_letter(entry)
        else:
            entry.line.become_visible(entry, returns_first=is_next)

    def dead_letter(self, entry: Entry) -> None:
        """S49: the line counts it as dead-lettered; no attempt of the service failed."""
        service = self.service
        service.durations.record("sojourn", self.world.now - entry.first_visible_s, self.world.now)
        entry.line.settle(entry, "dead_lettered")
        emission = f"services.{service.name}/dead_letter"
        entry.line.lose(entry, service.rules.dead_letter, emission, DEAD_LETTERED, service.rotation)

    # ------------------------------------------------------------------ the clock

    def start_clock(self, entry: Entry) -> None:
        """S48: it starts at each delivery: at taking, or with `prefetch` when an instance gets it. The taking
        of what was held ahead makes it a timer of that attempt (S1)."""
        if self.visibility_s is None or entry.line.is_log:
            return
        if not entry.clock_runs:
            entry.clock_ends_s = self.world.now + self.visibility_s
        entry.delivery += 1
        entry.clock_runs = True
        delivery = entry.delivery

        def runs_out() -> bool:
            if not entry.clock_runs or entry.delivery != delivery:
                return False
            self.run_out(entry)
            return True

        order = order_of_message(entry.order(), VISIBILITY_ENDS)
        self.world.calendar.add(entry.clock_ends_s, self.service, TIMER, order, runs_out)

    def run_out(self, entry: Entry) -> None:
        """S48: it becomes visible again at the tail of its queue, while its attempt goes on."""
        if entry.holder is not None:
            self.withdraw(entry)
        else:
            self.end_stay(entry)
        self.return_to_line(entry, is_next=False)
