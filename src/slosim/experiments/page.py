"""What pages of all experiments have: a headline, sections of charts and tables, and how they were made.

What a kind of experiment shows is in its own `page.py`, in the words of its text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from slosim.experiments.kinds import FORMATS, KINDS
from slosim.experiments.text import Said
from slosim.html.charts import Chart, Table
from slosim.html.page import page_of
from slosim.report.layout import Column, bare
from slosim.report.units import clock

ROWS_MOST = 1_000
"""Of a table; more are in the file of the experiment."""


@dataclass
class Section:
    """A part of a page, in this order: how to read it, sentences, tiles, charts, a table, and what is folded.

    tiles    as of the template, for objectives side by side
    is_grid  charts stand beside each other where there is room
    codes    [(what it is, lines to copy)]
    folded   [(what it is, table)]
    """

    key: str
    title: str
    aid: str = ""
    said: Sequence[Said] = ()
    tiles: Sequence[dict[str, Any]] = ()
    charts: Sequence[Chart] = ()
    is_grid: bool = False
    table: Table | None = None
    codes: Sequence[tuple[str, str]] = ()
    folded: Sequence[tuple[str, Table]] = ()

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Of all charts together."""
        return list(dict.fromkeys(one for chart in self.charts for one in chart.legend))


@dataclass
class Content:
    """What a page shows.

    kind      what the experiment is, for people
    name      of the scenario
    verdict   met, missed or undecided; empty: none is given
    headline  the answer first
    note      how it was done and what intervals mean, as below the text
    made      [(what, value)] in addition to what all pages tell
    """

    kind: str
    name: str
    verdict: str
    headline: Sequence[Said]
    sections: Sequence[Section]
    note: str
    made: list[tuple[str, str]] = field(default_factory=list)

    @property
    def charts(self) -> list[Chart]:
        return [chart for section in self.sections for chart in section.charts]


def html_of(data: dict[str, Any]) -> str:
    """The whole file; data: of a result."""
    content = content_of(data)
    shown = {"its": content, "provenance": _provenance(content, data)}
    return page_of("experiment.html", shown, data["version"], content.charts)


def content_of(data: dict[str, Any]) -> Content:
    """What the page shows; data: of a result."""
    home = KINDS[FORMATS[data["format"]]].home
    return import_module(f"slosim.experiments.{home}.page").content_of(data)


def _provenance(content: Content, data: dict[str, Any]) -> list[tuple[str, str]]:
    run = data["run"]
    rows = [
        ("slosim", data["version"]),
        *content.made,
        ("seed", str(run["seed"])),
        ("replications", str(run["replications"])),
        ("simulated time of each", clock(run["duration_s"])),
        ("measured from", clock(run["warmup_s"])),
        ("stopped early", data["stopped"] or ""),
        ("result format", data["format"]),
        ("to reproduce", data.get("command") or ""),
    ]
    return [(what, value) for what, value in rows if value]


def table_of(columns: Iterable[Column], *names: str) -> Table:
    """A table of a text, whole; columns without a cell are left out. names: of its columns without a title,
    in their order.
    """
    kept = list(columns)
    unnamed = iter(names)
    titles = [column.title or next(unnamed, "") for column in kept]
    shown = [(title, column) for title, column in zip(titles, kept, strict=True) if any(column.cells)]
    rows = zip(*(column.cells[: ROWS_MOST + 1] for _, column in shown), strict=True)
    return Table(
        [title for title, _ in shown],
        [[bare(cell).strip() for cell in row] for row in rows],
        [place for place, (_, column) in enumerate(shown) if column.align == "<"],
    )
