"""Whether a join can ever be complete: whether one message of a producer can lead to all of its topics."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from slosim.model.graph import reachable
from slosim.model.kinds import Reading
from slosim.model.parts import Parts
from slosim.model.topology import Service
from slosim.model.values import listed

Way = dict[str, int]
"""Topics that a message leads to together, and how many messages go to each: 1, or 2 for several."""


def check_joins(parts: Parts, reading: Reading) -> None:
    has_all_topics = len(parts.topics) == len(reading.names["topics"] or ())
    for name, service in parts.services.items():
        if not service.join or len(parts.topics_of(service)) < len(service.consumes):
            continue
        _check_room(name, service, parts, reading)
        if parts.has_all_services and has_all_topics and len(service.consumes) > 1:
            _check_sources(name, service, parts, reading)


def _check_room(name: str, service: Service, parts: Parts, reading: Reading) -> None:
    if all(topic.capacity == 0 for topic in parts.topics_of(service).values()):
        what = "it can never be complete: no topic has room for a message that waits for the others"
        reading.problem_at(
            f"services.{name}.join", what, "a capacity of at least 1 for all of its topics but one"
        )


def _check_sources(name: str, service: Service, parts: Parts, reading: Reading) -> None:
    if not parts.producers:
        return
    ways = Ways(parts, service.consumes, without=name)
    starts = {producer.topic for producer in parts.producers.values()}
    starts = {topic for topic in starts if len(ways.targets_of(topic)) == len(service.consumes)}
    if not starts:
        what = f"it can never be complete: no producer's messages reach all of {listed(service.consumes)}"
        accepted = "topics that one message of a producer leads to, by way of emits"
        reading.problem_at(f"services.{name}.join", what, accepted)
        return
    pairs = ways.pairs()
    for one, other in itertools.combinations(service.consumes, 2):
        starts = {topic for topic in starts if (one, other) in pairs[topic]}
        if not starts:
            what = f"it can never be complete: a message leads to {one} or to {other}, never to both"
            accepted = "emits with both, where now one of several branches is taken"
            reading.problem_at(f"services.{name}.join", what, accepted)
            return


class Ways:
    """Which of the target topics a message can lead to, beyond one service that is left out.

    Every share above 0 counts as possible, so what is excluded is certain.
    """

    def __init__(self, parts: Parts, targets: tuple[str, ...], without: str) -> None:
        redriven = parts.redriven_to()
        self.lines = {topic: list(_lines(topic, parts, redriven, without)) for topic in parts.topics}
        """Of each topic, its lines; of each line, the ways of which one message takes one."""
        self.before: dict[str, set[str]] = {}
        for topic, lines in self.lines.items():
            for after in (after for line in lines for way in line for after in way):
                self.before.setdefault(after, set()).add(topic)
        self.targets: dict[str, set[str]] = {}
        for target in targets:
            for topic in reachable([target], self.before):
                self.targets.setdefault(topic, set()).add(target)

    def targets_of(self, *topics: str) -> set[str]:
        """Targets that messages in these topics can lead to, themselves included."""
        return set().union(*(self.targets.get(topic, ()) for topic in topics))

    def pairs(self) -> dict[str, set[tuple[str, str]]]:
        """Of each topic, the targets that one message can lead to both of: where it parts, or later."""
        found = {topic: set(self._parting(topic)) for topic in self.lines}
        waiting = [topic for topic, pairs in found.items() if pairs]
        while waiting:
            topic = waiting.pop()
            for before in self.before.get(topic, ()):
                if not found[topic] <= found[before]:
                    found[before] |= found[topic]
                    waiting.append(before)
        return found

    def _parting(self, topic: str) -> Iterator[tuple[str, str]]:
        """Pairs of targets that are reached one each where a message goes several ways at once."""
        lines = self.lines[topic]
        sides = [self.targets_of(*itertools.chain(*line)) for line in lines]
        yield from _one_of_each([*sides, self.targets_of(topic) & {topic}])
        for way in itertools.chain(*lines):
            yield from _one_of_each(
                self.targets_of(after) for after, count in way.items() for _ in range(count)
            )


def _one_of_each(sides: Iterable[set[str]]) -> Iterator[tuple[str, str]]:
    """Pairs whose members come from different sides."""
    alike = Counter(frozenset(side) for side in sides if side)
    for first, second in itertools.permutations(alike, 2):
        yield from itertools.product(first, second)
    for side, count in alike.items():
        if count > 1:
            yield from itertools.product(side, side)


def _lines(topic: str, parts: Parts, redriven: dict[str, str], without: str) -> Iterator[list[Way]]:
    """The ways of a message out of each line of a topic; a topic that is redriven has one line."""
    lost = parts.topics[topic].dead_letter
    if topic in redriven:
        yield [{redriven[topic]: 1}]
    for name in parts.taken_by.get(topic, ()):
        ways = [] if name == without else _ways_of(parts.services[name])
        if lost:
            ways.append({lost: 1})
        if ways:
            yield ways


def _ways_of(service: Service) -> list[Way]:
    """What a success publishes, or a failure."""
    emitted: Way = {}
    for emit in service.emits:
        if emit.probability > 0:
            emitted[emit.topic] = min(2, emitted.get(emit.topic, 0) + emit.copies)
    ways = [emitted] if emitted else []
    ways += [{branch.topic: 1} for branch in service.choose if branch.share > 0]
    return ways + ([{service.dead_letter: 1}] if service.dead_letter else [])
