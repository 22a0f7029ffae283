"""`slosim check`: the gate, which fails unless every objective is met."""

from __future__ import annotations

import typer

from slosim.cli import exits
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


def check(
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
    """Simulate a scenario and fail unless it keeps its promises: a gate for pipelines.

    Exit codes:
    0 every objective is met, or none is declared
    99 one is missed or undecided
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
    code = exit_code(report)
    if code == exits.OK and report.verdict in ("missed", "undecided"):
        code = exits.NOT_MET
    raise typer.Exit(code)
