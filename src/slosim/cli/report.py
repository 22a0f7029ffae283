"""`slosim report`: show a saved report again, without simulating."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from slosim.cli.grouped import grouped
from slosim.cli.outputs import Outputs
from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.report import Report

PARTS = [
    "scenario",
    "run",
    "verdict",
    "objectives",
    "flows",
    "services",
    "topics",
    "dependencies",
    "faults",
    "findings",
]
"""What every report has."""
FORMS = "expected a report as `slosim run SCENARIO --json FILE` writes it"


@grouped
def report(
    report_file: Annotated[
        Path, typer.Argument(metavar="REPORT", help="A report that --json saved.", show_default=False)
    ],
    outputs: Outputs,
) -> None:
    """Print a saved report, or make a page of it, without simulating again.

    Exit codes:
    0 done, whatever its verdict
    2 the file is no report of this version, or the command line is wrong
    1 a fault of slosim
    """
    saved = saved_report(report_file)
    outputs.require(report_file, "report")
    outputs.deliver(saved, None)


def saved_report(path: Path) -> Report:
    """The report in a file.

    Raises:
        UserError: it cannot be read, is no report, or is one of another format.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}): {FORMS}") from None
    found = cast("dict[str, Any]", data).get("format") if isinstance(data, dict) else None
    from slosim.report import Report
    from slosim.report.content import FORMAT

    if found == FORMAT:
        missing = [part for part in PARTS if part not in data]
        if missing:
            raise UserError(f"{path}: not a whole report, {missing[0]!r} is missing: {FORMS}")
        return Report(cast("dict[str, Any]", data))
    if isinstance(found, str) and found.startswith(FORMAT.split("/")[0] + "/"):
        raise UserError(
            f"{path}: a report of format {found}, and this slosim reads {FORMAT}. Run its scenario again"
            " (`scenario.resolved` in the file), or use the version that wrote it (`run.version`)"
        )
    raise UserError(f"{path}: {f'a {found}' if isinstance(found, str) else 'not a report'}: {FORMS}")
