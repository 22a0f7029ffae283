"""Arrival processes: when a producer publishes."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from slosim.model import series_files
from slosim.model.distribution_kind import DISTRIBUTION
from slosim.model.distributions import Distribution
from slosim.model.document import Node, Scalar
from slosim.model.fields import Broken, Record, Spec, relation, spec
from slosim.model.kinds import (
    DURATION,
    FACTOR,
    FILE_NAME,
    FREE_TEXT,
    INVALID,
    RATE,
    SHARE,
    SIZE,
    ListOf,
    Reading,
)
from slosim.model.values import did_you_mean, write_duration
from slosim.model.variants import Form, Variants


@dataclass(frozen=True)
class ProfilePoint:
    """The factor on the producer's rate at one time; straight lines join the points."""

    word = "profile point"
    at: float = spec(DURATION, "time since the start of the run, or of the repetition")
    factor: float = spec(FACTOR, "multiplies the rate; 0x means no arrivals")


@dataclass(frozen=True, kw_only=True)
class Profiled:
    """Arrivals whose clock a profile stretches.

    `profile` is empty without one; `repeat` is its period in seconds.
    """

    profile: tuple[ProfilePoint, ...] = ()
    repeat: float | None = None


@dataclass(frozen=True)
class Poisson(Profiled):
    """Poisson arrivals, the first after one gap."""

    kind = word = "poisson"
    rate: float = spec(RATE.above_zero(), "mean arrivals per second", key="poisson")


@dataclass(frozen=True)
class Interarrival(Profiled):
    """Independent gaps from a distribution, the first arrival after one gap."""

    kind = word = "interarrival"
    gap: Distribution = spec(DISTRIBUTION, "time between arrivals", key="interarrival")

    @relation("gap")
    def gap_is_positive(self, given: set[str]) -> Iterator[Broken]:
        if self.gap.mean() <= 0:
            yield Broken(
                "", "every gap is 0: infinitely many arrivals at once", "a distribution with a mean above 0"
            )


@dataclass(frozen=True)
class Every(Profiled):
    """One arrival per interval, the first at 0."""

    kind = word = "every"
    interval: float = spec(DURATION.above_zero(), "time between arrivals", key="every")


@dataclass(frozen=True)
class Bernoulli:
    """An arrival with some probability at 0 and at each multiple of `every`."""

    kind = word = "bernoulli"
    probability: float = spec(SHARE, "chance of an arrival at each tick")
    every: float = spec(DURATION.above_zero(), "time between ticks, the first at 0")


@dataclass(frozen=True)
class Trace:
    """Arrivals at the times of a file, the first shifted to 0.

    `times` are seconds, ascending; `keys` are as many texts, or None.
    """

    kind = word = "trace"
    file: str = spec(FILE_NAME, "CSV file with a header row, relative to the folder of the scenario file")
    time: str = spec(
        FREE_TEXT, "column with the timestamps, sorted: ISO 8601, or seconds or milliseconds since any moment"
    )
    key: str | None = spec(FREE_TEXT, "column with the keys of the messages; absent: no key", optional=True)
    times: Sequence[float] = field(default=(), repr=False)
    keys: list[str] | None = field(default=None, repr=False)
    content: str = ""  # SHA-256 of the file

    def completed(self, path: str, node: Node, reading: Reading) -> Any:
        series = series_files.read_trace(self, path, reading)
        if series is INVALID:
            return INVALID
        return dataclasses.replace(self, times=series.values, keys=series.keys, content=series.content)


@dataclass(frozen=True)
class Counts:
    """Poisson arrivals with the counts per interval of a file.

    Row i covers [starts[i], ends[i]) seconds with counts[i] arrivals on average; the first start is 0.
    """

    kind = word = "counts"
    file: str = spec(FILE_NAME, "CSV file with a header row, relative to the folder of the scenario file")
    time: str = spec(
        FREE_TEXT, "column with the start of each interval, sorted; the last is as long as the one before"
    )
    count: str = spec(FREE_TEXT, "column with the number of arrivals in the interval")
    starts: Sequence[float] = field(default=(), repr=False)
    counts: Sequence[float] = field(default=(), repr=False)
    ends: Sequence[float] = field(default=(), repr=False)
    content: str = ""  # SHA-256 of the file

    def completed(self, path: str, node: Node, reading: Reading) -> Any:
        series = series_files.read_counts(self, path, reading)
        if series is INVALID:
            return INVALID
        return dataclasses.replace(
            self, starts=series.values, ends=series.ends, counts=series.counts, content=series.content
        )


