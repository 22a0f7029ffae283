"""What an experiment has found: data first, as JSON; its text is made from that data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from slosim.experiments.kinds import FORMATS, KINDS
from slosim.experiments.quantities import Change
from slosim.files import json_text
from slosim.measure.intervals import Estimate
from slosim.report.content import plain
from slosim.report.report import View

if TYPE_CHECKING:
    from slosim.outputs.pictures import Pictures


class Result(View):
    """The result of an experiment: numbers by attribute (`.changes`, `.steps` ...), and its forms JSON and
    text.

    data      as in the experiment's file, without the runs that it rests on
    complete  False when it was stopped before its time; `stopped` says why
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        if data.get("format") not in FORMATS:
            raise ValueError(f"not a result of this version: format is {data.get('format')!r}")
        super().__init__(plain({key: value for key, value in data.items() if key != "runs"}))

    @property
    def data(self) -> dict[str, Any]:
        return self._data

    @property
    def kind(self) -> str:
        """compare, sweep, sensitivity, size or break."""
        return FORMATS[self._data["format"]]

    @property
    def command(self) -> str | None:
        """The command that makes it again; None: it was made in Python."""
        return self._data.get("command")

    @property
    def stopped(self) -> str | None:
        return self._data["stopped"]

    @property
    def complete(self) -> bool:
        return self.stopped is None

    def to_json(self) -> str:
        """As JSON, one line per innermost object or list; ends with a newline."""
        return json_text(self._data)

    def to_text(self, width: int = 100, colour: bool = False) -> str:
        """For people, at most so many columns wide, at least 72."""
        home = KINDS[self.kind].home
        return import_module(f"slosim.experiments.{home}.text").text_of(self._data, width, colour)

    def to_html(self) -> str:
        """As a page of one file that loads nothing."""
        from slosim.experiments.page import html_of

        return html_of(self._data)

    @cached_property
    def charts(self) -> Pictures:
        """The charts of the page by name, which notebooks show."""
        from slosim.experiments.page import content_of
        from slosim.outputs.pictures import pictures_of_charts

        content = content_of(self._data)
        seed = self._data["run"]["seed"]
        return pictures_of_charts(content.charts, f"{content.name}: {content.kind}, seed {seed}")

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The result in the file of an experiment. ValueError: it is not one."""
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("not a result: expected a JSON object")
        return cls(data)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        """The text, for notebooks."""
        return f"<pre>{escape(self.to_text())}</pre>"

    def __repr__(self) -> str:
        return f"Result({self._data['format']!r})"


def as_plain(value: Any) -> Any:
    """Estimates, and whatever holds them, in the form of the report."""
    if isinstance(value, Estimate):
        return value.as_dict()
    if isinstance(value, Change):
        return as_plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: as_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(inner) for inner in value]
    return value
