"""One replication, from time 0 to its end, in steps that leave room for progress, growth and Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from slosim.compile import program as P
from slosim.compile.lower import MESSAGES_PER_SLICE, lower
from slosim.engine import state as states
from slosim.engine.collect import FlowSums, collect
from slosim.engine.compiled import advance, finish, mechanisms, prepare
from slosim.errors import EngineError, Problem, ScenarioError
from slosim.measure.measurements import Measurements
from slosim.model import Scenario

STEPS_PER_S = 10.0
"""How often a run comes back to Python."""
EVENTS_PER_STEP = 1_000_000
"""At most, so that it comes back soon whatever happens in simulated time."""
SLICES_LEAST, SLICES_MOST = 100, 1_000_000
"""Of a whole run: progress shows after each, and slices in which nothing happens cost time too."""
MEMORY_LIMIT_BYTES = 4 << 30

INTERRUPTED = "interrupted"
MEMORY_LIMIT = "memory limit"


class Outcome(NamedTuple):
    """What a run measured, and why it stopped before its end (None: it did not)."""

    measurements: Measurements
    stopped: str | None


def load(program: P.Program) -> None:
    """Compile what a program needs, or load it, before threads ask for it."""
    if program.arrays["run"]["mechanisms"][0]:
        mechanisms()


@dataclass
class Run:
    """One replication of a program.

    memory_limit_bytes  what the state may take, with the copy that growing it needs
    slice_s             length of the time slices, s (0: by the rate of messages); changes no result
    watch               is given every event, as rows of P.TRACE_ROW, part by part as they happen
    stop                set from another thread: come to an end at the next opportunity
    source              the scenario's file, for the command that replays a bug
    """

    program: P.Program
    seed: int
    replication: int = 0
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    slice_s: float = 0.0
    watch: Callable[[np.ndarray], None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    source: str = "SCENARIO.yaml"

    def __post_init__(self) -> None:
        self.state = states.new_state(self.program, self.seed, self.replication, self.watch is not None)
        self.sums = FlowSums(len(self.state.flows))
        self.duration = float(self.state.run[0].duration)
        messages = self.program.expected_messages_per_s * self.duration
        slices = min(max(messages / MESSAGES_PER_SLICE, SLICES_LEAST), SLICES_MOST)
        self.slice_s = self.slice_s or self.duration / slices
        self.until = 0.0
        self.messages = 0
        self.is_full = False
        needed = mechanisms() if self.state.run[0].mechanisms else None
        self.kernel = needed.advance if needed else advance
        with np.errstate(over="ignore"):
            prepare(self.state)
            if needed:
                needed.prepare(self.state)

    def measure(self) -> Outcome:
        """Run to the end, or until `stop` is set or memory runs out.

        Raises:
            EngineError: a bug of slosim.
        """
        step = self.slice_s
        while self.until < self.duration and not self.stop.is_set() and not self.is_full:
            began = time.perf_counter()
            self.advance(min(self.duration, self.until + step))
            took = max(time.perf_counter() - began, 1e-6)
            step *= min(4.0, max(0.25, 1.0 / (STEPS_PER_S * took)))
        stopped = None
        if self.until < self.duration:
            stopped = MEMORY_LIMIT if self.is_full else INTERRUPTED
        return Outcome(self.collect(), stopped)

    def advance(self, until: float) -> None:
        """Advance every group to `until`, s; less far when the run is to stop or memory runs out."""
        run = self.state.run
        run["budget"] = EVENTS_PER_STEP
        with np.errstate(over="ignore"):
            while (code := self.kernel(self.state, until, self.slice_s)) != P.DONE:
                self._make_room(code)
                run = self.state.run
                self.messages = int(run[0].published)
                if self.is_full or self.stop.is_set():
                    until = self._reached()
                    break
        self.until = until
        self.messages = int(run[0].published)

    def _reached(self) -> float:
        """Where the service that is furthest behind is, within a slice."""
        groups = self.state.groups
        now = groups["now"][groups["producer"] < 0]
        return max(float(self.state.run[0].slice_start), float(now.min()) if len(now) else 0.0)

    def collect(self) -> Measurements:
        """Measurements up to where the run is; it cannot go on afterwards."""
        if self.watch is not None:
            self._tell()
        with np.errstate(over="ignore"):
            finish(self.state, self.until)
        try:
            return collect(self.state, self.program.names, self.sums, self.replication, self.until)
        except EngineError as error:
            raise EngineError(error.message, self.replay) from None

    def _make_room(self, code: int) -> None:
        state = self.state
        if code == P.NEEDS_MESSAGES:
            # growing copies: for a moment there are the old and the new
            self.is_full = 3 * states.bytes_of(state) > self.memory_limit_bytes
            if not self.is_full:
                self.state = states.grow_messages(state, 2 * len(state.messages))
        elif code == P.NEEDS_CALENDAR:
            group = int(state.run[0].group)
            self.state = states.grow_calendar(state, group, 2 * int(state.groups[group].heap_capacity))
        elif code == P.NEEDS_TRACE:
            self._tell()
        elif code == P.NEEDS_PAUSE:
            state.run["budget"] = EVENTS_PER_STEP
            if state.flows["latency_ticks"].max() > P.FOLD_AT:
                self.sums.fold(state)
        else:
            self._fail(code)

    def _tell(self) -> None:
        """Hand on the rows of the trace, and make room for more."""
        assert self.watch is not None
        run = self.state.run[0]
        if run.trace_count == 0:  # one event needs more than there is
            run.trace_capacity *= 2
            self.state = self.state.replaced(
                trace=states.as_records(np.zeros(run.trace_capacity, P.TRACE_ROW))
            )
        else:
            self.watch(self.state.trace[: run.trace_count].copy())
        run.trace_count = 0

    def _fail(self, code: int) -> None:
        run = self.state.run[0]
        if code == P.ENDLESS:
            raise ScenarioError([self._endless_loop()])
        raise EngineError(
            f"event in the past: message {int(run.impossible_message)} at {float(run.impossible_time)!r} s "
            f"while the clock is at {float(run.impossible_now)!r} s",
            self.replay,
        )

    def _endless_loop(self) -> Problem:
        """Chance let through what the checks of the language cannot refuse: a loop that hardly ever ends."""
        group = self.state.groups[self.state.run[0].group]
        members = self.state.members[group.first_service :][: group.service_count]
        names = ", ".join(self.program.names.services[s] for s in members)
        return Problem(
            self.source,
            None,
            "services",
            f"messages go round {names} at one instant without end, at {float(group.now)!r} s",
            "a service time, a delay, or a retry interval above 0 on the way round",
        )

    @property
    def replay(self) -> str:
        """The command that runs this replication again."""
        return f"slosim run {self.source} --seed {self.seed} --replications {self.replication + 1}"


class Event(NamedTuple):
    """One row of a trace: what happened where to which message (number from 0, path of rule S3).

    Of an instance or a whole service: no producer, and the number of the instance or -1.
    """

    time_s: float
    what: str
    where: str
    producer: str
    number: int
    path: int
    attempt: int
    value: float


class Trace(NamedTuple):
    """Every event of one replication, by where it happened (in handling order), and its measurements."""

    events: list[Event]
    measurements: Measurements


def _event(row: np.void, places: tuple[tuple[str, ...], ...]) -> Event:
    """An event from its row; those of services and instances have no producer."""
    origin, attempt = int(row["origin"]), int(row["attempt"])
    of_message = origin >= 0
    return Event(
        float(row["time"]),
        P.TRACE_WORDS[row["what"]],
        places[row["where_kind"]][row["where"]],
        places[P.AT_PRODUCER][origin >> 48] if of_message else "",
        origin & (1 << 48) - 1 if of_message else attempt,
        int(row["path"]),
        attempt if of_message else 0,
        float(row["value"]),
    )


def trace(scenario: Scenario, seed: int | None = None, replication: int = 0, slice_s: float = 0.0) -> Trace:
    """Run one replication and keep every event. For small runs: tests, and looking at what happened."""
    program, seed = lower(scenario), scenario.run.seed if seed is None else seed
    parts: list[np.ndarray] = [np.zeros(0, P.TRACE_ROW)]
    measurements = Run(program, seed, replication, slice_s=slice_s, watch=parts.append).measure().measurements
    rows = np.concatenate(parts)
    rows = rows[rows["where_kind"] != P.AT_FLOW]
    places = (program.names.services, program.names.topics, program.names.producers)
    events = [_event(row, places) for row in rows]
    order = [name for group in places for name in group]
    return Trace(sorted(events, key=lambda event: order.index(event.where)), measurements)
