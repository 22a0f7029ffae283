"""JSON Schema of scenario files, for editors: completion, and marks under what is not accepted."""

from __future__ import annotations

from typing import Any

from slosim.model.fields import Record
from slosim.model.scenario import Scenario


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12) of the language as far as this version supports it."""
    definitions: dict[str, Any] = {}
    root = Record(Scenario).schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "slosim scenario",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }
