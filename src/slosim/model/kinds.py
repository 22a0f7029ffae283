"""The types of fields: scalars, references to declared names, lists, and sections of named parts.

A kind reads a node into a value, or notes what is wrong and goes on; it writes the value back in the
language's form, and describes itself for the JSON Schema and the reference.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slosim.errors import Problem
from slosim.model import values
from slosim.model.document import ListNode, MapNode, Node, Scalar, describe
from slosim.model.values import Mistake, did_you_mean, listed, nearest, quoted

SUGGESTIONS_MAX = 50  # problems of a file after which nearest names are no longer sought: that takes time


class _Invalid:
    """Stands for a value that could not be read, so that reading goes on to the next mistake."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Any = _Invalid()


@dataclass
class Reading:
    """What one reading of a scenario knows and has found: declared names, files, nodes by path, problems."""

    base: Path | None = None
    names: dict[str, tuple[str, ...] | None] = field(default_factory=dict)  # None: the section cannot be read
    nodes: dict[str, Node] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: dict[object, Any] = field(default_factory=dict)
    items: dict[str, list[str]] = field(default_factory=dict)  # path of a list -> paths of its items

    def problem(self, node: Node, path: str, what: str, accepted: str = "", suggestion: str = "") -> Any:
        """Note a mistake; returns INVALID so that a reader can return it at once."""
        self.problems.append(Problem(node.file, node.line, path, what, accepted, suggestion))
        return INVALID

    def problem_at(self, path: str, what: str, accepted: str = "", suggestion: str = "") -> None:
        """Note a mistake in the part of a path."""
        self.problem(self.at(path), path, what, accepted, suggestion)

    def at(self, path: str) -> Node:
        """The node of a path, or of the nearest part around it that was written."""
        while path not in self.nodes and path:
            path = re.sub(r"(\.[^.\[\]]*|\[[^\]]*\])$", "", path) if re.search(r"[.\[]", path) else ""
        return self.nodes[path]


class Kind:
    """The type of a field: reads a node, writes the value in the language's form, describes itself.

    noun      what it is, as it follows "expected"
    accepted  how it is written; may be empty
    """

    noun = "a value"
    accepted = ""

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        raise NotImplementedError

    def beside(self, sibling: Callable[[str], Any]) -> Kind:
        """The kind itself, where it depends on the value of a sibling field."""
        return self

    def write(self, value: Any) -> Any:
        return value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        """JSON Schema of what may be written; named parts go to `definitions`."""
        raise NotImplementedError

    def label(self) -> str:
        """The type's name in the reference."""
        return self.noun.removeprefix("a ").removeprefix("an ")

    def parts(self) -> Iterator[type]:
        """Classes whose fields this kind contains, for the reference."""
        return iter(())


def singular(section: str) -> str:
    """One member of a section, in words."""
    return "dependency" if section == "dependencies" else section.removesuffix("s")


# --- scalars
# -----------------------------------------------------------------------------------------------------


class ScalarKind(Kind):
    def parse(self, text: str) -> Any:
        raise NotImplementedError

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, Scalar):
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", self.accepted)
        if node.is_null:
            what = f"expected {self.noun}, got {describe(node)}"
            hint = (
                "null means nothing here: leave the key out to take its default"
                if node.text
                else self.accepted
            )
            return reading.problem(node, path, what, hint)
        try:
            return self.parse(node.text)
        except Mistake as mistake:
            what = f"{mistake.what}, got {describe(node)}"
            return reading.problem(
                node, path, what, "" if mistake.complete else self.accepted, mistake.suggestion
            )


