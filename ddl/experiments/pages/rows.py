"""The rows of a page's table: an experiment each, with its parameters and its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.experiments.results import best_of, is_low_good, read_rows, result_names, value_of
from ddl.experiments.store.view import ExperimentView

MOST_RESULTS = 8
"""Columns of results in a table; all of them stand below each experiment."""


@dataclass(frozen=True)
class Result:
    """A variable of an experiment.

    Attributes:
        last: Its newest value, a number or the text that stands for NaN or an infinity.
        best: Its best finite value, None without one.
        best_epoch: The epoch of that.
    """

    last: Any
    best: float | None
    best_epoch: Any


@dataclass(frozen=True)
class Row:
    """An experiment of the table, with its history."""

    item: ExperimentView
    history: list[dict[str, Any]]
    results: Mapping[str, Result]


def read_row(item: ExperimentView) -> Row:
    """Read what a page shows of an experiment."""
    history = read_rows(item.folder)
    return Row(item, history, results_of(history))


def results_of(history: Sequence[Mapping[str, Any]]) -> dict[str, Result]:
    """Return the last and the best value of each variable."""
    results = {}
    for name in result_names(history):
        values = [row[name] for row in history if value_of(row, name) is not None]
        if values:
            best, epoch = best_of(history, name) or (None, None)
            results[name] = Result(values[-1], best, epoch)
    return results


def parameter_names(items: Sequence[ExperimentView]) -> tuple[list[str], list[str]]:
    """Return the parameters that differ between experiments, and those that are the same in all."""
    names = dict.fromkeys(name for item in items for name in item.record.parameters)
    missing = object()
    same = [
        name
        for name in names
        if len({_key(item.record.parameters.get(name, missing)) for item in items}) == 1
    ]
    if len(items) == 1:
        return list(names), []
    return [name for name in names if name not in same], same


def result_columns(rows: Sequence[Row], most: int = MOST_RESULTS) -> list[str]:
    """Return the variables to show in the table, the most telling first: validation, test, metrics before losses."""
    names = list(dict.fromkeys(name for row in rows for name in row.results))

    def rank(name: str) -> tuple[bool, bool, int]:
        return not name.startswith(("val", "test_")), is_low_good(name), names.index(name)

    return sorted(names, key=rank)[:most]


def short(value: Any) -> str:
    """Return a value as a table shows it: numbers with five digits, lists as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.5g}"
    return str(value) if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)


def _key(value: Any) -> str:
    return repr(value)
