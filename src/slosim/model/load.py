"""From a document to a scenario: names, then fields, then their relations, all mistakes at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slosim.errors import Problem, ScenarioError
from slosim.model import document, paths
from slosim.model.check import check, default_flows, with_default_consumer
from slosim.model.document import IN_CODE, MapNode, Node, describe
from slosim.model.fields import Record
from slosim.model.kinds import Reading
from slosim.model.scenario import Scenario, Source, assembled


def load(path: str | Path, overrides: Iterable[str | tuple[str, Any]] = ()) -> Scenario:
    """The scenario of a YAML file.

    overrides  changes made before anything is checked: `"services.payment.instances=6"`, or (path, value)

    Raises:
        ScenarioError: with every mistake at once.
    """
    problems: list[Problem] = []
    root = document.read_file(Path(path), problems)
    return _scenario(root, str(path), Path(path).parent, overrides, problems)


def loads(
    text: str,
    name: str = "<text>",
    base: Path | str | None = None,
    overrides: Iterable[str | tuple[str, Any]] = (),
) -> Scenario:
    """The scenario of a YAML text; `name` stands for the file in messages, files are found relative to
    `base`.

    Raises:
        ScenarioError: with every mistake at once.
    """
    problems: list[Problem] = []
    root = document.read_text(text, name, problems)
    return _scenario(root, name, Path(base) if base is not None else None, overrides, problems)


def read_sections(sections: Mapping[str, Any], base: Path | None = None) -> dict[str, Any]:
    """Values of every field of a scenario given as plain dicts, lists and scalars."""
    return _values(document.from_plain(sections), IN_CODE, base, [])


def changed(
    scenario: Scenario,
    changes: Iterable[str | tuple[str, Any]],
    origin: str = paths.ON_COMMAND_LINE,
) -> Scenario:
    """The scenario read again with changes to its document, each `"path=value"` or (path, value).

    origin  what messages name as the place where a text was written

    Raises:
        ScenarioError: an unknown path, or a scenario that is no longer valid.
    """
    source = scenario.source
    assert source is not None
    root = paths.overridden(source.document, changes, origin)
    return assembled(_values(root, source.file, source.base, []))


def _scenario(
    root: Node,
    file: str,
    base: Path | None,
    overrides: Iterable[str | tuple[str, Any]],
    problems: list[Problem],
) -> Scenario:
    return assembled(_values(paths.overridden(root, overrides), file, base, problems))


def _values(root: Node, file: str, base: Path | None, problems: list[Problem]) -> dict[str, Any]:
    reading = Reading(base=base, problems=problems)
    reading.nodes[""] = root
    if not isinstance(root, MapNode):
        fields = ", ".join(one.name for one in dataclasses.fields(Scenario) if "spec" in one.metadata)
        reading.problem(
            root, "", f"expected the fields of a scenario, got {describe(root)}", f"fields: {fields}"
        )
        raise ScenarioError(reading.problems)
    reading.names = _declared(root)
    draft = Record(_Draft).read(root, "", reading)
    values = {one.name: getattr(draft, one.name) for one in dataclasses.fields(draft)}
    for section in ("services", "dependencies", "flows"):
        values[section] = {} if values[section] is None else values[section]
    check(values, reading)
    if reading.problems:
        raise ScenarioError(reading.problems)
    values["flows"] = values["flows"] or default_flows(values["producers"], values["services"])
    values["objectives"] = with_default_consumer(values["objectives"], values["services"])
    lines = {path: node.line for path, node in reading.nodes.items()}
    values["source"] = Source(root, base, file, lines)
    return values


def _declared(root: MapNode) -> dict[str, tuple[str, ...] | None]:
    """Names of each section, None where it is missing or not names at all: that is the mistake, not who
    refers to it.

    Without `flows`, each producer has a flow of its name.
    """
    names: dict[str, tuple[str, ...] | None] = {}
    for section in paths.NAMED_SECTIONS:
        node = root.entries.get(section)
        names[section] = tuple(node.entries) if isinstance(node, MapNode) else None
    for section in ("services", "dependencies"):
        names[section] = () if section not in root.entries else names[section]
    names["flows"] = names["flows"] or (names["producers"] if "flows" not in root.entries else None)
    return names


_Draft: Any = dataclasses.make_dataclass(
    "Scenario",
    [
        (one.name, one.type, dataclasses.field(default=one.default, metadata=one.metadata))
        for one in dataclasses.fields(Scenario)
        if "spec" in one.metadata
    ],
    namespace={"word": Scenario.word},
    kw_only=True,
)
