"""`slosim sweep`: every combination of some values, on identical work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.experiment import Results, command_of, exit_code, replications_of, run_experiment
from slosim.cli.grouped import grouped
from slosim.cli.options import Machines, Replications, ScenarioFile, Sets, load_scenario
from slosim.cli.simulate import source_of
from slosim.cli.terminal import is_stdout, print_out, require_one_stdout
from slosim.errors import UserError
from slosim.files import require_other, require_writable, write_whole

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.experiments.study import Study

Varies = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="PATH=VALUES",
        help=(
            "What to try: a list 6,12,24; whole numbers 2..12; five values 100/s..400/s:5; by factors"
            " 1..64:x2. Repeatable: the whole grid."
        ),
        show_default=False,
    ),
]


@grouped
def sweep(
    scenario: ScenarioFile,
    *,
    varies: Varies = None,
    sets: Sets = None,
    replications: Replications = None,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            help="Write a table here, a row per variant; - is stdout.",
            show_default=False,
        ),
    ] = None,
    results: Results,
    machines: Machines,
) -> None:
    """Try every combination of some values: verdicts, where objectives flip, all numbers.

    slosim sweep a.yaml --vary services.payment.instances=2..6
    slosim sweep a.yaml --vary services.payment.instances=2..6 --vary producers.shop.arrivals.poisson=4/s,8/s

    Exit codes:
    0 a whole result
    2 the scenario or the command line is wrong
    3 stopped at the memory limit, or all workers lost, with a partial result
    130 interrupted, with a partial result
    1 a fault of slosim
    """
    if not varies:
        raise UserError(
            "nothing to vary: give --vary PATH=VALUES, e.g. --vary services.payment.instances=2..6"
        )
    base = load_scenario(scenario, sets)
    count = replications_of(base, replications)
    path = results.file("sweep", scenario)
    require_one_stdout(csv_file, results.json, results.html)
    if is_stdout(csv_file):
        results = replace(results, quiet=True)  # the table stands alone
    elif csv_file is not None:
        _require_place(csv_file, scenario, {"--json": path, "--html": results.html})
    from slosim.experiments.vary import parse_axes, variants

    axes = parse_axes(varies, base)
    made = variants(base, axes)

    def run(study: Study) -> Result:
        from slosim.experiments.sweep.sweep import sweep

        return sweep(base, axes, study, count, made)

    result = run_experiment(
        "sweep",
        run,
        [base, made[-1]],
        path,
        results=results,
        machines=machines,
        command=command_of("sweep", source_of(scenario, sets), replications, vary=varies),
    )
    if csv_file is not None:
        from slosim.experiments.sweep.sweep import table_of

        table = table_of(result.data)
        if is_stdout(csv_file):
            print_out(table)
        else:
            write_whole(csv_file, table)
            if not results.quiet:
                exits.complain(f"saved {csv_file}")
    raise typer.Exit(exit_code(result))


def _require_place(csv_file: Path, scenario: Path, others: dict[str, Path | None]) -> None:
    """Refuse a place for the table that cannot be written to, or that holds something else."""
    require_writable(csv_file)
    require_other(csv_file, "the scenario itself", scenario)
    for option, other in others.items():
        if other is not None:
            require_other(csv_file, f"the file of {option}", other)
