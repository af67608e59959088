"""Values that know where they stand, and mistakes that say so."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A place in a file; the first line and the first column are 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Item:
    """A value of a YAML or JSON text.

    Attributes:
        value: None, a truth value, a number, a text, a list of items, or a mapping of texts to items.
        place: Where it begins.
        keys: Of a mapping: where each key stands.
    """

    value: Any
    place: Place
    keys: dict[str, Place] = field(default_factory=dict, compare=False)

    def plain(self) -> Any:
        """Return the value without places, as JSON knows it."""
        if isinstance(self.value, dict):
            return {name: item.plain() for name, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value

    def words(self) -> str:
        """Return the value as an error shows it, shortened."""
        kinds = {dict: "a mapping", list: "a list", type(None): "nothing"}
        kind = kinds.get(type(self.value))
        if kind:
            return kind
        if isinstance(self.value, bool):
            return str(self.value).lower()
        text = repr(self.value)
        return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


_LONGEST = 60
_PLACE = re.compile(r".*?:([0-9]+):[0-9]+: ")


class MisfitError(Exception):
    """A value that does not fit, and its place."""

    def __init__(self, place: Place, text: str) -> None:
        """Say what was received, what is expected and what to do."""
        super().__init__(f"{place}: {text}")


class SpecError(ValueError):
    """All that is wrong with a spec, a line each in `problems`."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Keep the lines. As one line, it is the first of them and the number of the others."""
        more = len(problems) - 1
        others = f" ({more} more like this; `plan` tells all.)" if more else ""
        super().__init__(problems[0] + others)
        self.problems = problems


class Problems:
    """Collects what is wrong, so that it can be told together."""

    def __init__(self) -> None:
        """Start without any."""
        self._lines: dict[str, None] = {}

    def add(self, problem: object) -> None:
        """Keep a line; the same one twice is one."""
        self._lines.setdefault(str(problem))

    def __len__(self) -> int:
        return len(self._lines)

    def raise_any(self) -> None:
        """Raise all of them as one error, in the order of their lines, if there are any."""
        if self._lines:
            raise SpecError(tuple(sorted(self._lines, key=_line_of)))


def _line_of(problem: str) -> int:
    """Return the line that a problem names; those without one come last."""
    found = _PLACE.match(problem)
    return int(found[1]) if found else sys.maxsize
