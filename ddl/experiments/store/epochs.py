"""How far an experiment is: the newest row of its history, and the number of epochs that it shall have."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from ddl.experiments.spec.records import Experiment

_END_BYTES = 16 << 10
_LARGEST_BYTES = 256 << 20
# Rows are flat: a brace in one could only stand in a text, and then the whole file is read.
_ROW = re.compile(rb"\{[^{}\[\]]*\}(?=\s*\])")
_FLAG = re.compile(r"--(?:num[-_])?epochs(?:=|\Z)")


def last_row(file: int, size: int) -> Mapping[str, Any]:
    """Return the newest row of an open history.json; {} without one. Reads its end only, where that is enough.

    A thousand histories of a thousand epochs are 200 MB; their ends are 16.
    """
    start = max(0, size - _END_BYTES)
    end = os.pread(file, _END_BYTES, start)
    found = _ROW.findall(end)
    if found:
        row = _parsed(found[-1])
        if isinstance(row, dict) and "epoch" in row:
            return row
    if size > _LARGEST_BYTES:
        return {}
    history = _parsed(os.pread(file, size, 0))
    rows = history.get("rows") if isinstance(history, dict) else None
    return rows[-1] if isinstance(rows, list) and rows and isinstance(rows[-1], dict) else {}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def epochs_of(record: Experiment) -> int | None:
    """Return how many epochs an experiment shall have: its parameter or flag `epochs`; None where neither says."""
    for name in ("epochs", "num_epochs", "max_epochs", "n_epochs"):
        value = record.parameters.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    words = [
        word for line in record.run.argv for word in (line.split() if record.run.shell else [line])
    ]
    for place, word in enumerate(words):
        found = _FLAG.match(word)
        if found:
            text = word[found.end() :] or "".join(words[place + 1 : place + 2])
            return int(text) if text.isascii() and text.isdecimal() else None
    return None
