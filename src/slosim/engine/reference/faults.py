"""When faults are active (S32, S66), and on what."""

from __future__ import annotations

from typing import Any, NamedTuple

from slosim.engine.reference.chance import Chance, identity_of_number
from slosim.engine.reference.order import is_per_instance


class Occurrence(NamedTuple):
    """A fault during [start, end). place: of the fault in the file; instance: the only one it hits."""

    start_s: float
    end_s: float
    effect: Any
    place: int
    instance: int | None

    def hits(self, number: int | None, now: float) -> bool:
        """S32, S67: whether it is active now, on the whole target or on this instance."""
        return self.start_s <= now < self.end_s and self.instance in (None, number)


class Faults:
    """All occurrences of all faults of one replication."""

    def __init__(self, scenario: Any, chance: Chance) -> None:
        self.scenario = scenario
        self.end_s = scenario.run.duration
        self.chance = chance
        self.by_target: dict[str, list[Occurrence]] = {}
        self.drawn: dict[str, list[tuple[float, float]]] = {}  # of random faults, by name
        for place, fault in enumerate(scenario.faults):
            self.by_target.setdefault(fault.target, []).extend(self.occurrences(fault, place))

    def on(self, target: str) -> list[Occurrence]:
        """The occurrences of all faults of a target such as "services.payment", in the order of the file."""
        return self.by_target.get(target, [])

    def occurrences(self, fault: Any, place: int) -> list[Occurrence]:
        """S32, S66: every time that a fault is active."""
        if fault.random is None:
            return [
                Occurrence(start, end, fault.effect, place, None)
                for start, end in fault.occurrences(self.end_s)
            ]
        if not is_per_instance(fault):
            found = self.draw(fault, place, 0, None)
        else:
            found = [
                occurrence
                for number in range(self.most_instances(fault.target))
                for occurrence in self.draw(fault, place, number, number)
            ]
            found.sort(key=lambda o: (o.start_s, o.instance))
        self.drawn[fault.name] = [(o.start_s, o.end_s) for o in found]
        return found

    def draw(self, fault: Any, place: int, number: int, instance: int | None) -> list[Occurrence]:
        """S66: times up and times down alternate, starting up."""
        name, identity = f"faults.{fault.name}", identity_of_number(f"faults.{fault.name}", number)
        found: list[Occurrence] = []
        now = 0.0
        while True:
            attempt = len(found)
            start_s = now + self.chance.exponential(fault.random.mtbf, f"{name}/up", identity, attempt)
            if start_s >= self.end_s:
                return found
            now = start_s + self.chance.exponential(fault.random.mttr, f"{name}/down", identity, attempt)
            found.append(Occurrence(start_s, now, fault.effect, place, instance))

    def most_instances(self, target: str) -> int:
        """How many numbers the instances of a service can have."""
        return self.scenario.services[target.removeprefix("services.")].instances_at_most
