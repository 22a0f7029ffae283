"""Pages of experiments, a module for each kind: what its sections show, in the words of its text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from slosim.experiments.kinds import KINDS

if TYPE_CHECKING:
    from slosim.experiments.result import Result


def html_of(result: Result) -> str:
    """The whole file."""
    from slosim.html.experiments.content import html_of

    sections_of = import_module(f"slosim.html.experiments.{KINDS[result.kind].home}").content_of
    return html_of(sections_of(result.data), result.data)
