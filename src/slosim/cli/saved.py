"""What earlier commands saved, read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.experiments.result import Result
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
EXPECTED = (
    "expected a report as `slosim run SCENARIO --json FILE` writes it, or the file of an experiment (`slosim"
    " compare`, `sweep`, `sensitivity`, `size`, `break`)"
)


def read_saved(path: Path) -> Report | Result:
    """The report, or the result of an experiment, in a file.

    Raises:
        UserError: it cannot be read, is neither, is not whole, or is of another format.
    """
    data = _read(path)
    found = data.get("format")
    from slosim.report import Report
    from slosim.report.content import FORMAT

    if found == FORMAT:
        missing = [part for part in PARTS if part not in data]
        if missing:
            raise UserError(f"{path}: not a whole report, {missing[0]!r} is missing: {EXPECTED}")
        return Report(data)
    if not isinstance(found, str):
        raise UserError(f"{path}: not a report: {EXPECTED}")
    from slosim.experiments.result import FORMATS, Result

    if found in FORMATS:
        return Result(data)
    for known in (FORMAT, *FORMATS):
        if found.split("/")[0] == known.split("/")[0]:
            raise UserError(
                f"{path}: of format {found}, and this slosim reads {known}. Run its scenario again"
                " (`scenario.resolved` in a report), or use the version that wrote it (`version` in the file)"
            )
    raise UserError(f"{path}: a {found}: {EXPECTED}")


def read_report(path: Path) -> Report:
    """The report in a file.

    Raises:
        UserError: as `read_saved`, or it is an experiment.
    """
    from slosim.report import Report

    saved = read_saved(path)
    if isinstance(saved, Report):
        return saved
    raise UserError(
        f"{path}: an experiment, and a report is wanted here, as `slosim run SCENARIO --json FILE` writes it"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}): {EXPECTED}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a report: {EXPECTED}")
    return cast("dict[str, Any]", data)
