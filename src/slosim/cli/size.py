"""`slosim size`: the cheapest configuration that keeps every promise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.experiment import Results, command_of, exit_code, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Replications, ScenarioFile, Sets, load_scenario
from slosim.cli.simulate import source_of

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study


@grouped
def size(
    scenario: ScenarioFile,
    *,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary",
            metavar="PATH=VALUES",
            help="What may change: services.*.instances=1..40 (each by itself), a list 6,12,24. Repeatable.",
        ),
    ] = None,
    survive: Annotated[
        int,
        typer.Option(
            "--survive",
            metavar="COUNT",
            help="With so many instances of any one service missing, too.",
            min=0,
        ),
    ] = 0,
    drain: Annotated[
        str | None,
        typer.Option(
            "--drain",
            metavar="OUTAGE",
            help="'services.payment 5m in 10m': an outage whose backlog must be gone in time; or ... at 40m.",
        ),
    ] = None,
    peak: Annotated[
        str | None, typer.Option("--peak", metavar="FACTOR", help="At so many times the load, e.g. 2x.")
    ] = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(
            "--cost",
            metavar="PATH=AMOUNT",
            help="What one unit of a path costs per hour; instances have cost_per_instance_hour. Repeatable.",
        ),
    ] = None,
    objective: Annotated[
        list[str] | None, typer.Option("--objective", metavar="NAME", help="Only this objective. Repeatable.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="NAME", help="All but this objective. Repeatable.")
    ] = None,
    sets: Sets = None,
    replications: Replications = None,
    results: Results,
    machines: Machines,
) -> None:
    """Find the cheapest configuration that meets every objective, and prove it by what fails below it.

    slosim size a.yaml --vary 'services.*.instances=1..40' --survive 1 --peak 2x

    Exit codes:
    0 found
    99 nothing in the ranges will do
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial result
    130 interrupted, with a partial result
    1 a fault of slosim
    """
    from slosim.experiments.size.cases import parse_peak
    from slosim.experiments.size.search import answered, asked

    began = time.monotonic()
    loaded = load_scenario(scenario, sets)
    count = replications_of(loaded, replications)
    its = asked(
        loaded, vary or (), survive, parse_peak(peak), drain, cost or (), objective or (), ignore or ()
    )
    simulated = 0

    def run(study: Study) -> Result:
        nonlocal simulated
        result = answered(its, study, count)
        simulated = study.simulated
        return result

    result = run_experiment(
        "size",
        run,
        [its.scenario],
        results.file("size", scenario),
        results=results,
        machines=machines,
        command=command_of(
            "size",
            source_of(scenario, sets),
            replications,
            vary=vary,
            survive=str(survive) if survive else None,
            drain=drain,
            peak=peak,
            cost=cost,
            objective=objective,
            ignore=ignore,
        ),
    )
    if not results.quiet:
        exits.complain(f"{simulated:,} runs simulated, {time.monotonic() - began:.1f} s in all")
    code = exit_code(result)
    raise typer.Exit(exits.NOT_MET if code == exits.OK and result.data["answer"] is None else code)
