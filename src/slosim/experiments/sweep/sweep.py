"""The whole grid of some values: verdict, objectives and every number of each variant, on identical work.

The result, `slosim-sweep/1`, is described in docs/experiments.md.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from slosim.experiments.against import base_entry, described, run_entry, simulate, variant_entry
from slosim.experiments.kinds import format_of
from slosim.experiments.result import Result
from slosim.experiments.study import Study
from slosim.experiments.vary import Axis, grid, variants
from slosim.model import Scenario
from slosim.report.objectives import MET, MISSED
from slosim.version import __version__


def sweep(
    scenario: Scenario,
    axes: Sequence[Axis],
    study: Study,
    replications: int,
    made: Sequence[Scenario] | None = None,
) -> Result:
    """Every combination of the values of some axes.

    made: its `variants`, where the caller has built them already.

    Raises:
        ScenarioError: combinations that no scenario can have.
        Stopped: before the scenario itself is finished.
    """
    made = variants(scenario, axes) if made is None else made
    simulated = simulate(scenario, made, study, replications, f"{len(made):,} variants")
    rows = [
        {"values": list(values), **variant_entry(scenario, simulated.base, one, its)}
        for values, one, its in zip(grid(axes), made, simulated.variants, strict=True)
    ]
    return Result(
        {
            "format": format_of("sweep"),
            "version": __version__,
            "stopped": simulated.stopped,
            "scenario": {"name": scenario.name, "digest": scenario.digest()},
            "run": run_entry(scenario, replications),
            "axes": [{"path": axis.path, "values": list(axis.values)} for axis in axes],
            "quantities": described(scenario),
            "base": base_entry(scenario, simulated.base),
            "rows": rows,
            "flips": [flip for place in range(len(axes)) for flip in _flips(axes, place, rows)],
        }
    )


def lines(axes: Sequence[Axis], place: int) -> Iterator[tuple[dict[str, str], list[int]]]:
    """The lines of the grid along one axis: the values of the others, and the rows in the order of its
    values.
    """
    step = math.prod(len(axis.values) for axis in axes[place + 1 :])
    for row, values in enumerate(grid(axes)):
        if values[place] == axes[place].values[0]:
            others = {axis.path: value for axis, value in zip(axes, values, strict=True)}
            del others[axes[place].path]
            yield others, [row + step * number for number in range(len(axes[place].values))]


def _flips(axes: Sequence[Axis], place: int, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for others, line in lines(axes, place):
        names = dict.fromkeys(one["name"] for row in line for one in rows[row]["objectives"])
        for name in names:
            decided = [
                [value, verdict]
                for value, row in zip(axes[place].values, line, strict=True)
                if (verdict := verdict_on(rows[row], name)) in (MET, MISSED)
            ]
            for before, after in itertools.pairwise(decided):
                if before[1] != after[1]:
                    yield {
                        "objective": name,
                        "path": axes[place].path,
                        "with": others,
                        "from": before,
                        "to": after,
                    }


def verdict_on(row: dict[str, Any], name: str) -> str | None:
    """The verdict on one objective; None where the row is not finished, or has no such objective."""
    return next((one["verdict"] for one in row["objectives"] if one["name"] == name), None)


def table_of(data: dict[str, Any]) -> str:
    """The result as CSV: a row per variant; a column per axis, verdict and quantity, with _low and _high."""
    names = dict.fromkeys(one["name"] for row in (data["base"], *data["rows"]) for one in row["objectives"])
    keys = [one["key"] for one in data["quantities"]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            *(axis["path"] for axis in data["axes"]),
            "verdict",
            *(f"objectives.{name}.verdict" for name in names),
            *(word for name in names for word in _with_bounds(f"objectives.{name}.sli_ratio")),
            *(word for key in keys for word in _with_bounds(key)),
        ]
    )
    for row in data["rows"]:
        shares = {one["name"]: one["sli_ratio"] for one in row["objectives"]}
        writer.writerow(
            [
                *row["values"],
                row["verdict"],
                *(verdict_on(row, name) for name in names),
                *(number for name in names for number in _bounds(shares.get(name))),
                *(number for key in keys for number in _bounds(row["quantities"].get(key))),
            ]
        )
    return text.getvalue()


def _with_bounds(key: str) -> list[str]:
    return [key, f"{key}_low", f"{key}_high"]


def _bounds(estimate: dict[str, Any] | None) -> list[float | None]:
    return [None if estimate is None else estimate[word] for word in ("value", "low", "high")]
