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
        self.maximum = 0
        self.samples: list[int] = []

    def add(self, change: int, now: float) -> None:
        """The value changes by so much from now on."""
        self.hold(now)
        self.value += change
        assert self.value >= 0, "a count below zero"

    def hold(self, until: float) -> None:
        """The value has lasted until now."""
        begin = max(self.since_s, self.warmup_s)
        if until > begin:
            self.integral += self.value * (until - begin)
            self.maximum = max(self.maximum, self.value)
        self.since_s = until


class Counts:
    """Counters by name, over the whole run and from the warm-up on (S40)."""

    def __init__(self, warmup_s: float) -> None:
        self.warmup_s = warmup_s
        self.whole_run: Counter[str] = Counter()
        self.measured: Counter[str] = Counter()

    def add(self, name: str, now: float, count: int = 1) -> None:
        """Something happened now (a flow: to an instance that started then)."""
        self.whole_run[name] += count
        if now >= self.warmup_s:
            self.measured[name] += count


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


LEAVES = ("rejected", "succeeded", "dead_lettered", "expired", "dropped")
"""The trace's words for a message that settles in its line."""


def check_lines(trace: list[Any], lines: dict[tuple[str, str], Any], warmup_s: float, end_s: float) -> None:
    """S41, derived from the trace alone: every line's counters, and Little's law on its lag.

    lines  by (topic, service), with .counts, .lag (a TimeAverage) and .at_end (counter by state)
    """
    told: dict[str, Counter[str]] = defaultdict(Counter)
    entered: dict[tuple[Any, ...], float] = {}
    time_in_line: dict[str, list[float]] = defaultdict(list)
    for event in trace:
        message = (event.where, event.producer, event.number, event.path)
        told[event.where][event.what] += 1
        if event.what == "published":
            assert message not in entered, f"published twice: {event}"
            entered[message] = event.time_s
        elif event.what in LEAVES:
            time_in_line[event.where].append(clip(entered.pop(message), event.time_s, warmup_s, end_s))
    for (where, *_), published_s in entered.items():
        time_in_line[where].append(clip(published_s, end_s, warmup_s, end_s))

    for (topic, service), line in lines.items():
        counts, happened = line.counts.whole_run, told[service]
        for name, word in zip(("rejected", "finished", *LEAVES[2:]), LEAVES, strict=True):
            assert counts[name] == happened[word], f"{topic}, {service}: {name}"
        settled = sum(happened[word] for word in LEAVES)
        assert counts["published"] == happened["published"] == settled + sum(line.at_end.values()), (
            f"conservation is broken in the line of {service} in {topic}: {counts} {line.at_end}"
        )
        total = math.fsum(time_in_line[service])
        assert math.isclose(line.lag.integral, total, rel_tol=1e-9, abs_tol=1e-9 * end_s), (
            f"Little's law is broken in the line of {service} in {topic}: {line.lag.integral} {total}"
        )


def clip(start_s: float, stop_s: float, first_s: float, last_s: float) -> float:
    """Seconds of [start, stop) that lie in [first, last)."""
    return max(0.0, min(stop_s, last_s) - max(start_s, first_s))
