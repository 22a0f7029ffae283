"""The scenario: one event-driven system, what goes wrong in it, and what it promises."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slosim.model.arrivals import Counts, Trace
from slosim.model.dependencies import Dependency
from slosim.model.distributions import Distribution, Empirical
from slosim.model.document import MapNode
from slosim.model.faults import Fault
from slosim.model.fields import Broken, Record, relation, spec
from slosim.model.kinds import DESCRIPTION, DURATION, FREE_TEXT, Count, ListOf, MapOf
from slosim.model.promises import Flow, Objective
from slosim.model.topology import Producer, Service, Topic
from slosim.model.values import write_duration

SAMPLES_MAX = 1_000_000
DURATION_MAX = 2**53 * 1e-6
"""Longest run, s (285 years): beyond it a clock does not resolve a microsecond."""
REPLICATIONS_MAX = 100_000


@dataclass(frozen=True)
class Run:
    """How long, how often and from which seed the system is simulated."""

    word = "run"
    duration: float = spec(DURATION.above_zero(), "simulated time: the run covers [0, duration)")
    warmup: float = spec(
        DURATION, "start of the measured part: everything counts what happens at or after it", default="0"
    )
    seed: int = spec(Count(0), "chooses the random numbers; the same seed gives the same report", default="0")
    replications: int = spec(Count(1), "independent runs; intervals need at least 2", default="1")
    sample_every: float = spec(
        DURATION.above_zero(),
        "distance of the samples of every series",
        default="duration / 1000",
        derive=lambda run: run["duration"] / 1000,
    )

    @relation("duration")
    def duration_resolves(self, given: set[str]) -> Iterator[Broken]:
        if self.duration > DURATION_MAX:
            what = f"expected at most {DURATION_MAX / 86400:,.0f}d, got {write_duration(self.duration)}"
            yield Broken("duration", what, "a longer run would lose the microseconds")

    @relation("replications")
    def replications_end(self, given: set[str]) -> Iterator[Broken]:
        if self.replications > REPLICATIONS_MAX:
            what = f"expected at most {REPLICATIONS_MAX:,}, got {self.replications:,}"
            yield Broken("replications", what)

    @relation("duration", "warmup")
    def warmup_ends(self, given: set[str]) -> Iterator[Broken]:
        if self.warmup >= self.duration:
            found = f"got warmup {write_duration(self.warmup)} of duration {write_duration(self.duration)}"
            yield Broken("warmup", f"the warm-up must end before the run does, {found}")

    @relation("duration", "sample_every")
    def samples_fit(self, given: set[str]) -> Iterator[Broken]:
        found = (
            f"got sample_every {write_duration(self.sample_every)} of duration "
            f"{write_duration(self.duration)}"
        )
        if self.sample_every > self.duration:
            yield Broken("sample_every", f"the first sample lies beyond the end of the run, {found}")
        elif self.duration / self.sample_every > SAMPLES_MAX:
            yield Broken("sample_every", f"more than {SAMPLES_MAX:,} samples of every series, {found}")


@dataclass(frozen=True)
class Source:
    """How a scenario came to be: its document, the folder of its files, and the line of each field."""

    document: MapNode
    base: Path | None
    file: str
    lines: Mapping[str, int | None]

    def line(self, path: str) -> int | None:
        """Line of a field in `file`, None where it was not written or has no lines."""
        return self.lines.get(path)


@dataclass(frozen=True, kw_only=True, init=False)
class Scenario:
    """One event-driven system: what it is made of, what goes wrong, and what it promises.

    Everything is filled in: plain numbers in seconds, per second and ratios. Built in code from the same
    structure as a file: `Scenario(name="x", run={"duration": "2h"}, topics={…}, …)`.

    Raises:
        ScenarioError: with every mistake at once.
    """

    word = "scenario"
    name: str = spec(FREE_TEXT, "what people call it")
    description: str = spec(
        DESCRIPTION, "anything worth saying about it", default="", written_if=lambda s: bool(s.description)
    )
    run: Run = spec(Record(Run), "how it is simulated")
    topics: dict[str, Topic] = spec(MapOf(Record(Topic), "topics"), "where messages wait")
    producers: dict[str, Producer] = spec(MapOf(Record(Producer), "producers"), "who publishes from outside")
    services: dict[str, Service] = spec(
        MapOf(Record(Service), "services"), "who works on messages", optional=True
    )
    dependencies: dict[str, Dependency] = spec(
        MapOf(Record(Dependency), "dependencies"), "what services call inside their attempts", optional=True
    )
    faults: tuple[Fault, ...] = spec(ListOf(Record(Fault), 0), "what goes wrong", default="[]")
    flows: dict[str, Flow] = spec(
        MapOf(Record(Flow), "flows"),
        "paths through the system that are measured from end to end; absent: one for each producer, named "
        "after it, to the last services reachable from it",
        optional=True,
    )
    objectives: tuple[Objective, ...] = spec(ListOf(Record(Objective), 0), "what is promised", default="[]")
    source: Source | None = dataclasses.field(default=None, compare=False, repr=False)

    def __init__(self, **sections: Any) -> None:
        from slosim.model.load import read_sections

        _fill(self, read_sections(sections))

    @staticmethod
    def from_dict(sections: Mapping[str, Any], base: Path | str | None = None) -> Scenario:
        """A scenario from a dict in the form of a file, such as `resolved()` gives.

        base  folder of the files that it names; the current one by default

        Raises:
            ScenarioError: with every mistake at once.
        """
        from slosim.model.load import read_sections

        return assembled(read_sections(sections, Path(base) if base is not None else None))

    def resolved(self) -> dict[str, Any]:
        """The scenario in the language's own form with every default filled in; as JSON it loads again."""
        return Record(Scenario).write(self)

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of `resolved()` and of the content of the files it names."""
        content = [self.resolved(), self.digests_of_files()]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def digests_of_files(self) -> dict[str, str]:
        """SHA-256 (hex) of the content of each file that the scenario names, by the path of its field."""
        return dict(sorted(_contents(self, "")))

    def replace(self, changes: Mapping[str, Any]) -> Scenario:
        """A scenario with some values changed: `replace({"services.payment.instances": 6})`.

        Paths are those of `--set`; values are written as in a file. Defaults that follow from others follow
        the change.

        Raises:
            ScenarioError: an unknown path, or a scenario that is no longer valid.
        """
        from slosim.model.load import changed

        return changed(self, changes.items())


def assembled(values: Mapping[str, Any]) -> Scenario:
    """A scenario of values that were already checked."""
    scenario = object.__new__(Scenario)
    _fill(scenario, values)
    return scenario


def _fill(scenario: Scenario, values: Mapping[str, Any]) -> None:
    for one in dataclasses.fields(Scenario):
        object.__setattr__(scenario, one.name, values[one.name])


def _contents(part: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, SHA-256) of every file that was read for the scenario."""
    if isinstance(part, (Trace, Counts, Empirical)):
        yield path, part.content
    elif isinstance(part, dict):
        for name, inner in part.items():
            yield from _contents(inner, f"{path}.{name}")
    elif isinstance(part, tuple):
        for index, inner in enumerate(part):
            yield from _contents(inner, f"{path}[{index}]")
    if dataclasses.is_dataclass(part) and not isinstance(part, (Source, Trace, Counts)):
        for one in dataclasses.fields(part):
            inner = getattr(part, one.name)
            if isinstance(inner, (dict, tuple, Distribution)) or dataclasses.is_dataclass(inner):
                yield from _contents(inner, f"{path}.{one.name}".lstrip("."))
