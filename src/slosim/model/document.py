"""A scenario as a tree of nodes that remember their line: read from YAML 1.2, or made from plain Python
values.

Scalars stay text here; the type of each field parses them. Whatever YAML would quietly do to a value is
refused: null, merge keys, tags, duplicate keys, several documents. Hostile input ends in a clear error within
a second, because size, depth and the number of values (counted with aliases expanded) are bounded.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path

from slosim.errors import Problem, ScenarioError
from slosim.model.values import did_you_mean, nearest, quoted, show

BYTES_MAX = 128 * 1024  # YAML is read at 0.1 to 0.3 MB/s: the limit keeps the worst file at about a second
DEPTH_MAX = 32
VALUES_MAX = 20_000
MANY = 5
"""How many times as large several documents in one file may be: the SLOs of a large scenario."""
IN_CODE = "<scenario>"
NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(eq=False)
class Node:
    """Where a part was written: a file, and a line counted from 1 (None for values made in code)."""

    file: str
    line: int | None


@dataclass(eq=False)
class Scalar(Node):
    text: str
    quoted: bool = False

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.text in NULLS


@dataclass(eq=False)
class ListNode(Node):
    items: list[Node] = field(default_factory=list)


@dataclass(eq=False)
class MapNode(Node):
    entries: dict[str, Node] = field(default_factory=dict)
    key_lines: dict[str, int | None] = field(default_factory=dict)

    def key_node(self, key: str) -> Node:
        """The place of a key, which for a value on several lines is not the place of its value."""
        return Node(self.entries[key].file, self.key_lines.get(key))


def describe(node: Node) -> str:
    """What was found, for messages."""
    if isinstance(node, Scalar):
        return show(node.text) if node.quoted or node.text else "nothing"
    if isinstance(node, ListNode):
        return "a list" if node.items else "an empty list"
    keys = list(node.entries) if isinstance(node, MapNode) else []
    return "{" + ", ".join(f"{show(key, 20)}: …" for key in keys[:3]) + (", …}" if len(keys) > 3 else "}")


def plain(node: Node) -> object:
    """The tree as dicts, lists and text."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, value in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.text if isinstance(node, Scalar) else None


# --- from Python values
# --------------------------------------------------------------------------------------------


def from_plain(value: object, file: str = IN_CODE, path: str = "") -> Node:
    """Nodes of dicts, lists, text, numbers and booleans, as somebody writes a scenario in code.

    Raises:
        ScenarioError: a value of another type, None, a key that is not text, or nesting too deep.
    """
    if path.count(".") + path.count("[") > DEPTH_MAX:
        raise _error(file, None, f"nested deeper than {DEPTH_MAX} levels")
    if isinstance(value, str):
        return Scalar(file, None, value, quoted=True)
    if isinstance(value, bool):
        return Scalar(file, None, "true" if value else "false")
    if isinstance(value, Integral):
        return Scalar(file, None, str(int(value)))
    if isinstance(value, Real):
        return Scalar(file, None, repr(float(value)))
    if isinstance(value, Mapping):
        node = MapNode(file, None)
        for key, inner in value.items():
            if not isinstance(key, str):
                raise _error(file, None, f"expected a key that is text, got {show(repr(key))}", path=path)
            node.entries[key] = from_plain(inner, file, f"{path}.{key}" if path else key)
        return node
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return ListNode(file, None, [from_plain(item, file, f"{path}[{i}]") for i, item in enumerate(value)])
    accepted = "a dict, a list, a text, a number or a boolean; leave a key out to take its default"
    raise _error(file, None, f"cannot read a value of type {type(value).__name__}", accepted, path=path)


# --- from files
# ------------------------------------------------------------------------------------------------------


def read_file(path: Path, problems: list[Problem]) -> Node:
    """The tree of a YAML file. What is refused but leaves a tree (a tag, a duplicate key …) is added to
    `problems`.

    Raises:
        ScenarioError: it cannot be read, or is not one YAML 1.2 document within the limits.
    """
    data = read_bytes(path, str(path), BYTES_MAX, "a scenario file")
    return read_text(decode(data, str(path)), str(path), problems)


def read_bytes(path: Path, shown: str, bytes_max: int, noun: str) -> bytes:
    """The content of a regular file of at most `bytes_max` bytes; any other path is a ScenarioError."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _error(shown, None, f"is a folder, not {noun}")
        if not stat.S_ISREG(status.st_mode):
            raise _error(shown, None, f"is a device or a pipe, not {noun}")
        if status.st_size > bytes_max:
            limit = f"{noun} may have at most {bytes_max:,} bytes"
            raise _error(shown, None, f"too large, got {status.st_size:,} bytes", limit)
        with path.open("rb") as file:
            return file.read(bytes_max + 1)[:bytes_max]
    except FileNotFoundError:
        raise _error(shown, None, "no such file", suggestion=_similar_file(path)) from None
    except PermissionError:
        raise _error(shown, None, "not readable: permission denied") from None
    except (OSError, ValueError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
        raise _error(shown, None, f"not readable: {reason.lower()}") from None


def decode(data: bytes, shown: str) -> str:
    """UTF-8 text without a byte order mark; anything else is a ScenarioError that names the line."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise _error(
            shown, None, "not UTF-8: the file begins with a UTF-16 byte order mark", "save it as UTF-8"
        )
    zero = data.find(b"\0")
    if zero >= 0:
        line = data.count(b"\n", 0, zero) + 1
        raise _error(shown, line, "a zero byte: this is a binary file, not text", "UTF-8 text is expected")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        what = f"not UTF-8: byte 0x{data[fault.start]:02x} does not belong there"
        raise _error(shown, line, what, "save it as UTF-8") from None


