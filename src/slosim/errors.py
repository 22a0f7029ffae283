"""The errors slosim raises: the user's mistakes on one side, our own bugs on the other.

A mistake in a scenario or in a file it names is a `ScenarioError`, which lists every mistake at once. A bug
of slosim is an `EngineError`, which says how to reproduce it. Neither is ever a warning or a line in a log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake in a scenario, or in a file that the scenario names.

    file        where it was read: a file name, `<scenario>` for one built in code, `--set` for an override
    line        line in that file counted from 1, or None where there are no lines
    path        the field, written as `--set` takes it; empty for the file as a whole
    what        what is wrong, with the value that was found
    accepted    what would be accepted instead; may be empty
    suggestion  the one thing most likely meant; may be empty
    """

    file: str
    line: int | None
    path: str
    what: str
    accepted: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        position = self.file if self.line is None else f"{self.file}:{self.line}"
        head = f"{position} {self.path}: {self.what}" if self.path else f"{position}: {self.what}"
        return "\n    ".join(part for part in (head, self.accepted, self.suggestion) if part)


class ScenarioError(Exception):
    """A scenario, an override or a data file is wrong; `problems` are all mistakes, ordered by position."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(_by_position(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n\n".join(str(problem) for problem in self.problems)


class UserError(Exception):
    """A mistake on the command line, or a place that cannot be read or written; the message says which and
    why.
    """


class WorkerLost(Exception):
    """A replication took down every worker that it was given to, or there is no worker left."""


class EngineError(Exception):
    """slosim itself is wrong. `replay` is the command that shows the fault again."""

    def __init__(self, message: str, replay: str = "") -> None:
        self.message = message
        self.replay = replay
        super().__init__(message, replay)

    def __str__(self) -> str:
        request = "This is a bug in slosim, please report it"
        return (
            f"{self.message}. {request} with: {self.replay}" if self.replay else f"{self.message}. {request}."
        )


def _by_position(problems: Iterable[Problem]) -> list[Problem]:
    """Problems without duplicates; files in the order of their first problem, then by line."""
    unique = list(dict.fromkeys(problems))
    files = {file: place for place, file in enumerate(dict.fromkeys(problem.file for problem in unique))}
    return sorted(unique, key=lambda problem: (files[problem.file], problem.line or 0))
