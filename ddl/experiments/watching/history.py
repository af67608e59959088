"""history.json: the rows of one experiment over all its attempts, with when each was seen and which attempt made it.

    history = History(folder / "history.json")
    changed = history.merge(reader.poll(), attempt=2)
    history.write()

The file:

    {"format": 1, "variables": ["loss"], "updated": 1790000000.0,
     "rows": [{"epoch": 1, "time": 1790000000.0, "attempt": 1, "loss": 0.5}]}
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import uuid
from bisect import bisect_left
from pathlib import Path
from typing import Any, Callable, Iterable, Iterator, Mapping

from ddl.experiments.watching.values import (
    AXES,
    COUNTED,
    RESERVED,
    Key,
    Row,
    from_json,
    key_of,
    names_of,
    to_json,
)

FORMAT = 1
MOST_CELLS = 50_000
"""Numbers that a history holds. Beyond, every second row of its older half is left out."""

_RANKS = {axis: -number for number, axis in enumerate(AXES)}  # counted rows first, epochs last


class History:
    """The rows of an experiment in order. One process writes it: the agent that holds the claim."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Read what earlier attempts have left; a damaged file counts as none."""
        self.path, self._clock = path, clock
        self._rows: list[Row] = []
        self._keys: list[tuple[int, float]] = []
        self._cells = 0
        self._is_changed = False
        self.is_thinned = False
        for row in read_history(path)["rows"]:
            self._insert(row)
        self._earlier = set(self._keys)

    @property
    def rows(self) -> list[Row]:
        """Return the rows in order: counted ones, steps, epochs. A row that changes is another object."""
        return self._rows

    @property
    def variables(self) -> list[str]:
        """Return the names of all variables, in the order in which they came."""
        return list(dict.fromkeys(name for row in self._rows for name in names_of(row)))

    def counted(self, attempt: int) -> int:
        """Return the number of counted rows that attempts before this one have had."""
        numbers = (row.get(COUNTED, 0) for row in self._rows if row.get("attempt", 0) < attempt)
        return int(max(numbers, default=0))

    def merge(self, rows: Iterable[Mapping[str, Any]], attempt: int) -> list[Row]:
        """Take up new and changed rows. Return those that were new or did change.

        A row of an earlier process that comes with other values is replaced, and what earlier processes had after it
        goes: the program has begun again before it.
        """
        changed = []
        for row in rows:
            key = key_of(row)
            if key is None:
                continue
            merged = self._merge(_rank(key), {**row, "attempt": attempt})
            if merged is not None:
                changed.append(merged)
        if changed:
            self._is_changed = True
            while self._cells > MOST_CELLS and len(self._rows) > 4:
                self._thin()
        return changed

    def _merge(self, rank: tuple[int, float], row: Row) -> Row | None:
        at = bisect_left(self._keys, rank)
        if at == len(self._keys) or self._keys[at] != rank:
            self._drop_earlier(rank)
            self._insert(row)
            return row
        known = self._rows[at]
        if all(_is_same(known.get(name), row[name]) for name in row if name not in RESERVED):
            return None
        if rank in self._earlier:
            self._drop_earlier(rank)
            self._earlier.discard(rank)
        else:
            row = {**known, **row, "time": known.get("time", row.get("time"))}
        at = bisect_left(self._keys, rank)
        self._cells += len(row) - len(known)
        self._rows[at] = row
        return row

    def _insert(self, row: Row) -> None:
        key = key_of(row)
        if key is None:
            return
        rank = _rank(key)
        at = bisect_left(self._keys, rank)
        self._keys.insert(at, rank)
        self._rows.insert(at, row)
        self._cells += len(row)

    def _drop_earlier(self, rank: tuple[int, float]) -> None:
        """Drop the rows of earlier processes that come after a row of the same kind."""
        gone = {other for other in self._earlier if other[0] == rank[0] and other > rank}
        if gone:
            self._keep(lambda number: self._keys[number] not in gone)
            self._earlier -= gone

    def _thin(self) -> None:
        half = len(self._rows) // 2
        self._keep(lambda number: number >= half or number % 2 == 0)
        self._earlier &= set(self._keys)
        self.is_thinned = True

    def _keep(self, is_kept: Callable[[int], bool]) -> None:
        kept = [number for number in range(len(self._rows)) if is_kept(number)]
        self._rows = [self._rows[number] for number in kept]
        self._keys = [self._keys[number] for number in kept]
        self._cells = sum(map(len, self._rows))

    def _parts(self) -> Iterator[str]:
        """Yield the text of the file, row by row: all of it at once takes much memory."""
        names = json.dumps(self.variables)
        yield f'{{"format":{FORMAT},"variables":{names},"rows":['
        comma = ""
        for row in self._rows:
            yield comma + json.dumps(to_json(row), allow_nan=False, separators=(",", ":"))
            comma = ",\n"
        yield f'],"updated":{self._clock()!r}}}\n'

    def write(self) -> bool:
        """Write the file whole if rows have changed. Return whether it was written."""
        if not self._is_changed:
            return False
        _write_whole(self.path, self._parts())
        self._is_changed = False
        return True


def read_history(path: Path) -> dict[str, Any]:
    """Return the content of a history.json, NaN and infinities as numbers; without rows if it is missing or damaged."""
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("rows"), list):
        return {"format": FORMAT, "variables": [], "rows": [], "updated": None}
    rows = [from_json(row) for row in content["rows"] if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in rows for name in names_of(row)))
    return {**content, "variables": names, "rows": [row for row in rows if key_of(row)]}


def _rank(key: Key) -> tuple[int, float]:
    return _RANKS[key[0]], key[1]


def _is_same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def _write_whole(path: Path, parts: Iterable[str]) -> None:
    partial = path.with_name(f".{os.getpid()}.{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        with partial.open("x", encoding="utf-8") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