@dataclass(frozen=True)
class Quantity(ScalarKind):
    """A number with a unit and bounds: duration, rate, share, factor or plain number."""

    noun: str = field()
    accepted: str = field()
    parser: Callable[[str], float]
    writer: Callable[[float], Any]
    pattern: str
    minimum: float = 0.0
    maximum: float = float("inf")
    positive: bool = False
    name: str = ""

    def parse(self, text: str) -> float:
        value = self.parser(text)
        if self.positive and value <= 0:
            raise Mistake(f"expected {self.noun} above 0", complete=True)
        if value < self.minimum:
            raise Mistake(f"expected {self.noun} of at least {self.writer(self.minimum)}", complete=True)
        if value > self.maximum:
            raise Mistake(f"expected {self.noun} of at most {self.writer(self.maximum)}", complete=True)
        return value

    def above_zero(self) -> Quantity:
        return dataclasses.replace(self, positive=True)

    def between(self, minimum: float, maximum: float = float("inf")) -> Quantity:
        return dataclasses.replace(self, minimum=minimum, maximum=maximum)

    def write(self, value: float) -> Any:
        return self.writer(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        definitions[self.name] = {
            "description": f"{self.noun}: {self.accepted}",
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": self.pattern}],
        }
        return {"$ref": f"#/$defs/{self.name}"}

    def label(self) -> str:
        bounds = []
        if self.positive and not self.minimum:
            bounds.append("above 0")
        elif self.minimum > 0:
            bounds.append(f"at least {self.writer(self.minimum)}")
        if self.maximum not in (float("inf"), 1.0):
            bounds.append(f"at most {self.writer(self.maximum)}")
        return f"{self.name} {', '.join(bounds)}".strip()


_NUMBER = r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
DURATION = Quantity(
    "a duration",
    "a number with units us, ms, s, m, h or d, such as 250ms, 1.5s or 1h30m; a bare number is seconds",
    values.parse_duration,
    values.write_duration,
    rf"^({_NUMBER}|({_NUMBER}(d|h|m|s|ms|us))+)$",
    name="duration",
)
RATE = Quantity(
    "a rate",
    "a number per s, min, h or d, such as 120/s, 90/min or 5000/h; a bare number is per second",
    values.parse_rate,
    values.write_rate,
    rf"^{_NUMBER}(/(s|min|h|d))?$",
    name="rate",
)
SHARE = Quantity(
    "a share",
    "a percentage such as 2%, or a ratio from 0 to 1 such as 0.02",
    values.parse_share,
    values.write_share,
    rf"^{_NUMBER}%?$",
    maximum=1.0,
    name="share",
)
FACTOR = Quantity(
    "a factor",
    "a multiplier such as 3x or 3",
    values.parse_factor,
    values.write_factor,
    rf"^{_NUMBER}x?$",
    name="factor",
)
NUMBER = Quantity(
    "a number",
    "a decimal number such as 2 or 0.7",
    values.parse_number,
    values.write_number,
    rf"^{_NUMBER}$",
    name="number",
)


@dataclass(frozen=True)
class Count(ScalarKind):
    """An integer; None stands for `unlimited`, or another word for no limit, where that is allowed.

    maximum  of what takes memory whether it is used or not
    """

    minimum: int = 0
    unlimited: bool = False
    maximum: int = values.COUNT_MAX
    word: str = "unlimited"

    @property
    def noun(self) -> str:  # type: ignore[override]
        return "an integer"

    @property
    def accepted(self) -> str:  # type: ignore[override]
        return "digits alone, such as 4" + (f", or {self.word}" if self.unlimited else "")

    def parse(self, text: str) -> int | None:
        if self.unlimited and text == self.word:
            return None
        try:
            return values.parse_count(text, self.minimum, self.maximum)
        except Mistake as mistake:
            words = ("unlimited", "infinite", "infinity", "inf", ".inf", "none", "unbounded", "-1", "∞")
            if self.unlimited and (text.lower() in words or nearest(text, [self.word])):
                raise Mistake(mistake.what, did_you_mean(self.word)) from None
            raise

    def write(self, value: int | None) -> int | str:
        return self.word if value is None else value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.minimum}
        if self.maximum < values.COUNT_MAX:
            number["maximum"] = self.maximum
        return {"anyOf": [number, {"const": self.word}]} if self.unlimited else number

    def label(self) -> str:
        most = f" and at most {self.maximum}" if self.maximum < values.COUNT_MAX else ""
        return f"count, at least {self.minimum}{most}" + (f", or `{self.word}`" if self.unlimited else "")


