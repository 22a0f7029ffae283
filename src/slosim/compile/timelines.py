"""Faults in time: rows of effects, clocks, windows and stops, from when each fault occurs.

Most faults occur at times of the file; those of random faults are drawn for each run (engine/drawn.py), so
the rows are laid once for the program and, where there are random faults, again for each run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from slosim.compile import program as P
from slosim.compile.clocks import Occurrence, active, clock
from slosim.model import Fault, Scenario
from slosim.model.redrive import REDRIVE_SUFFIX, is_redrive


@dataclass(frozen=True)
class Timelines:
    """The faults of a scenario (with its redrives as services) and the arrays they fill."""

    scenario: Scenario

    @property
    def random(self) -> list[Fault]:
        """Faults whose times are drawn for each run."""
        return [fault for fault in self.scenario.faults if fault.is_random]

    def occurrences(self) -> list[Occurrence]:
        """Every occurrence whose time the file tells, in the order of the file."""
        return [
            Occurrence(start, end, fault)
            for fault in self.scenario.faults
            for start, end in fault.occurrences(self.scenario.run.duration)
        ]

    def lay(self, arrays: dict[str, np.ndarray], occurrences: Iterable[Occurrence]) -> dict[str, np.ndarray]:
        """The arrays `effects`, `clocks`, `windows` and `stops`; tells the targets where their rows stand."""
        place = {fault.name: i for i, fault in enumerate(self.scenario.faults)}
        found = sorted(occurrences, key=lambda one: (place[one.fault.name], one.start, one.instance))
        by_target: dict[str, list[Occurrence]] = {}
        for one in found:
            by_target.setdefault(one.fault.target, []).append(one)
        clocks = _Rows(P.CLOCK)
        for row, (name, producer) in zip(arrays["producers"], self.scenario.producers.items(), strict=True):
            rows = clock(producer, self.scenario.run.duration, by_target.get(f"producers.{name}", []))
            row["first_clock"] = row["clock"] = clocks.add(rows)
            row["clock_count"] = len(rows)
        windows = _Rows(P.WINDOW)
        for row, name in zip(arrays["topics"], self.scenario.topics, strict=True):
            rows = window_rows(by_target.get(f"topics.{name}", []))
            row["first_window"], row["window_count"] = windows.add(rows), len(rows)
        return {
            "effects": self._effects(arrays, by_target),
            "windows": windows.joined(),
            "clocks": clocks.joined(),
            "stops": self._stops(found, place),
        }

    def _effects(self, arrays: dict[str, np.ndarray], by_target: dict[str, list[Occurrence]]) -> np.ndarray:
        """EFFECT rows of services, of their instances and of dependencies."""
        effects = _Rows(P.EFFECT)
        for s, name in enumerate(self.scenario.services):
            row, hits = arrays["services"][s], by_target.get(f"services.{name}", [])
            if is_redrive(name):
                topic = name.removesuffix(REDRIVE_SUFFIX)
                effects.link(row, redrive_rows(by_target.get(f"topics.{topic}", [])))
                continue
            by_instance: dict[int, list[Occurrence]] = {}
            for one in hits:
                by_instance.setdefault(one.instance, []).append(one)
            effects.link(row, effect_rows(by_instance.pop(P.NONE, [])))
            first = int(row["first_instance"])
            instances = arrays["instances"][first : first + int(row["instance_count"])]
            instances["effect_count"], instances["paused"], instances["effect_until"] = 0, 0, np.inf
            for i, own in by_instance.items():
                effects.link(instances[i], effect_rows(own))
        for d, name in enumerate(self.scenario.dependencies):
            effects.link(arrays["dependencies"][d], effect_rows(by_target.get(f"dependencies.{name}", [])))
        return effects.joined()

    def _stops(self, occurrences: list[Occurrence], place: dict[str, int]) -> np.ndarray:
        """One row for each time that instances crash or restart."""
        services = list(self.scenario.services)
        rows = []
        for start, end, fault, instance in occurrences:
            crash, rolling = fault.effect.crash, fault.effect.rolling_restart
            for kind, effect in ((P.CRASH, crash), (P.ROLLING_RESTART, rolling)):
                if effect is None:
                    continue
                row = np.zeros(1, P.STOP)
                row["service"] = services.index(fault.target.removeprefix("services."))
                row["kind"], row["instance"], row["place"] = kind, instance, place[fault.name]
                row["at"], row["until"] = start, end
                if crash is not None and kind == P.CRASH:
                    row["instances"] = P.UNLIMITED if crash.instances is None else crash.instances
                if rolling is not None and kind == P.ROLLING_RESTART:
                    row["pause_between"] = rolling.pause_between
                rows.append(row)
        return np.concatenate(rows) if rows else np.zeros(0, P.STOP)


class _Rows:
    """Rows of one array, added piece by piece."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.pieces: list[np.ndarray] = []
        self.count = 0

    def add(self, rows: np.ndarray) -> int:
        """Where the added rows begin."""
        first = self.count
        self.pieces.append(rows)
        self.count += len(rows)
        return first

    def link(self, target: np.void, rows: np.ndarray) -> None:
        """Add the effects of a target, and tell it where they are and which one is in force at 0."""
        target["first_effect"] = target["effect"] = self.add(rows)
        target["effect_count"] = len(rows)
        target["effect_until"] = rows["until"][0] if len(rows) else np.inf
        target["paused"] = rows["paused"][0] if len(rows) else 0

    def joined(self) -> np.ndarray:
        """One array; never empty, since compiled code wants something to point at."""
        return np.concatenate(self.pieces) if self.count else np.zeros(1, self.dtype)


def effect_rows(occurrences: list[Occurrence]) -> np.ndarray:
    """EFFECT rows of a target in time order (rule S32); none when no fault touches it."""
    if not occurrences:
        return np.zeros(0, P.EFFECT)
    changes = active(occurrences)
    rows = _effects_at([time for time, _ in changes])
    for row, (_, faults) in zip(rows, changes, strict=True):
        found = [fault.effect for fault in faults]
        row["outage"] = any(effect.outage for effect in found)
        row["paused"] = any(effect.pause for effect in found)
        row["slowdown"] = math.prod(effect.slowdown for effect in found)
        row["added_latency"] = sum(effect.added_latency for effect in found)
        row["error_rate"] = 1.0 - math.prod(1.0 - effect.error_rate for effect in found)
    return rows


def redrive_rows(occurrences: list[Occurrence]) -> np.ndarray:
    """EFFECT rows of a redrive (rule S65): paused but while one of its faults is active."""
    changes = active([one for one in occurrences if one.fault.effect.redrive is not None])
    rows = _effects_at([time for time, _ in changes])
    rows["paused"] = [not faults for _, faults in changes]
    rows["slowdown"] = 1.0
    return rows


def _effects_at(times: list[float]) -> np.ndarray:
    rows = np.zeros(len(times), P.EFFECT)
    rows["at"] = times
    rows["until"] = np.append(rows["at"][1:], np.inf)
    return rows


def window_rows(occurrences: list[Occurrence]) -> np.ndarray:
    """WINDOW rows in which a topic is unavailable (rule S64); windows that touch are one."""
    joined: list[list[float]] = []
    for start, end in sorted((one.start, one.end) for one in occurrences if one.fault.effect.unavailable):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    rows = np.zeros(len(joined), P.WINDOW)
    for row, (start, end) in zip(rows, joined, strict=True):
        row["at"], row["until"] = start, end
    return rows
