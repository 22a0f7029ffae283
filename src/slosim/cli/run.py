"""`slosim run`: simulate a scenario and report."""

from __future__ import annotations

import typer

from slosim.cli.annotations import Annotations
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, ScenarioFile
from slosim.cli.outputs import Outputs
from slosim.cli.simulate import Asked, exit_code, simulate_file


@grouped
def run(
    scenario: ScenarioFile,
    asked: Asked,
    outputs: Outputs,
    machines: Machines,
    annotations: Annotations = None,
) -> None:
    """Simulate a scenario and print its SLO report.

    Exit codes:
    0 a whole report, whatever its verdict
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial report
    130 interrupted, with a partial report
    1 a fault of slosim
    """
    report = simulate_file(scenario, asked, outputs, machines, annotations)
    raise typer.Exit(exit_code(report))
