"""The experiments from Python: each opens its own workers, and keeps its runs in a file if it is given one.

They share these options:

    replications        of each variant; default the scenario's if it has at least 2, else 10
    file                where the result and all finished runs are kept, and gone on with
    progress            called about ten times a second
    workers, backend, cluster, memory_limit_bytes
                        as of `slosim.run`; none of them changes a byte of a result

All raise ScenarioError and UserError for mistakes in what is asked for, Stopped when they are interrupted
before there is anything to tell, and EngineError for a bug of slosim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from slosim.experiments.breaks import search as breaks
from slosim.experiments.compare import compare as comparison
from slosim.experiments.result import Result
from slosim.experiments.sensitivity import sensitivity as causes
from slosim.experiments.size import search as sizes
from slosim.experiments.store import Store
from slosim.experiments.study import Study, replications_of
from slosim.experiments.sweep import sweep as grid
from slosim.experiments.vary import parse_axes
from slosim.model import Scenario
from slosim.simulation import Tell
from slosim.workers import open_workers


class Options(TypedDict, total=False):
    """What every experiment may be given, see above."""

    replications: int | None
    file: Path | str | None
    progress: Tell | None
    workers: int | None
    backend: str
    cluster: str | None
    memory_limit_bytes: int | None


def compare(before: Scenario, after: Scenario, **options: Unpack[Options]) -> Result:
    """What changes from one scenario to another on identical work, and which objectives flip."""

    def ask(study: Study, count: int) -> Result:
        return comparison.compare(before, after, study, count)

    return _answered("compare", before, options, ask)


def sweep(scenario: Scenario, vary: Sequence[str], **options: Unpack[Options]) -> Result:
    """Every combination of some values; vary: `PATH=VALUES` each, as on the command line."""
    axes = parse_axes(vary, scenario)

    def ask(study: Study, count: int) -> Result:
        return grid.sweep(scenario, axes, study, count)

    return _answered("sweep", scenario, options, ask)


def sensitivity(scenario: Scenario, by_ratio: float = causes.BY_RATIO, **options: Unpack[Options]) -> Result:
    """What a little more of each cause does, one at a time; by_ratio: how much more."""

    def ask(study: Study, count: int) -> Result:
        return causes.sensitivity(scenario, study, count, by_ratio)

    return _answered("sensitivity", scenario, options, ask)


def size(
    scenario: Scenario,
    vary: Sequence[str],
    *,
    survive: int = 0,
    peak: float = 1.0,
    drain: str | None = None,
    costs: Sequence[str] = (),
    only: Sequence[str] = (),
    ignore: Sequence[str] = (),
    **options: Unpack[Options],
) -> Result:
    """The cheapest configuration that meets every objective with confidence; `answer` None: there is none.

    Args:
        vary: `PATH=VALUES` each; a `*` stands for each name by itself.
        survive: so many instances of one service may be missing, of each service in turn.
        peak: factor on every producer's rate, for the whole run.
        drain: `services.payment 5m in 10m`: such an outage must be drained in that time.
        costs: `PATH=AMOUNT` each: what one unit of a path costs.
        only, ignore: names of the objectives that count, or do not; one of them.
    """
    asked = sizes.asked(scenario, vary, survive, peak, drain, costs, only, ignore)

    def ask(study: Study, count: int) -> Result:
        return sizes.answered(asked, study, count)

    return _answered("size", scenario, options, ask)


def find_breaks(
    scenario: Scenario,
    only: Sequence[str] = (),
    keep_faults: bool | None = None,
    **options: Unpack[Options],
) -> Result:
    """What breaks a system first: stresses raised until an objective is missed.

    Args:
        only: kinds or targets of the stresses to try; all without any.
        keep_faults: whether the declared faults stay; None: unless they are why an objective is missed.
    """

    def ask(study: Study, count: int) -> Result:
        return breaks.find_breaks(scenario, study, count, only, keep_faults)

    return _answered("break", scenario, options, ask)


def _answered(kind: str, scenario: Scenario, options: Options, ask: Callable[[Study, int], Result]) -> Result:
    count = replications_of(scenario, options.get("replications"))
    file = options.get("file")
    store = Store(None if file is None else Path(file), kind)
    try:
        with open_workers(
            options.get("backend", "threads"),
            options.get("workers"),
            options.get("cluster"),
            options.get("memory_limit_bytes"),
        ) as workers:
            result = ask(Study(workers, store, options.get("progress")), count)
        store.finish(result.data)
    finally:
        store.close()
    return result
