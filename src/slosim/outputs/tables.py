"""Every series and every histogram of a report as tables for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast


class Table(NamedTuple):
    """Columns by name, equally long."""

    columns: dict[str, list[Any]]

    def to_csv(self) -> str:
        """A header, a line per row, nothing where a value is missing."""
        return _csv(list(self.columns), zip(*self.columns.values(), strict=True))


def series_of(data: dict[str, Any]) -> Table:
    """All series of a report: a row per time, a column per series, named by its place."""
    columns: dict[str, dict[float, Any]] = {}
    for name, series in _places(data, "series"):
        for column, values in series.items():
            if column != "t_s":
                columns[f"{name}.{column}"] = dict(zip(series["t_s"], values, strict=True))
    times = sorted({t for values in columns.values() for t in values})
    return Table({"t_s": times, **{name: [values.get(t) for t in times] for name, values in columns.items()}})


def histograms_of(data: dict[str, Any]) -> Table:
    """All histograms of a report: a row for each filled bucket, with its upper edge and count."""
    rows = [
        (name, upper, count)
        for name, histogram in _places(data, "histogram")
        for upper, count in zip(histogram["upper"], histogram["count"], strict=True)
    ]
    names, uppers, counts = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    return Table({"name": names, "upper": uppers, "count": counts})


def _places(data: Any, key: str, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every value called `key` in a report, with the path of what holds it; list items go by name."""
    if isinstance(data, dict):
        fields = cast("dict[str, Any]", data)
        if isinstance(fields.get(key), dict):
            yield name, fields[key]
        for inner, value in fields.items():
            if inner not in (key, "resolved"):
                yield from _places(value, key, f"{name}.{inner}" if name else inner)
    elif isinstance(data, list):
        for entry in cast("list[Any]", data):
            if isinstance(entry, dict):
                yield from _places(entry, key, f"{name}[{cast('dict[str, Any]', entry).get('name')}]")


def _csv(header: list[str], rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
