"""Arithmetic on short series of numbers. Pure, without NumPy."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence


def finite(values: Sequence[float]) -> list[float]:
    """Return the values that are numbers."""
    return [value for value in values if math.isfinite(value)]


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return float(statistics.median(values)) if values else math.nan


def tail(values: Sequence[float], count: int = 3) -> float:
    """Return the median of the last values."""
    return median(values[-count:])


def slope(values: Sequence[float]) -> float:
    """Return the slope of the line of least squares, per step; 0 of fewer than two values."""
    return slope_over(range(len(values)), values)


def slope_over(places: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the line of least squares over these places; 0 where all places are one."""
    if len(values) < 2:
        return 0.0
    middle = statistics.fmean(places)
    mean = statistics.fmean(values)
    width = sum((place - middle) ** 2 for place in places)
    if not width:
        return 0.0
    return sum((p - middle) * (v - mean) for p, v in zip(places, values, strict=True)) / width


def turns(values: Sequence[float]) -> float:
    """Return the share of neighbouring differences that have opposite signs: 1 of a sawtooth, 0 of a steady fall."""
    steps = [after - before for before, after in itertools.pairwise(values)]
    if len(steps) < 2:
        return 0.0
    opposite = sum(a * b < 0 for a, b in itertools.pairwise(steps))
    return opposite / (len(steps) - 1)


def amplitude(values: Sequence[float]) -> float:
    """Return the median step between neighbours, as a share of the median value."""
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    level = abs(median(values))
    return median(steps) / level if steps and level else 0.0


def halved(values: Sequence[float]) -> bool:
    """Return whether the last values are at most half of the first one."""
    return bool(values) and tail(values) < 0.5 * values[0]


def falling_share(values: Sequence[float]) -> float:
    """Return the share of steps that go down."""
    steps = [after - before for before, after in itertools.pairwise(values)]
    return sum(step < 0 for step in steps) / len(steps) if steps else 0.0
