"""`--vary PATH=VALUES`: what an experiment tries, one axis for each, and the variants of their grid."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slosim.errors import Problem, ScenarioError
from slosim.experiments.ranges import ACCEPTED, expanded
from slosim.model import Scenario
from slosim.model.load import changed
from slosim.model.values import Mistake, show

ON_COMMAND_LINE = "--vary"
VARIANTS_MOST = 10_000
EXAMPLE = "for example services.payment.instances=2..12"


class Axis(NamedTuple):
    """A path as in `--set`, and the values that it takes, each written as in a file."""

    path: str
    values: tuple[str, ...]


def parse_axis(text: str, scenario: Scenario) -> Axis:
    """The axis of `PATH=VALUES`, each value tried on the scenario.

    Raises:
        ScenarioError: a path that leads nowhere, or values that the field cannot take, all of them.
    """
    axis = _axis(text)
    require_values(axis, scenario)
    return axis


def parse_axes(texts: Iterable[str], scenario: Scenario) -> list[Axis]:
    """The axes of several `PATH=VALUES`.

    Raises:
        ScenarioError: with the mistakes of all of them; two with one path; a grid that is too large.
    """
    axes: list[Axis] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            axis = parse_axis(text, scenario)
        except ScenarioError as error:
            problems += error.problems
            continue
        if any(axis.path == other.path for other in axes):
            problems.append(_problem(axis.path, "is varied twice", "list all its values in one --vary"))
        axes.append(axis)
    if problems:
        raise ScenarioError(problems)
    require_small(axes)
    return axes


def require_values(axis: Axis, scenario: Scenario) -> None:
    """Raises ScenarioError with the mistakes of all values of an axis."""
    if axis.path.partition(".")[0] == "run":
        what = "is the same for all variants, so that they meet the same work"
        raise ScenarioError([_problem(axis.path, what, "change it for all of them with --set")])
    problems: list[Problem] = []
    for value in axis.values:
        try:
            variant(scenario, [axis.path], [value])
        except ScenarioError as error:
            problems += error.problems
    if problems:
        raise ScenarioError(problems)


def require_small(axes: Sequence[Axis]) -> None:
    """Raises ScenarioError for a grid of more than VARIANTS_MOST variants."""
    count = math.prod(len(axis.values) for axis in axes)
    if count > VARIANTS_MOST:
        shape = " × ".join(f"{len(axis.values):,}" for axis in axes)
        what = f"{shape} = {count:,} variants" if len(axes) > 1 else f"{count:,} variants"
        accepted = f"at most {VARIANTS_MOST:,}; a range takes a number of values, such as 1..100:5"
        raise ScenarioError([Problem(ON_COMMAND_LINE, None, "", what, accepted)])


def variant(scenario: Scenario, paths: Sequence[str], values: Sequence[str]) -> Scenario:
    """The scenario with these values at these paths.

    Raises:
        ScenarioError: naming --vary as the place of a mistake.
    """
    changes = [f"{path}={value}" for path, value in zip(paths, values, strict=True)]
    return changed(scenario, changes, ON_COMMAND_LINE)


def grid(axes: Sequence[Axis]) -> list[tuple[str, ...]]:
    """The values of every variant, one for each axis, the last axis changing fastest."""
    return list(itertools.product(*(axis.values for axis in axes)))


def variants(scenario: Scenario, axes: Sequence[Axis]) -> list[Scenario]:
    """The scenario of every variant, in the order of `grid`.

    Raises:
        ScenarioError: combinations of values that no scenario can have, all of them.
    """
    made: list[Scenario] = []
    problems: list[Problem] = []
    paths = [axis.path for axis in axes]
    for values in grid(axes):
        try:
            made.append(variant(scenario, paths, values))
        except ScenarioError as error:
            with_them = ", ".join(f"{path}={value}" for path, value in zip(paths, values, strict=True))
            problems += [
                dataclasses.replace(one, what=f"{one.what}, with {with_them}") for one in error.problems
            ]
    if problems:
        raise ScenarioError(problems)
    return made


def _axis(text: str) -> Axis:
    path, equals, values = _split(text)
    if not equals:
        raise ScenarioError([_problem(text, "expected PATH=VALUES, got no '='", EXAMPLE)])
    if not path:
        raise ScenarioError([_problem(text, "expected PATH=VALUES, got no path before '='", EXAMPLE)])
    if not values:
        raise ScenarioError([_problem(path, "expected values behind '=', got nothing", ACCEPTED)])
    try:
        return Axis(path, expanded(values))
    except Mistake as mistake:
        accepted = "" if mistake.complete else ACCEPTED
        raise ScenarioError([_problem(path, mistake.what, accepted, mistake.suggestion)]) from None


def _split(text: str) -> tuple[str, str, str]:
    """Path, '=' and values; the name of a list item may hold a '='."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "=" and depth <= 0:
            return text[:place].strip(), "=", text[place + 1 :].strip()
    return text.strip(), "", ""


def _problem(path: str, what: str, accepted: str = "", suggestion: str = "") -> Problem:
    return Problem(ON_COMMAND_LINE, None, show(path, 200).strip("'"), what, accepted, suggestion)
