"""The report object: reported numbers by attribute, and its forms JSON and text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from slosim.files import json_text
from slosim.measure.measurements import Measurements
from slosim.report.content import FORMAT, content_of, plain
from slosim.report.findings import findings_of
from slosim.report.findings.evidence import Evidence

if TYPE_CHECKING:
    from slosim.model import Scenario
    from slosim.outputs.pictures import Pictures
    from slosim.report.differences import NamedReport


class Value(NamedTuple):
    """An estimate and its 95% interval, None where undefined; float() gives the value."""

    value: float | None
    low: float | None
    high: float | None

    def __float__(self) -> float:
        if self.value is None:
            raise ValueError("this number is undefined: nothing was counted")
        return float(self.value)


class View:
    """A part of the report: keys as attributes (`.latency_s.p99.value`) or as items (`["p99.9"]`)."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getattr__(self, key: str) -> Any:
        try:
            return view(self._data[key])
        except KeyError:
            raise AttributeError(f"no '{key}' here; there is {', '.join(self._data)}") from None

    def __getitem__(self, key: str) -> Any:
        return view(self._data[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._data]

    def __repr__(self) -> str:
        return f"View({', '.join(self._data)})"

    def keys(self) -> Sequence[str]:
        return list(self._data)

    def items(self) -> list[tuple[str, Any]]:
        return [(key, view(value)) for key, value in self._data.items()]


class Entries(Sequence):
    """Entries of the report in order, by number or by name: `report.objectives["orders ship in time"]`."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._entries = entries

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            for entry in self._entries:
                if entry.get("name", entry.get("subject")) == key:
                    return view(entry)
            raise KeyError(key)
        return view(self._entries[key])

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Entries({[entry.get('name', entry.get('rule')) for entry in self._entries]})"


def view(value: Any) -> Any:
    """Report data with attributes: an EST as Value, other dicts as View, lists of dicts as Entries."""
    if isinstance(value, dict):
        if value.keys() == {"value", "low", "high"}:
            return Value(value["value"], value["low"], value["high"])
        return View(value)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return Entries(value)
    return value


class Report(View):
    """What a run has shown: `.verdict`, `.objectives`, `.flows`, `.services`, `.topics`, `.faults` and so on.

    data      the report as data, as in JSON; everything else here is a way to look at it
    complete  False when the run was stopped before its time; `stopped` says why
    """

    def __init__(self, data: dict[str, Any]) -> None:
        if data.get("format") != FORMAT:
            raise ValueError(
                f"not a report of this version: format is {data.get('format')!r}, expected {FORMAT!r}"
            )
        super().__init__(data)

    @property
    def data(self) -> dict[str, Any]:
        return self._data

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `undecided` or `no objectives`."""
        return self._data["verdict"]

    @property
    def flows(self) -> View:
        return View(self._data["flows"])

    @property
    def services(self) -> View:
        return View(self._data["services"])

    @property
    def topics(self) -> View:
        return View(self._data["topics"])

    @property
    def objectives(self) -> Entries:
        return Entries(self._data["objectives"])

    @property
    def faults(self) -> Entries:
        return Entries(self._data["faults"])

    @property
    def findings(self) -> Entries:
        return Entries(self._data["findings"])

    @property
    def stopped(self) -> str | None:
        return self._data["run"].get("stopped")

    @property
    def complete(self) -> bool:
        return self.stopped is None

    def to_json(self) -> str:
        """The report as JSON, one line per innermost object or list; ends with a newline."""
        return json_text(self._data)

    def to_text(
        self,
        width: int = 100,
        colour: bool = False,
        source: str | None = None,
        baseline: NamedReport | None = None,
    ) -> str:
        """The report for people.

        width     columns, at least 72
        colour    with ANSI colours
        source    the scenario file, and `--set` if it was changed, for the command that makes it again
        baseline  another report: what changes from it is told, too
        """
        from slosim.report.text import text_of

        return text_of(self._data, width, colour, source, baseline)

    def to_html(self, source: str | None = None, baseline: NamedReport | None = None) -> str:
        """The report as a page of one file that loads nothing; `source` and `baseline` as in `to_text`."""
        from slosim.html.report import html_of

        return html_of(self._data, source, baseline)

    @cached_property
    def charts(self) -> Pictures:
        """The charts of the page and its drawing of the system, by name, which notebooks show."""
        from slosim.outputs.pictures import pictures_of

        return pictures_of(self._data)

    def _repr_html_(self) -> str:
        """The report in short, for notebooks."""
        from slosim.outputs.summary import summary_of

        return summary_of(self._data)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that to_json wrote. ValueError: it is not JSON or not a whole report."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("not a report: expected a JSON object")
        report = cls(data)
        from slosim.report.schema import mistake_in

        if (mistake := mistake_in(data)) is not None:
            raise ValueError(f"not a whole report: {mistake}")
        return report

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"Report({self._data['scenario']['name']!r}, verdict={self._data['verdict']!r})"


def build_report(
    scenario: Scenario,
    measurements: Sequence[Measurements],
    stopped: str | None = None,
    version: str | None = None,
    precision: float | None = None,
) -> Report:
    """Judge the measurements of a scenario.

    measurements: one of each replication in order, at least one; `stopped`: why the run ended early, or None;
    `precision`: the relative half-width of intervals for which there are so many, or None.
    """
    if version is None:
        from slosim.version import __version__ as version
    content = plain(content_of(scenario, measurements, version, stopped, precision))
    content["findings"] = findings_of(Evidence(scenario, measurements, content, stopped))
    return Report(content)
