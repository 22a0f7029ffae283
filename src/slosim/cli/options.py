"""Options that several commands share, and how their text is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slosim.errors import UserError

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

Replications = Annotated[
    int | None,
    typer.Option(
        "--replications", metavar="COUNT", help="Instead of the scenario's run.replications.", min=1
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print no report and no progress; errors still show.")
]


@dataclass(frozen=True)
class Machines:
    """Where runs are done, and what each may take."""

    memory_limit: Annotated[
        str | None,
        typer.Option(
            "--memory-limit",
            metavar="SIZE",
            help="Stop with a partial report beyond this, e.g. 2GB (exit 3).",
        ),
    ] = None
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="COUNT",
            help="Runs side by side; default one per processor, or per thread of the cluster.",
            min=1,
        ),
    ] = None
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="PLACE",
            help="Where: threads or processes of this machine, or dask, a cluster. Same results.",
        ),
    ] = "threads"
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="The scheduler of a Dask cluster, e.g. tcp://host:8786."
        ),
    ] = None

    @property
    def memory_limit_bytes(self) -> int | None:
        return parse_size(self.memory_limit)


_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)
_SHARE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<percent>%?)")
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def load_scenario(path: Path, sets: list[str] | None, targets: Path | None = None) -> Scenario:
    """The scenario of a file with `--targets` and `--set` applied; raises ScenarioError with every mistake.

    What `--set` says of an objective wins: it is the more particular.
    """
    from slosim.model import load

    scenario = load(path, overrides=sets or ())
    if targets is None:
        return scenario
    from slosim.model.load import changed
    from slosim.model.openslo import read_targets

    return changed(scenario, [*read_targets(targets, scenario).items(), *(sets or ())])


def parse_size(text: str | None) -> int | None:
    """Bytes of `512MB`, `2GiB` or `1500000`; None stays None."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text.strip())
    if found is None or float(found["number"]) == 0.0:
        raise UserError(f"--memory-limit {text}: expected a size above 0, e.g. 512MB or 2GiB")
    base = 1024 if found["binary"] else 1000
    return int(float(found["number"]) * base ** _POWERS[found["unit"].lower()])


def parse_share(option: str, text: str | None) -> float | None:
    """A share above 0 such as `2%` or `0.02`; None stays None."""
    if text is None:
        return None
    found = _SHARE.fullmatch(text.strip())
    value = float(found["number"]) / (100 if found["percent"] else 1) if found else 0.0
    if not 0 < value < 1:
        raise UserError(f"{option} {text}: expected a share above 0 and below 1, e.g. 2% or 0.02")
    return value
