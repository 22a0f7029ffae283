"""Which instance owns which partition, and how they change hands (S16, S51 to S53)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slosim.engine.reference.calendar import REBALANCE, SESSION, TIMER, order_of_service
from slosim.engine.reference.instances import ServiceInstance
from slosim.engine.reference.measures import TimeAverage

if TYPE_CHECKING:
    from slosim.engine.reference.lines import Line
    from slosim.engine.reference.services import Service

Partition = tuple["Line", int]


class Partitions:
    """The partitions of all logs of a service.

    owners   the number of the instance that owns each
    stopped  those that a rebalance stops
    still    seconds that each has stood still, and since when it does
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.world = service.world
        self.rules = service.rules.rebalance
        self.all: list[Partition] = [
            (line, p) for line in service.lines if line.is_log for p in range(line.topic.rules.partitions)
        ]
        self.owners: dict[Partition, int] = {}
        self.owners = self.assigned()
        self.next_owners: dict[Partition, int] = {}
        self.stopped: set[Partition] = set()
        self.rebalances = 0
        self.still_since_s: dict[Partition, float] = {}
        self.still_total_s: dict[Partition, float] = dict.fromkeys(self.all, 0.0)
        self.standing = TimeAverage(self.world.warmup_s)

    # ------------------------------------------------------------------ owners

    def assigned(self) -> dict[Partition, int]:
        """S51: who is to own what, of those that are up; there is one at least."""
        numbers = [instance.number for instance in self.service.instances.those_up()]
        if self.rules is not None and self.rules.protocol == "cooperative":
            return balanced(self.all, self.owners, numbers)
        return {
            (line, p): numbers[owner_in_range(p, line.topic.rules.partitions, len(numbers))]
            for line, p in self.all
        }

    def owner(self, line: Line, partition: int) -> ServiceInstance:
        """S16: the instance that owns a partition, whatever its state."""
        return self.service.instances.by_number[self.owners[line, partition]]

    # ------------------------------------------------------------------ changes

    def members_change(self) -> None:
        """S52: instances came up, left or are missed: new owners, at once or by a rebalance."""
        if self.all and self.service.instances.those_up():
            if self.rules is None:
                self.owners = self.assigned()
            else:
                self.start_rebalance()
        self.look()

    def members_crash(self) -> None:
        """S52: instances crashed, which a rebalance notices later."""
        if self.rules is None:
            self.members_change()
        else:
            self.look()

    def schedule_session(self, instance: ServiceInstance) -> None:
        """S52: a crashed instance is missed unless it comes up again within the session time-out."""
        if self.rules is None or not self.all:
            return
        ups = instance.ups

        def is_missed() -> bool:
            successor = self.service.instances.by_number.get(instance.number)
            if instance.ups != ups or (successor not in (None, instance) and successor.ups > 0):
                return False
            self.members_change()
            return True

        at = self.world.now + self.rules.session_timeout
        order = order_of_service(self.service.place, SESSION, instance.number)
        self.world.calendar.add(at, self.service, TIMER, order, is_missed)

    def start_rebalance(self) -> None:
        """S52: the new owners are settled now and take over after the pause; until then partitions stop."""
        self.service.counts.add("rebalances", self.world.now)
        self.world.tell_of_service("rebalance_started", self.service)
        self.next_owners = self.assigned()
        eager = self.rules.protocol == "eager"
        self.stopped = {p for p in self.all if eager or self.next_owners[p] != self.owners[p]}
        self.rebalances += 1
        this = self.rebalances

        def is_over() -> bool:
            if this != self.rebalances:
                return False
            self.end_rebalance()
            return True

        order = order_of_service(self.service.place, REBALANCE)
        self.world.calendar.add(self.world.now + self.rules.pause, self.service, TIMER, order, is_over)

    def end_rebalance(self) -> None:
        """S52: the new owners take over."""
        self.world.tell_of_service("rebalance_over", self.service)
        self.owners = self.next_owners
        self.stopped = set()
        self.look()

    # ------------------------------------------------------------------ standing still

    def stands_still(self, line: Line, partition: int) -> bool:
        """S53."""
        return (line, partition) in self.stopped or not self.owner(line, partition).is_up()

    def look(self) -> None:
        """S53: note which partitions stand still from now on."""
        now = self.world.now
        for partition in self.all:
            still, was = self.stands_still(*partition), partition in self.still_since_s
            if still and not was:
                self.still_since_s[partition] = now
                self.standing.add(1, now)
            elif was and not still:
                self.still_total_s[partition] += now - self.still_since_s.pop(partition)
                self.standing.add(-1, now)

    def stood_still_s(self, line: Line, partition: int) -> float:
        """S53: how long a partition has stood still since the start of the run."""
        total_s = self.still_total_s.get((line, partition), 0.0)
        since_s = self.still_since_s.get((line, partition))
        return total_s if since_s is None else total_s + self.world.now - since_s


def owner_in_range(partition: int, partitions: int, instances: int) -> int:
    """S16: range assignment: the first (partitions mod instances) instances own one more, contiguous."""
    small, larger = divmod(partitions, instances)
    of_larger = larger * (small + 1)
    if partition < of_larger:
        return partition // (small + 1)
    return larger + (partition - of_larger) // small


def balanced(
    partitions: list[Partition], owners: dict[Partition, int], numbers: list[int]
) -> dict[Partition, int]:
    """S51: each keeps what it owns, lowest first, up to its share; the rest goes to those below theirs."""
    owned = {number: [p for p in partitions if owners.get(p) == number] for number in numbers}
    share, larger = divmod(len(partitions), len(numbers))
    by_most = sorted(numbers, key=lambda number: (-len(owned[number]), number))
    shares = {number: share + (place < larger) for place, number in enumerate(by_most)}
    kept = {number: owned[number][: shares[number]] for number in numbers}
    new = {p: number for number in numbers for p in kept[number]}
    for partition in partitions:
        if partition not in new:
            number = next(n for n in numbers if len(kept[n]) < shares[n])
            kept[number].append(partition)
            new[partition] = number
    return new
