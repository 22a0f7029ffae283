"""Paths such as `services.payment.instances` or `faults[payment down].at`, and changes made with them.

The longest declared name wins, so `topics.payments.dlq.capacity` is the capacity of `payments.dlq`. List
items are addressed by [index] or [name]; `*` matches every name, `[*]` every item. Values are YAML.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slosim.errors import Problem, ScenarioError
from slosim.model.document import ListNode, MapNode, Node, Scalar, describe, from_plain, read_text
from slosim.model.kinds import singular
from slosim.model.values import did_you_mean, listed, nearest, quoted, show

NAMED_SECTIONS = ("topics", "producers", "services", "dependencies", "flows")
ON_COMMAND_LINE = "--set"
IN_REPLACE = "<replace>"


class _Wrong(Exception):
    """A path that leads nowhere."""

    def __init__(self, what: str, accepted: str = "", suggestion: str = "") -> None:
        self.parts = (what, accepted, suggestion)
        super().__init__(what)


def overridden(root: Node, overrides: Iterable[str | tuple[str, Any]], origin: str = ON_COMMAND_LINE) -> Node:
    """A copy of the document with changes, each `"path=value"` or (path, value) made in turn.

    A key that the document leaves out is added; a name or list item must exist.

    origin  what messages name as the place where a text was written

    Raises:
        ScenarioError: paths that lead nowhere or values that are not YAML, all of them.
    """
    changes = list(overrides)
    if not changes or not isinstance(root, MapNode):
        return root
    copy = _copied(root)
    problems: list[Problem] = []
    for change in changes:
        file = origin if isinstance(change, str) else IN_REPLACE
        path = change if isinstance(change, str) else change[0]
        try:
            path, value = (
                _split(change, file) if isinstance(change, str) else (path, from_plain(change[1], file, path))
            )
            assert isinstance(copy, MapNode)
            _set(copy, path, value, file, path, first=True)
        except _Wrong as wrong:
            problems.append(Problem(file, None, show(path, 200).strip("'"), *wrong.parts))
        except ScenarioError as error:
            problems += [Problem(file, None, path, p.what, p.accepted, p.suggestion) for p in error.problems]
    if problems:
        raise ScenarioError(problems)
    return copy


def _split(change: str, file: str) -> tuple[str, Node]:
    depth = 0
    for place, character in enumerate(change):
        depth += (character == "[") - (character == "]")
        if character == "=" and depth <= 0:
            path, text = change[:place].strip(), change[place + 1 :]
            if not text.strip():
                raise _Wrong(
                    "expected a value behind '=', got nothing", "path=value, the value written as in a file"
                )
            problems: list[Problem] = []
            value = read_text(text, file, problems)
            if problems:
                raise ScenarioError(problems)
            return path, _without_lines(value)
    raise _Wrong("expected path=value, got no '='", "for example services.payment.instances=6")


def _copied(node: Node) -> Node:
    """A copy of the tree; parts shared by aliases become separate, so that a change reaches one place."""
    if isinstance(node, MapNode):
        entries = {key: _copied(value) for key, value in node.entries.items()}
        return MapNode(node.file, node.line, entries, dict(node.key_lines))
    if isinstance(node, ListNode):
        return ListNode(node.file, node.line, [_copied(item) for item in node.items])
    return node


def _without_lines(node: Node) -> Node:
    node.line = None
    if isinstance(node, MapNode):
        node.key_lines = dict.fromkeys(node.key_lines)
        for value in node.entries.values():
            _without_lines(value)
    elif isinstance(node, ListNode):
        for item in node.items:
            _without_lines(item)
    return node


def _set(
    node: Node, rest: str, value: Node, file: str, path: str, first: bool = False, section: str = ""
) -> None:
    """Replace what `rest` addresses below `node`."""
    if isinstance(node, ListNode):
        for index, after in _items(node, rest):
            if after:
                _set(node.items[index], _behind_dot(after), value, file, path)
            else:
                node.items[index] = value
        return
    if not isinstance(node, MapNode):
        here = path[: len(path) - len(rest)].rstrip(".[")
        raise _Wrong(f"{here} has no fields, got {describe(node)}", f"set {here} as a whole")
    for key, after in _keys(node, rest, section):
        if not after:
            node.entries[key] = value
            node.key_lines[key] = None
            continue
        if key not in node.entries:
            if after.startswith("["):
                raise _Wrong(f"{key} is not written in the scenario, so it has no items")
            node.entries[key] = MapNode(file, None)
            node.key_lines[key] = None
        inner = node.entries[key]
        next_section = key if first and key in NAMED_SECTIONS else ""
        _set(inner, _behind_dot(after), value, file, path, section=next_section)


def _behind_dot(after: str) -> str:
    return after[1:] if after.startswith(".") else after


def _keys(node: MapNode, rest: str, section: str) -> list[tuple[str, str]]:
    """(key, what follows it) for the first part of `rest`; several for `*`."""
    if not rest:
        raise _Wrong("the path ends in the middle", "for example services.payment.instances")
    if rest.startswith("["):
        raise _Wrong("there is no list before '['", "for example faults[0].at")
    if rest == "*" or rest.startswith(("*.", "*[")):
        if not section:
            raise _Wrong(f"* matches names of {', '.join(NAMED_SECTIONS[:-1])} and {NAMED_SECTIONS[-1]} only")
        if not node.entries:
            raise _Wrong(f"no {section} are declared")
        return [(key, rest[1:]) for key in node.entries]
    known = [key for key in node.entries if rest == key or rest.startswith((key + ".", key + "["))]
    if known:
        key = max(known, key=len)
        return [(key, rest[len(key) :])]
    cut = min((place for mark in ".[" if (place := rest.find(mark)) >= 0), default=len(rest))
    if section:
        close = nearest(rest[:cut], node.entries)
        what = f"{singular(section)} {quoted(rest[:cut])} is not declared"
        declared = (
            f"declared {section}: {listed(node.entries)}" if node.entries else f"no {section} are declared"
        )
        raise _Wrong(what, declared, did_you_mean(close) if close else "")
    return [(rest[:cut], rest[cut:])]


def _items(node: ListNode, rest: str) -> list[tuple[int, str]]:
    """(index, what follows) for `[index]`, `[name]` or `[*]` at the start of `rest`."""
    end = rest.find("]")
    if not rest.startswith("[") or end < 0:
        raise _Wrong("a list item is addressed by [index] or [name]", "for example faults[0].at")
    names = [item.entries.get("name") if isinstance(item, MapNode) else None for item in node.items]
    texts = [name.text if isinstance(name, Scalar) else "" for name in names]
    for index, text in sorted(enumerate(texts), key=lambda pair: -len(pair[1])):
        if text and rest.startswith(f"[{text}]"):
            return [(index, rest[len(text) + 2 :])]
    inside, after = rest[1:end], rest[end + 1 :]
    if inside == "*":
        return [(index, after) for index in range(len(node.items))]
    if inside.isdecimal() and int(inside) < len(node.items):
        return [(int(inside), after)]
    known = [text for text in texts if text]
    if inside.isdecimal() or not known:
        raise _Wrong(
            f"there is no item {show(inside)}",
            f"items: 0 to {len(node.items) - 1}" if node.items else "the list is empty",
        )
    close = nearest(inside, known)
    raise _Wrong(
        f"no item is named {quoted(inside)}", f"names: {listed(known)}", did_you_mean(close) if close else ""
    )
