"""What earlier commands saved, read back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from slosim.cli.exits import DEBUG_VARIABLE
from slosim.errors import UserError

if TYPE_CHECKING:
    from slosim.experiments.result import Result
    from slosim.report import Report

NAME_MOST = 40
"""Columns of the name of a run."""
EXPECTED = (
    "expected a report as `slosim run SCENARIO --json FILE` writes it, or the file of an experiment (`slosim"
    " compare`, `sweep`, `sensitivity`, `size`, `break`)"
)


def read_saved(path: Path) -> Report | Result:
    """The report, or the result of an experiment, in a file.

    Raises:
        UserError: it cannot be read, is neither, is not whole, or is of another format.
    """
    return _saved(path, _read(path))


def _saved(path: Path, data: dict[str, Any]) -> Report | Result:
    found = data.get("format")
    from slosim.report import Report
    from slosim.report.content import FORMAT

    if found == FORMAT:
        from slosim.report.schema import mistake_in

        if (mistake := mistake_in(data)) is not None:
            raise UserError(f"{path}: not a whole report, {mistake}: {EXPECTED}")
        return Report(data)
    if not isinstance(found, str):
        raise UserError(f"{path}: not a report: {EXPECTED}")
    from slosim.experiments.kinds import FORMATS, KINDS
    from slosim.experiments.result import Result

    if found in FORMATS:
        parts = ("version", "stopped", *KINDS[FORMATS[found]].parts)
        _require(parts, data, f"{path}: not a whole result of slosim {FORMATS[found]}")
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
    from slosim.experiments.kinds import FORMATS
    from slosim.report import Report

    data = _read(path)
    saved = None if data.get("format") in FORMATS else _saved(path, data)
    if isinstance(saved, Report):
        return saved
    raise UserError(
        f"{path}: an experiment, and a report is wanted here, as `slosim run SCENARIO --json FILE` writes it"
    )


@contextmanager
def made_of(*paths: Path) -> Generator[None]:
    """Inside, what was read from these files is put to use; where it does not fit together, they are blamed.

    Raises:
        UserError: parts of a file contradict each other, as after an edit. With `--debug` the fault itself.
    """
    try:
        yield
    except UnicodeError:
        raise
    except (ArithmeticError, AttributeError, LookupError, StopIteration, TypeError, ValueError) as fault:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        names = " or ".join(dict.fromkeys(map(str, paths)))
        raise UserError(
            f"{names}: what is in it does not fit together ({type(fault).__name__}: {fault}). Was it changed"
            " by hand? Simulate its scenario again, or see with --debug where it was needed"
        ) from None


def run_names(paths: Sequence[Path], scenarios: Sequence[str]) -> list[str]:
    """Short names that tell the runs of these files apart: of the file, the scenario or the folder."""
    folders = [f"{path.resolve().parent.name}/{path.stem}" for path in paths]
    for names in ([path.stem for path in paths], list(scenarios), folders):
        if len({_short(name) for name in names}) == len(names):
            return [_short(name) for name in names]
    return [f"{_short(path.stem)} {number}" for number, path in enumerate(paths, start=1)]


def _short(name: str) -> str:
    from slosim.report.layout import clean, cut

    return cut(clean(name), NAME_MOST)


def _runs_so_far(path: Path) -> str:
    """That a file is not there yet, but finished runs are."""
    from slosim.experiments.store import journal_of

    if not journal_of(path).is_file():
        return ""
    return "; an experiment was stopped before it had a result; the command that began it goes on from there"


def _require(parts: Sequence[str], data: dict[str, Any], complaint: str) -> None:
    missing = [part for part in parts if part not in data]
    if missing:
        raise UserError(f"{complaint}, {missing[0]!r} is missing: {EXPECTED}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text, parse_float=_number, parse_constant=_number)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()  # escapes can write halves of letters
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}{_runs_so_far(path)}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}): {EXPECTED}") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a report: {EXPECTED}")
    return cast("dict[str, Any]", data)


def _number(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"{word} is no finite number")
    return number
