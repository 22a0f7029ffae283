"""The report for people, in plain text: verdict first, then why, then the numbers.

It is made from the report's data alone (the JSON), so it can be printed again from a saved report, and it
cannot disagree with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slosim.report.layout import clean, finish, paint, paragraph
from slosim.report.text_plots import event_lag_section, lag_section
from slosim.report.text_tables import (
    dependencies_section,
    failures_section,
    faults_section,
    flow_section,
    instances_section,
    mechanisms_section,
    services_section,
    topics_section,
)
from slosim.report.text_theory import theory_section
from slosim.report.text_verdict import alerts_section, findings_section, headline_section, objectives_section
from slosim.report.units import clock

if TYPE_CHECKING:
    from slosim.report.differences import NamedReport

NARROWEST = 72


def text_of(
    data: dict[str, Any],
    width: int = 100,
    colour: bool = False,
    source: str | None = None,
    baseline: NamedReport | None = None,
) -> str:
    """The whole report.

    source    the scenario as the command that reproduces it names it
    baseline  another report: what changes from it is told behind the objectives
    """
    width = max(width, NARROWEST)
    sections = [
        headline_section(data, width),
        objectives_section(data, width),
        alerts_section(data, width),
        _changes_section(data, width, baseline),
        findings_section(data, width),
        *(flow_section(name, numbers, data, width) for name, numbers in data["flows"].items()),
        services_section(data, width),
        instances_section(data, width),
        failures_section(data, width),
        mechanisms_section(data, width),
        dependencies_section(data, width),
        theory_section(data, width),
        topics_section(data, width),
        lag_section(data, width),
        event_lag_section(data, width),
        faults_section(data, width),
        _footer(data, width, source),
    ]
    text: list[str] = []
    for section in sections:
        if section:
            text += [*([""] if text else []), *section]
    return finish(text, colour)


def _changes_section(data: dict[str, Any], width: int, baseline: NamedReport | None) -> list[str]:
    if baseline is None:
        return []
    from slosim.report.differences import differences_of
    from slosim.report.text_differences import changes_section

    return changes_section(differences_of(baseline.data, data), baseline.name, width)


def _footer(data: dict, width: int, source: str | None) -> list[str]:
    run = data["run"]
    warmup = clock(run["warmup_s"])
    intervals = (
        f"± and intervals are 95%, by jackknife over {run['replications']} replications."
        if run["replications"] > 1
        else "One replication: no intervals."
    )
    assumptions = (
        f"Flow numbers cover instances started from {warmup} on, everything else counts what happens from"
        " then on. Latency counts from the intended publish time. Counts are means per replication."
        f" Percentiles are within 0.5%. {intervals}"
    )
    scenario = data["scenario"]["digest"][:12]
    again = f"slosim {run['version']}, scenario {scenario}; again: {command_again(data, source)}"
    return [
        *(paint(line, "dim") for line in paragraph(assumptions, width)),
        *(paint(line, "dim") for line in paragraph(again, width)),
    ]


def command_again(data: dict, source: str | None) -> str:
    """The command that makes a report again; `source`: the scenario in it, None if unknown."""
    run = data["run"]
    asked = data["scenario"]["resolved"].get("run", {}).get("replications", run["replications"])
    scenario = clean(source or "SCENARIO.yaml")
    return f"slosim run {scenario} --seed {run['seed']} --replications {asked}"  # a stopped run has fewer
