"""What the reference records: counts over time (S38), durations (S39), counters; and the check (S41)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any


class TimeAverage:
    """A count over time: its exact integral and largest lasting value over [warmup, end), and its samples."""

    def __init__(self, warmup_s: float) -> None:
        self.warmup_s = warmup_s
        self.value = 0
        self.since_s = 0.0
        self.integral = 0.0
        self.whole_integral = 0.0  # from 0 on
        self.maximum = 0
        self.samples: list[int] = []

    def add(self, change: int, now: float) -> None:
        """The value changes by so much from now on."""
        self.hold(now)
        self.value += change
        assert self.value >= 0, "a count below zero"

    def hold(self, until: float) -> None:
        """The value has lasted until now."""
        self.whole_integral += self.value * (until - self.since_s)
        begin = max(self.since_s, self.warmup_s)
        if until > begin:
            self.integral += self.value * (until - begin)
            self.maximum = max(self.maximum, self.value)
        self.since_s = until

    def integral_until(self, now: float) -> float:
        """The integral from 0 to now."""
        self.hold(now)
        return self.whole_integral


class Counts:
    """Counters by name, over the whole run, from the warm-up on (S40), and sample by sample (S4)."""

    def __init__(self, warmup_s: float) -> None:
        self.warmup_s = warmup_s
        self.whole_run: Counter[str] = Counter()
        self.measured: Counter[str] = Counter()
        self.since_sample: Counter[str] = Counter()
        self.by_sample: list[Counter[str]] = []

    def add(self, name: str, now: float, count: int = 1) -> None:
        """Something happened now (a flow: to an instance that started then)."""
        self.whole_run[name] += count
        self.since_sample[name] += count
        if now >= self.warmup_s:
            self.measured[name] += count

    def sample(self) -> None:
        """S4: what has been counted since the last sample belongs to this one."""
        self.by_sample.append(self.since_sample)
        self.since_sample = Counter()


class Durations:
    """The durations of one service that ended at or after the warm-up, s, as lists (S39)."""

    def __init__(self, warmup_s: float) -> None:
        self.warmup_s = warmup_s
        self.wait: list[float] = []
        self.service: list[float] = []
        self.sojourn: list[float] = []
        self.event_lag: list[float] = []

    def record(self, name: str, seconds: float, now: float) -> None:
        if now >= self.warmup_s:
            getattr(self, name).append(seconds)


LEAVES = ("rejected", "succeeded", "dead_lettered", "expired", "dropped", "shed")
"""The trace's words for a message that settles in its line."""
COUNTERS = ("rejected", "finished", "dead_lettered", "expired", "dropped", "shed")
"""How a line counts them."""


def check_lines(
    trace: list[Any], silently: list[Any], lines: dict[str, list[Any]], warmup_s: float, end_s: float
) -> None:
    """S41, derived from the trace alone: the counters of every service's lines, and Little's law on their
    lag.

    silently  (service, message, time, word) of what settled with another message that tells it (S58)
    lines     by service, each with .counts, .lag (a TimeAverage) and .at_end (counter by state)
    """
    told: dict[str, Counter[str]] = defaultdict(Counter)
    entered: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    time_in_line: dict[str, list[float]] = defaultdict(list)

    def leaves(where: str, message: Any, time_s: float) -> None:
        published_s = entered[where, message.producer, message.number, message.path].pop(0)
        time_in_line[where].append(clip(published_s, time_s, warmup_s, end_s))

    for event in trace:
        told[event.where][event.what] += 1
        if event.what == "published":
            entered[event.where, event.producer, event.number, event.path].append(event.time_s)
        elif event.what in LEAVES:
            leaves(event.where, event, event.time_s)
    for where, message, time_s, word in silently:
        told[where][word] += 1
        leaves(where, message, time_s)
    for (where, *_), published in entered.items():
        time_in_line[where] += [clip(published_s, end_s, warmup_s, end_s) for published_s in published]

    for service, those in lines.items():
        happened = told[service]
        counts = sum((line.counts.whole_run for line in those), Counter())
        for name, word in zip(COUNTERS, LEAVES, strict=True):
            assert counts[name] == happened[word], f"lines of {service}: {name}"
        for line in those:
            check_line(service, line)
        assert counts["published"] == happened["published"], f"lines of {service}: published"
        integral, total = sum(line.lag.integral for line in those), math.fsum(time_in_line[service])
        assert math.isclose(integral, total, rel_tol=1e-9, abs_tol=1e-9 * end_s), (
            f"Little's law is broken in the lines of {service}: {integral} {total}"
        )


def check_line(service: str, line: Any) -> None:
    """S41: what was published to a line is somewhere."""
    counts = line.counts.whole_run
    settled = sum(counts[name] for name in COUNTERS)
    assert counts["published"] == settled + sum(line.at_end.values()), (
        f"conservation is broken in a line of {service}: {counts} {line.at_end}"
    )


def clip(start_s: float, stop_s: float, first_s: float, last_s: float) -> float:
    """Seconds of [start, stop) that lie in [first, last)."""
    return max(0.0, min(stop_s, last_s) - max(start_s, first_s))
