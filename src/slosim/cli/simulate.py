"""What `run`, `check` and `demo` share: load, simulate, save, print."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.annotations import Style, annotate, require_stdout, tell
from slosim.cli.options import Machines, Replications, Sets, load_scenario, parse_share
from slosim.cli.outputs import Outputs
from slosim.cli.progress import ProgressBar
from slosim.errors import ScenarioError

if TYPE_CHECKING:
    from slosim.model import Scenario
    from slosim.report import Report

SAMPLE = 500
"""Messages that a trace follows, beside the slowest of each flow."""


@dataclass(frozen=True)
class Asked:
    """What is simulated, and how often."""

    sets: Sets = None
    targets: Annotated[
        Path | None,
        typer.Option(
            "--targets",
            metavar="FILE",
            help="Take targets and windows of objectives from OpenSLO v1 documents, by their names.",
            show_default=False,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="NUMBER", help="Instead of the scenario's run.seed.", min=0),
    ] = None
    replications: Replications = None
    precision: Annotated[
        str | None,
        typer.Option(
            "--precision",
            metavar="SHARE",
            help=(
                "As many replications as it takes until the 95% interval of every objective and of each"
                " flow's p99 reaches at most this far to either side, e.g. 2%; at most"
                " --replications, or 1000."
            ),
        ),
    ] = None
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            help="Keep every finished replication here, and go on from what is there.",
            show_default=False,
        ),
    ] = None


def simulate_file(
    scenario_file: Path, asked: Asked, outputs: Outputs, machines: Machines, style: Style | None = None
) -> Report:
    """Load, simulate, print and save.

    Ctrl-C and the memory limit end in a partial report. What can be refused is refused before time is spent.
    """
    memory_limit_bytes = machines.memory_limit_bytes
    precision_ratio = parse_share("--precision", asked.precision)
    require_stdout(style, outputs)
    try:
        scenario = load_scenario(scenario_file, asked.sets, asked.targets)
    except ScenarioError as error:
        tell(error, style)
        raise typer.Exit(exits.WRONG_INPUT) from None
    outputs.require(scenario_file, "scenario")
    if asked.targets is not None:
        outputs.require(asked.targets, "file of targets")
    announce_compilation(scenario, outputs.quiet)
    import slosim

    with ProgressBar(shown=not outputs.quiet) as progress:
        report = slosim.run(
            scenario,
            seed=asked.seed,
            replications=asked.replications,
            progress=progress,
            memory_limit_bytes=memory_limit_bytes,
            precision=precision_ratio,
            workers=machines.workers,
            backend=machines.backend,
            cluster=machines.cluster,
            keep=asked.keep,
            sample=None if outputs.trace is None else SAMPLE,
        )
    if (missing := sample_stopped(report)) is not None:
        exits.complain(f"no messages were followed ({missing}), so there is no trace")
        outputs = replace(outputs, trace=None)
    outputs.deliver(report, source_of(scenario_file, asked.sets, asked.targets), style is not None)
    if style is not None:
        annotate(report, scenario)
    return report


def announce_compilation(scenario: Scenario, quiet: bool) -> None:
    """The first run on a machine compiles the engine, or its mechanisms: say so before the silence."""
    if quiet:
        return
    from slosim.compile.topology import has_mechanisms
    from slosim.engine.cache import KERNEL, MECHANISMS, is_compiled

    if not is_compiled(KERNEL):
        exits.complain("Compiling the engine for this machine, once; this takes about 20 seconds ...")
    elif has_mechanisms(scenario) and not is_compiled(MECHANISMS):
        exits.complain("Compiling the mechanisms of this scenario, once; this takes about 15 seconds ...")


def source_of(scenario_file: Path, sets: list[str] | None, targets: Path | None = None) -> str | None:
    """The scenario in the command that a report names: its files without folders; None for a pipe."""
    if not scenario_file.is_file():
        return None
    changes = [word for change in sets or () for word in ("--set", change)]
    read = ["--targets", targets.name] if targets is not None else []
    command = shlex.join([scenario_file.name, *changes, *read])
    return command.encode(errors="replace").decode()  # a name of a file may hold what UTF-8 cannot write


def sample_stopped(report: Report) -> str | None:
    """Why the messages that were to be followed were not; None: they were, or nobody asked."""
    return report.data.get("sample", {}).get("stopped")


def exit_code(report: Report) -> int:
    """0 for a complete report whatever its verdict, else why it, or its sample of messages, is partial."""
    return exits.code_of(report.stopped or sample_stopped(report))