@dataclass(frozen=True)
class Bursts:
    """Poisson arrivals that switch on and off, starting on."""

    kind = word = "bursts"
    rate: float = spec(RATE.above_zero(), "arrivals per second while on")
    on: Distribution = spec(DISTRIBUTION, "how long a burst lasts")
    off: Distribution = spec(DISTRIBUTION, "how long the pause between bursts lasts")
    idle_rate: float = spec(RATE, "arrivals per second while off", default="0")

    @relation("on")
    def bursts_last(self, given: set[str]) -> Iterator[Broken]:
        if self.on.mean() <= 0:
            yield Broken(
                "on", "every burst lasts 0: nothing ever arrives in one", "a distribution with a mean above 0"
            )


@dataclass(frozen=True)
class Clients:
    """A closed loop: each client thinks, publishes one message, and waits until its flow instance ends."""

    kind = word = "clients"
    count: int = spec(SIZE, "number of clients; each starts thinking")
    think_time: Distribution = spec(DISTRIBUTION, "from the end of a flow instance to the next message")


Arrivals = Poisson | Interarrival | Every | Bernoulli | Trace | Counts | Bursts | Clients


class ArrivalsKind(Variants):
    """Arrivals with an optional profile beside them."""

    def mistaken(self, node: Node, path: str, reading: Reading, suggestion: str) -> Any:
        if isinstance(node, Scalar) and re.fullmatch(r"[0-9.]+/[a-z]+", node.text):
            suggestion = did_you_mean(f"{{poisson: {node.text}}}")
        return super().mistaken(node, path, reading, suggestion)

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        made = super().read(node, path, reading)
        if not isinstance(made, Profiled):
            return made
        faults = list(_profile_faults(made))
        for key, what, accepted in faults:
            where = f"{path}.{key}"
            reading.problem(reading.at(where), where, what, accepted)
        return INVALID if faults else made


def _profile_faults(made: Profiled) -> Iterator[tuple[str, str, str]]:
    """(key, what is wrong, what would be accepted)"""
    times = [point.at for point in made.profile]
    for index, (before, after) in enumerate(itertools.pairwise(times), start=1):
        if after < before:
            what = (
                f"points must be sorted by time, got {write_duration(after)} after {write_duration(before)}"
            )
            yield f"profile[{index}].at", what, "two points at one time make a step"
    if made.profile and all(point.factor == 0 for point in made.profile):
        yield "profile", "every factor is 0: nothing ever arrives", "at least one point above 0x"
    if made.repeat is None:
        return
    if not made.profile:
        yield "repeat", "there is no profile to repeat", "profile: [{at: 0s, factor: 1x}, …] beside it"
    elif times[-1] > made.repeat:
        what = f"the profile is longer than the period, got a point at {write_duration(times[-1])}"
        yield (
            "repeat",
            f"{what} and repeat {write_duration(made.repeat)}",
            "every point must lie within the period",
        )


FORMS = {
    "poisson": Form(Poisson, "{poisson: 120/s}", single="poisson"),
    "interarrival": Form(Interarrival, "{interarrival: {gamma: {mean: 10ms, cv: 2}}}", single="interarrival"),
    "every": Form(Every, "{every: 10ms}", single="every"),
    "bernoulli": Form(Bernoulli, "{bernoulli: {probability: 12%, every: 1s}}"),
    "trace": Form(Trace, "{trace: {file: arrivals.csv, time: timestamp, key: customer}}"),
    "counts": Form(Counts, "{counts: {file: requests.csv, time: timestamp, count: value}}"),
    "bursts": Form(Bursts, "{bursts: {rate: 100/s, on: {exponential: 10s}, off: {exponential: 50s}}}"),
    "clients": Form(Clients, "{clients: {count: 20, think_time: {exponential: 5s}}}"),
}
_EXTRAS = {
    "profile": Spec(
        "profile",
        ListOf(Record(ProfilePoint)),
        "how the rate changes: straight lines between the points, the first and the last factor hold",
        False,
        None,
        None,
        lambda owner: bool(owner.profile),
    ),
    "repeat": Spec(
        "repeat",
        DURATION.above_zero(),
        "period after which the profile starts again",
        False,
        None,
        None,
        lambda owner: True,
    ),
}
ARRIVALS = ArrivalsKind(
    "Arrivals",
    "an arrival process",
    "one of the forms such as {poisson: 120/s} or {every: 10ms}",
    FORMS,
    _EXTRAS,
)
