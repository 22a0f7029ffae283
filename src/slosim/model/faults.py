"""What goes wrong, when, and with what effect."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from slosim.model.document import Node, Scalar
from slosim.model.fields import Broken, Record, relation, spec
from slosim.model.kinds import (
    BOOLEAN,
    DURATION,
    FACTOR,
    FREE_TEXT,
    INVALID,
    RATE,
    SHARE,
    Choice,
    Count,
    Reading,
    Reference,
    ScalarKind,
    undeclared,
)
from slosim.model.values import did_you_mean, nearest, quoted, write_duration

OCCURRENCES_MAX = 10_000
TARGETS = ("services", "topics", "producers", "dependencies")
TIMES = "for example at: 30m, for: 5m; or random: {mtbf: 2h, mttr: 5m}"
EFFECTS = {
    "outage": ("services", "dependencies"),
    "error_rate": ("services", "dependencies"),
    "slowdown": ("services", "dependencies"),
    "added_latency": ("services", "dependencies"),
    "pause": ("services", "dependencies"),
    "crash": ("services",),
    "rolling_restart": ("services",),
    "unavailable": ("topics",),
    "redrive": ("topics",),
    "rate_factor": ("producers",),
}
"""The sections whose members each effect may hit."""


@dataclass(frozen=True)
class Crash:
    """Instances that are gone while the fault lasts."""

    word = "crash"
    instances: int | None = spec(Count(1, unlimited=True, word="all"), "how many of them")


@dataclass(frozen=True)
class RollingRestart:
    """The instances of a service restart one after the other."""

    word = "rolling restart"
    pause_between: float = spec(
        DURATION, "from one instance serving again to the next one leaving", default="0s"
    )


@dataclass(frozen=True)
class Redrive:
    """Messages that rest in a topic are published to another one."""

    word = "redrive"
    to: str = spec(Reference("topics"), "where they are published")
    rate: float = spec(RATE.above_zero(), "messages per second")


@dataclass(frozen=True)
class Random:
    """Times of faults drawn at random: exponential times up, exponential times down."""

    word = "random"
    mtbf: float = spec(DURATION.above_zero(), "mean time from the end of one to the start of the next")
    mttr: float = spec(DURATION.above_zero(), "mean time that one lasts")
    per: str = spec(
        Choice(("target", "instance")),
        "target: as a whole; instance: each instance of the service by itself",
        default="target",
    )


@dataclass(frozen=True)
class Effect:
    """What a fault does to its target while it lasts; several may be combined."""

    word = "effect"
    outage: bool = spec(
        BOOLEAN, "every attempt fails at its start", default="false", written_if=lambda e: e.outage
    )
    error_rate: float = spec(
        SHARE,
        "further share of attempts that fails, combined independently with failures",
        default="0%",
        written_if=lambda e: e.error_rate > 0,
    )
    slowdown: float = spec(
        FACTOR.above_zero(), "multiplies the service time", default="1x", written_if=lambda e: e.slowdown != 1
    )
    added_latency: float = spec(
        DURATION,
        "added to the service time after the slowdown, inside the timeout",
        default="0",
        written_if=lambda e: e.added_latency > 0,
    )
    pause: bool = spec(
        BOOLEAN,
        "nothing new is taken; running attempts finish",
        default="false",
        written_if=lambda e: e.pause,
    )
    crash: Crash | None = spec(
        Record(Crash, short="instances"),
        "instances are gone: their running attempts are lost and delivered again; they are back after the "
        "fault, plus the startup_time of the service",
        optional=True,
    )
    rolling_restart: RollingRestart | None = spec(
        Record(RollingRestart),
        "the instances restart one after the other: each takes nothing more, ends its work, and starts; the "
        "fault's end is the last time at which one may begin",
        optional=True,
    )
    unavailable: bool = spec(
        BOOLEAN,
        "of a topic: publishing and taking wait",
        default="false",
        written_if=lambda e: e.unavailable,
    )
    redrive: Redrive | None = spec(
        Record(Redrive, likely="to"), "of a topic that nobody consumes: its messages go back", optional=True
    )
    rate_factor: float = spec(
        FACTOR,
        "multiplies the rate of a producer; 0x stops it",
        default="1x",
        written_if=lambda e: e.rate_factor != 1,
    )

    def active(self) -> tuple[str, ...]:
        """The effects that change something, by their key."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) != one.default)

    @relation("unavailable", "redrive")
    def redrive_needs_the_topic(self, given: set[str]) -> Iterator[Broken]:
        if self.unavailable and self.redrive is not None:
            what = "nothing can be taken from an unavailable topic, got unavailable and redrive"
            yield Broken("redrive", what, "two faults at different times")

    @relation(*EFFECTS)
    def does_something(self, given: set[str]) -> Iterator[Broken]:
        if not self.active():
            what = "the fault has no effect" + (
                f", got {', '.join(sorted(given))} at no effect" if given else ""
            )
            yield Broken("", what, f"at least one of {', '.join(EFFECTS)}")


