"""What experiments are called beside each other: by the settings in which they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ddl.experiments.spec.records import Experiment
from ddl.experiments.terminal.words import number
from ddl.plain_text import escaped

LONGEST = 44


def differing(records: Sequence[Experiment]) -> list[str]:
    """Return the names of parameters that not all records have with the same value, in their order."""
    names = dict.fromkeys(name for record in records for name in record.parameters)
    return [
        name for name in names if len({_key(record.parameters.get(name)) for record in records}) > 1
    ]


def labels_of(records: Sequence[Experiment]) -> list[str]:
    """Return a label for each record: its number and what differs, its name if nothing does."""
    names = differing(records)
    if not names:
        return [_shortened(record.name) for record in records]
    return [_label(record, names) for record in records]


def shown(value: Any) -> str:
    """Return a setting's value as people read it, "-" where there is none."""
    if value is None:
        return "-"
    return number(value) if isinstance(value, int | float | str) else json.dumps(value)


def _label(record: Experiment, names: Sequence[str]) -> str:
    parts = [
        f"{name.rpartition('.')[2]} {shown(record.parameters[name])}"
        for name in names
        if name in record.parameters
    ]
    return _shortened(f"{record.number:03d}  {', '.join(parts)}")


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _shortened(text: str) -> str:
    text = escaped(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
