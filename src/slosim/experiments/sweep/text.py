"""The text of a sweep: where each objective flips, then a table, or a map of two axes for each number."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from slosim.experiments.sweep.sweep import lines, verdict_on
from slosim.experiments.text import MARKS, MISSING, Said, finished, stopped_early, wrapped
from slosim.experiments.vary import Axis
from slosim.model.paths import NAMED_SECTIONS
from slosim.report.amounts import amount
from slosim.report.layout import Column, clean, paint, paragraph, table, title, width_of
from slosim.report.objectives import MET, MISSED, UNDECIDED
from slosim.report.text_verdict import STYLES
from slosim.report.units import NOTHING, clock, enumeration, exact_share, plural, three_digits

SHADES = " ░▒▓█"
"""From the best to the worst value of a map."""
ROWS_MOST = 60
"""More are in the files."""
TITLE_WIDTH = 10
WIDTH_ENDLESS = 10_000
"""The cells of a map take whatever width they need; a map that is too wide is drawn otherwise."""


def text_of(data: dict[str, Any], width: int, colour: bool) -> str:
    """The whole text."""
    axes = axes_of(data)
    maps = _maps(data, axes, width) if len(axes) == 2 else []
    sections = [
        wrapped(headline(data), width),
        [line for text in flips(data) for line in paragraph(text, width, "", "  ")],
        *(maps or [_rows(data, axes, width)]),
        wrapped([Said(note(data, bool(maps)), "dim")], width),
    ]
    return finished(sections, colour)


def axes_of(data: dict[str, Any]) -> list[Axis]:
    """What was varied."""
    return [Axis(one["path"], tuple(one["values"])) for one in data["axes"]]


def label(path: str) -> str:
    """A path as people call it: without its section."""
    section, _, rest = path.partition(".")
    return clean(rest if section in NAMED_SECTIONS and rest else path)


# Where objectives flip


def headline(data: dict[str, Any]) -> list[Said]:
    """The grid, how much of it is met, and whether it ended early."""
    axes = axes_of(data)
    rows = [row for row in data["rows"] if row["finished"]]
    met = sum(row["verdict"] == MET for row in rows)
    grid = " × ".join(f"{label(axis.path)} ({len(axis.values)})" for axis in axes)
    text = f"{clean(data['scenario']['name'])}: {grid}, {plural(len(data['rows']), 'variant')}."
    if data["base"]["objectives"]:
        text += f" {met} of {len(rows)} meet every objective; as written: {data['base']['verdict']}."
    missing = plural(len(data["rows"]) - len(rows), "variant")
    return [Said(text, "bold"), *stopped_early(data, f"{missing} missing.")]


def flips(data: dict[str, Any]) -> list[str]:
    """Where each objective flips: a sentence, along the first of at most two axes."""
    axes = axes_of(data)
    if len(axes) > 2:
        return []
    names = dict.fromkeys(one["name"] for row in data["rows"] for one in row["objectives"])
    return [f"{clean(name)}: {_sentence(data, axes, name)}." for name in names]


def _sentence(data: dict[str, Any], axes: Sequence[Axis], name: str) -> str:
    """`met from payment.instances=4 on`; with a second axis for each of its values, those with the same
    words together.
    """
    along = label(axes[0].path)
    words: dict[str, list[str]] = {}
    for others, line in lines(axes, 0):
        verdicts = [verdict_on(data["rows"][row], name) for row in line]
        values = [f"{along}={value}" for value in axes[0].values] if len(axes) == 1 else axes[0].values
        words.setdefault(course(values, verdicts), []).extend(others.values())
    if len(axes) == 1:
        return next(iter(words))
    if len(words) == 1:
        return f"{next(iter(words))}, along {along}, whatever {label(axes[1].path)}"
    parts = [
        f"{text} with {label(axes[1].path)} {_stretches(axes[1].values, its)}" for text, its in words.items()
    ]
    return f"along {along}: {'; '.join(parts)}"


def _stretches(values: Sequence[str], some: Sequence[str]) -> str:
    """Some of the values of an axis: `2, 4 to 9 and 12`."""
    wanted = set(some)
    found = [
        [clean(value) for value in its]
        for is_one, its in itertools.groupby(values, lambda value: value in wanted)
        if is_one
    ]
    return enumeration(
        [word for its in found for word in (its if len(its) < 3 else [f"{its[0]} to {its[-1]}"])]
    )


def course(values: Sequence[str], verdicts: Sequence[str | None]) -> str:
    """What becomes of an objective along an axis: `met from 4 on (undecided at 3)`; None: not finished."""
    pairs = [(clean(value), verdict) for value, verdict in zip(values, verdicts, strict=True)]
    decided = [pair for pair in pairs if pair[1] in (MET, MISSED)]
    stretches = [
        (str(verdict), [value for value, _ in its])
        for verdict, its in itertools.groupby(decided, lambda pair: pair[1])
    ]
    if not stretches:
        return f"{UNDECIDED if UNDECIDED in verdicts else MISSING} everywhere"
    others = [
        f"{word} at {enumeration(its)}"
        for one, word in ((UNDECIDED, UNDECIDED), (None, MISSING))
        if (its := [value for value, verdict in pairs if verdict == one])
    ]
    if others and len(stretches) == 1:
        return f"{'; '.join(others)}; {stretches[0][0]} elsewhere"
    return _in_words(stretches) + (f" ({'; '.join(others)})" if others else "")


def _in_words(stretches: Sequence[tuple[str, list[str]]]) -> str:
    if len(stretches) == 1:
        return f"{stretches[0][0]} everywhere"
    if len(stretches) == 2:
        (before, first), (after, second) = stretches
        if after == MET:
            return f"met from {second[0]} on"
        return f"{before} up to {first[-1]}, {after} from {second[0]} on"
    return ", ".join(
        f"{one} at {its[0]}" if len(its) == 1 else f"{one} from {its[0]} to {its[-1]}"
        for one, its in stretches
    )


# A row for each variant


def _rows(data: dict[str, Any], axes: Sequence[Axis], width: int) -> list[str]:
    shown = data["rows"][:ROWS_MOST]
    columns = [
        (narrow(column.title), column.cells, column.align) for column in variants_columns(data, ROWS_MOST)
    ]
    note = f"{len(data['rows']) - len(shown):,} more in the files" if len(data["rows"]) > len(shown) else ""
    lines_of_table = table(_of_one_height(columns), width)
    begin = next(place for place, line in enumerate(lines_of_table) if line.strip())  # a high heading is gone
    return [*([title("VARIANTS", note, width)] if note else []), *lines_of_table[begin:]]


def variants_columns(data: dict[str, Any], most: int) -> list[Column]:
    """A row for the scenario as written, and one for each of the first variants."""
    shown = data["rows"][:most]
    rows = [data["base"], *shown]
    return [
        *(
            Column(
                label(axis.path),
                ["as written" if not place else "", *(clean(row["values"][place]) for row in shown)],
            )
            for place, axis in enumerate(axes_of(data))
        ),
        Column("", [_verdict(row) for row in rows], "<"),
        *(
            Column(
                f"{clean(one['name'])} {exact_share(one['target_ratio'])}",
                [_share(row, one["name"]) for row in rows],
            )
            for one in data["base"]["objectives"]
        ),
        *(
            Column(one["name"], [amount(value_of(row, one["key"]), one["unit"]) for row in rows])
            for one in quantities_shown(data)
        ),
        Column("busiest", [_busiest(data, row) for row in rows], "<"),
    ]


def quantities_shown(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Those of a table of variants: each p99, and the cost."""
    return [
        one
        for one in data["quantities"]
        if one["key"].endswith("latency_s.p99") or one["key"] == "cost_per_h"
    ]


