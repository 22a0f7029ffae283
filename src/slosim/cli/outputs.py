"""Writing what a run found: to the terminal, to a file, to a folder. Files appear whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from slosim.cli import exits
from slosim.files import write_whole, yaml_text

if TYPE_CHECKING:
    from slosim.report import Report

SAVED = ("report.json", "report.txt", "report.html", "scenario.yaml", "series.csv", "histograms.csv")
"""Files of a folder of outputs."""
WIDTH_MAX = 120  # longer lines are harder to read than to scroll past


def print_out(text: str) -> None:
    """Print to stdout. A reader who leaves early (`| head`) changes neither the outcome nor the exit code."""
    try:
        print(text.removesuffix("\n"), flush=True)
    except BrokenPipeError:
        exits.forget_stdout()


def print_report(report: Report, source: str | None) -> None:
    """The text report, as wide and as colourful as the terminal allows; `source` as in `Report.to_text`."""
    print_text(partial(report.to_text, source=source))


def print_text(to_text: Callable[..., str]) -> None:
    """What `to_text(width=…, colour=…)` writes, as wide and as colourful as the terminal allows."""
    if sys.stdout.isatty():
        width = min(shutil.get_terminal_size().columns, WIDTH_MAX)
        print_out(to_text(width=width, colour=wants_colour()))
    else:
        print_out(to_text(colour=bool(os.environ.get("FORCE_COLOR"))))


def wants_colour() -> bool:
    """Whether a terminal shows colour: not with NO_COLOR, not where it is dumb."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def save_all(report: Report, folder: Path, source: str | None) -> None:
    """Every output of a run: the files of SAVED."""
    write_whole(folder / "report.json", report.to_json())
    write_whole(folder / "report.txt", report.to_text(source=source).removesuffix("\n") + "\n")
    write_whole(folder / "scenario.yaml", yaml_text(report.data["scenario"]["resolved"]))
    write_whole(folder / "series.csv", series_csv(report.data))
    write_whole(folder / "histograms.csv", histograms_csv(report.data))
    write_html(report, folder / "report.html", source)


def write_html(report: Report, path: Path, source: str | None) -> None:
    """The report as one file for a browser; `source` as in `Report.to_text`."""
    from slosim.html.page import html_of

    write_whole(path, html_of(report.data, source))


def series_csv(data: dict[str, Any]) -> str:
    """All series of a report as one table: a row per time, a column per series, named by its place."""
    columns: dict[str, dict[float, Any]] = {}
    for name, series in _places(data, "series"):
        for column, values in series.items():
            if column != "t_s":
                columns[f"{name}.{column}"] = dict(zip(series["t_s"], values, strict=True))
    times = sorted({t for values in columns.values() for t in values})
    rows = ([t, *(values.get(t) for values in columns.values())] for t in times)
    return _csv(["t_s", *columns], rows)


def histograms_csv(data: dict[str, Any]) -> str:
    """All histograms of a report as rows of (name, upper edge of the bucket, count)."""
    rows = (
        [name, upper, count]
        for name, histogram in _places(data, "histogram")
        for upper, count in zip(histogram["upper"], histogram["count"], strict=True)
    )
    return _csv(["name", "upper", "count"], rows)


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


def _csv(header: list[str], rows: Iterator[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
