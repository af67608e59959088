"""Results of experiments: which variable tells most, its last and its best value."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ddl.experiments.agent.layout import ExperimentFolder
from ddl.experiments.agent.whole import read_json
from ddl.experiments.watching.condition.directions import direction_of
from ddl.experiments.watching.condition.tree import SMALL

_NO_RESULTS = frozenset({"epoch", "step", "row", "time", "attempt", "seconds", "samples_per_s"})
_SETTINGS = frozenset({"learning_rate", "lr", "momentum", "weight_decay"})
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def read_rows(folder: ExperimentFolder) -> list[dict[str, Any]]:
    """Return the rows of an experiment's history, by epoch; [] without one."""
    rows = read_json(folder.history).get("rows")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def rows_in(file: int, size: int) -> list[dict[str, Any]]:
    """Return the rows of an open history.json."""
    try:
        history = json.loads(os.pread(file, size, 0))
    except (ValueError, RecursionError):
        return []
    rows = history.get("rows") if isinstance(history, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def value_of(row: Mapping[str, Any], name: str) -> float | None:
    """Return a number of a row; NaN and infinities are numbers; None where there is none."""
    value = row.get(name)
    if isinstance(value, str):
        return _SPECIAL.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def with_numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row whose NaN and infinities, texts in our files, are numbers."""
    return {
        name: _SPECIAL.get(value, value) if isinstance(value, str) else value
        for name, value in row.items()
    }


def result_names(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the variables of rows that are results, in the order in which they appear."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in _NO_RESULTS | _SETTINGS]


def is_low_good(name: str) -> bool:
    """Return whether small values of a variable are good ones, by its name: losses and errors."""
    return direction_of(name) == SMALL


def main_variable(lasts: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the variable that tells most of experiments with these newest rows: a validation metric before a loss."""
    names = result_names(lasts)

    def rank(name: str) -> tuple[bool, bool, int]:
        is_validation = name.startswith(("val_", "valid", "test_"))
        return not is_validation, is_low_good(name), names.index(name)

    numeric = [name for name in names if any(value_of(row, name) is not None for row in lasts)]
    return min(numeric, key=rank, default=None)


def best_of(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[float, Any] | None:
    """Return the best finite value of a variable and its epoch; None without one."""
    found = [
        (value, row.get("epoch")) for row in rows if (value := value_of(row, name)) is not None
    ]
    finite = [pair for pair in found if math.isfinite(pair[0])]
    if not finite:
        return None
    choose = min if is_low_good(name) else max
    return choose(finite, key=lambda pair: pair[0])
