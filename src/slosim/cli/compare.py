"""`slosim compare`: two variants on identical work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli.experiment import Results, command_of, exit_code, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Replications, ScenarioFile, Sets, load_scenario
from slosim.cli.simulate import source_of
from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study


@grouped
def compare(
    scenario: ScenarioFile,
    other: Annotated[
        Path | None,
        typer.Argument(
            metavar="OTHER", help="The second variant; absent: the first with --set.", show_default=False
        ),
    ] = None,
    *,
    sets: Sets = None,
    replications: Replications = None,
    results: Results,
    machines: Machines,
) -> None:
    """Compare two variants on identical work: what changes, by how much, which objectives flip.

    slosim compare a.yaml b.yaml
    slosim compare a.yaml --set services.payment.instances=6

    --set changes the second variant.

    Exit codes:
    0 a whole result
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial result
    130 interrupted, with a partial result
    1 a fault of slosim
    """
    if other is None and not sets:
        raise UserError("nothing to compare with: name a second scenario, or change the first with --set")
    before = load_scenario(scenario, None)
    after = load_scenario(other or scenario, sets)
    count = replications_of(before, replications)
    names = (source_of(scenario, None) or "before", source_of(other or scenario, sets) or "after")

    def run(study: Study) -> Result:
        from slosim.experiments.compare.compare import compare

        return compare(before, after, study, count, names)

    result = run_experiment(
        "compare",
        run,
        [before, after],
        results.file("compare", scenario, other or scenario),
        results=results,
        machines=machines,
        command=command_of("compare", _sources(scenario, other, sets), replications),
    )
    raise typer.Exit(exit_code(result))


def _sources(scenario: Path, other: Path | None, sets: list[str] | None) -> str | None:
    """Both variants in a command line."""
    if other is None:
        return source_of(scenario, sets)
    its = (source_of(scenario, None), source_of(other, sets))
    return None if None in its else " ".join(map(str, its))
