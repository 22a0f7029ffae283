"""`slosim demo`: the orders example from the installed package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli import exits
from slosim.cli.options import Machines
from slosim.cli.outputs import Outputs
from slosim.cli.simulate import Asked, exit_code, simulate_file
from slosim.cli.terminal import print_out

ORDERS = Path(__file__).parent.parent / "examples" / "orders.yaml"


def demo(
    scenario: Annotated[
        bool, typer.Option("--scenario", help="Print the scenario instead of running it.")
    ] = False,
) -> None:
    """Run the orders example: four services in a row, and an outage of the payment provider."""
    if scenario:
        print_out(ORDERS.read_text(encoding="utf-8").rstrip("\n"))
        return
    report = simulate_file(ORDERS, Asked(), Outputs(), Machines())
    exits.complain(
        "\nThe scenario behind this report: slosim demo --scenario > orders.yaml; slosim run orders.yaml"
    )
    raise typer.Exit(exit_code(report))
