"""Plain-text building blocks: painted text, aligned tables and paragraphs, aware of display width."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

_ANSI = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2", "cyan": "36"}
_BEGIN, _END = "\ue000", "\ue001"  # private use: paint(), until finish() turns it into ANSI or nothing
_PAINT = re.compile(f"{_BEGIN}([a-z]+);|{_END}")


def paint(text: str, style: str) -> str:
    """Text that finish() shows in a style: red, green, yellow, cyan, bold or dim."""
    return f"{_BEGIN}{style};{text}{_END}" if text else text


def finish(lines: Sequence[str], colour: bool) -> str:
    """The lines as one text ending with a newline: no trailing spaces, paint as ANSI colours or removed."""

    def ansi(match: re.Match) -> str:
        if not colour:
            return ""
        return f"\x1b[{_ANSI[match[1]]}m" if match[1] else "\x1b[0m"

    return "\n".join(_PAINT.sub(ansi, line).rstrip() for line in lines) + "\n"


def clean(text: str) -> str:
    """Text of a user on one line, without control characters that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in " ".join(str(text).split()))


def bare(text: str) -> str:
    """The text without paint."""
    return _PAINT.sub("", text)


def width_of(text: str) -> int:
    """Columns that a terminal needs for the text; paint needs none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in bare(text)
    )


def pad(text: str, width: int, align: str = "<") -> str:
    """The text in exactly `width` columns, cut with an ellipsis if it is longer."""
    missing = width - width_of(text)
    if missing < 0:
        return cut(text, width)
    return " " * missing + text if align == ">" else text + " " * missing


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; paint is lost when it has to be cut."""
    if width_of(text) <= width:
        return text
    left = bare(text)
    while left and width_of(left) > width - 1:
        left = left[:-1]
    return left + "…" if width > 0 else ""


@dataclass(frozen=True)
class Column:
    """A column of a table; of those with keep > 0 the largest goes first when the table is too wide.

    A column whose title only makes sense after another's ("service mean", "p99") must go before that one.
    Cells longer than `most` are cut; 0: none is.
    """

    title: str
    cells: list[str]
    align: str = ">"
    keep: int = 0
    most: int = 0


def whole(columns: Sequence[Column]) -> list[Column]:
    """Columns for a table that is no text: without paint, titles in full, only those with a title and a cell.

    Titles may lean on the one before them: lag mean, p99, max become lag mean, lag p99, lag max.
    """
    found: list[Column] = []
    for column in columns:
        if column.title and any(column.cells):
            leaning = column.title in ("p99", "max") and found and " " in found[-1].title
            title = f"{found[-1].title.rsplit(' ', 1)[0]} {column.title}" if leaning else column.title
            found.append(replace(column, title=title, cells=[bare(cell) for cell in column.cells]))
    return found


def table(columns: Sequence[Column], width: int, gap: int = 2) -> list[str]:
    """Header and rows, columns as narrow as their content; the first one is cut if nothing else helps."""
    kept = [_cut(column) for column in columns if any(cell for cell in column.cells) or not column.keep]
    while _total(kept, gap) > width and any(column.keep for column in kept):
        least = max(kept, key=lambda column: column.keep)
        kept = [column for column in kept if column is not least]
    widths = [_width_of_column(column) for column in kept]
    widths[0] = max(8, widths[0] - max(0, _total(kept, gap) - width))
    between = " " * gap
    header = between.join(
        pad(paint(column.title, "dim"), size, column.align) for column, size in zip(kept, widths, strict=True)
    )
    rows = [
        between.join(
            pad(cell, size, column.align) for column, size, cell in zip(kept, widths, row, strict=True)
        )
        for row in zip(*(column.cells for column in kept), strict=True)
    ]
    return [header, *rows]


def _cut(column: Column) -> Column:
    if not column.most:
        return column
    return replace(column, cells=[cut(cell, column.most) for cell in column.cells])


def _width_of_column(column: Column) -> int:
    return max(width_of(text) for text in (column.title, *column.cells))


def _total(columns: Sequence[Column], gap: int) -> int:
    return sum(_width_of_column(column) for column in columns) + gap * (len(columns) - 1)


def paragraph(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Text wrapped to the width, `first` before its first line, `rest` (default: spaces) before others."""
    rest = " " * width_of(first) if rest is None else rest
    wrapped = textwrap.wrap(text, width - width_of(rest), break_on_hyphens=False) or [""]
    return [(first if index == 0 else rest) + line for index, line in enumerate(wrapped)]


def title(text: str, note: str = "", width: int = 100) -> str:
    """A heading, with a note in the same line as far as there is room."""
    return (
        f"{paint(text, 'bold')}  {paint(cut(note, width - width_of(text) - 2), 'dim')}"
        if note
        else paint(text, "bold")
    )