def narrow(heading: str) -> list[str]:
    """A heading over several lines, broken behind spaces and dots."""
    lines_of_heading = [""]
    for piece in re.findall(r"[^ .]*(?:\.| +)|[^ .]+$", heading):
        if lines_of_heading[-1] and width_of(lines_of_heading[-1] + piece.rstrip()) > TITLE_WIDTH:
            lines_of_heading.append("")
        lines_of_heading[-1] += piece
    return [line.strip() for line in lines_of_heading]


def _of_one_height(columns: Sequence[tuple[list[str], list[str], str]]) -> list[Column]:
    """Columns whose headings, of one or more lines, are their first cells; the last that fit are kept."""
    height = max(len(heading) for heading, _, _ in columns)
    return [
        Column(
            "",
            [*[""] * (height - len(heading)), *(paint(line, "dim") for line in heading), *cells],
            align,
            keep=max(0, place - 1),
        )
        for place, (heading, cells, align) in enumerate(columns)
    ]


def _verdict(row: dict[str, Any]) -> str:
    return paint(row["verdict"], STYLES[row["verdict"]]) if row["verdict"] else paint(MISSING, "dim")


def _share(row: dict[str, Any], name: str) -> str:
    one = next((one for one in row["objectives"] if one["name"] == name), None)
    return _marked(amount(one["sli_ratio"]["value"], "ratio"), one["verdict"]) if one else NOTHING


def _marked(text: str, verdict: str | None) -> str:
    return paint(f"{text} {MARKS[verdict]}", STYLES[verdict]) if verdict in STYLES else text


def value_of(row: dict[str, Any], key: str) -> float | None:
    """A quantity of a row; None where it is undefined or not finished."""
    return row["quantities"].get(key, {"value": None})["value"]


