"""One replication to simulate, and how a worker does it."""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.compile.program import Program
    from slosim.engine.run import Run
    from slosim.measure.measurements import Measurements
    from slosim.model import Scenario

PROGRAMS_KEPT = 8
"""Programs that a worker remembers; works of one scenario come after each other."""
DECISIVE = ("model", "compile", "engine", "measure", "theory", "report", "experiments")
"""Parts of slosim: distributions are in the model, and summaries judge as the report does."""
NOT_SIMULATED = ("name", "description")
"""What a scenario says that no run depends on; nor does it on the number of replications."""

OTHER_CODE = (
    "another slosim, numpy, numba or scipy than this process: results would differ; install the same versions"
)

Keep = Callable[["Scenario", "Measurements"], Any]
"""What is kept of the measurements of a replication; made where it was simulated, a function of a module."""


class Work(NamedTuple):
    """One replication of a scenario; `digest` as of `digest_of_runs`."""

    scenario: Scenario
    replication: int
    digest: str


class Done(NamedTuple):
    """A replication that is over.

    number    of its work among those that were asked for
    kept      what `keep` made of its measurements
    stopped   why it ended before its time, None: it did not
    messages  messages published to lines
    """

    number: int
    kept: Any
    stopped: str | None
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
    """SHA-256 (hex) of what decides a run and what is kept of it, wherever it is installed."""
    package = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for folder in DECISIVE:
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(f"{source.relative_to(package)}\n".encode())
            digest.update(source.read_bytes())
    for name in ("numpy", "numba", "scipy"):
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def simulate(
    scenario: Scenario | Path,
    digest: str,
    replication: int,
    keep: Keep,
    memory_limit_bytes: int,
    code: str | None = None,
    stop: threading.Event | None = None,
    active: dict[int, Run] | None = None,
    number: int = 0,
) -> Done:
    """Simulate one replication, in whatever thread, process or machine this is called.

    scenario  or the file where it is pickled
    code      `digest_of_code` of who asks, if that is another process
    active    where the run is listed by `number` while it is under way

    Raises:
        EngineError: a bug of slosim.
        UserError: this is not the code that was meant.
    """
    if code not in (None, digest_of_code()):
        raise UserError(f"a worker has {OTHER_CODE}")
    from slosim.engine.run import Run

    ready = programs.of(scenario, digest)
    run = Run(
        ready.program,
        ready.scenario.run.seed,
        replication,
        memory_limit_bytes=memory_limit_bytes,
        stop=stop or threading.Event(),
        source=ready.scenario.source.file if ready.scenario.source else "SCENARIO.yaml",
    )
    if active is not None:
        active[number] = run
    try:
        outcome = run.measure()
        kept = keep(ready.scenario, outcome.measurements)
    finally:
        if active is not None:
            del active[number]
    return Done(number, kept, outcome.stopped, run.messages)


class Ready(NamedTuple):
    """A scenario that can be simulated at once: lowered, and its code compiled."""

    scenario: Scenario
    program: Program


class _Programs:
    """The last scenarios that a worker was asked for, lowered once each."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Ready] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, scenario: Scenario | Path, digest: str) -> Ready:
        from slosim.compile.lower import lower
        from slosim.engine.run import load

        with self._lock:
            if digest not in self._kept:
                its = pickle.loads(scenario.read_bytes()) if isinstance(scenario, Path) else scenario
                program = lower(its)
                load(program)
                self._kept[digest] = Ready(its, program)
            self._kept.move_to_end(digest)
            if len(self._kept) > PROGRAMS_KEPT:
                self._kept.popitem(last=False)
            return self._kept[digest]


programs = _Programs()
"""Of this process."""
