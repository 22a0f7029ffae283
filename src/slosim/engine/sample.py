"""A sample of the messages of one replication: which, and what became of each.

The replication runs twice. The first time tells how many messages there are and which of them are the
slowest; the second time the rows of those that are chosen are kept. The rows come in parts that are let go at
once, so memory is that of the run and of what is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from slosim.compile import program as P
from slosim.compile.lower import lower
from slosim.engine.run import MEMORY_LIMIT_BYTES, Run
from slosim.engine.slots import ENDS, Slots
from slosim.measure.measurements import Measurements
from slosim.measure.sample import Attempt, Call, Journey, Message, MessageSample
from slosim.model import Scenario

SLOWEST = 20
"""Of each flow."""
NUMBER_BITS = 48
NUMBERS = (1 << NUMBER_BITS) - 1
WRAP = 1 << 64
LEAVES = (P.SUCCESS, P.REJECTED, P.DROPPED, P.EXPIRED, P.DEAD_LETTERED, P.SHED)


class Unfinished(Exception):
    """The replication did not come to its end; the argument says why."""


def sample(
    scenario: Scenario,
    seed: int | None = None,
    replication: int = 0,
    *,
    most: int,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    tell: Callable[[float], None] = lambda share: None,
) -> MessageSample:
    """Every n-th message of the producers, at most `most`, and the slowest of each flow, with their journeys.

    tell: called with the share of the work that is done.

    Raises:
        Unfinished: at the memory limit.
        EngineError: a bug of slosim.
    """
    program, seed_of_run = lower(scenario), scenario.run.seed if seed is None else seed
    choice = _Choice(program.names)

    def follow(done: float, see: Callable[[np.ndarray], None]) -> Measurements:
        def watch(rows: np.ndarray) -> None:
            see(rows)
            tell(done + 0.5 * min(1.0, float(rows["time"][-1]) / scenario.run.duration))

        outcome = Run(program, seed_of_run, replication, memory_limit_bytes, watch=watch).measure()
        if outcome.stopped is not None:
            raise Unfinished(outcome.stopped)
        return outcome.measurements

    follow(0.0, choice.see)
    every = max(1, math.ceil(int(choice.numbers.sum()) / most))
    journeys = _Journeys(program, choice.origins(every))
    measurements = follow(0.5, journeys.see)
    return MessageSample(replication, every, journeys.told(choice), measurements)


class _Choice:
    """Which messages are followed.

    numbers  int64[producers]: one more than the highest number of a message (clients leave some out)
    """

    def __init__(self, names: P.Names) -> None:
        self.slowest = [np.zeros(0, P.TRACE_ROW) for _ in names.flows]
        self.numbers = np.zeros(len(names.producers), np.int64)

    def see(self, rows: np.ndarray) -> None:
        """Keep the slowest of each flow; of equally slow ones the first by producer and number."""
        origins = rows["origin"][rows["origin"] >= 0]
        np.maximum.at(self.numbers, origins >> NUMBER_BITS, (origins & NUMBERS) + 1)
        rows = rows[rows["what"] == P.COMPLETED]
        for flow, before in enumerate(self.slowest):
            those = np.concatenate([before, rows[rows["where"] == flow]])
            order = np.lexsort((those["origin"], -those["value"]))
            self.slowest[flow] = those[order[:SLOWEST]]

    def origins(self, every: int) -> np.ndarray:
        """int64, ascending: every n-th message of all producers one after the other, and the slowest."""
        places = np.arange(0, int(self.numbers.sum()), every)
        ends = np.cumsum(self.numbers)
        producers = np.searchsorted(ends, places, side="right")
        numbers = places - (ends - self.numbers)[producers]
        regular = producers << NUMBER_BITS | numbers
        return np.unique(np.concatenate([regular, *(those["origin"] for those in self.slowest)]))

    def is_slowest(self, origin: int, flow: int) -> bool:
        return bool((self.slowest[flow]["origin"] == origin).any())


class _Journeys:
    """Rows of the chosen messages, and what they tell."""

    def __init__(self, program: P.Program, chosen: np.ndarray) -> None:
        self.program = program
        self.chosen = chosen
        self.slots = Slots(program, set(chosen.tolist()))
        self.kept = [np.zeros(0, P.TRACE_ROW)]

    def see(self, rows: np.ndarray) -> None:
        self.slots.follow(rows)
        self.kept.append(rows[np.isin(rows["origin"], self.chosen)])

    def told(self, choice: _Choice) -> list[Journey]:
        """One journey for each chosen message that was published, by producer and number."""
        self.slots.finish()
        rows = np.concatenate(self.kept)
        rows = rows[np.argsort(rows["origin"], kind="stable")]
        first = np.searchsorted(rows["origin"], self.chosen, side="left")
        last = np.searchsorted(rows["origin"], self.chosen, side="right")
        return [
            self._journey(origin, rows[i:j], choice)
            for origin, i, j in zip(self.chosen.tolist(), first.tolist(), last.tolist(), strict=True)
            if i < j
        ]

    def _journey(self, origin: int, rows: np.ndarray, choice: _Choice) -> Journey:
        names = self.program.names
        stories: dict[tuple[int, int, int], _Story] = {}
        latency_s = {}
        joins: list[tuple[_Story, bool, float]] = []
        for time, value, path, what, kind, where, attempt in zip(
            *(rows[n].tolist() for n in ("time", "value", "path", "what", "where_kind", "where", "attempt")),
            strict=True,
        ):
            if kind == P.AT_FLOW:
                latency_s[names.flows[where]] = value
            elif kind != P.AT_PRODUCER:
                place = kind, where, path
                if place not in stories:
                    stories[place] = _Story(self, origin, place, time)
                story = stories[place]
                story.tell(time, what, attempt, value)
                if what in (P.VISIBLE, P.JOINED) and self.program.arrays["mechanisms"][where]["joins"]:
                    joins.append((story, what == P.JOINED, time))
        ordered = sorted(stories.values(), key=lambda story: story.message.published_s)
        self._link(ordered)
        _join(joins)
        flows = [name for f, name in enumerate(names.flows) if choice.is_slowest(origin, f)]
        producer, number = names.producers[origin >> NUMBER_BITS], origin & NUMBERS
        return Journey(producer, number, latency_s, flows, [story.finished() for story in ordered])

    def _link(self, stories: list[_Story]) -> None:
        """Find the parent of each message through the paths of rule S3, and its topic."""
        children: dict[int, tuple[int, int | None, str]] = {}
        for index, story in enumerate(stories):
            for path, attempt, topic in story.publishes():
                children[path] = index, attempt, topic
        for story in stories:
            if story.path == 0:
                story.message.topic = self.topic_of_producer(story.origin >> NUMBER_BITS)
            elif story.path in children:
                story.message.parent, story.message.attempt, story.message.topic = children[story.path]

    def topic_of_producer(self, producer: int) -> str:
        return self.topic_of_outlet(int(self.program.arrays["producers"][producer]["outlet"]))

    def topic_of_outlet(self, outlet: int) -> str:
        return self.program.names.topics[int(self.program.arrays["outlets"][outlet]["topic"])]

    def outlets_of(self, service: int) -> Iterator[tuple[int, bool]]:
        """(outlet, is it for dead letters) of all that a service and its lines publish to."""
        row = self.program.arrays["services"][service]
        yield from ((o, False) for o in range(row["first_emit"], row["first_emit"] + row["emit_count"]))
        lines = self.program.arrays["lines"][row["line"] : row["line"] + row["line_count"]]
        for o in (row["dead_letter"], *lines["dead_letter"]):
            if o >= 0:
                yield int(o), True


def _join(events: list[tuple[_Story, bool, float]]) -> None:
    """What waits for its partners goes on as one with the message that leads: the first of each other topic.

    events  (message, False: it is visible, or True: it leads a join, s) at services with joins
    """
    waiting: dict[_Story, None] = {}
    leaders: set[_Story] = set()
    for story, leads, time in events:
        if not leads:
            if story not in leaders:
                waiting[story] = None
            continue
        leaders.add(story)
        waiting.pop(story, None)
        topics = {story.message.topic}
        for other in [*waiting]:
            if other.message.left_s is not None:
                del waiting[other]
            elif other.where == story.where and other.message.topic not in topics:
                topics.add(other.message.topic)
                other.leave("joined", time)
                del waiting[other]


class _Story:
    """What the rows tell of one message in one place."""

    def __init__(self, all_of_it: _Journeys, origin: int, place: tuple[int, int, int], time: float) -> None:
        kind, self.where, self.path = place
        self.all = all_of_it
        self.origin = origin
        self.is_at_service = kind == P.AT_SERVICE
        names = all_of_it.program.names
        self.message = (
            Message(None, names.services[self.where], time)
            if self.is_at_service
            else Message(names.topics[self.where], None, time)
        )
        self.visible_since: float | None = None
        self.retry_at: float | None = None
        self.by_number: dict[int, Attempt] = {}

    def tell(self, time: float, what: int, number: int, value: float) -> None:
        """The next row."""
        if what in (P.VISIBLE, P.JOINED):
            self.become_visible(time)
        elif what == P.TAKEN:
            self.take(time, number)
        elif what in ENDS:
            self.by_number[number].ended_s = time
            self.by_number[number].outcome = P.TRACE_WORDS[what]
        elif what == P.RETRY:
            self.message.back_offs_s.append((time, value))
            self.retry_at = value
        elif what in (P.CALLED, P.HEDGED, P.ANSWERED, P.CALL_TIMED_OUT):
            self.call(time, what, number, value)
        if what in LEAVES and self.message.left_s is None:
            self.leave(P.TRACE_WORDS[what], time)
        elif what == P.RESTED:
            self.leave("rested", time)

    def become_visible(self, time: float) -> None:
        message = self.message
        if message.visible_s is None:
            message.visible_s = time
        self.end_wait(time)
        self.visible_since, self.retry_at = time, None

    def end_wait(self, time: float) -> None:
        if self.visible_since is not None:
            self.message.waits_s.append((self.visible_since, time))
            self.visible_since = None

    def take(self, time: float, number: int) -> None:
        if self.retry_at is not None:  # in its slot: what is left of its wait is that for a token
            self.visible_since, self.retry_at = self.retry_at, None
        self.end_wait(time)
        holding = self.all.slots.holding(self.where, (self.origin, self.path, number))
        instance = None if holding.instance < 0 else holding.instance
        attempt = Attempt(number, instance, holding.slot, holding.messages, time, holding.freed_s)
        self.by_number[number] = attempt
        self.message.attempts.append(attempt)

    def call(self, time: float, what: int, number: int, value: float) -> None:
        calls = self.by_number[number].calls
        if what == P.CALLED:
            calls.append(Call(self.all.program.names.dependencies[int(value)], time))
        elif what == P.HEDGED:
            calls[-1].hedged_s = time
        else:
            calls[-1].ended_s = time
            calls[-1].outcome = (
                "timed_out" if what == P.CALL_TIMED_OUT else "answered" if value > 0 else "failed"
            )

    def leave(self, word: str, time: float) -> None:
        self.end_wait(time)
        self.message.left_s, self.message.outcome = time, word

    def finished(self) -> Message:
        """The message, when there are no more rows: what goes on lasts to the end of the run."""
        message = self.message
        if self.visible_since is not None and message.left_s is None:
            message.waits_s.append((self.visible_since, None))
        if (end := message.left_s) is not None:  # an older attempt may settle it meanwhile
            message.back_offs_s = [(since, min(until or end, end)) for since, until in message.back_offs_s]
        return message

    def publishes(self) -> Iterator[tuple[int, int | None, str]]:
        """(path, attempt that publishes it, topic) of all that may be published by it."""
        if not self.is_at_service:
            return
        arrays = self.all.program.arrays
        base = int(arrays["run"][0]["path_base"])
        last = self.message.attempts[-1].number if self.message.attempts else None
        successes = [a.number for a in self.message.attempts if a.outcome in ("succeeded", "duplicate")]
        for o, is_dead in self.all.outlets_of(self.where):
            outlet = arrays["outlets"][o]
            for copy in range(int(outlet["copies"])):
                path = (self.path * base + int(outlet["slot"]) + copy + 1) % WRAP
                for again in range(len(self.message.attempts) or 1):
                    attempt = last if is_dead else successes[0] if successes else None
                    if not is_dead and again + 1 in successes:
                        attempt = again + 1
                    yield path, attempt, self.all.topic_of_outlet(o)
                    path = path * base % WRAP