SIZE = Count(1, maximum=100_000)
"""How many there are of something of which each takes memory, used or not."""


@dataclass(frozen=True)
class Text(ScalarKind):
    """Text checked by a parser: names, free text, booleans."""

    noun: str = field()
    accepted: str = field()
    parser: Callable[[str], Any]
    form: dict[str, Any]

    def parse(self, text: str) -> Any:
        return self.parser(text)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return dict(self.form)


# YAML readers of editors take a name such as 007 or on for a number or a boolean.
_TEXT: dict[str, Any] = {"type": ["string", "number", "boolean"]}
NAME = Text("a name", "letters, digits, '_', '-' and '.'", values.parse_name, _TEXT)
FREE_TEXT = Text("a text", "any text on one line, up to 200 characters", values.parse_free_text, _TEXT)
DESCRIPTION = Text("a text", "any text", lambda text: text, _TEXT)
FILE_NAME = Text(
    "a file name", "a path relative to the folder of the scenario file", lambda text: text, {"type": "string"}
)
BOOLEAN = Text("true or false", "", values.parse_boolean, {"type": "boolean"})


@dataclass(frozen=True)
class Choice(ScalarKind):
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def noun(self) -> str:  # type: ignore[override]
        return " or ".join((", ".join(self.words[:-1]), self.words[-1])) if self.words[1:] else self.words[0]

    def parse(self, text: str) -> str:
        if text in self.words:
            return text
        close = nearest(text.replace("-", "_"), self.words)
        raise Mistake(f"expected {self.noun}", did_you_mean(close) if close else "")

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"enum": list(self.words)}

    def label(self) -> str:
        return ", ".join(f"`{word}`" for word in self.words)


@dataclass(frozen=True)
class Reference(ScalarKind):
    """The name of something declared in a section, such as `topics`."""

    section: str

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"the name of a {singular(self.section)}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        name = super().read(node, path, reading)
        declared = reading.names.get(self.section)
        if name is INVALID or declared is None or name in declared:
            return name
        return undeclared(node, path, reading, self.section, name)

    def parse(self, text: str) -> str:
        return text

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return dict(_TEXT)

    def label(self) -> str:
        return f"name of a {singular(self.section)}"


def undeclared(node: Node, path: str, reading: Reading, section: str, name: str) -> Any:
    """Note that `name` is not declared in a section, with what is."""
    declared = reading.names.get(section) or ()
    close = nearest(name, declared) if len(reading.problems) < SUGGESTIONS_MAX else ""
    hint = did_you_mean(close) if close else ""
    if section == "topics" and any(name.startswith(f"{topic}.") for topic in declared):
        hint = (
            f"to declare it, write {values.show(name)}: {{}} below topics"  # a dead-letter topic, most likely
        )
    known = f"declared {section}: {listed(declared)}" if declared else f"no {section} are declared"
    what = f"{singular(section)} {quoted(name)} is not declared"
    return reading.problem(node, path, what, known, hint)


@dataclass(frozen=True)
class KindBeside(Kind):
    """A kind for each word of a sibling field."""

    key: str
    kinds: dict[str, Kind]

    @property
    def noun(self) -> str:  # type: ignore[override]
        return " or ".join(kind.noun for kind in self.kinds.values())

    def beside(self, sibling: Callable[[str], Any]) -> Kind:
        return self.kinds.get(sibling(self.key), self)

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        return INVALID  # the sibling is missing or no known word, which is noted there

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [kind.schema(definitions) for kind in self.kinds.values()]}

    def label(self) -> str:
        return ", ".join(f"{kind.label()} for `{word}`" for word, kind in self.kinds.items())


