"""`compare`: what differs between experiments. Reads files only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ddl.experiments.comparing.differences import PARTS, Difference, differences
from ddl.experiments.comparing.labels import shown
from ddl.experiments.store.view import read_view
from ddl.experiments.store.which import select
from ddl.experiments.terminal.columns import Column, draw, output_width
from ddl.experiments.verbs.of_store import OfStore, find, say, say_json
from ddl.flags import ARGUMENT
from ddl.plain_text import escaped
from ddl.progress import duration

MOST = 12
"""Experiments beside each other; more do not fit, and `table` has a line for each."""

_LEAST = 10


@dataclass(frozen=True, kw_only=True)
class Settings(OfStore):
    """Show in what experiments differ: settings, how they run, commit and lines of code, last and best results.

    What is the same in all of them is left out. Files of frozen code are compared with those of the first one: +3 -1
    are lines that the other has more and less. It reads what is in the store and writes nothing.

        python scripts/experiments.py compare 3 7
        python scripts/experiments.py compare lr=0.001 state=finished --json

    Attributes:
        which: two experiments or more: names, numbers (3, 3-7), globs, state=STATE, PARAMETER=VALUE, group=NAME
    """

    which: tuple[str, ...] = field(default=(), kw_only=False, metadata=ARGUMENT)


def run(settings: Settings) -> int:
    """Print what differs."""
    store, words = find(settings, settings.which)
    view = read_view(store.path)
    items = select(view, words)
    if not 2 <= len(items) <= MOST:
        raise ValueError(
            f"Received: {' '.join(words) or 'no name'}, which is {len(items)} experiments. "
            f"Expected: 2 to {MOST} of them; `table` shows all."
        )
    found = differences(view, items)
    names = [item.name for item in items]
    if settings.json:
        parts = {part: {d.name: list(d.values) for d in found if d.part == part} for part in PARTS}
        say_json({"experiments": names, **parts})
    elif found:
        say(_lines(found, names, output_width()))
    else:
        say([f"{', '.join(map(escaped, names))}: nothing differs."])
    return 0


def _lines(found: Sequence[Difference], names: Sequence[str], width: int | None) -> list[str]:
    """Return a table with a heading before each part."""
    columns = [Column(""), *(Column(escaped(name), least=_LEAST) for name in names)]
    rows = [
        [f"  {each.name}", *(_text(each.name, value) for value in each.values)] for each in found
    ]
    first, *lines = draw(columns, rows, width)
    out, part = [first], ""
    for each, line in zip(found, lines, strict=True):
        if each.part != part:
            part = each.part
            out += ["", part.capitalize()] if len(out) > 1 else [part.capitalize()]
        out.append(line)
    return out


def _text(name: str, value: Any) -> str:
    if name == "seconds" and isinstance(value, int | float):
        return duration(value)
    return json.dumps(value) if isinstance(value, dict) else shown(value)
