"""What is drawn for each run before it starts: bursts of producers (rule S9), random faults (rule S66)."""

from __future__ import annotations

import math

import numpy as np

from slosim.compile.clocks import Occurrence, last_reading, rate_rows
from slosim.compile.program import NONE, Program
from slosim.compile.streams import key_of, numbered, stream_of, uniform
from slosim.model import Fault
from slosim.model.distributions import Distribution


def draw_faults(program: Program, run: int) -> list[Occurrence]:
    """Occurrences of the random faults up to the end of the run, in the order of the file."""
    scenario = program.timelines.scenario
    found = []
    for fault in program.timelines.random:
        assert fault.random is not None
        if fault.random.per == "instance":
            service = scenario.services[fault.target.removeprefix("services.")]
            instances = range(service.instances_at_most)
        else:
            instances = (NONE,)
        for instance in instances:
            found += _alternating(fault, instance, scenario.run.duration, run)
    return found


def _alternating(fault: Fault, instance: int, duration: float, run: int) -> list[Occurrence]:
    """Times up and down in turn, starting up; instance: the only one it hits, or NONE."""
    assert fault.random is not None
    up, down = (stream_of(key_of(f"faults.{fault.name}/{word}"), run) for word in ("up", "down"))
    identity = numbered(key_of(f"faults.{fault.name}"), max(instance, 0))
    found, time, j = [], 0.0, 0
    while True:
        start = time - fault.random.mtbf * math.log(1.0 - uniform(up, identity, j))
        if start >= duration:
            return found
        time = start - fault.random.mttr * math.log(1.0 - uniform(down, identity, j))
        found.append(Occurrence(start, time, fault, instance))
        j += 1


def draw_bursts(program: Program, arrays: dict[str, np.ndarray], run: int) -> None:
    """The on and off periods of this run, as rates."""
    for p, name, arrivals in program.bursts:
        producer = arrays["producers"][p]
        end = last_reading(producer, arrays["clocks"], float(arrays["run"]["duration"][0]))
        on, off = (
            Periods(
                getattr(arrivals, purpose),
                stream_of(key_of(f"producers.{name}/{purpose}"), run),
                int(producer["name_key"]),
            )
            for purpose in ("on", "off")
        )
        count = 64
        while on.first(count).sum() + off.first(count).sum() <= end:
            count *= 2
        widths = np.column_stack((on.first(count), off.first(count))).ravel()
        starts = np.concatenate(([0.0], np.cumsum(widths)[:-1]))
        lasts = np.append(widths[:-1] > 0.0, True)
        rows = rate_rows(starts[lasts], np.tile([arrivals.rate, arrivals.idle_rate], count)[lasts])
        producer["first_rate"] = producer["rate"] = len(arrays["rates"])
        producer["rate_count"] = len(rows)
        arrays["rates"] = np.concatenate((arrays["rates"], rows))


class Periods:
    """On or off periods of bursts, drawn by their number (rule S7)."""

    def __init__(self, distribution: Distribution, stream: int, name_key: int) -> None:
        self._distribution, self._stream, self._name_key = distribution, stream, name_key
        self._drawn = np.zeros(0)

    def first(self, count: int) -> np.ndarray:
        """The first `count` periods, s."""
        new = range(len(self._drawn), count)
        if new:
            u = np.array([uniform(self._stream, numbered(self._name_key, j)) for j in new])
            drawn = np.asarray(self._distribution.quantile(u, 1.0 - u), np.float64)
            self._drawn = np.concatenate((self._drawn, drawn))
        return self._drawn[:count]
