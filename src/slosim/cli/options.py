"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.cli.exits import UserError

if TYPE_CHECKING:
    from slosim.model import Scenario

ScenarioFile = Annotated[
    Path, typer.Argument(metavar="SCENARIO", help="The scenario, a YAML file.", show_default=False)
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PATH=VALUE", help="Change one value, e.g. services.payment.instances=6. Repeatable."
    ),
]

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def load_scenario(path: Path, sets: list[str] | None) -> Scenario:
    """The scenario of a file with `--set` applied; raises ScenarioError with every mistake."""
    from slosim.model import load

    return load(path, overrides=sets or ())


def parse_size(text: str | None) -> int | None:
    """Bytes of `512MB`, `2GiB` or `1500000`; None stays None."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found["number"]) == 0.0:
        raise UserError(f"--memory-limit {text}: expected a size above 0, e.g. 512MB or 2GiB")
    base = 1024 if found["binary"] else 1000
    return int(float(found["number"]) * base ** _POWERS[found["unit"].lower()])
