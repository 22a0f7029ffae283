"""What changes from one report to another, for pages: sentences, a forest plot, and all numbers."""

from __future__ import annotations

from typing import NamedTuple

from slosim.html.charts import Chart, Table, run_colour
from slosim.html.forest import forest_chart, table_of_changes
from slosim.report.differences import NamedReport, differences_of
from slosim.report.text_differences import floor_of, notes_of, sentence_of
from slosim.report.units import NOTHING


class Comparison(NamedTuple):
    """What a page shows of it.

    name      of the later report, and the class of its colour
    floor     what counts as a change
    chart     None where nothing is worth drawing
    scenario  what differs between the scenarios
    """

    name: str
    colour: str
    sentence: str
    notes: list[str]
    floor: str
    chart: Chart | None
    numbers: Table
    scenario: Table


def comparison_of(number: int, first: NamedReport, run: NamedReport) -> Comparison:
    """What changes from the first report to another one, the number-th of the page."""
    differences = differences_of(first.data, run.data)
    return Comparison(
        name=run.name,
        colour=run_colour(number),
        sentence=sentence_of(differences),
        notes=notes_of({**differences, "scenario": []}),  # which has a table
        floor=floor_of(differences),
        chart=forest_chart(f"changes-{number}", f"From {first.name} to {run.name}", differences),
        numbers=table_of_changes(differences["changes"]),
        scenario=Table(
            ["path", "before", "after"],
            [
                [one.path, *(NOTHING if value is None else value for value in (one.before, one.after))]
                for one in differences["scenario"]
            ],
        ),
    )
