"""Targets of objectives from OpenSLO v1 documents, and the names that objectives have there.

Read is what a scenario knows, too: which objective, its target, its window. How OpenSLO measures is its own
affair; what would change the meaning of a target is refused. Source: github.com/OpenSLO/OpenSLO, v1.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slosim.errors import Problem, ScenarioError
from slosim.model.document import ListNode, MapNode, Node, Scalar, describe, read_documents
from slosim.model.values import did_you_mean, listed, nearest, quoted, show

if TYPE_CHECKING:
    from slosim.model.promises import Objective
    from slosim.model.scenario import Scenario

VERSION = "openslo/v1"
LABEL_MAX = 63  # characters of a name that every implementation takes (RFC 1123)
EXPECTED = "documents of OpenSLO v1, as `slosim openslo SCENARIO` prints them"
KINDS = ("SLO", "SLI", "Service", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget")
KEYS_OF_DOCUMENT = ("apiVersion", "kind", "metadata", "spec")
KEYS_OF_SPEC = (
    "description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod", "objectives",
    "alertPolicies",
)  # fmt: skip
KEYS_OF_OBJECTIVE = (
    "displayName", "op", "value", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow",
)  # fmt: skip
KEYS_OF_COMPOSITE = ("indicator", "indicatorRef", "compositeWeight")
KEYS_OF_WINDOW = ("duration", "isRolling", "calendar")
DAYS_OF_WEEK = 7
DIGITS_MAX = 7
"""Of the number of a window: no service is promised for longer."""


def labels_of(names: Sequence[str], otherwise: str) -> list[str]:
    """A name for each, as OpenSLO allows them: up to 63 of a-z, 0-9 and -, all different.

    otherwise  what stands for a text without any such letter
    """
    labels: list[str] = []
    for name in names:
        ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        plain = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:LABEL_MAX].rstrip("-") or otherwise
        label, count = plain, 1
        while label in labels:
            count += 1
            tail = f"-{count}"
            label = plain[: LABEL_MAX - len(tail)].rstrip("-") + tail
        labels.append(label)
    return labels


def read_targets(path: str | Path, scenario: Scenario) -> dict[str, Any]:
    """Targets and windows of a scenario's objectives from an OpenSLO file, for `scenario.replace`.

    Objectives are found by their names there; those that the file leaves out keep what they have.

    Raises:
        ScenarioError: with everything that cannot be used, each with its line.
    """
    problems: list[Problem] = []
    roots = read_documents(Path(path), "an OpenSLO file", problems)
    reading = _Reading(str(path), scenario.objectives, problems)
    for root in roots:
        reading.document(root)
    if not problems and not reading.changes:
        problems.append(Problem(str(path), None, "", "no SLO in this file", EXPECTED))
    if problems:
        raise ScenarioError(problems)
    return reading.changes


class _Reading:
    """Collects the changes that a file makes, and everything in it that cannot be used."""

    def __init__(self, file: str, objectives: Sequence[Objective], problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.objectives = {one.name: one for one in objectives}
        self.by_label = dict(zip(labels_of(list(self.objectives), "objective"), self.objectives, strict=True))
        self.lines: dict[str, int | None] = {}  # where an objective got its target
        self.changes: dict[str, Any] = {}

    def document(self, root: Node) -> None:
        if isinstance(root, Scalar) and root.is_null:
            return  # nothing between two ---
        if not isinstance(root, MapNode):
            self.refuse(root, "", f"not OpenSLO, got {describe(root)}", EXPECTED)
            return
        version, kind = root.entries.get("apiVersion"), root.entries.get("kind")
        if version is None:
            self.refuse(root, "apiVersion", "not OpenSLO: apiVersion is missing", EXPECTED)
        elif _text(version) != VERSION:
            self.refuse(version, "apiVersion", f"expected {VERSION}, got {describe(version)}", EXPECTED)
        elif kind is None or _text(kind) not in KINDS:
            found = "nothing" if kind is None else describe(kind)
            what = f"expected a kind of OpenSLO, got {found}"
            self.refuse(kind or root, "kind", what, f"kinds: {listed(KINDS)}", _meant(_text(kind), KINDS))
        elif _text(kind) == "SLO":
            self.slo(root)

    def slo(self, root: MapNode) -> None:
        self.known_keys(root, "", KEYS_OF_DOCUMENT)
        name = self.objective_of(root)
        spec = root.entries.get("spec")
        if not isinstance(spec, MapNode):
            self.refuse(spec or root, "spec", "an SLO without a spec")
            return
        self.known_keys(spec, "spec", KEYS_OF_SPEC)
        target, window = self.target(spec), self.window(spec)
        if name is None:
            return
        self.method(spec, self.objectives[name])
        if target is not None:
            self.changes[f"objectives[{name}].target"] = target
        if window is not None:
            self.changes[f"objectives[{name}].window"] = window

    def objective_of(self, root: MapNode) -> str | None:
        """The name of the objective that an SLO is about; None, and a problem, if there is none.

        It is looked for as `metadata.displayName`, as `metadata.name`, and as `displayName` of its one
        objective, which holds what is too long for the first. Our labels may be names of other objectives, so
        a `name` is taken for a label first, and the others are not.
        """
        own_names = {name: name for name in self.objectives}
        given = [
            (path, node, own_names | self.by_label if path == "metadata.name" else self.by_label | own_names)
            for path in ("metadata.displayName", "metadata.name", "spec.objectives.displayName")
            if (node := _at(root, path)) is not None
        ]
        for _, node, known in given:
            if (name := known.get(_text(node))) is not None:
                return self.first(name, node)
        if not any(path.startswith("metadata") for path, _, _ in given):
            self.refuse(root.entries.get("metadata") or root, "metadata.name", "an SLO without a name")
            return None
        path, node, _ = given[0]
        close = _meant(_text(node), [*self.objectives, *self.by_label])
        declared = f"objectives: {listed(self.objectives)}" if self.objectives else "it declares none"
        self.refuse(node, path, f"no objective of the scenario is called {describe(node)}", declared, close)
        return None

    def first(self, name: str, node: Node) -> str | None:
        """The name, unless an SLO before this one was about the same objective."""
        if name in self.lines:
            what = f"a second SLO of the objective {quoted(name)}, the first is in line {self.lines[name]}"
            self.refuse(node, "metadata", what, "one target for each objective")
            return None
        self.lines[name] = node.line
        return name

    def target(self, spec: MapNode) -> float | None:
        path, items = "spec.objectives", spec.entries.get("objectives")
        if not isinstance(items, ListNode) or len(items.items) != 1:
            found = f"{len(items.items)} objectives" if isinstance(items, ListNode) else _found(items)
            what = f"expected one objective in each SLO, got {found}"
            return self.refuse(items or spec, path, what, "an objective of a scenario has one target")
        item = items.items[0]
        if not isinstance(item, MapNode):
            return self.refuse(item, f"{path}[0]", f"expected an objective, got {describe(item)}")
        composite = [key for key in KEYS_OF_COMPOSITE if key in item.entries]
        if composite:
            what = f"a composite SLO, which has {composite[0]} in its objectives"
            return self.refuse(item, f"{path}[0]", what, "an objective of a scenario judges one thing")
        self.known_keys(item, f"{path}[0]", KEYS_OF_OBJECTIVE)
        given = [key for key in ("target", "targetPercent") if key in item.entries]
        if len(given) != 1:
            found = "both" if given else "neither"
            return self.refuse(item, f"{path}[0]", f"expected target or targetPercent, got {found}")
        most = 1 if given[0] == "target" else 100
        node = item.entries[given[0]]
        number = _number(node)
        if number is None or not 0 < number < most or not 0 < float(number / most) < 1:
            what = f"expected a number above 0 and below {most}, got {describe(node)}"
            return self.refuse(node, f"{path}[0].{given[0]}", what)
        return float(number / most)

    def window(self, spec: MapNode) -> str | None:
        """The window as a scenario writes it; None where the SLO leaves it open, or it cannot be used."""
        path, items = "spec.timeWindow", spec.entries.get("timeWindow")
        if items is None:
            return None
        if (
            not isinstance(items, ListNode)
            or len(items.items) != 1
            or not isinstance(items.items[0], MapNode)
        ):
            what = f"expected a list of one time window, got {describe(items)}"
            return self.refuse(items, path, what, "for example [{duration: 30d, isRolling: true}]")
        window = items.items[0]
        self.known_keys(window, f"{path}[0]", KEYS_OF_WINDOW)
        if "calendar" in window.entries or _text(window.entries.get("isRolling")) != "true":
            what = "expected a rolling window: a run has no date, so it has no place in a calendar"
            return self.refuse(window, f"{path}[0]", what, "for example {duration: 30d, isRolling: true}")
        duration = window.entries.get("duration")
        match = re.fullmatch(rf"([1-9][0-9]{{,{DIGITS_MAX - 1}}})([mhdw])", _text(duration))
        if match is None:
            what = f"expected a number of m, h, d or w, got {_found(duration)}"
            hint = "months, quarters and years have no fixed length; for example 30d"
            return self.refuse(duration or window, f"{path}[0].duration", what, hint)
        number, unit = match.groups()
        return f"{int(number) * DAYS_OF_WEEK}d" if unit == "w" else f"{number}{unit}"

    def method(self, spec: MapNode, objective: Objective) -> None:
        """Refuse a target that is a share of something else than what the objective counts."""
        node = spec.entries.get("budgetingMethod")
        if _text(node) == "Occurrences" or (_text(node) == "Timeslices" and objective.topic is not None):
            return
        if _text(node) == "Timeslices":
            what = (
                f"{quoted(objective.name)} counts instances of a flow, and a target of time slices does not"
            )
            self.refuse(node or spec, "spec.budgetingMethod", what, "budgetingMethod: Occurrences")
        else:
            what = f"expected Occurrences or Timeslices, got {_found(node)}"
            self.refuse(node or spec, "spec.budgetingMethod", what)

    def known_keys(self, node: MapNode, path: str, known: Sequence[str]) -> None:
        for key in node.entries:
            if key not in known:
                where = f"{path}.{show(key)}" if path else show(key)
                what = f"OpenSLO v1 has no key {quoted(key)} here"
                self.refuse(node.key_node(key), where, what, f"keys: {listed(known)}", _meant(key, known))

    def refuse(self, node: Node, path: str, what: str, accepted: str = "", suggestion: str = "") -> None:
        self.problems.append(Problem(self.file, node.line, path, what, accepted, suggestion))


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) else ""


def _at(node: Node | None, path: str) -> Node | None:
    """What stands at a path of keys, through lists of one item; None if nothing does."""
    for key in path.split("."):
        if isinstance(node, ListNode) and len(node.items) == 1:
            node = node.items[0]
        node = node.entries.get(key) if isinstance(node, MapNode) else None
    return node


def _found(node: Node | None) -> str:
    return "nothing" if node is None else describe(node)


def _number(node: Node) -> Decimal | None:
    """The number, exactly as it is written."""
    try:
        number = Decimal(_text(node)) if re.fullmatch(r"[0-9.eE+-]{1,40}", _text(node)) else None
    except InvalidOperation:
        return None
    return number


def _meant(text: str, known: Iterable[str]) -> str:
    close = nearest(text, known)
    return did_you_mean(close) if close else ""
