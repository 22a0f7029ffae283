"""CSV files that a scenario names: timestamps of arrivals, counts per interval, values of a distribution.

A file is read once per scenario. Every fault is reported with the file, its row and the column, and at most
`FAULTS_MAX` of one file. Times may be ISO 8601, or numbers: seconds, milliseconds, microseconds or
nanoseconds, told apart by their magnitude, one form per file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import operator
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from slosim.errors import Problem, ScenarioError
from slosim.model import values
from slosim.model.document import decode, read_bytes
from slosim.model.kinds import INVALID, Reading
from slosim.model.values import did_you_mean, listed, nearest, quoted, show

PARQUET = "Parquet files: not supported yet"
BYTES_MAX = 256 * 1024 * 1024
FAULTS_MAX = 5
# largest magnitude of a number that is a time in this unit: 1e11 s is the year 5138, 1e11 ms the year 1973
EPOCHS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (math.inf, 1_000_000_000))


@dataclass
class Table:
    """A CSV file: its content hash, header, and columns of the rows that hold data."""

    shown: str
    content: str
    header: list[str]
    rows: list[list[str]]
    numbers: Sequence[int]  # line in the file of each row

    def cells(self, column: int) -> list[str]:
        return [row[column] for row in self.rows]


@dataclass
class Series:
    """Numbers of a file, and the SHA-256 of that file."""

    values: array
    content: str
    keys: list[str] | None = None
    ends: array = field(default_factory=lambda: array("d"))
    counts: array = field(default_factory=lambda: array("d"))


class FileFault(Exception):
    """Faults of a data file, collected."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__(problems)


# --- what the model asks for
# -----------------------------------------------------------------------------------------


def read_durations(source: Any, path: str, reading: Reading) -> Any:
    """The column of an `empirical` distribution as sorted seconds, or INVALID."""

    def read(table: Table) -> Series:
        cells = _cells(table, source.column)
        try:
            seconds = list(map(float, cells))
        except ValueError:
            seconds = [
                _parsed(table, row, source.column, cell, values.parse_duration)
                for row, cell in enumerate(cells)
            ]
        _refuse_numbers(table, source.column, cells, seconds, "a duration")
        return Series(array("d", sorted(seconds)), table.content)

    return _read(source.file, path, reading, ("durations", source.column), read)


def read_trace(source: Any, path: str, reading: Reading) -> Any:
    """Times and keys of a `trace` as seconds since its first row, or INVALID."""

    def read(table: Table) -> Series:
        times = _times(table, source.time)
        _refuse_disorder(table, source.time, times, strictly=False)
        keys = _cells(table, source.key) if source.key else None
        return Series(times, table.content, keys=keys)

    return _read(source.file, path, reading, ("trace", source.time, source.key), read)


def read_counts(source: Any, path: str, reading: Reading) -> Any:
    """Row i of `counts` covers [values[i], ends[i]); the last is as long as the one before. Or INVALID."""

    def read(table: Table) -> Series:
        starts = _times(table, source.time)
        cells = _cells(table, source.count)
        counts = [_number(table, row, source.count, cell) for row, cell in enumerate(cells)]
        _refuse_numbers(table, source.count, cells, counts, "a count")
        _refuse_disorder(table, source.time, starts, strictly=True)
        if len(starts) < 2:
            raise _fault(
                table,
                0,
                source.time,
                "expected at least two rows, got 1",
                "the last interval is as long as the one before",
            )
        ends = starts[1:]
        ends.append(2 * starts[-1] - starts[-2])
        return Series(starts, table.content, ends=ends, counts=array("d", counts))

    return _read(source.file, path, reading, ("counts", source.time, source.count), read)


def _read(file: str, path: str, reading: Reading, purpose: tuple, read: Callable[[Table], Series]) -> Any:
    """The series of a file; faults become problems, of the field where the file cannot be read at all."""
    where = f"{path}.file"
    if (file, purpose) in reading.files:
        return reading.files[file, purpose]
    try:
        if file not in reading.files:
            reading.files[file] = _table(file, reading.base)
        series = read(reading.files[file])
    except ScenarioError as fault:
        problem = fault.problems[0]
        if problem.line is None:
            return reading.problem(
                reading.at(where),
                where,
                f"{problem.file}: {problem.what}",
                problem.accepted,
                problem.suggestion,
            )
        reading.problems.extend(fault.problems)
        series = INVALID
    except FileFault as fault:
        reading.problems.extend(fault.problems)
        series = INVALID
    reading.files[file, purpose] = series
    return series


