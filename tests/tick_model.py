"""The notebook that slosim grew out of as a small model: whole ticks, chance in the notebook's order.

Orders are published with probability 12% a tick and pass four services. In each tick a service takes at most
one message from its topic and works on any number side by side; an attempt at payment fails at once with
probability 2% and the message joins the tail of its topic 10 to 29 ticks later. What a reader needs to
compare this with a simulation in continuous time is measured here too: latency from creation, waiting
messages, event lag.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

ARRIVAL_PROBABILITY = 0.12
FAILURE_PROBABILITY = 0.02
SAMPLE_EVERY = 50
RETRY_TICKS = (10, 29)
SERVICE_TICKS = {  # first and last whole number of ticks, both possible
    "orders": (1, 3),
    "payment": (4, 11),
    "inventory": (2, 7),
    "shipping": (6, 15),
}
TOPICS = tuple(SERVICE_TICKS)  # a service consumes the topic of its name and publishes to the next
NEVER = -1


@dataclass(frozen=True)
class TickRun:
    """What happened in one run. Arrays over orders have one entry for each order in order of creation.

    seed, ticks          as given; ticks are 0 .. ticks - 1
    created              int[orders]      tick of publishing to `orders`
    paid                 int[orders]      tick of taking of the attempt at payment that succeeded, or NEVER
    shipped              int[orders]      tick at which shipping ends, even after the run; NEVER if not taken
    payment_failures     failed attempts at payment
    timeline_rows        rows of the notebook's table: payment attempts, inventory and shipping taken, samples
    event_lag            topic -> int[]   ticks from publishing to first being taken, in order of taking
    wait                 topic -> int[]   ticks from becoming visible to being taken, each attempt anew
    waiting_before       topic -> int[ticks]  messages in the topic in each tick before anything is taken
    waiting              topic -> int[ticks]  the same after all have taken: what the notebook samples
    """

    seed: int
    ticks: int
    created: np.ndarray
    paid: np.ndarray
    shipped: np.ndarray
    payment_failures: int
    timeline_rows: int
    event_lag: dict[str, np.ndarray]
    wait: dict[str, np.ndarray]
    waiting_before: dict[str, np.ndarray]
    waiting: dict[str, np.ndarray]

    @property
    def orders_created(self) -> int:
        return len(self.created)

    @property
    def orders_paid(self) -> int:
        """What the notebook calls `orders_generated`: orders with a successful payment."""
        return int(np.count_nonzero(self.paid != NEVER))

    @property
    def orders_shipped(self) -> int:
        """What the notebook calls `orders_shipped`: taken by shipping, whose work may end after the run."""
        return int(np.count_nonzero(self.shipped != NEVER))

    def latency_from_creation(self) -> np.ndarray:
        """Ticks from creation to the end of shipping, of orders whose shipping ends before the run does."""
        done = (self.shipped != NEVER) & (self.shipped < self.ticks)
        return self.shipped[done] - self.created[done]

    def notebook_latency(self) -> np.ndarray:
        """The notebook's latency: from two ticks before the successful payment, but not before tick 0."""
        done = self.shipped != NEVER
        return self.shipped[done] - np.maximum(0, self.paid[done] - 2)

    def sampled_waiting(self, topic: str) -> np.ndarray:
        """Waiting messages at the notebook's samples, ticks 0, 50, 100, …"""
        return self.waiting[topic][::SAMPLE_EVERY]


def run_ticks(seed: int, ticks: int = 4000) -> TickRun:
    """Runs the model with `numpy.random.default_rng(seed)`, drawing in the order of the notebook."""
    return _Model(seed, ticks).run()


class _Model:
    def __init__(self, seed: int, ticks: int) -> None:
        self.seed, self.ticks = seed, ticks
        self.rng = np.random.default_rng(seed)
        self.lines: dict[str, deque[int]] = {topic: deque() for topic in TOPICS}
        # tick -> (topic, order) becoming visible then. What was taken first comes first, as in the notebook's
        # one list of running work; within a tick, services take in the order of TOPICS.
        self.due: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        self.created: list[int] = []
        self.paid: list[int] = []
        self.shipped: list[int] = []
        self.visible_at: list[int] = []
        self.failed_attempts: list[int] = []
        self.event_lag: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.wait: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self.waiting_before = {topic: np.zeros(ticks, dtype=np.int64) for topic in TOPICS}
        self.waiting = {topic: np.zeros(ticks, dtype=np.int64) for topic in TOPICS}

    def run(self) -> TickRun:
        for tick in range(self.ticks):
            if self.rng.random() < ARRIVAL_PROBABILITY:
                self._create(tick)
            for topic, order in self.due.pop(tick, ()):
                self._publish(topic, order, tick)
            self._sample(self.waiting_before, tick)
            for topic, order in self._take_one_each(tick):
                self._work(topic, order, tick)
            self._sample(self.waiting, tick)
        return self._result()

    def _create(self, tick: int) -> None:
        self.created.append(tick)
        self.paid.append(NEVER)
        self.shipped.append(NEVER)
        self.visible_at.append(tick)
        self.failed_attempts.append(0)
        self._publish("orders", len(self.created) - 1, tick)

    def _publish(self, topic: str, order: int, tick: int) -> None:
        self.visible_at[order] = tick
        self.lines[topic].append(order)

    def _take_one_each(self, tick: int) -> Iterator[tuple[str, int]]:
        for topic, line in self.lines.items():
            if line:
                order = line.popleft()
                waited = tick - self.visible_at[order]
                self.wait[topic].append(waited)
                if topic != "payment" or self.failed_attempts[order] == 0:
                    self.event_lag[topic].append(waited)
                yield topic, order

    def _work(self, topic: str, order: int, tick: int) -> None:
        if topic == "payment":
            if self.rng.random() < FAILURE_PROBABILITY:
                self.failed_attempts[order] += 1
                self.due[tick + self._draw(RETRY_TICKS)].append(("payment", order))
                return
            self.paid[order] = tick
        end = tick + self._draw(SERVICE_TICKS[topic])
        if topic == "shipping":
            self.shipped[order] = end
        else:
            self.due[end].append((TOPICS[TOPICS.index(topic) + 1], order))

    def _draw(self, first_and_last: tuple[int, int]) -> int:
        first, last = first_and_last
        return int(self.rng.integers(first, last + 1))

    def _sample(self, series: dict[str, np.ndarray], tick: int) -> None:
        for topic, line in self.lines.items():
            series[topic][tick] = len(line)

    def _result(self) -> TickRun:
        samples = len(range(0, self.ticks, SAMPLE_EVERY))
        taken = sum(len(self.wait[topic]) for topic in TOPICS if topic != "orders")
        return TickRun(
            seed=self.seed,
            ticks=self.ticks,
            created=np.array(self.created, dtype=np.int64),
            paid=np.array(self.paid, dtype=np.int64),
            shipped=np.array(self.shipped, dtype=np.int64),
            payment_failures=sum(self.failed_attempts),
            timeline_rows=taken + samples,
            event_lag={topic: np.array(lags, dtype=np.int64) for topic, lags in self.event_lag.items()},
            wait={topic: np.array(waits, dtype=np.int64) for topic, waits in self.wait.items()},
            waiting_before=self.waiting_before,
            waiting=self.waiting,
        )
