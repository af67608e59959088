"""The values that one variable has had, row after row, with their best values kept at hand."""

from __future__ import annotations

import math
from typing import NamedTuple

from ddl.experiments.watching.condition.tree import LARGE


class Place(NamedTuple):
    """Where a row stands: epochs and steps that are done (None: unknown), and when it was made, in seconds."""

    epochs: float
    steps: float | None
    time: float


class Series:
    """Values of a variable with their places. NaN and infinities are kept; extremes pass over them."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.places: list[Place] = []
        self._largest: int | None = None
        self._smallest: int | None = None
        self._before: tuple[int | None, int | None] = (None, None)

    def add(self, value: float, place: Place) -> None:
        """Append a value. The first one of several equal extremes stays the extreme."""
        number = len(self.values)
        self._before = self._largest, self._smallest
        self.values.append(value)
        self.places.append(place)
        if not math.isfinite(value):
            return
        if self._largest is None or value > self.values[self._largest]:
            self._largest = number
        if self._smallest is None or value < self.values[self._smallest]:
            self._smallest = number

    def pop(self) -> None:
        """Take back the last `add`; only the last one can be."""
        self.values.pop()
        self.places.pop()
        self._largest, self._smallest = self._before

    def extreme(self, wants: str) -> float | None:
        """Return the largest or smallest value; None if there is no finite one."""
        number = self._largest if wants == LARGE else self._smallest
        return None if number is None else self.values[number]

    def extreme_place(self, wants: str) -> Place | None:
        """Return where the largest or smallest value was had first."""
        number = self._largest if wants == LARGE else self._smallest
        return None if number is None else self.places[number]

    def window(self, rows: int | None) -> list[float] | None:
        """Return the last `rows` values, all of them with None; None while there are fewer, or none."""
        if rows is None:
            return self.values or None
        return self.values[-rows:] if len(self.values) >= rows else None


def mean(values: list[float]) -> float:
    """Return the mean; NaN if a value is NaN."""
    return (
        math.fsum(values) / len(values)
        if all(map(math.isfinite, values))
        else sum(values) / len(values)
    )


def median(values: list[float]) -> float:
    """Return the median; NaN if a value is NaN."""
    if any(map(math.isnan, values)):
        return math.nan
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return ordered[middle - 1] / 2 + ordered[middle] / 2


def slope(values: list[float], places: list[Place]) -> float | None:
    """Return the change of the values per epoch, by least squares; None if all stand at one epoch."""
    epochs = [place.epochs for place in places]
    middle = mean(epochs)
    spread = math.fsum((epoch - middle) ** 2 for epoch in epochs)
    if spread == 0:
        return None
    if not all(map(math.isfinite, values)):
        return math.nan
    height = mean(values)
    return math.fsum((e - middle) * (v - height) for e, v in zip(epochs, values)) / spread