class TargetKind(ScalarKind):
    """`services.payment`, `topics.orders`, `producers.checkout` or `dependencies.gateway`."""

    noun = "what the fault hits"
    accepted = ", ".join(f"{section}.NAME" for section in TARGETS[:-1]) + f" or {TARGETS[-1]}.NAME"

    def parse(self, text: str) -> str:
        return text

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        target = super().read(node, path, reading)
        if target is INVALID:
            return target
        assert isinstance(node, Scalar)
        section, _, name = target.partition(".")
        if section not in TARGETS or not name:
            return self.wrong_section(target, node, path, reading)
        declared = reading.names.get(section)
        return (
            target if declared is None or name in declared else undeclared(node, path, reading, section, name)
        )

    def wrong_section(self, target: str, node: Node, path: str, reading: Reading) -> Any:
        known = {f"{section}.{name}" for section in TARGETS for name in (reading.names.get(section) or ())}
        meant = [one for one in sorted(known) if one.partition(".")[2] == target] or [nearest(target, known)]
        what = f"expected {self.accepted}, got {quoted(target)}"
        return reading.problem(node, path, what, "", did_you_mean(meant[0]) if meant[0] else "")

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "string", "pattern": rf"^({'|'.join(TARGETS)})\..+$"}

    def label(self) -> str:
        return ", ".join(f"`{section}.NAME`" for section in TARGETS)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An effect on a target during [at, at + for), once or repeatedly."""

    word = "fault"
    name: str = spec(FREE_TEXT, "what people call it; unique")
    at: float | None = spec(DURATION, "start, in time since the start of the run", optional=True)
    duration: float | None = spec(DURATION.above_zero(), "how long it lasts", optional=True, key="for")
    target: str = spec(TargetKind(), "what it hits")
    effect: Effect = spec(Record(Effect), "what it does")
    repeat_every: float | None = spec(
        DURATION.above_zero(), "time from one start to the next, until the run ends", optional=True
    )
    random: Random | None = spec(
        Record(Random, likely="mtbf"), "random times, instead of at, for and repeat_every", optional=True
    )

    def target_in(self, section: str) -> str | None:
        """Name of the target, None if it is in another section."""
        found, _, name = self.target.partition(".")
        return name if found == section else None

    @property
    def is_random(self) -> bool:
        """Whether its times are drawn, so that no occurrence is known before the run."""
        return self.random is not None

    def occurrences(self, run_duration: float) -> list[tuple[float, float]]:
        """(start, end) in seconds of every occurrence that starts before the end of the run; none of a random
        fault.
        """
        if self.at is None or self.duration is None:
            return []
        if self.repeat_every is None:
            return [(self.at, self.at + self.duration)] if self.at < run_duration else []
        starts = (self.at + index * self.repeat_every for index in range(self.occurrence_count(run_duration)))
        return [(start, start + self.duration) for start in starts if start < run_duration]

    def occurrence_count(self, run_duration: float) -> int:
        """Occurrences that start before the end of the run, one more at most by rounding."""
        if self.at is None or self.at >= run_duration:
            return 0
        return 1 if self.repeat_every is None else math.ceil((run_duration - self.at) / self.repeat_every)

    @relation("duration", "repeat_every")
    def repetitions_are_apart(self, given: set[str]) -> Iterator[Broken]:
        if self.repeat_every is not None and self.duration is not None and self.repeat_every < self.duration:
            found = (
                f"got repeat_every {write_duration(self.repeat_every)} below for "
                f"{write_duration(self.duration)}"
            )
            yield Broken(
                "repeat_every",
                f"the fault would overlap itself, {found}",
                "a repetition starts after the end of the one before",
            )

    @relation("target", "effect")
    def effect_fits_target(self, given: set[str]) -> Iterator[Broken]:
        section = self.target.partition(".")[0]
        those = [name for name, sections in EFFECTS.items() if section in sections]
        for name in self.effect.active():
            if name not in those:
                suits = " and ".join(EFFECTS[name])
                what = f"{name} is an effect on {suits}, not on {section}, got target {self.target}"
                yield Broken(f"effect.{name}", what, f"effects on {section}: {', '.join(those)}")

    @relation("target", "effect", "random")
    def random_times_fit(self, given: set[str]) -> Iterator[Broken]:
        if self.random is None:
            return
        for name in ("rolling_restart", "redrive"):
            if name in self.effect.active():
                what = f"{name} is planned, it does not come at random times"
                yield Broken(f"effect.{name}", what, "at and for, instead of random")
        if self.random.per == "target":
            return
        if not self.target.startswith("services."):
            what = f"only services have instances, got target {self.target}"
            yield Broken("random.per", what, "per: target")
        elif self.effect.crash and self.effect.crash.instances != 1:
            count = self.effect.crash.instances or "all"
            what = f"with per: instance each instance crashes by itself, got {count} at once"
            yield Broken("effect.crash", what, "crash: 1; or per: target")

    @relation("at", "duration", "repeat_every", "random")
    def has_times(self, given: set[str]) -> Iterator[Broken]:
        keys = {"at": "at", "duration": "for", "repeat_every": "repeat_every"}
        if self.random is not None:
            for name in [name for name in keys if name in given]:
                what = f"{keys[name]} is not used beside random, whose times are drawn"
                yield Broken(keys[name], what, "either at and for, or random")
        elif self.at is None and self.duration is None:
            yield Broken("", "the fault has no times: neither at and for nor random is given", TIMES)
        elif self.at is None or self.duration is None:
            yield Broken("", f"{'at' if self.at is None else 'for'} is missing", TIMES)