# --- tables
# ---------------------------------------------------------------------------------------------------------


def _table(file: str, base: Path | None) -> Table:
    """A CSV file with a header row; trailing blank lines are allowed, others and ragged rows are faults."""
    if file.lower().endswith((".parquet", ".pq")):
        shown = show(file, 200)
        raise ScenarioError([Problem(shown, None, "", PARQUET, "a CSV file with a header row is expected")])
    place = (base or Path()) / Path(file).expanduser()
    data = read_bytes(place, show(file, 200).strip("'"), BYTES_MAX, "a CSV file")
    shown = show(file, 200).strip("'")
    if data[:4] == b"PAR1":
        raise ScenarioError([Problem(shown, None, "", PARQUET, "a CSV file with a header row is expected")])
    text = decode(data, shown)
    content = hashlib.sha256(data).hexdigest()
    rows, numbers = _rows(text, shown)
    if not rows:
        raise ScenarioError(
            [Problem(shown, 1, "", "the file is empty", "a header row and at least one row are expected")]
        )
    header = [name.strip() for name in rows[0]]
    table = Table(shown, content, header, rows[1:], numbers[1:])
    _refuse_header(table)
    _refuse_ragged(table)
    return table


def _rows(text: str, shown: str) -> tuple[list[list[str]], Sequence[int]]:
    """Rows without the blank lines at the end, and the line on which each begins."""
    end = len(text.rstrip("\r\n \t,;"))
    text = text[: max(end, 0)]
    sample = text[: text.find("\n")] if "\n" in text else text
    comma = max(",;\t", key=sample.count) if sample.count(",") == 0 else ","
    if "," not in sample and comma in sample:
        what = f"columns are separated by {'semicolons' if comma == ';' else 'tabs'}, not by commas"
        raise ScenarioError([Problem(shown, 1, "", what, "comma-separated values are expected")])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        if '"' not in text:  # no cell spans lines, so rows are lines
            rows = list(reader)
            return rows, range(1, len(rows) + 1)
        rows, numbers, line = [], [], 1
        for row in reader:
            rows.append(row)
            numbers.append(line)
            line = reader.line_num + 1
        return rows, numbers
    except csv.Error as fault:
        raise ScenarioError([Problem(shown, reader.line_num, "", f"broken CSV: {fault}")]) from None


def _refuse_header(table: Table) -> None:
    if "" in table.header:
        raise _header_fault(table, f"column {table.header.index('') + 1} has no name")
    doubles = [name for name in table.header if table.header.count(name) > 1]
    if doubles:
        raise _header_fault(table, f"two columns are named {quoted(doubles[0])}")
    if all(_looks_like_data(name) for name in table.header):
        raise _header_fault(table, f"the first row is data, got {show(','.join(table.header))}")
    if not table.rows:
        raise _header_fault(table, "no row follows the header")


def _header_fault(table: Table, what: str) -> FileFault:
    return FileFault([Problem(table.shown, 1, "", what, "the first row names the columns, data follow")])


