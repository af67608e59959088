"""Ranges of numeric options, and the error for values outside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Range:
    """Finite numbers from `low` to `high`, both included by default.

    Attributes:
        low: Lower bound (default: none).
        high: Upper bound (default: none).
        above: Whether `low` itself is excluded.
        below: Whether `high` itself is excluded.
    """

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
        if value is None or name not in ranges or value in ranges[name]:
            continue
        finite = "finite, " if math.isinf(value) else ""
        raise ValueError(f"Received: {name}={value} for {owner}. Expected: {finite}{ranges[name]}.")
