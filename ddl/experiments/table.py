"""All experiments of a store as a table: settings, last and best results. Also as experiments.csv."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ddl.experiments.results import best_of, result_names, rows_in, value_of
from ddl.experiments.store.attempts import number
from ddl.experiments.store.files import Files
from ddl.experiments.store.view import ExperimentView, StoreView, read_view
from ddl.experiments.store.which import parameters_of
from ddl.files import write_whole
from ddl.plain_text import escaped
from ddl.ranges import did_you_mean

FACTS = (
    "number",
    "name",
    "state",
    "why",
    "node",
    "attempts",
    "epoch",
    "started",
    "ended",
    "seconds",
)
ABOUT = ("commit", "author", "subject", "group", "path")

_SUMMARIES = Files()
"""Results of histories that have not changed: `manage` writes the table again and again."""

Table = tuple[list[str], list[list[Any]]]
"""Names of columns, and a row for each experiment."""


def make_table(
    view: StoreView, chosen: Sequence[ExperimentView], columns: Sequence[str] = ()
) -> Table:
    """Return a table of experiments, by number. A parameter that is called like another column is `parameter.NAME`.

    Args:
        view: the store.
        chosen: its experiments to show.
        columns: names of columns to show, all without one.

    Raises:
        ValueError: An unknown column.
    """
    records = [_values(item) for item in chosen]
    known = list(dict.fromkeys([*FACTS, *_parameter_columns(view), *_results(records), *ABOUT]))
    for name in columns:
        if name not in known:
            shown = ", ".join(known[:30]) + (", ..." if len(known) > 30 else "")
            raise ValueError(
                f"Received: column {name}. Expected: one of {shown}.{did_you_mean(name, known)}"
            )
    names = list(columns) or known
    return names, [[record.get(name) for name in names] for record in records]


def csv_text(table: Table) -> str:
    """Return a table as CSV. Control characters of texts show as their numbers, so each row is one line."""
    names, rows = table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([escaped(name) for name in names])
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def write_table(store: Path) -> Path:
    """Write experiments.csv of a store, whole. Return its path."""
    view = read_view(store)
    text = csv_text(make_table(view, view.experiments))
    path = view.store.table
    write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", newline=""))
    return path


def _parameter_columns(view: StoreView) -> list[str]:
    return [_column_of(name) for name in parameters_of(view)]


def _column_of(parameter: str) -> str:
    return f"parameter.{parameter}" if parameter in (*FACTS, *ABOUT) else parameter


def _results(records: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record["results"]))


def _values(item: ExperimentView) -> dict[str, Any]:
    """Return the values of an experiment by column, and under "results" the names of those that are results."""
    parameters = {_column_of(name): value for name, value in item.record.parameters.items()}
    results: dict[str, Any] = {}
    for name, (last, best) in _summary(item).items():
        title = f"result.{name}" if name in parameters or name in (*FACTS, *ABOUT) else name
        results[title] = last
        if best is not None:
            results[f"best_{title}"], results[f"best_{title}_epoch"] = best
    return {**_facts(item), **parameters, **results, "results": list(results)}


def _summary(item: ExperimentView) -> Mapping[str, Any]:
    """Return the last value, and the best one with its epoch, of each result."""
    try:
        return _SUMMARIES.made(item.folder.history, lambda *file: _summed_up(rows_in(*file)))
    except (OSError, ValueError):  # none yet
        return {}


def _summed_up(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {
        name: (next(row[name] for row in reversed(rows) if name in row), best_of(rows, name))
        for name in result_names(rows)
        if any(value_of(row, name) is not None for row in rows)
    }


def _facts(item: ExperimentView) -> dict[str, Any]:
    attempts, record = item.attempts, item.record
    started = [attempt.started for attempt in attempts if attempt.started]
    ended = attempts[-1].ended if attempts else 0.0
    seconds = [number(attempt.status.get("seconds")) for attempt in attempts]
    return {
        "number": item.number,
        "name": item.name,
        "state": item.state,
        "why": item.why,
        "node": item.node,
        "attempts": len(attempts),
        "epoch": item.epoch,
        "started": min(started) if started else None,
        "ended": ended or None,
        "seconds": sum(seconds) or None,
        "commit": record.code.commit,
        "author": record.author,
        "subject": record.subject,
        "group": record.group,
        "path": str(item.folder.path),
    }


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, int | float) else escaped(json.dumps(value))
