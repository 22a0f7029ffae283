"""What goes wrong, when, and with what effect."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from slosim.model import unsupported
from slosim.model.document import Node, Scalar
from slosim.model.fields import Broken, Record, relation, spec
from slosim.model.kinds import (
    BOOLEAN,
    DURATION,
    FACTOR,
    FREE_TEXT,
    INVALID,
    SHARE,
    Reading,
    ScalarKind,
    undeclared,
)
from slosim.model.values import did_you_mean, nearest, quoted, write_duration

OCCURRENCES_MAX = 10_000
TARGETS = ("services", "producers")
OF_PRODUCERS = ("rate_factor",)


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
    rate_factor: float = spec(
        FACTOR,
        "multiplies the rate of a producer; 0x stops it",
        default="1x",
        written_if=lambda e: e.rate_factor != 1,
    )

    def active(self) -> tuple[str, ...]:
        """The effects that change something, by their key."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) != one.default)

    @relation("outage", "error_rate", "slowdown", "added_latency", "pause", "rate_factor")
    def does_something(self, given: set[str]) -> Iterator[Broken]:
        if not self.active():
            what = "the fault has no effect" + (
                f", got {', '.join(sorted(given))} at no effect" if given else ""
            )
            yield Broken(
                "", what, "at least one of outage, error_rate, slowdown, added_latency, pause, rate_factor"
            )


class TargetKind(ScalarKind):
    """`services.payment` or `producers.checkout`."""

    noun = "what the fault hits"
    accepted = "services.NAME or producers.NAME"

    def parse(self, text: str) -> str:
        return text

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        target = super().read(node, path, reading)
        if target is INVALID:
            return target
        assert isinstance(node, Scalar)
        section, _, name = target.partition(".")
        if section in unsupported.FAULT_TARGETS:
            return reading.problem(
                node,
                path,
                f"faults of {section}: not supported yet, got {quoted(target)}",
                unsupported.NOT_YET,
            )
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
        return {"type": "string", "pattern": r"^(services|producers)\..+$"}

    def label(self) -> str:
        return "`services.NAME` or `producers.NAME`"


@dataclass(frozen=True)
class Fault:
    """An effect on a target during [at, at + for), once or repeatedly."""

    word = "fault"
    name: str = spec(FREE_TEXT, "what people call it; unique")
    at: float = spec(DURATION, "start, in time since the start of the run")
    duration: float = spec(DURATION.above_zero(), "how long it lasts", key="for")
    target: str = spec(TargetKind(), "what it hits")
    effect: Effect = spec(Record(Effect), "what it does")
    repeat_every: float | None = spec(
        DURATION.above_zero(), "time from one start to the next, until the run ends", optional=True
    )

    def occurrences(self, run_duration: float) -> list[tuple[float, float]]:
        """(start, end) in seconds of every occurrence that starts before the end of the run."""
        if self.repeat_every is None:
            return [(self.at, self.at + self.duration)] if self.at < run_duration else []
        starts = (self.at + index * self.repeat_every for index in range(self.occurrence_count(run_duration)))
        return [(start, start + self.duration) for start in starts if start < run_duration]

    def occurrence_count(self, run_duration: float) -> int:
        """Occurrences that start before the end of the run, one more at most by rounding."""
        if self.at >= run_duration:
            return 0
        return 1 if self.repeat_every is None else math.ceil((run_duration - self.at) / self.repeat_every)

    @relation("duration", "repeat_every")
    def repetitions_are_apart(self, given: set[str]) -> Iterator[Broken]:
        if self.repeat_every is not None and self.repeat_every < self.duration:
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
        on_producer = self.target.startswith("producers.")
        for name in self.effect.active():
            if (name in OF_PRODUCERS) != on_producer:
                right, suits = (
                    ("services", "producers") if name in OF_PRODUCERS else ("producers", "services")
                )
                accepted = (
                    "rate_factor is the one effect on a producer"
                    if on_producer
                    else "effects on a service: outage, error_rate, slowdown, added_latency, pause"
                )
                yield Broken(
                    f"effect.{name}",
                    f"{name} is an effect on {suits}, not on {right}, got target {self.target}",
                    accepted,
                )
