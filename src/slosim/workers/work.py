"""One replication to simulate, and how a worker does it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from slosim.compile.program import Program
    from slosim.engine.run import Run
    from slosim.measure.measurements import Measurements
    from slosim.model import Scenario

PROGRAMS_KEPT = 8
"""Programs that a worker remembers; works of one scenario come after each other."""
NOT_SIMULATED = ("name", "description")
"""What a scenario says that no run depends on; nor does it on the number of replications."""

Keep = Callable[["Scenario", "Measurements"], Any]
"""What is kept of the measurements of a replication; made where it was simulated, a function of a module."""


class Work(NamedTuple):
    """One replication of a scenario; `digest` as of `digest_of_runs`."""

    scenario: Scenario
    replication: int
    digest: str


class Done(NamedTuple):
    """A replication that is over.

    number       of its work among those that were asked for
    kept         what `keep` made of its measurements
    stopped      why it ended before its time, None: it did not
    simulated_s  simulated time
    messages     messages published to lines
    """

    number: int
    kept: Any
    stopped: str | None
    simulated_s: float
    messages: int


def digest_of_runs(scenario: Scenario) -> str:
    """SHA-256 (hex) of all that decides what replication k of a scenario measures, for every k.

    That is the resolved scenario with the content of its files, without name, description and number of
    replications, and the code: slosim's and that of the packages whose rounding shows.
    """
    resolved = scenario.resolved()
    decisive = {key: value for key, value in resolved.items() if key not in NOT_SIMULATED}
    decisive["run"] = {key: value for key, value in resolved["run"].items() if key != "replications"}
    text = json.dumps([decisive, scenario.digests_of_files(), digest_of_code()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def digest_of_code() -> str:
    """SHA-256 (hex) of what simulates and measures, wherever it is installed."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in ("compile", "engine", "measure"):
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(f"{source.relative_to(package)}\n".encode())
            digest.update(source.read_bytes())
    for name in ("numpy", "numba", "scipy"):
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def simulate(
    work: Work,
    keep: Keep,
    memory_limit_bytes: int,
    stop: threading.Event | None = None,
    active: dict[int, Run] | None = None,
    number: int = 0,
) -> Done:
    """Simulate one replication, in whatever thread, process or machine this is called.

    active: where the run is listed by `number` while it is under way.

    Raises:
        EngineError: a bug of slosim.
    """
    from slosim.engine.run import Run

    scenario = work.scenario
    run = Run(
        _programs.of(work),
        scenario.run.seed,
        work.replication,
        memory_limit_bytes=memory_limit_bytes,
        stop=stop or threading.Event(),
        source=scenario.source.file if scenario.source else "SCENARIO.yaml",
    )
    if active is not None:
        active[number] = run
    try:
        outcome = run.measure()
        kept = keep(scenario, outcome.measurements)
    finally:
        if active is not None:
            del active[number]
    return Done(number, kept, outcome.stopped, run.until, run.messages)


class _Programs:
    """The programs of the last scenarios, lowered once each and with their code compiled."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Program] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, work: Work) -> Program:
        from slosim.compile.lower import lower
        from slosim.engine.run import load

        with self._lock:
            if work.digest not in self._kept:
                program = lower(work.scenario)
                load(program)
                self._kept[work.digest] = program
            self._kept.move_to_end(work.digest)
            if len(self._kept) > PROGRAMS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[work.digest]


_programs = _Programs()
prepared = _programs.of
"""The program of a work, which the next `simulate` of its scenario finds ready."""
