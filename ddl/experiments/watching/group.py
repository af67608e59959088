"""The last values of a variable in the other experiments of a group: what `median(group, x)` in rules is taken of."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable, Iterable

from ddl.experiments.watching.history import read_history
from ddl.experiments.watching.values import Number, names_of

AGAIN_S = 30.0
"""Seconds for which histories of others are not read again."""


class Group:
    """Reads the history.json of other experiments, each again only if it has changed."""

    def __init__(
        self,
        histories: Callable[[], Iterable[Path]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read nothing yet. `histories` returns the files of the other experiments of the group, made or not."""
        self._histories, self._clock = histories, clock
        self._read_at: float | None = None
        self._last: dict[Path, tuple[tuple[int, int, int], dict[str, Number]]] = {}

    def __call__(self, name: str) -> list[float]:
        """Return the last value of a variable in each of the others that has one."""
        if self._read_at is None or self._clock() - self._read_at >= AGAIN_S:
            self._read()
            self._read_at = self._clock()
        return [float(values[name]) for _, values in self._last.values() if name in values]

    def _read(self) -> None:
        fresh = {}
        for path in self._histories():
            try:
                facts = path.stat()
            except OSError:
                continue
            state = facts.st_ino, facts.st_size, facts.st_mtime_ns
            known = self._last.get(path)
            fresh[path] = known if known and known[0] == state else (state, _last_values(path))
        self._last = fresh


def _last_values(path: Path) -> dict[str, Number]:
    values: dict[str, Number] = {}
    for row in read_history(path)["rows"]:
        values.update((name, row[name]) for name in names_of(row))
    return values
