"""The kinds of sources of rows. Each reads what is new in one file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Callable, Mapping, Union

from ddl.experiments.watching.reading.tail import Tail
from ddl.experiments.watching.values import COUNTED, EPOCH, STEP, Row, key_of, row_of

MOST_DOCUMENT_BYTES = 32 << 20

_LONGEST_TEXT_LINE = 64 << 10


class JsonLines:
    """A file with a JSON object a line, such as ddl's history.jsonl: each line is a row."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.tail = Tail(path)
        self.bad_lines = self._count = 0

    def poll(self, now: float, ended: bool) -> list[Row]:
        """Return the new rows; all of them if the file was begun anew."""
        anew, lines = self.tail.poll(ended)
        if anew:
            self._count = 0
        rows = []
        for line in lines:
            values = parse_object(line)
            if values is None:
                self.bad_lines += 1
                continue
            self._count += 1
            rows.append(_counted(row_of(values, now), self._count))
        return rows


class Csv:
    """A file whose first line names its columns, parted by commas, semicolons or tabs: each further line is a row."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.tail = Tail(path)
        self.bad_lines = self._count = 0
        self._names: list[str] = []
        self._comma = ","

    def poll(self, now: float, ended: bool) -> list[Row]:
        """Return the new rows; all of them if the file was begun anew."""
        anew, lines = self.tail.poll(ended)
        if anew:
            self._names, self._count = [], 0
        rows = []
        for line in lines:
            if not self._names:
                self._comma = max(",;\t", key=line.count)
                self._names = [name.strip().lstrip("#").strip() for name in self._cells(line)]
                continue
            cells = self._cells(line)
            if len(cells) != len(self._names):
                self.bad_lines += 1
                continue
            self._count += 1
            rows.append(_counted(row_of(dict(zip(self._names, cells)), now), self._count))
        return rows

    def _cells(self, line: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=self._comma, skipinitialspace=True), [])
        except csv.Error:
            return []


class Document:
    """A JSON file that is written whole each time and holds a list of rows, such as `log_history`."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet."""
        self.path = path
        self.bad_lines = 0
        self.error: str | None = None
        self._facts: tuple[int, ...] = ()

    def poll(self, now: float, ended: bool) -> list[Row]:
        """Return all rows if the file has changed."""
        try:
            facts = self.path.stat()
            known = facts.st_ino, facts.st_size, facts.st_mtime_ns
            if known == self._facts:
                return []
            if facts.st_size > MOST_DOCUMENT_BYTES:
                self.error = f"larger than {MOST_DOCUMENT_BYTES >> 20} MiB"
                return []
            value = json.loads(self.path.read_bytes().decode("utf-8", errors="replace"))
        except OSError as error:
            self.error = None if isinstance(error, FileNotFoundError) else error.strerror
            return []
        except (ValueError, RecursionError):  # half-written; it is looked at again
            return []
        self._facts, self.error = known, None
        return [
            _counted(row_of(values, now), number)
            for number, values in enumerate(_list_of_rows(value), 1)
        ]


class Lines:
    """A text file whose lines give values, several of which make a row.

    A new epoch begins a row; without epochs a new step does; without both, a name that the row has already.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[str], Mapping[str, Any]],
        rows_before: int = 0,
    ) -> None:
        """Read nothing yet. Rows without epoch and step are counted from `rows_before` + 1."""
        self.tail = Tail(path, _LONGEST_TEXT_LINE)
        self.bad_lines = 0
        self._read, self._before = read, rows_before
        self._count = rows_before
        self._row: Row = {}
        self._is_given = True

    def poll(self, now: float, ended: bool) -> list[Row]:
        """Return new and changed rows. One without epoch and step comes once it is over or nothing was added."""
        anew, lines = self.tail.poll(ended)
        if anew:
            self._row, self._count, self._is_given = {}, self._before, True
        rows: list[Row] = []
        found = False
        for line in lines:
            values = row_of(self._read(line), now)
            if len(values) > 1:  # more than the time
                found = True
                self._take(values, rows)
        is_settled = ended or not found or COUNTED not in self._row
        if not self._is_given and is_settled:
            rows.append(dict(self._row))
            self._is_given = True
        return rows

    def _take(self, values: Row, rows: list[Row]) -> None:
        if self._begins(values):
            is_start = COUNTED in self._row and EPOCH in values and not rows
            if not self._is_given and not is_start:  # what stands before the first epoch is no row
                rows.append(dict(self._row))
            self._row = {}
        if not self._row and key_of(values) is None:
            self._count += 1
            values[COUNTED] = self._count
        self._row.update(values)
        self._is_given = False

    def _begins(self, values: Row) -> bool:
        """Return whether the values belong to a new row."""
        row = self._row
        if EPOCH in values:
            return bool(row.get(EPOCH) != values[EPOCH])
        if EPOCH in row:
            return False
        if STEP in values:
            return bool(row.get(STEP) != values[STEP])
        return COUNTED in row and any(name in row for name in values if name != "time")


def parse_object(line: str) -> dict[str, Any] | None:
    """Return the JSON object of a line, None if it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _counted(row: Row, number: int) -> Row:
    return row if key_of(row) else {COUNTED: number, **row}


def _list_of_rows(value: Any) -> list[dict[str, Any]]:
    """Return the rows of a document: itself, or the longest list of objects in it."""
    lists = list(value.values()) if isinstance(value, dict) else [value]
    found = [
        [row for row in rows if isinstance(row, dict)] for rows in lists if isinstance(rows, list)
    ]
    return max(found, key=len, default=[])


Source = Union[JsonLines, Csv, Document, Lines]
