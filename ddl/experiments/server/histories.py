"""Histories of experiments as columns of numbers, kept while their files stay as they are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.pages.rows import Result, results_of
from ddl.experiments.results import value_of
from ddl.experiments.store.files import Files

_NO_CURVES = frozenset({"epoch", "time", "attempt"})
_MOST_KEPT = 200
_DIGITS = 7

Columns = Mapping[str, Sequence[float | None]]


class Histories:
    """Reads histories. One that has not changed is not read again."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._results, self._columns = Files(), Files()
        self._kept: set[str] = set()

    def results(self, folder: ExperimentFolder) -> Mapping[str, Result]:
        """Return the last and the best value of each variable."""
        return self._results.parsed_or(folder.history, _results, {})

    def columns(self, folder: ExperimentFolder) -> Columns:
        """Return the epochs under "epoch", and the values of each variable; None where one is missing or not finite."""
        self._kept.add(str(folder.history))
        if len(self._kept) > _MOST_KEPT:
            self._columns, self._kept = Files(), {str(folder.history)}
        return self._columns.parsed_or(folder.history, _columns, {})


def _rows(history: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = history.get("rows")
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []


def _results(history: Mapping[str, Any]) -> Mapping[str, Result]:
    return results_of(_rows(history))


def _columns(history: Mapping[str, Any]) -> Columns:
    rows = _rows(history)
    names = dict.fromkeys(name for row in rows for name in row if name not in _NO_CURVES)
    epochs = [_finite(value_of(row, "epoch")) for row in rows]
    columns = {name: [_finite(value_of(row, name)) for row in rows] for name in names}
    return {
        "epoch": [place if epoch is None else epoch for place, epoch in enumerate(epochs, 1)],
        **{name: values for name, values in columns.items() if _has_any(values)},
    }


def _has_any(values: Iterable[float | None]) -> bool:
    return any(value is not None for value in values)


def _finite(value: float | None) -> float | None:
    """Return a number with the digits that a screen shows: they are sent often."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}")
