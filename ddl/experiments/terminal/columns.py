"""Texts in columns that fit a terminal. Texts of users are escaped, and wide characters take two places."""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from ddl.plain_text import escaped

_GAP = "  "
_CUT = "…"


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        right: Whether its texts stand at the right, as numbers do.
        least: Columns of the terminal that it keeps where room is short; 0: it is never cut.
    """

    title: str
    right: bool = False
    least: int = 0


def width_of(stream: TextIO) -> int | None:
    """Return the width of a terminal; None for a pipe or a file, which gets whole texts."""
    try:
        if not stream.isatty():
            return None
        return max(os.get_terminal_size(stream.fileno()).columns or 80, 40)
    except (OSError, ValueError):
        return None


def output_width() -> int | None:
    """Return the width of standard output; None where it is no terminal."""
    return width_of(sys.stdout)


def draw(
    columns: Sequence[Column],
    rows: Sequence[Sequence[object]],
    width: int | None = None,
    paint: Callable[[int, int, str], str] | None = None,
) -> list[str]:
    """Return the lines of a table: headings, then rows. Columns without any text are left out.

    Args:
        columns: the columns.
        rows: a text for each column.
        width: columns of the terminal; None cuts nothing.
        paint: returns a cell's text with colours, given row, column and the padded text.
    """
    texts = [[_text(value) for value in row] for row in rows]
    shown = [n for n in range(len(columns)) if not rows or any(row[n] for row in texts)]
    widths = {n: max([place(columns[n].title), *(place(row[n]) for row in texts)]) for n in shown}
    if width is not None:
        _shrink(columns, widths, width)
    lines = [_line(columns, [column.title for column in columns], widths)]
    for number, row in enumerate(texts):
        painted = functools.partial(paint, number) if paint else None
        lines.append(_line(columns, row, widths, painted))
    return lines


def place(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_places(character) for character in text)


def cut(text: str, width: int) -> str:
    """Return a text that takes at most `width` columns; what is left out shows as "…"."""
    if place(text) <= width:
        return text
    kept, used = [], 1
    for character in text:
        used += _places(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + _CUT if width > 0 else ""


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _text(value: object) -> str:
    return "" if value is None else escaped(value)


def _shrink(columns: Sequence[Column], widths: dict[int, int], width: int) -> None:
    """Take from the widest of the columns that may be cut, until all fit or none can give more."""
    over = sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width
    while over > 0:
        able = [n for n in widths if columns[n].least and widths[n] > columns[n].least]
        if not able:
            return
        widest = max(able, key=lambda n: widths[n])
        widths[widest] -= 1
        over -= 1


def _line(
    columns: Sequence[Column],
    texts: Sequence[str],
    widths: dict[int, int],
    paint: Callable[[int, str], str] | None = None,
) -> str:
    cells = []
    for n, width in widths.items():
        text = cut(texts[n], width)
        space = " " * (width - place(text))
        cell = space + text if columns[n].right else text + space
        cells.append(paint(n, cell) if paint else cell)
    return _GAP.join(cells).rstrip()
