"""`slosim run`: simulate a scenario and report."""

from __future__ import annotations

import typer

from slosim.cli.options import Backend, Cluster, ScenarioFile, Sets, WorkerCount
from slosim.cli.simulate import (
    HtmlFile,
    JsonFile,
    Keep,
    MemoryLimit,
    OutFolder,
    Precision,
    Quiet,
    Replications,
    Seed,
    exit_code,
    simulate_file,
)


def run(
    scenario: ScenarioFile,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    out: OutFolder = None,
    seed: Seed = None,
    replications: Replications = None,
    sets: Sets = None,
    quiet: Quiet = False,
    memory_limit: MemoryLimit = None,
    precision: Precision = None,
    workers: WorkerCount = None,
    backend: Backend = "threads",
    cluster: Cluster = None,
    keep: Keep = None,
) -> None:
    """Simulate a scenario and print its SLO report.

    Exit codes:
    0 a whole report, whatever its verdict
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial report
    130 interrupted, with a partial report
    1 a fault of slosim
    """
    report = simulate_file(
        scenario,
        json_file=json_file,
        html_file=html_file,
        out=out,
        seed=seed,
        replications=replications,
        sets=sets,
        quiet=quiet,
        memory_limit=memory_limit,
        precision=precision,
        workers=workers,
        backend=backend,
        cluster=cluster,
        keep=keep,
    )
    raise typer.Exit(exit_code(report))