def _similar_file(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return f"there is no folder {quoted(str(path.parent))}"
    close = nearest(path.name, names)
    return f"did you mean '{show(str(path.parent / close), 300).strip(chr(39))}'?" if close else ""


def _error(
    file: str, line: int | None, what: str, accepted: str = "", suggestion: str = "", path: str = ""
) -> ScenarioError:
    return ScenarioError([Problem(file, line, path, what, accepted, suggestion)])


# --- YAML
# ------------------------------------------------------------------------------------------------------------


def read_text(text: str, file: str, problems: list[Problem]) -> Node:
    """The tree of one YAML 1.2 document given as text; `problems` as for `read_file`.

    Raises:
        ScenarioError: broken YAML. Syntax stops the reading, so only the first such fault is listed.
    """
    roots = _composed(text, file, problems, one=True)
    if not roots:
        raise _error(
            file, None, "the file is empty", "a scenario is expected: name, run, topics, producers, …"
        )
    return roots[0]


def read_documents(path: Path, noun: str, problems: list[Problem]) -> list[Node]:
    """The trees of all YAML documents in a file, together at most `MANY` times as large as one may be.

    noun  what the file is

    Raises:
        ScenarioError: as for `read_file`.
    """
    data = read_bytes(path, str(path), MANY * BYTES_MAX, noun)
    return _composed(decode(data, str(path)), str(path), problems, one=False)


def _composed(text: str, file: str, problems: list[Problem], one: bool) -> list[Node]:
    """The trees of the documents in a text; `one`: a second document is refused."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    most = BYTES_MAX if one else MANY * BYTES_MAX
    if len(text) > most:
        raise _error(file, None, f"too large, got {len(text):,} characters", f"at most {most:,} are read")
    text = text.replace("\r\n", "\n")
    composer = _Composer(file, text, problems, one)
    try:
        return composer.documents(iter(YAML(typ="safe", pure=True).parse(text)))
    except MarkedYAMLError as fault:
        raise _syntax_error(fault, text, file) from None
    except YAMLError as fault:
        position = getattr(fault, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        character = getattr(fault, "character", "")
        code = character if isinstance(character, int) else ord(character or "\0")
        raise _error(file, line, f"a control character (code {code}) that YAML does not allow") from None


class _Composer:
    """Builds the tree from parser events, refusing what the language refuses."""

    def __init__(self, file: str, text: str, problems: list[Problem], one: bool) -> None:
        self.file = file
        self.one = one  # whether a second document is refused
        self.problems = problems
        self.lines = text.split("\n")
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.count = 0

    def documents(self, events: Iterator) -> list[Node]:
        """The trees up to the end of the stream."""
        next(events)  # start of the stream
        roots: list[Node] = []
        while type(start := next(events)).__name__ != "StreamEndEvent":
            line = start.start_mark.line + 1
            if roots and self.one:
                raise _error(self.file, line, "a second document begins here", "one file holds one scenario")
            version = getattr(start, "version", None)
            if version and tuple(version) != (1, 2):
                raise _error(
                    self.file, line if roots else 1, f"expected YAML 1.2, got YAML {version[0]}.{version[1]}"
                )
            self.anchors = {}
            roots.append(self.node(next(events), events, 0))
            next(events)  # end of the document
        return roots

    def node(self, event, events: Iterator, depth: int) -> Node:
        line = event.start_mark.line + 1
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self.alias(event.anchor, line)
        self.spend(1, line)
        if depth > DEPTH_MAX:
            raise _error(self.file, line, f"nested deeper than {DEPTH_MAX} levels")
        before = self.count
        tag = getattr(event, "tag", None)
        if tag:
            self.refuse(
                line,
                f"tags are refused, got {show(str(tag).replace('tag:yaml.org,2002:', '!!'))}",
                "the type of each field is fixed; write the value alone",
            )
        if kind == "ScalarEvent":
            node: Node = Scalar(self.file, line, event.value, quoted=event.style is not None)
        elif kind == "SequenceStartEvent":
            node = ListNode(self.file, line)
            while type(inner := next(events)).__name__ != "SequenceEndEvent":
                node.items.append(self.node(inner, events, depth + 1))
        else:
            node = self.mapping(line, events, depth)
        if event.anchor:
            self.anchors[event.anchor] = (node, self.count - before + 1)
        return node

    def mapping(self, line: int, events: Iterator, depth: int) -> MapNode:
        node = MapNode(self.file, line)
        while type(event := next(events)).__name__ != "MappingEndEvent":
            key_line = event.start_mark.line + 1
            key = self.node(event, events, depth + 1)
            value = self.node(next(events), events, depth + 1)
            if not isinstance(key, Scalar):
                self.refuse(key_line, f"expected a key that is text, got {describe(key)}")
            elif key.text == "<<" and not key.quoted:
                self.refuse(key_line, "merge keys are refused", "write the keys out")
            elif ":" in key.text and isinstance(value, Scalar) and value.is_null:
                head, _, tail = key.text.partition(":")
                what = f"a key without a value, got {quoted(key.text)}"
                self.refuse(
                    key_line,
                    what,
                    "a ':' ends a key only with a space behind it",
                    did_you_mean(f"{head}: {tail}"),
                )
                node.entries.setdefault(head, Scalar(self.file, key_line, tail))  # so that reading can go on
                node.key_lines.setdefault(head, key_line)
            elif (
                re.match(r"[0-9]", key.text)
                and isinstance(value, Scalar)
                and value.is_null
                and not value.text
            ):
                what = f"a key without a value, got {quoted(key.text)}"
                self.refuse(
                    key_line, what, "inside { } a ',' begins the next key; decimals are written with a point"
                )
            elif key.text in node.entries:
                first = node.key_lines[key.text]
                self.refuse(key_line, f"duplicate key {quoted(key.text)}, first given in line {first}")
            else:
                node.entries[key.text] = value
                node.key_lines[key.text] = key_line
        return node

    def alias(self, anchor: str, line: int) -> Node:
        if anchor not in self.anchors:
            inside = any(re.search(rf"&{re.escape(anchor)}\b", text) for text in self.lines[:line])
            why = "it would contain itself" if inside else "no anchor of that name comes before it"
            raise _error(self.file, line, f"alias {quoted('*' + anchor)}: {why}")
        node, size = self.anchors[anchor]
        self.spend(size, line)
        return node

    def spend(self, values: int, line: int) -> None:
        self.count += values
        most = VALUES_MAX if self.one else MANY * VALUES_MAX
        if self.count > most:
            what = f"more than {most:,} values, counted with aliases expanded"
            hint = "long profiles fit better in a CSV file: arrivals {counts: …}" if self.one else ""
            raise _error(self.file, line, what, hint)

    def refuse(self, line: int, what: str, accepted: str = "", suggestion: str = "") -> None:
        self.problems.append(Problem(self.file, line, "", what, accepted, suggestion))


def _syntax_error(fault, text: str, file: str) -> ScenarioError:
    """The parser's complaint in the words of somebody who writes scenarios."""
    mark = fault.problem_mark or fault.context_mark
    lines = text.split("\n")
    line = min(mark.line + 1, len(lines)) if mark else 1
    problem = str(fault.problem or fault.context or "cannot be read")
    written = lines[line - 1]
    if "\\t" in problem or written[: len(written) - len(written.lstrip())].count("\t"):
        return _error(file, line, "a tab is used for indentation", "YAML allows only spaces there")
    for near in (line, line - 1):
        match = (
            re.match(r"\s*(?:- )?([\w.\-]+):(?=[^\s:/])(.*)", lines[near - 1])
            if 0 < near <= len(lines)
            else None
        )
        if match:
            suggestion = did_you_mean(f"{match[1]}: {match[2]}"[:60])
            return _error(
                file,
                near,
                "broken YAML: a key and its value run together",
                "a ':' ends a key only with a space behind it",
                suggestion,
            )
    if fault.context_mark and fault.context and fault.context_mark.line + 1 != line:
        inside = next((words for raw, words in CONTEXTS if raw in fault.context), "what")
        problem += f", inside {inside} opened in line {fault.context_mark.line + 1}"
    quote = (
        'a value with one of : # { } [ ] , & * ? | > @ ` % at its start, or with ": " inside, needs quotes'
    )
    hint = quote if re.search("mapping values|cannot start any token", problem) else ""
    return _error(file, line, f"broken YAML: {_reworded(problem)}", hint)


CONTEXTS = (
    ("flow mapping", "the { }"),
    ("flow sequence", "the [ ]"),
    ("quoted", "the quotes"),
    ("block", "the block"),
)


def _reworded(problem: str) -> str:
    for raw, words in (
        ("found unexpected end of stream", "the file ends before the quote is closed"),
        ("<document start>", "the start of the document"),
        (", but got ':'", ", got a ':' before it"),
        ("<stream end>", "the end of the file"),
        ("<block end>", "the end of this block"),
        ("mapping values are not allowed here", "a second ': ' in one value, or wrong indentation"),
        ("expected the end of this block, but found '?'", "this key does not line up with the keys above it"),
        (
            "expected the end of this block, but found '-'",
            "this '-' does not line up with the lines above it",
        ),
        (
            "expected the end of this block, but found '<block mapping start>'",
            "this line does not line up with those above",
        ),
    ):
        problem = problem.replace(raw, words)
    return problem
