"""Values of a JSON text that know where they stand, and lines for the user about them."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import Any

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Place:
    """Where a value stands. Values of `--set` have no line: `file` is then the whole flag."""

    file: str
    line: int = 0
    column: int = 0
    shares_line: bool = False  # other keys stand in the same line

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}" + (f":{self.column}" if self.shares_line else "")

    def exactly(self) -> str:
        """Return it with its column."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Problem:
    """One line for the user: where, at which key, and what."""

    place: Place
    path: str
    text: str

    def __str__(self) -> str:
        return (
            f"{self.place}: {self.path}: {self.text}" if self.path else f"{self.place}: {self.text}"
        )


@dataclass(frozen=True)
class Node:
    """A value: a text, number, true, false or null; a dict of nodes; or a list of nodes.

    Attributes:
        value: what it is.
        place: where it begins, or its key if it has one.
    """

    value: Any
    place: Place


UNREAD = object()
"""The value of a node whose text is no JSON, and has been reported."""


class Lines:
    """Turns offsets in a text into lines and columns, from 1."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def place(self, file: str, offset: int, *, shares_line: bool = False) -> Place:
        line = bisect.bisect_right(self._starts, offset)
        return Place(file, line, offset - self._starts[line - 1] + 1, shares_line)
