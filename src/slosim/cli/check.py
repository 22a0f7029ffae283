"""`slosim check`: the gate, which fails unless every objective is met."""

from __future__ import annotations

import typer

from slosim.cli import exits
from slosim.cli.annotations import Annotations
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, ScenarioFile
from slosim.cli.outputs import Outputs
from slosim.cli.simulate import Asked, exit_code, simulate_file


@grouped
def check(
    scenario: ScenarioFile,
    asked: Asked,
    outputs: Outputs,
    machines: Machines,
    annotations: Annotations = None,
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
    report = simulate_file(scenario, asked, outputs, machines, annotations)
    code = exit_code(report)
    if code == exits.OK and report.verdict in ("missed", "undecided"):
        code = exits.NOT_MET
    raise typer.Exit(code)
