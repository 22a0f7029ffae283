"""Fields of the model's classes, declared once.

A class declares each field with `spec(kind, …)`: type, unit, default, meaning, and what is accepted come from
that one line. Reading with all errors at once, defaults, the resolved form, the JSON Schema for editors and
docs/scenario.md are all derived from it, so no default is typed twice.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from slosim.model import values
from slosim.model.document import MapNode, Node, Scalar, describe, from_plain
from slosim.model.kinds import BOOLEAN, INVALID, Count, Kind, Reading, ScalarKind
from slosim.model.values import did_you_mean, nearest


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
    value = kind.read(_node_of_default(default or ""), "", reading)
    assert not reading.problems, reading.problems
    return field(default=value, metadata={"spec": made})


def _node_of_default(text: str) -> Node:
    """The node of a default: a scalar, `[]`, or a mapping of scalars as in `{factor: 2x, instances: 4}`."""
    if text == "[]":
        return from_plain([])
    if text.startswith("{"):
        return from_plain(dict(pair.split(": ") for pair in text.strip("{}").split(", ")))
    return from_plain(text)


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
    "min": "minimum",
    "max": "maximum",
    "min_replicas": "minimum",
    "max_replicas": "maximum",
    "minimum_instances": "minimum",
    "maximum_instances": "maximum",
    "cooldown": "scale_down_window",
    "batch_size": "max_messages batch",
    "size": "max_messages",
    "linger": "wait",
    "prefetch_count": "prefetch",
    "ack_timeout": "visibility_timeout",
    "breaker": "circuit_breaker",
    "depends_on": "calls dependencies",
    "hedge": "hedge_after",
    "concurrency": "capacity",
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
        meant = self.meant_by(node) if isinstance(node, Scalar) and not node.is_null else ""
        what = f"expected {self.noun}, got {describe(node)}"
        keys = ", ".join(one.key for one in specs(self.cls))
        return reading.problem(node, path, what, f"fields: {keys}", did_you_mean(meant) if meant else "")

    def meant_by(self, node: Scalar) -> str:
        """The mapping that a lone scalar was probably meant for, or empty."""
        known = specs(self.cls)
        if node.text == "true" and not any(one.required for one in known):
            return "{}"
        if any(one.key == node.text and one.kind is BOOLEAN for one in known):
            return f"{{{node.text}: true}}"
        meant = run_together(node) or (f"{self.likely}: {node.text[:40]}" if self.likely else "")
        return f"{{{meant}}}" if meant else ""

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
                kind = self.spec_of(key).kind.beside(lambda other: _text(entries.get(other)))
                found[by_key[key]] = kind.read(value, where, reading)
            else:
                meant.add(
                    self.unknown(key, place, where, path, reading)
                )  # empty where nothing is much like it
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
        keys = [one.key for one in specs(self.cls)]
        close = next((word for word in OTHER_WORDS.get(key.lower(), "").split() if word in keys), "")
        close = close or nearest(key, keys)
        where = f"{path}.{values.show(key, 40)}" if path else values.show(key, 40)
        what = f"{self.word} has no such field"
        reading.problem(
            place, where, what, f"fields: {', '.join(keys)}", did_you_mean(close) if close else ""
        )
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
                kind = one.kind.beside(lambda other: getattr(value, other))
                written[one.key] = kind.write(inner)
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


def relations(cls: type) -> list[Any]:
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


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


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
