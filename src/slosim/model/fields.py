"""Fields and their types, declared once.

A class of the model declares each field with `spec(kind, …)`: type, unit, default, meaning, and what is accepted
come from that one line. Reading with all errors at once, defaults, the resolved form, the JSON Schema for editors
and docs/scenario.md are all derived from it, so no default is typed twice.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slosim.errors import Problem
from slosim.model import unsupported, values
from slosim.model.document import ListNode, MapNode, Node, Scalar, describe
from slosim.model.values import Mistake, did_you_mean, listed, nearest, quoted


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


# --- scalars -----------------------------------------------------------------------------------------------------


class ScalarKind(Kind):
    def parse(self, text: str) -> Any:
        raise NotImplementedError

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, Scalar):
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", self.accepted)
        if node.is_null:
            what = f"expected {self.noun}, got {describe(node)}"
            hint = "null means nothing here: leave the key out to take its default" if node.text else self.accepted
            return reading.problem(node, path, what, hint)
        try:
            return self.parse(node.text)
        except Mistake as mistake:
            what = f"{mistake.what}, got {describe(node)}"
            return reading.problem(node, path, what, "" if mistake.complete else self.accepted, mistake.suggestion)


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
        if self.positive:
            bounds.append("above 0")
        elif self.minimum > 0:
            bounds.append(f"at least {self.writer(self.minimum)}")
        if self.maximum not in (float("inf"), 1.0):
            bounds.append(f"at most {self.writer(self.maximum)}")
        return " ".join([self.name, *bounds])


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
    """An integer; None stands for `unlimited` where that is allowed."""

    minimum: int = 0
    unlimited: bool = False

    @property
    def noun(self) -> str:  # type: ignore[override]
        return "an integer"

    @property
    def accepted(self) -> str:  # type: ignore[override]
        return "digits alone, such as 4" + (", or unlimited" if self.unlimited else "")

    def parse(self, text: str) -> int | None:
        if self.unlimited and text == "unlimited":
            return None
        try:
            return values.parse_count(text, self.minimum)
        except Mistake as mistake:
            words = ("unlimited", "infinite", "infinity", "inf", ".inf", "none", "unbounded", "-1", "∞")
            if self.unlimited and (text.lower() in words or nearest(text, ["unlimited"])):
                raise Mistake(mistake.what, did_you_mean("unlimited")) from None
            raise

    def write(self, value: int | None) -> int | str:
        return "unlimited" if value is None else value

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        number = {"type": "integer", "minimum": self.minimum}
        return {"anyOf": [number, {"const": "unlimited"}]} if self.unlimited else number

    def label(self) -> str:
        return f"count, at least {self.minimum}" + (", or `unlimited`" if self.unlimited else "")


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
FILE_NAME = Text("a file name", "a path relative to the folder of the scenario file", lambda text: text, {"type": "string"})
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
    """The name of something declared elsewhere in the scenario: section `topics`, `services`, `producers` or `flows`."""

    section: str

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"the name of a {self.section.removesuffix('s')}"

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
        return f"name of a {self.section.removesuffix('s')}"


def undeclared(node: Node, path: str, reading: Reading, section: str, name: str) -> Any:
    """Note that `name` is not declared in a section, with what is."""
    declared = reading.names.get(section) or ()
    close = nearest(name, declared)
    hint = did_you_mean(close) if close else ""
    if section == "topics" and any(name.startswith(f"{topic}.") for topic in declared):
        hint = f"to declare it, write {values.show(name)}: {{}} below topics"  # a dead-letter topic, most likely
    known = f"declared {section}: {listed(declared)}" if declared else f"no {section} are declared"
    what = f"{section.removesuffix('s')} {quoted(name)} is not declared"
    return reading.problem(node, path, what, known, hint)


# --- containers ----------------------------------------------------------------------------------------------------


def item_path(path: str, node: Node, reading: Reading) -> str:
    """Path of the next item of a list: `faults[payment down]` for one with a name of its own, else `faults[0]`."""
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
            return reading.problem(node, path, f"expected a list of at least {at_least}, got {describe(node)}")
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
class MapOf(Kind):
    """Declared names and what each stands for, as a dict in the order of the file."""

    item: Kind
    section: str

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"{self.section} by name"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        one = self.section.removesuffix("s")
        if not isinstance(node, MapNode):
            return reading.problem(node, path, f"expected {self.noun}, got {describe(node)}", f"{self.section}: {{my-{one}: {{…}}}}")
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
                reading.problem(node.key_node(name), where, what, "write {} to take every default")
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


# --- records -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spec:
    """The declaration of one field."""

    key: str
    kind: Kind
    meaning: str
    required: bool
    default_text: str | None  # in the language's form, or in words where it depends on other fields
    derive: Callable[[dict[str, Any]], Any] | None
    written_if: Callable[[Any], bool]


def spec(
    kind: Kind,
    meaning: str,
    *,
    default: str | None = None,
    optional: bool = False,
    derive: Callable[[dict[str, Any]], Any] | None = None,
    key: str = "",
    written_if: Callable[[Any], bool] = lambda owner: True,
) -> Any:
    """A dataclass field that is read, written and documented by its kind.

    kind        its type
    meaning     one line for the reference
    default     as a person would write it; with `derive` the rule in words
    optional    may be absent, which is None
    derive      the default as a function of the values of the other fields
    key         the word in the file where it is not the attribute's name
    written_if  of the owner: whether the resolved form holds the field
    """
    required = default is None and not optional
    made = Spec(key, kind, meaning, required, default, derive, written_if)
    if required:
        return field(metadata={"spec": made})
    if optional or derive:
        return field(default=None, metadata={"spec": made})
    reading = Reading()
    node = ListNode("default", None) if default == "[]" else Scalar("default", None, default, quoted=True)
    value = kind.read(node, "", reading)
    assert not reading.problems, reading.problems
    return field(default=value, metadata={"spec": made})


def relation(*needs: str) -> Callable:
    """Marks a method that yields `Fault`s; it is called when the fields it needs could be read."""

    def mark(method: Callable) -> Callable:
        method.needs = needs  # type: ignore[attr-defined]
        return method

    return mark


@dataclass(frozen=True)
class Broken:
    """A broken relation, found by a class about its own fields. `key` may be empty: the whole record."""

    key: str
    what: str
    accepted: str = ""
    suggestion: str = ""


# what other systems call a field -> our words for it
OTHER_WORDS = {
    "duration": "for",
    "start": "at from",
    "end": "to",
    "type": "kind",
    "replicas": "instances",
    "count": "instances copies",
    "workers": "concurrency",
    "threads": "concurrency",
    "slots": "concurrency",
    "parallelism": "concurrency",
    "latency": "service_time within",
    "processing_time": "service_time",
    "topic": "consumes",
    "queue": "consumes topic",
    "publishes": "emits",
    "produces": "emits",
    "output": "emits",
    "outputs": "emits",
    "dlq": "dead_letter",
    "dead_letter_queue": "dead_letter",
    "dead_letter_topic": "dead_letter",
    "ttl": "message_ttl",
    "retention": "message_ttl",
    "max_length": "capacity",
    "overflow": "when_full",
    "retries": "retry",
    "max_retries": "maximum_attempts",
    "max_attempts": "maximum_attempts",
    "attempts": "maximum_attempts",
    "backoff": "initial_interval",
    "multiplier": "backoff_coefficient",
    "error_rate": "failures",
    "failure_rate": "failures error_rate",
    "slo": "target",
    "goal": "target",
    "latency_below": "within",
    "threshold": "within",
    "stddev": "sd",
    "std": "sd",
    "queues": "topics",
    "consumers": "services",
    "publishers": "producers",
    "slos": "objectives",
    "chaos": "faults",
}


@dataclass(frozen=True)
class Record(Kind):
    """A mapping with fixed keys, read into a dataclass whose fields are declared with `spec`.

    cls     the dataclass; `cls.word` is what people call it
    short   key that a lone scalar or list stands for: `failures: 2%` means `failures: {probability: 2%}`
    likely  key that a lone scalar was probably meant for, though it is not accepted
    """

    cls: type
    short: str = ""
    likely: str = ""

    @property
    def word(self) -> str:
        return getattr(self.cls, "word", self.cls.__name__.lower())

    @property
    def noun(self) -> str:  # type: ignore[override]
        return f"the fields of {self.word}"

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if self.short and not isinstance(node, MapNode):
            return self.read_fields({self.short: node}, node, path, reading, short=True)
        if not isinstance(node, MapNode):
            return self.wrong_shape(node, path, reading)
        return self.read_fields(node.entries, node, path, reading)

    def wrong_shape(self, node: Node, path: str, reading: Reading) -> Any:
        keys = [one.key for one in specs(self.cls)]
        meant = ""
        if isinstance(node, Scalar) and not node.is_null:
            meant = run_together(node) or (f"{self.likely}: {node.text[:40]}" if self.likely else "")
            if node.text in keys and self.spec_of(node.text).kind is BOOLEAN:
                meant = f"{node.text}: true"
        suggestion = did_you_mean("{" + meant + "}") if meant else ""
        what = f"expected {self.noun}, got {describe(node)}"
        return reading.problem(node, path, what, f"fields: {', '.join(keys)}", suggestion)

    def read_fields(
        self, entries: dict[str, Node], node: Node, path: str, reading: Reading, short: bool = False
    ) -> Any:
        known = specs(self.cls)
        by_key = {one.key: name for name, one in spec_items(self.cls)}
        found: dict[str, Any] = {}
        meant: set[str] = set()  # fields that misspelt keys stand for: they are not missing as well
        for key, value in entries.items():
            where = path if short else f"{path}.{key}" if path else key
            place = node.key_node(key) if isinstance(node, MapNode) and not short else value
            reading.nodes.setdefault(where, place) if short else reading.nodes.__setitem__(where, place)
            if key in by_key:
                found[by_key[key]] = self.spec_of(key).kind.read(value, where, reading)
            else:
                meant.add(self.unknown(key, place, where, path, reading))  # empty where nothing is much like it
        for one in known:
            if one.required and by_key[one.key] not in found and one.key not in meant:
                kind = f" ({one.kind.noun})" if isinstance(one.kind, ScalarKind) else ""
                reading.problem(node, path, f"{one.key} is missing", f"{one.key}: {one.meaning}{kind}")
            if one.required:
                found.setdefault(by_key[one.key], INVALID)
        return self.build(found, node, path, reading, related=not meant)

    def spec_of(self, key: str) -> Spec:
        return next(one for one in specs(self.cls) if one.key == key)

    def unknown(self, key: str, place: Node, where: str, path: str, reading: Reading) -> str:
        """Note an unknown key; returns the field that was probably meant, or empty."""
        if key in unsupported.keys_of(self.cls.__name__):
            reading.problem(place, where, "not supported yet", unsupported.NOT_YET)
            return ""
        keys = [one.key for one in specs(self.cls)]
        close = next((word for word in OTHER_WORDS.get(key.lower(), "").split() if word in keys), "")
        close = close or nearest(key, [*keys, *unsupported.keys_of(self.cls.__name__)])
        where = f"{path}.{values.show(key, 40)}" if path else values.show(key, 40)
        what = f"{self.word} has no such field"
        reading.problem(place, where, what, f"fields: {', '.join(keys)}", did_you_mean(close) if close else "")
        return close

    def build(self, found: dict[str, Any], node: Node, path: str, reading: Reading, related: bool) -> Any:
        """The dataclass of the values found. Where a key was unknown, relations are not judged."""
        given = set(found)
        complete = {name: one.default for name, one in self.cls.__dataclass_fields__.items()} | found
        for name, one in spec_items(self.cls):
            if name not in found and one.derive:
                found[name] = _derived(one, complete)
        made = self.cls(**found)
        for method in relations(self.cls) if related else []:
            if any(has_invalid(getattr(made, need)) for need in method.needs):
                continue
            for fault in method(made, given):
                where = f"{path}.{fault.key}".strip(".") if fault.key else path
                place = reading.nodes.get(where, node)
                reading.problem(place, where, fault.what, fault.accepted, fault.suggestion)
        return made

    def write(self, value: Any) -> Any:
        written = {}
        for name, one in spec_items(self.cls):
            inner = getattr(value, name)
            absent = inner is None and not (isinstance(one.kind, Count) and one.kind.unlimited)
            if not absent and one.written_if(value):
                written[one.key] = one.kind.write(inner)
        return written

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        name = self.cls.__name__
        if name not in definitions:
            definitions[name] = {}  # holds the place, should the record contain itself
            definitions[name] = {
                "type": "object",
                "additionalProperties": False,
                "properties": {one.key: field_schema(one, definitions) for one in specs(self.cls)},
                "required": [one.key for one in specs(self.cls) if one.required],
            }
        reference: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
        if self.short:
            return {"anyOf": [self.spec_of(self.short).kind.schema(definitions), reference]}
        return reference

    def label(self) -> str:
        reference = f"[{self.word}](#{self.word.replace(' ', '-')})"
        return f"{self.spec_of(self.short).kind.label()}, or {reference}" if self.short else reference

    def parts(self) -> Iterator[type]:
        yield self.cls
        for one in specs(self.cls):
            yield from one.kind.parts()


def field_schema(one: Spec, definitions: dict[str, Any]) -> dict[str, Any]:
    inner = one.kind.schema(definitions)
    described: dict[str, Any] = {"description": one.meaning}
    if one.default_text is not None:
        described["description"] += f" (default: {one.default_text})"
    return described | ({"allOf": [inner]} if "$ref" in inner or "description" in inner else inner)


def spec_items(cls: type) -> list[tuple[str, Spec]]:
    """(attribute, declaration) of each declared field of a class."""
    cached = cls.__dict__.get("_spec_items")
    if cached is None:
        cached = [
            (one.name, dataclasses.replace(one.metadata["spec"], key=one.metadata["spec"].key or one.name))
            for one in dataclasses.fields(cls)
            if "spec" in one.metadata
        ]
        cls._spec_items = cached  # type: ignore[attr-defined]
    return cached


def specs(cls: type) -> list[Spec]:
    return [one for _, one in spec_items(cls)]


def relations(cls: type) -> list[Callable]:
    return [method for method in vars(cls).values() if hasattr(method, "needs")]


def has_invalid(value: Any) -> bool:
    """Whether a value, or something inside it, could not be read."""
    if value is INVALID:
        return True
    if isinstance(value, tuple):
        return any(has_invalid(item) for item in value)
    if isinstance(value, dict):
        return any(has_invalid(item) for item in value.values())
    if dataclasses.is_dataclass(value):
        return any(has_invalid(getattr(value, one.name)) for one in dataclasses.fields(value))
    return False


def run_together(node: Scalar) -> str:
    """`poisson: 12/s` for a scalar `poisson:12/s`, a key and its value without a space; else empty."""
    match = re.fullmatch(r"([A-Za-z_]\w*):(\S.*)", node.text)
    return f"{match[1]}: {match[2]}"[:60] if match else ""


def _derived(one: Spec, found: dict[str, Any]) -> Any:
    assert one.derive
    try:
        return one.derive(found)
    except (KeyError, TypeError, AttributeError):
        return INVALID if any(value is INVALID for value in found.values()) else None