def _looks_like_data(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell[:4].isdigit() and len(cell) > 4
    return True


def _refuse_ragged(table: Table) -> None:
    width = len(table.header)
    if set(map(len, table.rows)) == {width}:
        return
    problems = []
    for row, number in zip(table.rows, table.numbers, strict=True):
        if len(row) != width:
            blank = not any(cell.strip() for cell in row)
            what = "a blank row" if blank else f"expected {width} cells, got {len(row)}"
            accepted = (
                "blank lines may only come after the last row"
                if blank
                else f"columns: {listed(table.header)}"
            )
            problems.append(Problem(table.shown, number, "", what, accepted))
    raise _limited(problems)


def _limited(problems: list[Problem]) -> FileFault:
    if len(problems) > FAULTS_MAX:
        last = problems[FAULTS_MAX - 1]
        more = Problem(
            last.file, last.line, "", f"{len(problems) - FAULTS_MAX} more rows of this file have such a fault"
        )
        problems = [*problems[:FAULTS_MAX], more]
    return FileFault(problems)


def _cells(table: Table, column: str) -> list[str]:
    if column not in table.header:
        close = nearest(column, table.header)
        hint = did_you_mean(close) if close else ""
        problem = Problem(
            table.shown,
            1,
            "",
            f"column {quoted(column)} does not exist",
            f"columns: {listed(table.header)}",
            hint,
        )
        raise FileFault([problem])
    return table.cells(table.header.index(column))


def _fault(table: Table, row: int, column: str, what: str, accepted: str = "") -> FileFault:
    return FileFault([Problem(table.shown, table.numbers[row], column, what, accepted)])


def _parsed(table: Table, row: int, column: str, cell: str, parse: Callable[[str], float]) -> float:
    try:
        return parse(cell.strip())
    except values.Mistake as mistake:
        raise _fault(table, row, column, f"{mistake.what}, got {show(cell)}", mistake.suggestion) from None


def _number(table: Table, row: int, column: str, cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise _fault(
            table, row, column, f"expected a count, got {show(cell)}", "a number of at least 0"
        ) from None


def _refuse_numbers(table: Table, column: str, cells: list[str], numbers: Sequence[float], noun: str) -> None:
    """Refuse negative and not finite numbers."""
    if all(0 <= number < math.inf for number in numbers):
        return
    problems = []
    for row, (cell, number) in enumerate(zip(cells, numbers, strict=True)):
        if not 0 <= number < math.inf:
            why = "that is not negative" if number < 0 else "that is finite"
            what = f"expected {noun} {why}, got {show(cell)}"
            problems.append(Problem(table.shown, table.numbers[row], column, what, "a number of at least 0"))
    raise _limited(problems)


def _refuse_disorder(table: Table, column: str, times: Sequence[float], strictly: bool) -> None:
    if all(map(operator.lt if strictly else operator.le, times, times[1:])):
        return
    problems = []
    for row, (before, after) in enumerate(pairwise(times), start=1):
        if after < before or (strictly and after == before):
            cells = _cells(table, column)
            relation = "not after" if strictly else "before"
            what = f"{show(cells[row])} is {relation} the row above, got {show(cells[row - 1])} there"
            problems.append(
                Problem(table.shown, table.numbers[row], column, what, "rows must be sorted by time")
            )
    raise _limited(problems)


# --- times
# ------------------------------------------------------------------------------------------------------------


def _times(table: Table, column: str) -> array:
    """Seconds since the first row, of a column of timestamps of one form."""
    cells = _cells(table, column)
    try:
        numbers = list(map(float, cells))
    except ValueError:
        if _is_number(cells[0]):
            row = next(row for row, cell in enumerate(cells) if not _is_number(cell))
            what = f"expected a number like the rows above, got {show(cells[row])}"
            raise _fault(table, row, column, what, "one form of timestamps in a file") from None
        return _iso_times(table, column, cells)
    for row, number in enumerate(numbers):
        if not math.isfinite(number):
            raise _fault(table, row, column, f"expected a time that is finite, got {show(cells[row])}")
    largest = max(map(abs, numbers))
    per_second = next(unit for limit, unit in EPOCHS if largest < limit)
    if largest < 2**53:
        return array("d", [(number - numbers[0]) / per_second for number in numbers])
    exact = [
        int(cell) if cell.strip().lstrip("-").isdigit() else int(number)
        for cell, number in zip(cells, numbers, strict=True)
    ]
    return array("d", [(number - exact[0]) / per_second for number in exact])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _iso_times(table: Table, column: str, cells: list[str]) -> array:
    """Times without a zone are taken as UTC: only differences count, and a file must not mix both."""
    parse = datetime.fromisoformat
    try:
        moments = list(map(parse, cells))
    except ValueError:
        moments = []
        for row, cell in enumerate(cells):
            try:
                moments.append(parse(cell.strip()))
            except ValueError:
                found = show(cell) if cell.strip() else "nothing"
                accepted = (
                    "ISO 8601 such as 2014-04-10 00:04:00 or 2014-04-10T00:04:00Z, or seconds, or "
                    "milliseconds"
                )
                raise _fault(table, row, column, f"expected a timestamp, got {found}", accepted) from None
    zoned = moments[0].tzinfo is not None
    for row, moment in enumerate(moments):
        if (moment.tzinfo is not None) != zoned:
            what = (
                f"a time {'without' if zoned else 'with'} a zone below times "
                f"{'with' if zoned else 'without'} one, got {show(cells[row])}"
            )
            raise _fault(table, row, column, what, "either every row has a zone or none")
    first = moments[0]
    if zoned:
        first = first.astimezone(UTC)
    return array("d", [(moment - first).total_seconds() for moment in moments])