def _busiest(data: dict[str, Any], row: dict[str, Any]) -> str:
    """`payment 88%`: what is busiest of services and dependencies."""
    busy = [
        (value, one["key"].split(".", 1)[1].removesuffix(".utilisation_ratio"))
        for one in data["quantities"]
        if one["key"].endswith(".utilisation_ratio") and (value := value_of(row, one["key"])) is not None
    ]
    if not busy:
        return NOTHING
    value, name = max(busy, key=lambda pair: pair[0])
    return f"{clean(name)} {three_digits(100 * value)}%"


# A map for each number


class _Map(NamedTuple):
    """One number over the grid. higher: whether more of it is better."""

    heading: str
    note: str
    unit: str
    higher: bool
    value: Callable[[dict[str, Any]], float | None]
    verdict: Callable[[dict[str, Any]], str | None]


def _maps(data: dict[str, Any], axes: Sequence[Axis], width: int) -> list[list[str]]:
    """A map for each objective and each p99; none where one does not fit."""
    maps = [
        _Map(
            clean(one["name"]),
            f"target {exact_share(one['target_ratio'])}",
            "ratio",
            True,
            lambda row, name=one["name"]: next(
                (its["sli_ratio"]["value"] for its in row["objectives"] if its["name"] == name), None
            ),
            lambda row, name=one["name"]: verdict_on(row, name),
        )
        for one in data["base"]["objectives"]
    ] + [
        _Map(
            one["name"],
            "",
            one["unit"],
            False,
            lambda row, key=one["key"]: value_of(row, key),
            lambda row: None,
        )
        for one in data["quantities"]
        if one["key"].endswith("latency_s.p99")
    ]
    for is_full, is_turned in itertools.product((True, False), (False, True)):
        drawn = [_drawn(one, data, axes, width, is_full, is_turned) for one in maps]
        if all(width_of(line) <= width for its in drawn for line in its):
            return drawn
    return []


def _drawn(
    one: _Map, data: dict[str, Any], axes: Sequence[Axis], width: int, is_full: bool, is_turned: bool
) -> list[str]:
    """Rows are the first axis, columns the second, or turned; a cell is a shade, the number if there is
    room, and a mark.
    """
    values = [one.value(row) for row in data["rows"]]
    shades = shades_of(values, one.higher, logarithmic=one.unit == "s")
    cells = [
        _cell(row, one, value, "" if shade is None else SHADES[shade], is_full)
        for row, value, shade in zip(data["rows"], values, shades, strict=True)
    ]
    count = len(axes[1].values)
    down, across = reversed(axes) if is_turned else axes
    columns = [
        Column(clean(value), cells[place * count :][:count] if is_turned else cells[place::count])
        for place, value in enumerate(across.values)
    ]
    first = Column("", [clean(value) for value in down.values])
    along = f"{label(down.path)} ↓  {label(across.path)} →"
    note = f"{one.note}  {along}" if one.note else along
    return [
        title(one.heading, note, width),
        *table([first, *columns], WIDTH_ENDLESS, gap=2 if is_full else 1),
    ]


def _cell(row: dict[str, Any], one: _Map, value: float | None, shade: str, is_full: bool) -> str:
    if not row["finished"]:
        return paint(MISSING if is_full else "-", "dim")
    verdict = one.verdict(row)
    if is_full:
        text = " ".join(part for part in (shade, amount(value, one.unit), MARKS[verdict]) if part)
    else:
        text = shade + MARKS[verdict]
    return paint(text, STYLES[verdict]) if verdict else text


def shades_of(values: Sequence[float | None], higher: bool, logarithmic: bool) -> list[int | None]:
    """For each value a place in SHADES, darker for worse ones, between the best and the worst; None: none.

    higher: whether more is better
    """
    scaled = [
        None if value is None else math.log(max(value, 1e-9)) if logarithmic else value for value in values
    ]
    known = [value for value in scaled if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    if low == high:
        return [None if value is None else 0 for value in scaled]
    steps = len(SHADES)
    return [
        None
        if value is None
        else min(steps - 1, int(steps * ((high - value if higher else value - low) / (high - low))))
        for value in scaled
    ]


def note(data: dict[str, Any], has_maps: bool) -> str:
    """What the marks mean, and how it was done."""
    run = data["run"]
    warmup = f", measured from {clock(run['warmup_s'])} on" if run["warmup_s"] else ""
    marks = "✓ met, ✗ missed, ? undecided. " if data["base"]["objectives"] else ""
    shades = "Darker is worse, within each map. " if has_maps else ""
    return (
        f"{marks}{shades}{plural(run['replications'], 'replication')} of"
        f" {clock(run['duration_s'])}{warmup} for each variant, seed {run['seed']}, all on the same work."
        f" Intervals, and changes from the scenario as written, are in the JSON. slosim {data['version']}"
    )
