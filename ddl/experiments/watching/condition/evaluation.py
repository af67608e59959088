"""Whether a rule's condition holds at a row. A number that is not known makes what is computed of it unknown (None).

NaN is a number: comparisons with it are false. Unknown is what a row does not have: `and`, `or` and `not` then say only
what is true whatever the unknown part may be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Sequence

from ddl.experiments.watching.condition.series import Place, Series, mean, median, slope
from ddl.experiments.watching.condition.tree import (
    EPOCHS,
    LARGE,
    SMALL,
    STEPS,
    Arithmetic,
    Comparison,
    Constant,
    Logic,
    NoBest,
    Node,
    NoProgress,
    OfGroup,
    Span,
    Statistic,
    Variable,
)

Group = Callable[[str], Sequence[float]]
"""Name of a variable -> its last value in each other experiment of the group."""

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b and not math.isnan(a) and not math.isnan(b),
}


@dataclass(frozen=True)
class Clock:
    """What conditions are computed with, besides rows.

    Attributes:
        now: seconds since 1970.
        started: when the attempt started; time before it, such as that in a queue, does not count.
        last_progress: when something new was written last.
        group: the last values of the others of the group.
    """

    now: float
    started: float
    last_progress: float
    group: Group


@dataclass(frozen=True)
class Moment:
    """What a condition is computed from: a row, its place, all values up to it, and the clock."""

    row: Mapping[str, Any]
    place: Place | None
    series: Mapping[str, Series]
    clock: Clock


def holds(node: Node, moment: Moment) -> bool | None:
    """Return whether a condition holds; None if that is not known."""
    if isinstance(node, Comparison):
        left, right = number(node.left, moment), number(node.right, moment)
        return None if left is None or right is None else _COMPARE[node.operator](left, right)
    if isinstance(node, Logic):
        return _logic(node, moment)
    if isinstance(node, Statistic):  # finite
        value = moment.row.get(node.name)
        return None if value is None else math.isfinite(value)
    if isinstance(node, NoProgress):
        return moment.clock.now - moment.clock.last_progress >= node.span.amount
    assert isinstance(node, NoBest)  # noqa: S101
    return _no_best(node, moment)


def _logic(node: Logic, moment: Moment) -> bool | None:
    left = holds(node.left, moment)
    if node.right is None:
        return None if left is None else not left
    decides = node.operator == "or"  # the value of one side that decides alone
    if left is decides:
        return decides
    right = holds(node.right, moment)
    if right is decides:
        return decides
    return None if left is None or right is None else not decides


def _no_best(node: NoBest, moment: Moment) -> bool | None:
    series = moment.series.get(node.name)
    best = series.extreme_place(node.wants) if series else None
    if series is None or best is None or moment.place is None:
        return None
    return is_past(node.span, best, series.places[-1], moment.clock)


def is_past(span: Span, since: Place, place: Place, clock: Clock) -> bool | None:
    """Return whether a span has passed from one place to another, or to now."""
    if span.unit == EPOCHS:
        return place.epochs - since.epochs >= span.amount
    if span.unit == STEPS:
        if place.steps is None or since.steps is None:
            return None
        return place.steps - since.steps >= span.amount
    return clock.now - max(since.time, clock.started) >= span.amount


def number(node: Node, moment: Moment) -> float | None:
    """Return the number that a node means; None if it is not known."""
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Variable):
        value = moment.row.get(node.name)
        return None if value is None else float(value)
    if isinstance(node, Arithmetic):
        return _arithmetic(node, moment)
    if isinstance(node, Statistic):
        return _statistic(node, moment.series.get(node.name))
    assert isinstance(node, OfGroup)  # noqa: S101
    others = [float(value) for value in moment.clock.group(node.name) if not math.isnan(value)]
    return _COMPUTE[node.kind](others) if others else None


def _arithmetic(node: Arithmetic, moment: Moment) -> float | None:
    left = number(node.left, moment)
    if left is None:
        return None
    if node.right is None:
        return abs(left) if node.operator == "abs" else -left
    right = number(node.right, moment)
    if right is None:
        return None
    if node.operator == "/":
        return left / right if right else math.nan
    if node.operator == "*":
        return left * right
    return left + right if node.operator == "+" else left - right


_COMPUTE: dict[str, Callable[[list[float]], float]] = {
    "mean": mean,
    "median": median,
    "max": max,
    "min": min,
}


def _statistic(node: Statistic, series: Series | None) -> float | None:
    if series is None or not series.values:
        return None
    if node.kind == "last":
        return series.values[-1]
    if node.kind in ("best", "worst"):
        return series.extreme(node.wants)
    if node.kind in ("max", "min") and node.rows is None:
        return series.extreme(LARGE if node.kind == "max" else SMALL)
    values = series.window(node.rows)
    if values is None:
        return None
    if node.kind == "slope":
        return slope(values, series.places[-len(values) :])
    if node.kind in ("max", "min"):
        values = [value for value in values if math.isfinite(value)]
    return _COMPUTE[node.kind](values) if values else None
