"""What the commands that simulate many runs share: their options, their file, and how they end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits, outputs
from slosim.cli.options import Machines
from slosim.cli.progress import ProgressBar
from slosim.cli.simulate import announce_compilation
from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study
    from slosim.model import Scenario

ExperimentFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help=(
            "Keep the result and all finished runs here, and go on from what is there; - prints the result"
            " as JSON and keeps nothing. Default: SCENARIO.COMMAND.json in this folder."
        ),
        show_default=False,
    ),
]


def file_of(json_file: Path | None, kind: str, *scenario_files: Path) -> Path | None:
    """Where an experiment is kept; None: nowhere."""
    if json_file is None:
        stems = "-".join(dict.fromkeys(path.stem for path in scenario_files if path.is_file())) or "scenario"
        return Path(f"{stems}.{kind}.json")
    if str(json_file) == "-":
        return None
    if any(json_file.exists() and path.exists() and json_file.samefile(path) for path in scenario_files):
        raise UserError(f"cannot write {json_file}: it is the scenario itself")
    return json_file


def replications_of(scenario: Scenario, replications: int | None) -> int:
    """Of each variant: those that were asked for, else the scenario's, if they give an interval, else 10."""
    from slosim.experiments.study import replications_of

    return replications_of(scenario, replications)


def run_experiment(
    kind: str,
    run: Callable[[Study], Result],
    scenarios: list[Scenario],
    path: Path | None,
    *,
    quiet: bool,
    machines: Machines,
) -> Result:
    """Run an experiment, keep it in its file, and print it. Ctrl-C ends in what is finished.

    path: the file as of `file_of`; None: the result is printed as JSON instead.

    Raises:
        typer.Exit: it was stopped before there was anything to show.
    """
    from slosim.experiments.store import Store
    from slosim.experiments.study import Stopped, Study
    from slosim.workers import open_workers

    memory_limit_bytes = machines.memory_limit_bytes
    store = Store(path, kind)
    try:
        for scenario in scenarios:
            announce_compilation(scenario, quiet)
        if store.found and not quiet:
            exits.complain(
                f"{path} has {store.found} finished runs; what is needed of them is not simulated again"
            )
        with (
            open_workers(machines.backend, machines.workers, machines.cluster, memory_limit_bytes) as pool,
            ProgressBar(not quiet, store.close) as bar,
        ):
            try:
                result = run(Study(pool, store, bar))
            except Stopped as stopped:
                kept = f"; what is finished is kept beside {path}" if path is not None else ""
                exits.complain(f"stopped ({stopped.reason}) before there was anything to show{kept}")
                raise typer.Exit(exits.code_of(stopped.reason)) from None
        _deliver(result, quiet, to_stdout=path is None)
        store.finish(result.data)
        if path is not None and not quiet:
            exits.complain(f"saved {path}")
    finally:
        store.close()
    return result


def _deliver(result: Result, quiet: bool, to_stdout: bool) -> None:
    if to_stdout:
        outputs.print_out(result.to_json())
    elif not quiet:
        outputs.print_text(result.to_text)


def exit_code(result: Result) -> int:
    """0 for a complete result, else why it is partial."""
    return exits.OK if result.complete else exits.code_of(result.stopped)
