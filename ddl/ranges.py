"""Ranges of numeric options and lists of choices, and the error for other values."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` to `high`; `above` excludes `low` itself, and `below` excludes `high`."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __contains__(self, value: float) -> bool:
        high_enough = value > self.low if self.above else value >= self.low
        low_enough = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and high_enough and low_enough

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low}"
        high = f"{'below' if self.below else 'at most'} {self.high}"
        ends = [text for end, text in ((self.low, low), (self.high, high)) if math.isfinite(end)]
        return ", ".join(ends) or "a finite number"


def check_ranges(values: Mapping[str, Any], ranges: Mapping[str, Range], owner: str) -> None:
    """Raise ValueError for a number outside its range. None and names without a range pass."""
    for name, value in values.items():
        if value is None or name not in ranges:
            continue
        numbers = value if isinstance(value, tuple) else (value,)
        for number in numbers or (math.nan,):  # an empty tuple has no number in the range
            if number not in ranges[name]:
                finite = "finite, " if math.isinf(number) else ""
                raise ValueError(
                    f"Received: {name}={value} for {owner}. Expected: {finite}{ranges[name]}."
                )


def check_choices(values: Mapping[str, Any], choices: Mapping[str, Iterable[Any]]) -> None:
    """Refuse a value that is not among its choices; None, and what has no choices, passes."""
    for name, value in values.items():
        if value is not None and name in choices:
            check_choice(name, value, choices[name])


def check_choice(name: str, value: Any, known: Iterable[Any], owner: str = "") -> None:
    """Refuse a value that is not among the known ones."""
    known = tuple(known)
    if value not in known:
        whose = f" for {owner}" if owner else ""
        raise ValueError(f"Received: {name}={value!r}{whose}. {expected_one_of(value, known)}")


def expected_one_of(value: object, known: Iterable[Any]) -> str:
    """Return the part of an error that lists the known values, with the one nearest to what was received."""
    names = list(map(str, known))
    return f"Expected one of: {', '.join(names)}.{did_you_mean(value, names)}"


def did_you_mean(value: object, names: Iterable[str]) -> str:
    """Return a question with the name nearest to the value, or nothing where none is near."""
    near = difflib.get_close_matches(str(value), list(names), 1)
    return f" Did you mean {near[0]!r}?" if near else ""
