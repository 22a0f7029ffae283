"""When producers publish: readings of their clocks (S9) and the times at which the clocks show them (S8)."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from slosim.engine.reference.chance import Chance, identity_of


def publish_times(
    name: str, producer: Any, faults: list[tuple[float, float, float]], end_s: float, chance: Chance
) -> Iterator[float]:
    """Times of the publishes of a producer before the end of the run, s, in order.

    faults  (start_s, end_s, factor) of every occurrence of a rate fault on this producer
    """
    clock = Clock(producer.arrivals, faults, end_s)
    for reading in readings(name, producer, clock.reading_at_end, chance):
        time_s = clock.time_of(reading)
        if time_s >= end_s:
            return
        yield time_s


class Stretch(NamedTuple):
    """A part of a run in which a clock's factor is a straight line."""

    start_s: float
    end_s: float
    factor_at_start: float
    factor_at_end: float
    reading_at_start: float
    reading_at_end: float


class Clock:
    """S8: a clock that runs at factor(t) = profile x rate faults."""

    def __init__(self, arrivals: Any, faults: list[tuple[float, float, float]], end_s: float) -> None:
        self.profile: tuple[Any, ...] = getattr(arrivals, "profile", ())
        self.repeat_s = getattr(arrivals, "repeat", None)
        self.faults = faults
        self.is_time = not self.profile and not faults
        self.stretches: list[Stretch] = []
        reading = 0.0
        edges = self.edges(end_s)
        for start_s, stop_s in itertools.pairwise(edges):
            first, last = self.factors(start_s, stop_s)
            following = reading + (first + last) / 2 * (stop_s - start_s)
            self.stretches.append(Stretch(start_s, stop_s, first, last, reading, following))
            reading = following
        self.reading_at_end = end_s if self.is_time else reading

    def edges(self, end_s: float) -> list[float]:
        """Instants at which the factor may jump or bend, from 0 to the end."""
        points = {edge for start, stop, _ in self.faults for edge in (start, stop)}
        cycles = 1 if self.repeat_s is None else math.ceil(end_s / self.repeat_s)
        for cycle in range(cycles):
            origin = 0.0 if self.repeat_s is None else cycle * self.repeat_s
            points.add(origin)
            points |= {
                origin + point.at
                for point in self.profile
                if self.repeat_s is None or point.at < self.repeat_s
            }
        return [0.0, *sorted(point for point in points if 0 < point < end_s), end_s]

    def factors(self, start_s: float, stop_s: float) -> tuple[float, float]:
        """The factor at both ends of a stretch, seen from inside it."""
        middle = (start_s + stop_s) / 2
        origin = 0.0 if self.repeat_s is None else math.floor(middle / self.repeat_s) * self.repeat_s
        fault = math.prod(factor for start, stop, factor in self.faults if start <= middle < stop)
        first, last = (self.profile_at(edge - origin, middle - origin) for edge in (start_s, stop_s))
        return fault * first, fault * last

    def profile_at(self, at: float, inside: float) -> float:
        """The profile's factor at a time, on the line on which `inside` lies."""
        points = self.profile
        following = bisect_right([point.at for point in points], inside)
        if following == 0:
            return points[0].factor if points else 1.0
        if following == len(points):
            return points[-1].factor
        a, b = points[following - 1], points[following]
        return a.factor + (b.factor - a.factor) * ((at - a.at) / (b.at - a.at))

    def time_of(self, reading: float) -> float:
        """The first time at which the clock shows a reading; infinite if it does not before the end."""
        if self.is_time:
            return reading
        for stretch in self.stretches:
            if reading <= stretch.reading_at_end:
                first, length = stretch.factor_at_start, stretch.end_s - stretch.start_s
                slope = (stretch.factor_at_end - first) / length
                missing = reading - stretch.reading_at_start
                if missing <= 0:
                    return stretch.start_s
                if slope == 0:
                    return stretch.start_s + missing / first
                root = math.sqrt(max(0.0, first * first + 2 * slope * missing))
                return stretch.start_s + 2 * missing / (first + root)
        return math.inf


def readings(name: str, producer: Any, until: float, chance: Chance) -> Iterator[float]:
    """S9: the clock readings at which a producer publishes; those above `until` may be missing."""
    arrivals = producer.arrivals

    def gap(publish: int) -> Any:
        return chance.uniform(f"producers.{name}/gap", identity_of(name, publish * producer.copies))

    publish, reading, trial = 0, 0.0, -1
    match arrivals.kind:
        case "poisson":
            while reading <= until:
                reading += -math.log(gap(publish).q) / arrivals.rate
                yield reading
                publish += 1
        case "interarrival":
            while reading <= until:
                reading += chance.draw(
                    arrivals.gap, f"producers.{name}/gap", identity_of(name, publish * producer.copies)
                )
                yield reading
                publish += 1
        case "every":
            while publish * arrivals.interval <= until:
                yield publish * arrivals.interval
                publish += 1
        case "bernoulli":
            while trial * arrivals.every <= until and arrivals.probability > 0:
                if arrivals.probability == 1:
                    trial += 1
                else:
                    trial += 1 + math.floor(math.log(gap(publish).q) / math.log1p(-arrivals.probability))
                yield trial * arrivals.every
                publish += 1
        case "trace":
            yield from (float(time_s) for time_s in arrivals.times)
        case "counts" | "bursts":
            needed = -math.log(
                gap(publish).q
            )  # integrated rate from the start of the period to the next publish
            for start, stop, rate in rate_periods(name, arrivals, until, chance):
                at = start
                while rate > 0 and needed <= (stop - at) * rate:
                    at += needed / rate
                    yield at
                    publish += 1
                    needed = -math.log(gap(publish).q)
                needed -= (stop - at) * rate
        case other:
            raise AssertionError(f"no such arrivals: {other}")


def rate_periods(
    name: str, arrivals: Any, until: float, chance: Chance
) -> Iterator[tuple[float, float, float]]:
    """S9: (start, end, rate) of the rows of counts, or of the on and off periods of bursts, on the clock."""
    if arrivals.kind == "counts":
        for start, stop, count in zip(arrivals.starts, arrivals.ends, arrivals.counts, strict=True):
            yield float(start), float(stop), float(count) / (float(stop) - float(start))
        return
    period, start = 0, 0.0
    while start <= until:
        word, rate = ("off", arrivals.idle_rate) if period % 2 else ("on", arrivals.rate)
        length = chance.draw(
            getattr(arrivals, word), f"producers.{name}/{word}", identity_of(name, period // 2)
        )
        yield start, start + length, rate
        start += length
        period += 1
