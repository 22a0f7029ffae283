"""`slosim break`: what breaks it first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli.experiment import Results, command_of, exit_code, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Replications, ScenarioFile, Sets, load_scenario
from slosim.cli.simulate import source_of

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study


@grouped
def break_(
    scenario: ScenarioFile,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help=(
                "Only this kind of stress, or only on this part, e.g. load, outage, services.payment."
                " Repeatable."
            ),
        ),
    ] = None,
    keep_faults: Annotated[
        bool | None,
        typer.Option(
            "--with-faults/--without-faults",
            help=(
                "Whether the scenario's own faults stay while others are tried. Default: yes, unless they"
                " are why an objective is missed; then each of them is tried from short to long."
            ),
            show_default=False,
        ),
    ] = None,
    sets: Sets = None,
    replications: Replications = None,
    results: Results,
    machines: Machines,
) -> None:
    """Find what breaks it first: each stress is raised until an objective is missed, nearest to normal first.

    slosim break a.yaml
    slosim break a.yaml --only load --only outage

    Exit codes:
    0 a whole result
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial result
    130 interrupted, with a partial result
    1 a fault of slosim
    """
    loaded = load_scenario(scenario, sets)
    count = replications_of(loaded, replications)
    source = source_of(scenario, sets)

    def run(study: Study) -> Result:
        from slosim.experiments.breaks.search import find_breaks

        return find_breaks(loaded, study, count, only or (), keep_faults, source)

    result = run_experiment(
        "break",
        run,
        [loaded],
        results.file("break", scenario),
        results=results,
        machines=machines,
        command=command_of(
            "break",
            source,
            replications,
            only=only,
            with_faults=keep_faults,
            without_faults=keep_faults is False,
        ),
    )
    raise typer.Exit(exit_code(result))
