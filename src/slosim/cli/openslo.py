"""`slosim openslo`: the objectives for tools that measure them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.options import ScenarioFile, Sets, load_scenario
from slosim.cli.terminal import print_or_write
from slosim.files import require_other


def openslo(
    scenario: ScenarioFile,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write them here; - is stdout, as without.")
    ] = None,
) -> None:
    """Print a scenario's objectives as OpenSLO v1 documents, without simulating.

    --targets of run and check reads targets and windows from such a file.
    """
    loaded = load_scenario(scenario, sets)
    from slosim.outputs.openslo import openslo_of

    if out is not None:
        require_other(out, "the scenario itself", scenario)
    print_or_write(openslo_of(loaded.resolved()), out)
