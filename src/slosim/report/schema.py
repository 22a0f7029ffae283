"""Whether data is a report: what its JSON Schema says of it, and that its columns are equally long.

Only those keywords are known that the schema uses. Keys that it does not name are let pass: a later version
may write more.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.resources import files
from typing import Any

EQUALLY_LONG = ("series", "histogram")
"""Parts whose lists have one entry for each time, or each bucket."""
MOST = 1e300
"""Larger numbers have no sums."""
SHOWN_MAX = 40
"""Letters of a value in a message."""
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}


def text_of_schema() -> str:
    """docs/report.schema.json."""
    return files("slosim.report").joinpath("report.schema.json").read_text(encoding="utf-8")


def mistake_in(data: Any) -> str | None:
    """The first thing that keeps data from being a report, with its place; None: it is one."""
    return _mistake(data, _schema(), "")


@cache
def _schema() -> dict[str, Any]:
    return json.loads(text_of_schema())


def _mistake(value: Any, rule: Any, path: str) -> str | None:
    if "$ref" in rule:
        name = rule["$ref"].rpartition("/")[2]
        found = _mistake(value, _schema()["$defs"][name], path)
        if found is None and name in EQUALLY_LONG and len({len(column) for column in value.values()}) > 1:
            lengths = ", ".join(f"{key} {len(column)}" for key, column in value.items())
            found = _said(path, f"expected lists of one length, got {lengths}")
        if found is not None:
            return found
    if "anyOf" in rule or "oneOf" in rule:
        tried = [_mistake(value, one, path) for one in rule.get("anyOf") or rule["oneOf"]]
        return None if None in tried else tried[-1]
    expected = _kind_missed(value, rule) or _range_missed(value, rule)
    if expected:
        return _said(path, f"expected {expected}, got {_shown(value)}")
    if isinstance(value, dict):
        return _mistake_in_object(value, rule, path)
    return _mistake_in_list(value, rule, path) if isinstance(value, list) else None


def _kind_missed(value: Any, rule: dict[str, Any]) -> str:
    """What was expected instead of a value of this kind; empty if it is right."""
    if "const" in rule or "enum" in rule:
        known = rule.get("enum", [rule.get("const")])
        is_known = any(value == one and type(value) is type(one) for one in known)
        return "" if is_known else " or ".join(map(json.dumps, known))
    kinds = rule.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_right = not kinds or any(isinstance(value, KINDS[kind]) for kind in kinds)
    if isinstance(value, bool):
        is_right = not kinds or "boolean" in kinds
    return "" if is_right else " or ".join(kinds)


def _range_missed(value: Any, rule: dict[str, Any]) -> str:
    """What was expected instead of a value of the right kind; empty if it is right."""
    if isinstance(value, str):
        if "pattern" in rule and not re.search(rule["pattern"], value):
            return f"a text like {rule['pattern']}"
        return "" if _is_text(value) else "a text"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    if not abs(value) <= MOST:
        return "a finite number"
    if value < rule.get("minimum", -math.inf):
        return f"at least {rule['minimum']}"
    if value <= rule.get("exclusiveMinimum", -math.inf):
        return f"more than {rule['exclusiveMinimum']}"
    return f"at most {rule['maximum']}" if value > rule.get("maximum", math.inf) else ""


def _mistake_in_object(value: dict[str, Any], rule: dict[str, Any], path: str) -> str | None:
    missing = [key for key in rule.get("required", []) if key not in value]
    for key, others in rule.get("dependentRequired", {}).items():
        missing += [other for other in others if key in value and other not in value]
    if "if" in rule:
        other = rule["else"] if _mistake(value, rule["if"], path) else rule["then"]
        missing += [key for key in other.get("required", []) if key not in value]
    if missing:
        return _said(path, f"{missing[0]!r} is missing")
    if len(value) < rule.get("minProperties", 0):
        return _said(path, "expected an entry, got an object of 0")
    rest = rule.get("additionalProperties")
    for key, inner in value.items():
        place = f"{path}.{key}" if path else key
        if not _is_text(key):
            return _said(path, f"expected names, got {_shown(key)}")
        if found := _mistake(key, rule.get("propertyNames", {}), path):
            return found
        known = rule.get("properties", {}).get(key, rest)
        if known and (found := _mistake(inner, known, place)):
            return found
    return None


def _mistake_in_list(value: list[Any], rule: dict[str, Any], path: str) -> str | None:
    least, most = rule.get("minItems", 0), rule.get("maxItems", math.inf)
    if not least <= len(value) <= most:
        return _said(path, f"expected {least if len(value) < least else most} entries, got {len(value)}")
    ahead = rule.get("prefixItems", [])
    for number, inner in enumerate(value):
        known = ahead[number] if number < len(ahead) else rule.get("items")
        if known and (found := _mistake(inner, known, f"{path}[{number}]")):
            return found
    return None


def _is_text(text: str) -> bool:
    """Whether UTF-8 can write it; JSON can write halves of letters, too."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _said(path: str, what: str) -> str:
    return f"{path}: {what}" if path else what


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 1]}…"
