"""Every series and every histogram of a report as tables for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from slosim.errors import UserError

if TYPE_CHECKING:
    import numpy as np

ALONE: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "threads": 1,
}
"""How duckdb works: without network, and in one order."""
PARQUET_NEEDS = "Parquet needs duckdb: pip install 'slosim[parquet]'"


class Table(NamedTuple):
    """Columns by name, equally long; None is a missing value.

    kinds   str or int of the columns that hold no float
    """

    columns: dict[str, list[Any]]
    kinds: dict[str, type[str] | type[int]]

    def to_csv(self) -> str:
        """A header, a line per row, nothing where a value is missing."""
        return _csv(list(self.columns), zip(*self.columns.values(), strict=True))

    def to_parquet(self) -> bytes:
        """Columns of DOUBLE, BIGINT and VARCHAR, NULL where a value is missing.

        Of columns whose names differ in upper and lower case alone, all but the first get a number. The same
        table gives the same bytes with the same version of duckdb. UserError: duckdb is not installed.
        """
        if not has_parquet():
            raise UserError(PARQUET_NEEDS)
        import duckdb

        arrays = {name: _array(values, self.kinds.get(name, float)) for name, values in self.columns.items()}
        with tempfile.TemporaryDirectory() as folder, duckdb.connect(":memory:", config=ALONE) as database:
            path = Path(folder, "table.parquet")
            database.register("columns", arrays)
            database.sql("SELECT * FROM columns").write_parquet(str(path))
            return path.read_bytes()


def has_parquet() -> bool:
    """Whether Parquet can be written here."""
    return find_spec("duckdb") is not None


def series_of(data: dict[str, Any]) -> Table:
    """All series of a report: a row per time, a column per series, named by its place."""
    columns: dict[str, dict[float, Any]] = {}
    for name, series in _places(data, "series"):
        for column, values in series.items():
            if column != "t_s":
                columns[f"{name}.{column}"] = dict(zip(series["t_s"], values, strict=True))
    times = sorted({t for values in columns.values() for t in values})
    its = {name: [values.get(t) for t in times] for name, values in columns.items()}
    return Table({"t_s": times, **its}, {})


def histograms_of(data: dict[str, Any]) -> Table:
    """All histograms of a report: a row for each filled bucket, with its upper edge and count."""
    rows = [
        (name, upper, count)
        for name, histogram in _places(data, "histogram")
        for upper, count in zip(histogram["upper"], histogram["count"], strict=True)
    ]
    names, uppers, counts = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Table({"name": names, "upper": uppers, "count": counts}, {"name": str, "count": int})


def _places(data: Any, key: str, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every series, or histogram, in a report, with the path of what holds it; list items go by name.

    The name of a part may be `key` as well: what is called so and has no columns is a part like any other.
    """
    if isinstance(data, dict):
        for inner, value in cast("dict[str, Any]", data).items():
            if inner == key and _is_table(value):
                yield name, value
            elif name or inner != "scenario":
                yield from _places(value, key, f"{name}.{inner}" if name else inner)
    elif isinstance(data, list):
        for entry in cast("list[Any]", data):
            if isinstance(entry, dict):
                yield from _places(entry, key, f"{name}[{cast('dict[str, Any]', entry).get('name')}]")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(its, list) for its in value.values())


def _csv(header: list[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def _array(values: list[Any], kind: type) -> np.ma.MaskedArray | np.ndarray:
    import numpy as np

    if kind is str:
        return np.array(values, dtype=object if values else str)
    missing = [value is None for value in values]
    return np.ma.MaskedArray([value or 0 for value in values], missing, dtype=kind)
