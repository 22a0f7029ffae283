"""`slosim validate`: is the file right?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slosim.cli import exits
from slosim.cli.annotations import Annotations, tell
from slosim.cli.options import Sets, load_scenario
from slosim.cli.terminal import print_out, shielded
from slosim.errors import ScenarioError


def validate(
    scenarios: Annotated[
        list[Path], typer.Argument(metavar="SCENARIO", help="Scenarios, YAML files.", show_default=False)
    ],
    sets: Sets = None,
    annotations: Annotations = None,
) -> None:
    """Check scenarios without running them; every mistake is listed, each with its line.

    Exit codes:
    0 all are valid
    2 one is not, or the command line is wrong
    """
    code = exits.OK
    for path in scenarios:
        try:
            scenario = load_scenario(path, sets)
        except ScenarioError as error:
            tell(error, annotations)
            code = exits.WRONG_INPUT
            continue
        parts = {
            "topic": scenario.topics, "producer": scenario.producers, "service": scenario.services,
            "fault": scenario.faults, "objective": scenario.objectives,
        }  # fmt: skip
        counted = ", ".join(
            f"{len(part)} {word}{'' if len(part) == 1 else 's'}" for word, part in parts.items()
        )
        line = f"{path}: valid ({counted})"
        print_out(line if annotations is None else shielded(line))
    raise typer.Exit(code)
