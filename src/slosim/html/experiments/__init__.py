"""Pages of experiments, a module for each kind: what its sections show, in the words of its text."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from slosim.experiments.kinds import FORMATS, KINDS

if TYPE_CHECKING:
    from slosim.html.experiments.content import Content


def html_of(data: dict[str, Any]) -> str:
    """The whole file; data: of a result."""
    from slosim.html.experiments.content import html_of

    return html_of(content_of(data), data)


def content_of(data: dict[str, Any]) -> Content:
    """What its page shows; data: of a result."""
    home = KINDS[FORMATS[data["format"]]].home
    return import_module(f"slosim.html.experiments.{home}").content_of(data)
