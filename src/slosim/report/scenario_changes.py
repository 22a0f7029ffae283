"""What differs between two resolved scenarios: paths with the value before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from slosim.report.layout import clean

NOTHING = object()
"""In place of a value: there is none. None is a value."""


class ScenarioChange(NamedTuple):
    """path: as `--set` names it, items of lists by name; before, after: None where there is nothing."""

    path: str
    before: str | None
    after: str | None

    @property
    def text(self) -> str:
        """`services.payment.instances 3 → 4`, `services.audit added`."""
        if self.before is None or self.after is None:
            return f"{self.path} {'added' if self.before is None else 'removed'}"
        return f"{self.path} {self.before} → {self.after}"


def scenario_changes(before: dict[str, Any], after: dict[str, Any]) -> list[ScenarioChange]:
    """In the order of the first scenario; what only one of them has is one entry, however much it holds."""
    return [ScenarioChange(path, _text(old), _text(new)) for path, old, new in _changes(before, after, "")]


def _changes(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    old, new = _fields(before), _fields(after)
    if old is None or new is None:
        if before != after:
            yield path, before, after
        return
    for key in dict.fromkeys([*old, *new]):
        inner = f"{path}.{key}" if path else key
        yield from _changes(old.get(key, NOTHING), new.get(key, NOTHING), inner)


def _fields(value: Any) -> dict[str, Any] | None:
    """What is compared one by one: fields of an object, items of a list that have names of their own."""
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if not isinstance(value, list):
        return None
    items = cast("list[Any]", value)
    names = [clean(item["name"]) for item in items if isinstance(item, dict) and "name" in item]
    return dict(zip(names, items, strict=True)) if len(set(names)) == len(items) else None


def _text(value: Any) -> str | None:
    if value is NOTHING:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
