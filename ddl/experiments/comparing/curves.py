"""Curves of a variable in several experiments: over epochs, updates or seconds of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.comparing.ddl_log import read_ddl_log
from ddl.experiments.comparing.labels import labels_of
from ddl.experiments.results import is_low_good
from ddl.experiments.store.view import ExperimentView
from ddl.ranges import did_you_mean

AXES = ("epoch", "step", "seconds")
_NOT_DRAWN = frozenset({"time", "attempt", "row"})

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Curve:
    """The values of a variable in one experiment. `ys` may hold NaN and infinities."""

    name: str
    label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]

    def best(self, is_low: bool) -> float | None:
        """Return its best finite value."""
        finite = [y for y in self.ys if math.isfinite(y)]
        return (min if is_low else max)(finite, default=None)


@dataclass(frozen=True)
class Panel:
    """Curves of one variable, in the order of the experiments; those without the variable are missing."""

    variable: str
    curves: tuple[Curve, ...]

    @property
    def is_low_good(self) -> bool:
        """Return whether small values are good."""
        return is_low_good(self.variable)

    def ranked(self) -> list[Curve]:
        """Return the curves from the best one to the worst one, those without a finite value last."""
        sign = 1 if self.is_low_good else -1

        def rank(curve: Curve) -> tuple[bool, float]:
            best = curve.best(self.is_low_good)
            return best is None, 0.0 if best is None else sign * best

        return sorted(self.curves, key=rank)


def panels_of(
    items: Sequence[ExperimentView], histories: Sequence[Rows], variables: Sequence[str], by: str
) -> list[Panel]:
    """Return a panel for each variable.

    Args:
        items: the experiments.
        histories: their rows.
        variables: names of variables.
        by: "epoch", "step" or "seconds".

    Raises:
        ValueError: No experiment has the variable, or none knows its place on the axis.
    """
    labels = labels_of([item.record for item in items])
    places = [places_of(item, rows, by) for item, rows in zip(items, histories, strict=True)]
    _check_axis(items, histories, places, by)
    panels = []
    for variable in variables:
        curves = [
            _curve(item.name, label, rows, xs, variable)
            for item, label, rows, xs in zip(items, labels, histories, places, strict=True)
        ]
        found = tuple(curve for curve in curves if curve.ys)
        if not found:
            raise ValueError(_unknown(variable, histories))
        panels.append(Panel(variable, found))
    return panels


def variables_of(histories: Sequence[Rows]) -> list[str]:
    """Return the variables that histories have, in the order in which they appear."""
    names = dict.fromkeys(name for rows in histories for row in rows for name in row)
    return [name for name in names if name not in _NOT_DRAWN]


def places_of(item: ExperimentView, rows: Rows, by: str) -> list[float | None]:
    """Return where each row stands on an axis, None where that is not known."""
    if by == "epoch":
        return [row.get("epoch", row.get("row")) for row in rows]
    if by == "step":
        return _steps(item, rows)
    return _seconds(item, rows)


def _steps(item: ExperimentView, rows: Rows) -> list[float | None]:
    """Return the updates of the weights until each row; ddl's log says how many an epoch has."""
    if any("step" in row for row in rows):
        return [row.get("step") for row in rows]
    steps = read_ddl_log(item.folder.run_dir).steps
    return [None if steps is None or "epoch" not in row else steps * row["epoch"] for row in rows]


def _seconds(item: ExperimentView, rows: Rows) -> list[float | None]:
    """Return the seconds of training until each row, without those that attempts waited in a queue."""
    if rows and all("seconds" in row for row in rows):  # ddl's own, which counts each epoch once
        total, places = 0.0, []
        for row in rows:
            total += row["seconds"] if math.isfinite(row["seconds"]) else 0.0
            places.append(total)
        return list(places)
    began = {attempt.number: attempt.started for attempt in item.attempts if attempt.started}
    offset, before, places = 0.0, 0.0, []
    attempt = None
    for row in rows:
        if "time" not in row:
            places.append(math.nan)
            continue
        if row.get("attempt") != attempt:
            attempt = row.get("attempt")
            offset = row["time"] if attempt not in began else began[attempt]
            offset -= before
        before = max(row["time"] - offset, before)
        places.append(before)
    return [None if math.isnan(place) else place for place in places]


def _curve(name: str, label: str, rows: Rows, xs: Sequence[float | None], variable: str) -> Curve:
    points = [
        (float(x), float(row[variable]))
        for x, row in zip(xs, rows, strict=True)
        if x is not None and variable in row
    ]
    return Curve(name, label, tuple(x for x, _ in points), tuple(y for _, y in points))


def _check_axis(
    items: Sequence[ExperimentView],
    histories: Sequence[Rows],
    places: Sequence[Sequence[float | None]],
    by: str,
) -> None:
    if not any(histories):
        names = ", ".join(item.name for item in items[:3]) + (", ..." if len(items) > 3 else "")
        raise ValueError(
            f"Received: {names or 'no experiment'}, without any values yet. "
            "Expected: experiments with a history; `variables` in the spec say where values come from."
        )
    if all(x is None for xs in places for x in xs):
        raise ValueError(
            f"Received: by={by}, which no row says. Expected: by=epoch, by=seconds, or a program that writes step."
        )


def _unknown(variable: str, histories: Sequence[Rows]) -> str:
    known = variables_of(histories)
    listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    return (
        f"Received: variable {variable}. Expected: one of {listed}.{did_you_mean(variable, known)}"
    )
