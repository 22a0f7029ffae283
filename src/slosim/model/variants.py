"""A value that is one of several forms, each named by its key: distributions and arrival processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from slosim.model.document import MapNode, Node, Scalar, describe
from slosim.model.fields import Record, Spec, has_invalid, run_together, specs
from slosim.model.kinds import INVALID, Kind, Reading
from slosim.model.values import did_you_mean, listed, nearest, quoted


@dataclass(frozen=True)
class Form:
    """One form of a variant.

    cls      the dataclass it becomes
    example  how it is written
    single   key of the one field that is written directly: `{exponential: 50ms}`; empty: a mapping of fields
    """

    cls: type
    example: str
    single: str = ""

    def inner(self) -> Kind:
        return self.single_spec().kind if self.single else Record(self.cls)

    def single_spec(self) -> Spec:
        return next(one for one in specs(self.cls) if one.key == self.single)


class Variants(Kind):
    """Reads `{word: …, extra: …}` with exactly one word of `forms`; extras are fields of the class beside it.

    A class may have `completed(path, node, reading)`, called once it is read, to load a file or solve
    parameters; it returns the finished value or INVALID.
    """

    def __init__(
        self, owner: str, noun: str, accepted: str, forms: dict[str, Form], extras: dict[str, Spec]
    ) -> None:
        self.owner = owner
        self.noun = noun
        self.accepted = accepted
        self.forms = forms
        self.extras = extras

    def read(self, node: Node, path: str, reading: Reading) -> Any:
        if not isinstance(node, MapNode):
            meant = run_together(node) if isinstance(node, Scalar) else ""
            return self.mistaken(node, path, reading, did_you_mean("{" + meant + "}") if meant else "")
        words = [key for key in node.entries if key in self.forms]
        if len(words) > 1:
            what = f"expected one of {listed(self.forms, 20)}, got both {words[0]} and {words[1]}"
            return reading.problem(node.key_node(words[1]), path, what)
        if not words:
            return self.wordless(node, path, reading)
        return self.read_form(words[0], node, path, reading)

    def mistaken(self, node: Node, path: str, reading: Reading, suggestion: str) -> Any:
        what = f"expected {self.noun}, got {describe(node)}"
        return reading.problem(node, path, what, self.accepted, suggestion)

    def wordless(self, node: MapNode, path: str, reading: Reading) -> Any:
        strange = [key for key in node.entries if key not in self.extras]
        if not strange:
            return self.mistaken(node, path, reading, "")
        key = strange[0]
        close = nearest(key, self.forms)
        what = f"expected {self.noun}, got {quoted(key)}"
        accepted = f"one of {listed(self.forms, 20)}"
        return reading.problem(node.key_node(key), path, what, accepted, did_you_mean(close) if close else "")

    def read_form(self, word: str, node: MapNode, path: str, reading: Reading) -> Any:
        form = self.forms[word]
        where = f"{path}.{word}"
        reading.nodes[where] = node.key_node(word)
        inner = self.with_strays(word, node, path, reading)
        extras = self.read_extras(word, node, path, reading)
        if form.single:
            fields = {form.single: inner}
            made = Record(form.cls).read_fields(fields, inner, where, reading, short=True)
        elif isinstance(inner, MapNode) or not isinstance(inner, Scalar):
            made = Record(form.cls).read(inner, where, reading)
        else:
            what = f"expected its parameters, got {describe(inner)}"
            made = reading.problem(inner, where, what, f"for example {form.example}")
        if has_invalid(made) or INVALID in extras.values():
            return INVALID
        made = dataclasses.replace(made, **extras)
        completed = getattr(made, "completed", None)
        return completed(where, inner, reading) if completed else made

    def read_extras(self, word: str, node: MapNode, path: str, reading: Reading) -> dict[str, Any]:
        found: dict[str, Any] = {}
        allowed = {
            name: one
            for name, one in self.extras.items()
            if name in self.forms[word].cls.__dataclass_fields__
        }
        for key, value in node.entries.items():
            where = f"{path}.{key}"
            if key == word:
                continue
            reading.nodes[where] = node.key_node(key)
            if key in allowed:
                found[key] = allowed[key].kind.read(value, where, reading)
                continue
            if key in self.extras:
                takers = [w for w, form in self.forms.items() if key in form.cls.__dataclass_fields__]
                what, accepted = f"{word} takes no {key}", f"{key} goes with {listed(takers)}"
                found[key] = reading.problem(node.key_node(key), where, what, accepted)
                continue
            found[f"unknown {key}"] = INVALID
            if key in self.strays(word, node):
                continue
            close = nearest(key, [*allowed, word])
            hint = did_you_mean(close) if close else ""
            beside = (
                f"beside {word} may stand: {', '.join(allowed)}"
                if allowed
                else f"nothing may stand beside {word}"
            )
            reading.problem(
                node.key_node(key), path, f"unknown field {quoted(key)} beside {word}", beside, hint
            )
        return found

    def strays(self, word: str, node: MapNode) -> list[str]:
        """Fields of the form that were written beside it instead of inside its braces."""
        form = self.forms[word]
        inside = [] if form.single else [one.key for one in specs(form.cls)]
        return [key for key in node.entries if key != word and key in inside and key not in self.extras]

    def with_strays(self, word: str, node: MapNode, path: str, reading: Reading) -> Node:
        """The inner mapping with every field on its right side; misplaced ones are noted."""
        inner = node.entries[word]
        if self.forms[word].single or not isinstance(inner, MapNode):
            return inner
        example = self.forms[word].example
        moved = MapNode(inner.file, inner.line, dict(inner.entries), dict(inner.key_lines))
        for key in self.strays(word, node):
            what = f"{key} stands beside {word}, not inside its braces"
            reading.problem(
                node.key_node(key), f"{path}.{key}", what, "", f"did you mean it inside, as in {example}?"
            )
            moved.entries.setdefault(key, node.entries[key])
            moved.key_lines.setdefault(key, node.key_lines.get(key))
        taken = [key for key in self.extras if key in self.forms[word].cls.__dataclass_fields__]
        for key in [key for key in moved.entries if key in taken]:
            what = f"{key} stands inside the braces of {word}, not beside it"
            hint = f"did you mean it beside {word}, as in {example[:-1]}, {key}: …}}?"
            reading.problem(moved.key_node(key), f"{path}.{word}.{key}", what, "", hint)
            del moved.entries[key]
        return moved

    def word_of(self, value: Any) -> str:
        return next(word for word, form in self.forms.items() if form.cls is type(value))

    def write(self, value: Any) -> Any:
        word = self.word_of(value)
        form = self.forms[word]
        written = Record(form.cls).write(value)
        result = {word: written[form.single] if form.single else written}
        for key, one in self.extras.items():
            extra = getattr(value, key, None)
            if extra is not None and one.written_if(value):
                result[key] = one.kind.write(extra)
        return result

    def schema(self, definitions: dict[str, Any]) -> dict[str, Any]:
        if self.owner not in definitions:
            definitions[self.owner] = {}
            definitions[self.owner] = {"anyOf": [self.form_schema(word, definitions) for word in self.forms]}
        return {"$ref": f"#/$defs/{self.owner}"}

    def form_schema(self, word: str, definitions: dict[str, Any]) -> dict[str, Any]:
        form = self.forms[word]
        properties = {word: form.inner().schema(definitions)}
        for key, one in self.extras.items():
            if key in form.cls.__dataclass_fields__:
                properties[key] = one.kind.schema(definitions) | {"description": one.meaning}
        return {"type": "object", "additionalProperties": False, "required": [word], "properties": properties}

    def label(self) -> str:
        return f"[{self.owner.lower()}](#{self.owner.lower()})"

    def parts(self) -> Iterator[type]:
        return iter(())
