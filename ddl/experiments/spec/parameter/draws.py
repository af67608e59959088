"""Random values of parameters: `log 1e-5..1e-2`, `uniform 0..1`, `int 1..8`, lists of choices.

A draw depends on the seed, the parameter's name and the draw's number alone, never on a generator's state: raising n
or adding a parameter leaves earlier draws as they were, on every machine.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Any

from ddl.experiments.spec.text.scalars import read_scalar

EXPECTED = "such as log 1e-5..1e-2, uniform 0..1, int 1..8, log int 1..1024, or a list of choices"

_DIGITS = 4
"""Digits of a number drawn: enough for a rate, and short enough for a name."""

_RANGE = re.compile(r"(?:(log|uniform|int|log int)\s+)?(\S+?)\s*\.\.\s*(\S+)")


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A distribution of one parameter.

    Attributes:
        kind: "choice", "uniform" or "log".
        low: Least value.
        high: Largest value, included.
        whole: Whether values are whole numbers.
        choices: Of a choice: its values.
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    choices: tuple[Any, ...] = ()

    def value(self, seed: int, name: str, number: int) -> Any:
        """Return the draw with this number of the parameter with this name."""
        part = random.Random(f"{seed}/{name}/{number}").random()  # from 0 to 1, without 1
        return self.at(part)

    def at(self, part: float) -> Any:
        """Return the value at a place of the distribution: 0 is its least one, nearly 1 the largest."""
        if self.kind == "choice":
            return self.choices[int(part * len(self.choices))]
        low, high = self.low, self.high + (1 if self.whole else 0)
        if self.kind == "log":
            value = math.exp(math.log(low) + part * (math.log(high) - math.log(low)))
        else:
            value = low + part * (high - low)
        return as_drawn(self, value)

    def size(self) -> float:
        """Return how many different values there are."""
        if self.kind == "choice":
            return len(self.choices)
        if self.whole:
            return self.high - self.low + 1
        return math.inf if self.high > self.low else 1


def as_drawn(draw: Draw, value: float) -> int | float:
    """Return a number within the range, whole or with few digits."""
    if draw.whole:
        return int(min(max(math.floor(value), draw.low), draw.high))
    return float(min(max(float(f"{value:.{_DIGITS}g}"), draw.low), draw.high))


def choice(values: list[Any]) -> Draw:
    """Return the choice of some values.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("Received: an empty list. Expected: at least one choice.")
    return Draw(kind="choice", choices=tuple(values))


def parse_draw(text: str) -> Draw:
    """Return the distribution that a text describes.

    Raises:
        ValueError: it describes none, its ends are in the wrong order, or a logarithm of them does not exist.
    """
    found = _RANGE.fullmatch(text.strip())
    low, high = (_number(found[2]), _number(found[3])) if found else (None, None)
    if not found or low is None or high is None:
        raise ValueError(f"Received: {text!r}. Expected: {EXPECTED}.")
    words = (found[1] or "uniform").split()
    whole, kind = "int" in words, "log" if "log" in words else "uniform"
    if low >= high:
        raise ValueError(
            f"Received: {text!r}. Expected: the smaller number first, then a larger one."
        )
    if kind == "log" and low <= 0:
        raise ValueError(f"Received: {text!r}. Expected: numbers above 0, which have a logarithm.")
    if whole and not (isinstance(low, int) and isinstance(high, int)):
        raise ValueError(f"Received: {text!r}. Expected: whole numbers, such as int 1..8.")
    return Draw(kind=kind, low=low, high=high, whole=whole)


def _number(text: str) -> int | float | None:
    try:
        value = read_scalar(text)
    except ValueError:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < 1e300 else None