# --- containers
# ----------------------------------------------------------------------------------------------------


def item_path(path: str, node: Node, reading: Reading) -> str:
    """Path of the next item: `faults[payment down]` for one with a name of its own, else `faults[0]`."""
    before = reading.items.setdefault(path, [])
    name = node.entries.get("name") if isinstance(node, MapNode) else None
    label = name.text[:80] if isinstance(name, Scalar) and name.text.isprintable() else ""
    where = f"{path}[{label}]"
    if not label or where in before:
        where = f"{path}[{len(before)}]"
    before.append(where)
    reading.nodes[where] = node
    return where


@dataclass(frozen=True)
class ListOf(Kind):
    """A list of one kind, as a tuple; INVALID items stay in it so that the rest can be checked."""

    item: Kind
    minimum: int = 1

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"a list, each item {self.item.noun}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, ListNode):
            hint = "write each item in a line of its own behind '- ', or all in [ ]"
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", hint)
        if len(node.items) < self.minimum:
            at_least = "one item" if self.minimum == 1 else f"{self.minimum} items"
            return reading.problem(
                node, path, f"expected a list of at least {at_least}, got {describe(node)}"
            )
        reading.items.pop(path, None)
        return tuple(self.item.read(item, item_path(path, item, reading), reading) for item in node.items)

    def write(self, value: tuple) -> list:
        return [self.item.write(item) for item in value]

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(definitions), "minItems": self.minimum}

    def label(self) -> str:
        return f"list of {self.item.label()}"

    def parts(self) -> Iterator[type]:
        return self.item.parts()


@dataclass(frozen=True)
class OneOrMore(Kind):
    """One thing, or a list of several different ones, as a tuple."""

    one: Reference

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"{self.one.noun}, or a list of them"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, ListNode):
            name = self.one.read(node, path, reading)
            return name if name is INVALID else (name,)
        found = ListOf(self.one).read(node, path, reading)
        if found is INVALID or INVALID in found:
            return INVALID
        doubles = sorted(name for name, times in Counter(found).items() if times > 1)
        what = f"{singular(self.one.section)} {quoted(doubles[0])} is listed twice" if doubles else ""
        return reading.problem(node, path, what) if doubles else found

    def write(self, value: tuple[str, ...]) -> Any:
        return value[0] if len(value) == 1 else list(value)

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [self.one.schema(definitions), ListOf(self.one).schema(definitions)]}

    def label(self) -> str:
        return f"{self.one.label()}, or list of names"


@dataclass(frozen=True)
class MapOf(Kind):
    """Declared names and what each stands for, as a dict in the order of the file."""

    item: Kind
    section: str

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"{self.section} by name"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        one = singular(self.section)
        if not isinstance(node, MapNode):
            return reading.problem(
                node,
                path,
                f"expected {self.noun}, got {describe(node)}",
                f"{self.section}: {{my-{one}: {{…}}}}",
            )
        found = {}
        for name, value in node.entries.items():
            where = f"{path}.{name}" if path else name
            reading.nodes[where] = node.key_node(name)
            try:
                values.parse_name(name)
            except Mistake as mistake:
                what = f"{mistake.what}, got {values.show(name)}"
                reading.problem(node.key_node(name), path, what, "", mistake.suggestion)
            if isinstance(value, Scalar) and value.is_null:
                what = f"expected the fields of this {one}, got {describe(value)}"
                reading.problem(
                    node.key_node(name),
                    where,
                    what,
                    "write {} to take every default"
                    if self.section == "topics"
                    else f"a {one} has fields of its own",
                )
                continue
            found[name] = self.item.read(value, where, reading)
        return found

    def write(self, value: dict) -> dict:
        return {name: self.item.write(item) for name, item in value.items()}

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.item.schema(definitions)}

    def label(self) -> str:
        return f"{self.section} by name"

    def parts(self) -> Iterator[type]:
        return self.item.parts()
