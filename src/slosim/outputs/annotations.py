"""Mistakes of a scenario and verdicts on it as workflow commands, which GitHub shows at their lines.

Source: docs.github.com, "Workflow commands for GitHub Actions"; what must be escaped is that of its toolkit.
Any line of a log may be such a command, so names that others chose are either escaped or shielded.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slosim.errors import Problem
from slosim.report.objectives import MISSED, UNDECIDED
from slosim.report.text_verdict import SEVERE, objective_sentence

ERROR, WARNING = "error", "warning"
ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
ESCAPES_OF_PROPERTIES = {**ESCAPES, ":": "%3A", ",": "%2C"}


def annotations_of(data: dict[str, Any], file: str, lines: Mapping[str, int | None]) -> list[str]:
    """Errors for missed objectives; then warnings, for undecided ones and for what ails the system.

    file   the scenario, as it was given
    lines  line of each part of it that was written there, by path
    """
    missed = [one for one in data["objectives"] if one["verdict"] == MISSED]
    undecided = [one for one in data["objectives"] if one["verdict"] == UNDECIDED]
    told = [
        (level, f"objective {one['verdict']}", objective_sentence(one, data), f"objectives.{one['name']}")
        for level, some in ((ERROR, missed), (WARNING, undecided))
        for one in some
    ]
    told += [
        (WARNING, one["rule"].replace("_", " "), one["text"], one["subject"])
        for one in data["findings"]
        if one["rule"] in SEVERE
    ]
    return [
        command(level, message, title, file, line_of(subject, lines))
        for level, title, message, subject in told
    ]


def annotations_of_problems(problems: Iterable[Problem]) -> list[str]:
    """An error for each mistake, at its line; without a file for what the command line says."""
    annotations: list[str] = []
    for one in problems:
        parts = [part for part in (one.what, one.accepted, one.suggestion) if part]
        is_file = os.path.isfile(one.file)
        message = "\n".join(parts) if is_file else f"{one.file}: " + "\n".join(parts)
        title = one.path or "scenario"
        annotations.append(command(ERROR, message, title, one.file if is_file else None, one.line))
    return annotations


def command(level: str, message: str, title: str, file: str | None, line: int | None) -> str:
    """A workflow command: one line, whatever the texts are."""
    properties = {"file": None if file is None else in_repository(file), "line": line, "title": title}
    given = ",".join(
        f"{key}={escaped(str(value), ESCAPES_OF_PROPERTIES)}"
        for key, value in properties.items()
        if value is not None
    )
    return f"::{level} {given}::{escaped(message, ESCAPES)}"


def escaped(text: str, escapes: Mapping[str, str]) -> str:
    """The text with what would end it escaped."""
    return "".join(escapes.get(letter, letter) for letter in writable(text))


def in_repository(file: str) -> str:
    """The path from the root of the repository, as GitHub wants it; as it is for a file elsewhere."""
    root = os.environ.get("GITHUB_WORKSPACE") or os.curdir
    path = os.path.relpath(file, root)
    return file if path.split(os.sep)[0] == os.pardir else Path(path).as_posix()


def line_of(subject: str, lines: Mapping[str, int | None]) -> int | None:
    """Line of what a finding is about, or of the nearest part around it that was written in the file."""
    section, _, name = subject.partition(".")
    places = [f"{section}[{name[:80]}]", subject]  # an item of a list goes by its name there
    while "." in subject:
        subject = subject.rpartition(".")[0]
        places.append(subject)
    return next((line for place in places if (line := lines.get(place)) is not None), None)


def shielded(text: str) -> str:
    """The text between two commands that keep GitHub from obeying what is in it.

    The second command is a hash of the text, so nothing in the text can be that.
    """
    written = writable(text).removesuffix("\n")
    token = hashlib.sha256(written.encode()).hexdigest()
    return f"::stop-commands::{token}\n{written}\n::{token}::"


def writable(text: str) -> str:
    """The text with a question mark for each letter that UTF-8 has none for, as in the name of some files."""
    return text.encode("utf-8", "replace").decode()
