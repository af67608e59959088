"""`table`: all experiments with their settings and results. Reads files only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.table import ABOUT, Table, csv_text, make_table
from ddl.experiments.terminal.columns import Column, draw, output_width
from ddl.experiments.terminal.words import number, when
from ddl.experiments.verbs.of_store import (
    OfStore,
    exit_status,
    find,
    say,
    say_damaged,
    say_json,
)
from ddl.flags import ARGUMENT

_SHORT = ("name", "state", "epoch")
_HIDDEN = frozenset({"number", "why", "node", "attempts", "started", "ended", "seconds", *ABOUT})
_LEAST = 8


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show experiments with a column for each parameter, and the last and the best value of each result.

    It reads what is in the store and writes nothing; `sync` writes the whole table to experiments.csv in the store.
    On a terminal, parameters that are the same everywhere are left out; --csv and --json have all columns.

        python scripts/experiments.py table
        python scripts/experiments.py table state=finished --columns name learning_rate best_val_dice --csv > best.csv

    Attributes:
        which: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME; or a spec's file; all without
        csv: print CSV
        columns: columns to show, in this order
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)
    csv: bool = False
    columns: tuple[str, ...] = ()


def run(settings: Settings) -> int:
    """Print the table. Return 3 where something has failed."""
    if settings.csv and settings.json:
        raise ValueError("Received: csv and json. Expected: one of them.")
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    chosen = select(view, words)
    table = make_table(view, chosen, settings.columns)
    if settings.json:
        names, rows = table
        say_json([dict(zip(names, row, strict=True)) for row in rows])
    elif settings.csv:
        sys.stdout.write(csv_text(table))
    else:
        say(_lines(table if settings.columns else _telling(table), output_width()))
        say_damaged(view)
    return exit_status(view, chosen)


def _telling(table: Table) -> Table:
    """Return a table without settings that are the same everywhere, and without what `show` is for."""
    names, rows = table
    results = {name.removeprefix("best_") for name in names if name.startswith("best_")}
    kept = [
        place
        for place, name in enumerate(names)
        if name in (*_SHORT, *results)
        or (not _is_left_out(name) and not _is_dull([row[place] for row in rows]))
    ]
    return [names[place] for place in kept], [[row[place] for place in kept] for row in rows]


def _is_left_out(name: str) -> bool:
    return name in _HIDDEN or (name.startswith("best_") and name.endswith("_epoch"))


def _is_dull(values: Sequence[Any]) -> bool:
    distinct = {json.dumps(value, sort_keys=True) for value in values}
    return distinct == {"null"} or (len(distinct) == 1 and len(values) > 1)


def _lines(table: Table, width: int | None) -> list[str]:
    names, rows = table
    columns = [
        Column(name, right=_is_number([row[place] for row in rows]), least=_LEAST)
        for place, name in enumerate(names)
    ]
    return draw(
        columns, [[_shown(*pair) for pair in zip(names, row, strict=True)] for row in rows], width
    )


def _is_number(values: Sequence[Any]) -> bool:
    return any(isinstance(value, int | float) for value in values)


def _shown(name: str, value: Any) -> str:
    return when(value) if name in ("started", "ended") else number(value)
