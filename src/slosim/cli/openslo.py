"""`slosim openslo`: the objectives for tools that measure them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli.options import ScenarioFile, Sets, load_scenario
from slosim.cli.outputs import is_stdout
from slosim.cli.terminal import print_out
from slosim.errors import UserError
from slosim.files import require_writable, write_whole


def openslo(
    scenario: ScenarioFile,
    sets: Sets = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write them here; - is stdout, as without.")
    ] = None,
) -> None:
    """Print a scenario's objectives as OpenSLO v1 documents, without simulating.

    --targets FILE of run and check reads targets and windows back.
    """
    loaded = load_scenario(scenario, sets)
    from slosim.outputs.openslo import openslo_of

    text = openslo_of(loaded.resolved())
    if out is None or is_stdout(out):
        print_out(text)
        return
    if out.exists() and out.samefile(scenario):
        raise UserError(f"cannot write {out}: it is the scenario itself")
    require_writable(out)
    write_whole(out, text)
