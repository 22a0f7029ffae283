"""Whether data is a report: what its JSON Schema says of it, and that its columns are equally long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

EQUALLY_LONG = ("series", "histogram")
"""Parts whose lists have one entry for each time, or each bucket."""
LETTERS_MOST = 160
"""Of a message; some quote a whole part."""


def text_of_schema() -> str:
    """docs/report.schema.json."""
    return files("slosim.report").joinpath("report.schema.json").read_text(encoding="utf-8")


def mistake_in(data: Any) -> str | None:
    """The first thing that keeps data from being a report, with its place; None: it is one."""
    found = next(iter(_checker().iter_errors(data)), None)
    if found is None:
        return next(_uneven(data, ""), None)
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in found.instance_path)
    told = f"{place.lstrip('.')}: {found.message}" if place else found.message
    return told if len(told) <= LETTERS_MOST else f"{told[: LETTERS_MOST - 1]}…"


@cache
def _checker() -> Any:
    import jsonschema_rs

    return jsonschema_rs.validator_for(json.loads(text_of_schema(), object_hook=_open))


def _open(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule that lets pass what it does not name: a later version may write more."""
    return {key: value for key, value in rule.items() if (key, value) != ("additionalProperties", False)}


def _uneven(value: Any, place: str) -> Iterator[str]:
    """Parts of a report whose lists are not equally long."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, its in inner:
        if not isinstance(its, dict | list):
            continue
        there = f"{place}[{key}]" if isinstance(value, list) else f"{place}.{key}".lstrip(".")
        if key in EQUALLY_LONG and isinstance(its, dict) and all(type(one) is list for one in its.values()):
            lengths = {name: len(column) for name, column in its.items()}
            if len(set(lengths.values())) > 1:
                yield f"{there}: expected lists of one length, got {lengths}"
        elif key != "resolved":
            yield from _uneven(its, there)
