"""Whether a join can ever be complete: whether one message of a producer can lead to all of its topics."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from slosim.model.kinds import Reading
from slosim.model.parts import Parts
from slosim.model.topology import Service
from slosim.model.values import listed

Way = dict[str, int]
"""Topics that a message leads to together, and how many messages go to each."""


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
    ways = Ways(parts, without=name)
    starts = {producer.topic for producer in parts.producers.values()}
    sources = {topic: ways.sources(topic) for topic in service.consumes}
    starts = starts.intersection(*sources.values())
    if not starts:
        what = f"it can never be complete: no producer's messages reach all of {listed(service.consumes)}"
        accepted = "topics that one message of a producer leads to, by way of emits"
        reading.problem_at(f"services.{name}.join", what, accepted)
        return
    for one, other in itertools.combinations(service.consumes, 2):
        starts &= ways.sources_of_both(one, other, sources)
        if not starts:
            what = f"it can never be complete: a message leads to {one} or to {other}, never to both"
            accepted = "emits with both, where now one of several branches is taken"
            reading.problem_at(f"services.{name}.join", what, accepted)
            return


class Ways:
    """Where a message can lead, beyond one service that is left out.

    Every share above 0 counts as possible, so what is excluded is certain.
    """

    def __init__(self, parts: Parts, without: str) -> None:
        redriven = parts.redriven_to()
        self.lines = {topic: list(_lines(topic, parts, redriven, without)) for topic in parts.topics}
        """Of each topic, its lines; of each line, the ways of which one message takes one."""
        self.before: dict[str, set[str]] = {}
        for topic, lines in self.lines.items():
            for after in itertools.chain.from_iterable(itertools.chain.from_iterable(lines)):
                self.before.setdefault(after, set()).add(topic)

    def sources(self, target: str) -> set[str]:
        """Topics whose messages can lead to the target, with itself."""
        found, waiting = {target}, [target]
        while waiting:
            new = self.before.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    def sources_of_both(self, one: str, other: str, sources: dict[str, set[str]]) -> set[str]:
        """Topics of which one message can lead to messages in both of two topics."""
        found: set[str] = set()
        left = sources[one] & sources[other]
        while new := {topic for topic in left if self._leads_to_both(topic, one, other, sources, found)}:
            found |= new
            left -= new
        return found

    def _leads_to_both(
        self, topic: str, one: str, other: str, sources: dict[str, set[str]], known: set[str]
    ) -> bool:
        """Whether it does by being one itself, by two of its lines, or by one way of a line."""
        lines = self.lines[topic]
        to_one, to_other = (
            [any(after in sources[target] for way in line for after in way) for line in lines]
            for target in (one, other)
        )
        if (topic == one and any(to_other)) or (topic == other and any(to_one)):
            return True
        if sum(to_one) and sum(to_other) and sum(a or b for a, b in zip(to_one, to_other, strict=True)) > 1:
            return True
        return any(_parts_into(way, sources[one], sources[other], known) for line in lines for way in line)


def _parts_into(way: Way, to_one: set[str], to_other: set[str], known: set[str]) -> bool:
    """Whether messages that go one way together lead to both of two targets."""
    if any(topic in known for topic in way):
        return True
    first, second = ([topic for topic in way if topic in side] for side in (to_one, to_other))
    return any(a != b or way[a] > 1 for a, b in itertools.product(first, second))


def _lines(topic: str, parts: Parts, redriven: dict[str, str], without: str) -> Iterator[list[Way]]:
    """The ways of a message out of each line of a topic; a topic that is redriven has one line."""
    lost = parts.topics[topic].dead_letter
    if topic in redriven:
        yield [{redriven[topic]: 1}]
    for name in parts.taken_by.get(topic, ()):
        ways = [] if name == without else _ways_of(parts.services[name])
        yield ways + ([{lost: 1}] if lost else [])


def _ways_of(service: Service) -> list[Way]:
    """What a success publishes, or a failure."""
    emitted: Way = {}
    for emit in service.emits:
        if emit.probability > 0:
            emitted[emit.topic] = emitted.get(emit.topic, 0) + emit.copies
    ways = [emitted] if emitted else []
    ways += [{branch.topic: 1} for branch in service.choose if branch.share > 0]
    return ways + ([{service.dead_letter: 1}] if service.dead_letter else [])
