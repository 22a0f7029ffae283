"""Pages of experiments, a module for each kind: what its sections show, in the words of its text."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from slosim.experiments.kinds import FORMATS, KINDS


def html_of(data: dict[str, Any]) -> str:
    """The whole file; data: of a result."""
    from slosim.html.experiments.content import html_of

    home = KINDS[FORMATS[data["format"]]].home
    return html_of(import_module(f"slosim.html.experiments.{home}").content_of(data), data)
