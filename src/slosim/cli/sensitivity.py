"""`slosim sensitivity`: what matters most, one cause at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli.experiment import Results, command_of, exit_code, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Replications, ScenarioFile, Sets, load_scenario, parse_share
from slosim.cli.simulate import source_of

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study


@grouped
def sensitivity(
    scenario: ScenarioFile,
    *,
    by: Annotated[
        str, typer.Option("--by", metavar="SHARE", help="How much more of each time, share and rate.")
    ] = "10%",
    sets: Sets = None,
    replications: Replications = None,
    results: Results,
    machines: Machines,
) -> None:
    """Find what matters most: each cause 10% worse, each service with one instance more or fewer.

    slosim sensitivity a.yaml
    slosim sensitivity a.yaml --by 25%

    Exit codes:
    0 a whole result
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial result
    130 interrupted, with a partial result
    1 a fault of slosim
    """
    by_ratio = parse_share("--by", by)
    assert by_ratio is not None
    base = load_scenario(scenario, sets)
    count = replications_of(base, replications)

    def run(study: Study) -> Result:
        from slosim.experiments.sensitivity.sensitivity import sensitivity

        return sensitivity(base, study, count, by_ratio)

    result = run_experiment(
        "sensitivity",
        run,
        [base],
        results.file("sensitivity", scenario),
        results=results,
        machines=machines,
        command=command_of("sensitivity", source_of(scenario, sets), replications, by=by),
    )
    raise typer.Exit(exit_code(result))
