"""The variables of a growing history as series: only what is new is added, and the last row may still change."""

from __future__ import annotations

from operator import is_
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ddl.experiments.watching.condition.series import Place, Series
from ddl.experiments.watching.values import EPOCH, STEP

Row = Mapping[str, Any]


class Columns:
    """Series of some variables over all rows up to the one at hand."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._closed: list[Row] = []
        self.series: dict[str, Series] = {}

    def walk(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Place, bool]]:
        """Yield the rows that are new since the last walk, each with its place, and whether it is the last one.

        The last row comes in every walk, since it may have changed. While a row is at hand, `series` holds all rows
        up to it. If earlier rows have changed, all rows come again.
        """
        count = len(self._closed)
        is_same = count < len(rows) and all(map(is_, self._closed, rows))
        if not is_same:
            self._closed, self.series, count = [], {}, 0
        first = 1.0 if _counts_from_zero(rows) else 0.0
        for number in range(count, len(rows)):
            row, is_last = rows[number], number == len(rows) - 1
            place = _place(row, number, first)
            added = self._add(row, place)
            try:
                yield row, place, is_last
            finally:
                if is_last:
                    for name in added:
                        self.series[name].pop()
                else:
                    self._closed.append(row)

    def _add(self, row: Row, place: Place) -> list[str]:
        added = [name for name in row if name in self._names]
        for name in added:
            self.series.setdefault(name, Series()).add(float(row[name]), place)
        return added


def _counts_from_zero(rows: Sequence[Row]) -> bool:
    """Return whether epochs are numbered 0, 1, 2: then epoch 0 is one epoch done."""
    first = [row[EPOCH] for row in rows[:2] if EPOCH in row]
    return bool(first) and first[0] == 0 and all(epoch == int(epoch) for epoch in first)


def _place(row: Row, number: int, first: float) -> Place:
    epochs = row[EPOCH] + first if EPOCH in row else number + 1.0
    return Place(float(epochs), row.get(STEP), float(row.get("time", 0.0)))
