"""`slosim sensitivity`: what matters most, one cause at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli.experiment import ExperimentFile, exit_code, file_of, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Quiet, Replications, ScenarioFile, Sets, load_scenario, parse_share

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
    json_file: ExperimentFile = None,
    quiet: Quiet = False,
    machines: Machines,
) -> None:
    """Find what matters most: each cause 10% worse, each service with one instance more or fewer.

    slosim sensitivity a.yaml
    slosim sensitivity a.yaml --by 25%

    Exit codes: 0 a whole result, 2 wrong input, 3 out of memory, 130 interrupted.
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
        file_of(json_file, "sensitivity", scenario),
        quiet=quiet,
        machines=machines,
    )
    raise typer.Exit(exit_code(result))
