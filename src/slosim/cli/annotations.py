"""`--annotations github`: what `run`, `check` and `validate` find, at the lines of the scenario."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli import exits
from slosim.cli.outputs import Outputs
from slosim.cli.terminal import print_out
from slosim.errors import ScenarioError, UserError

if TYPE_CHECKING:
    from slosim.model import Scenario
    from slosim.report import Report


class Style(StrEnum):
    """Who reads annotations."""

    GITHUB = "github"


Annotations = Annotated[
    Style | None,
    typer.Option(
        "--annotations",
        help="Print mistakes, missed and undecided objectives and severe findings as workflow commands, which"
        " GitHub shows at their lines of the scenario.",
        show_default=False,
    ),
]


def tell(error: ScenarioError, style: Style | None) -> None:
    """Print the mistakes of a scenario: for people, or as annotations."""
    if style is None:
        exits.complain(str(error))
        return
    from slosim.outputs.annotations import annotations_of_problems

    print_out("\n".join(annotations_of_problems(error.problems)))


def require_stdout(style: Style | None, outputs: Outputs) -> None:
    """Refuse to mix annotations with other data on stdout."""
    if style is not None and outputs.printed():
        raise UserError("--annotations goes to stdout: give a file instead of - to the other output")


def annotate(report: Report, scenario: Scenario) -> None:
    """Print the annotations of a report, if there are any, at the lines of the scenario as it was read."""
    from slosim.outputs.annotations import annotations_of

    source = scenario.source
    assert source is not None
    found = annotations_of(report.data, source.file, source.lines)
    if found:
        print_out("\n".join(found))
