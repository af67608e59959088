"""The first pass over a file of rows: where each begins, its label and its flag. Every value is checked here."""

from __future__ import annotations

import bisect
import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.sources.delimited_text.columns import Columns, choose_columns
from ddl.data.sources.delimited_text.line_format import LineFormat, line_name, stripped
from ddl.progress import Progress

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 256 << 20
_MOST_ROWS = 1 << 31
_LABEL_LIMIT = 1 << 31


@dataclass(frozen=True)
class Request:
    """How a file is read: the options that decide what a row means."""

    lines: LineFormat
    header: bool
    label: str
    flag: str
    target: tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class RowIndex:
    """The rows of a file.

    Attributes:
        starts: place of each row in the file, in bytes.
        labels: label of each row; empty without labels.
        flagged: whether a row is for validation; empty without a flag.
        columns: what the columns are.
        names: the names in the header; none without one.
        jumps: (row, its line), for the first row and those after comments and empty lines.
        size: size of the file in bytes.
    """

    starts: np.ndarray
    labels: np.ndarray
    flagged: np.ndarray
    columns: Columns
    names: tuple[str, ...]
    jumps: tuple[np.ndarray, np.ndarray]
    size: int

    def __len__(self) -> int:
        return len(self.starts)

    def line_of(self, row: int) -> int:
        """Return the number of a row's line, counted from 1."""
        rows, lines = self.jumps
        at = bisect.bisect_right(rows, row) - 1
        return int(lines[at] + row - rows[at])

    def span(self, row: int) -> tuple[int, int]:
        """Return where a row begins, and where the next one does."""
        last = row + 1 == len(self)
        return int(self.starts[row]), self.size if last else int(self.starts[row + 1])


def read_index(path: Path, request: Request) -> RowIndex:
    """Return the rows of a file, which is read once as long as it does not change.

    Raises:
        ValueError: a line is wrong; the message names it.
    """
    status = path.stat()
    return _index(path, request, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _index(path: Path, request: Request, size: int, changed_ns: int) -> RowIndex:
    del changed_ns
    return _Scan(path, request, size).run()


@dataclass
class _Scan:
    """One pass over a file."""

    path: Path
    request: Request
    size: int
    columns: Columns | None = None
    names: tuple[str, ...] = ()
    starts: list[np.ndarray] = field(default_factory=list)
    labels: list[np.ndarray] = field(default_factory=list)
    flagged: list[np.ndarray] = field(default_factory=list)
    jumps: list[tuple[int, int]] = field(default_factory=list)
    rows: int = 0
    next_line: int = 0  # that a row without a jump has

    def run(self) -> RowIndex:
        for first_line, place, lines in _chunks(self.path, self.size):
            self._add(first_line, place, lines)
        if self.columns is None:
            raise ValueError(
                f"Received: {self.path}, which has no rows. Expected: a sample in each line, numbers with a delimiter."
            )
        jumps = np.array(self.jumps, np.int64).reshape(-1, 2)
        return RowIndex(
            np.concatenate(self.starts),
            _compact(self.labels),
            np.concatenate(self.flagged) if self.flagged else np.empty(0, bool),
            self.columns,
            self.names,
            (jumps[:, 0].copy(), jumps[:, 1].copy()),
            self.size,
        )

    def _add(self, first_line: int, place: int, lines: Sequence[bytes]) -> None:
        """Check the rows among these lines, and keep what the index says about them."""
        ends = list(itertools.accumulate(len(line) + 1 for line in lines))
        begins = [place, *(place + end for end in ends[:-1])]
        texts = [stripped(line) for line in lines]
        kept = [at for at, text in enumerate(texts) if text]
        if kept and self.columns is None:
            self._read_form(texts[kept[0]], first_line + kept[0])
            if self.request.header:
                kept = kept[1:]
        if not kept or self.columns is None:
            return
        values = self.request.lines.numbers([texts[at] for at in kept], self.columns.count)
        if values is None:
            self._refuse(texts, kept, first_line)
            return
        self._keep_columns(values, [first_line + at for at in kept])
        kind = np.uint32 if self.size < 1 << 32 else np.int64
        self.starts.append(np.array([begins[at] for at in kept], kind))
        for at in kept:
            if first_line + at != self.next_line:
                self.jumps.append((self.rows, first_line + at))
            self.next_line, self.rows = first_line + at + 1, self.rows + 1
        if self.rows > _MOST_ROWS:
            raise ValueError(
                f"Received: {self.path} with more than {_MOST_ROWS} rows. Expected: fewer; divide it."
            )

    def _read_form(self, text: bytes, line: int) -> None:
        """Decide what the columns are, from the first line that is no comment."""
        fields = self.request.lines.split(text)
        where = line_name(self.path, line)
        if self.request.header:
            self.names = tuple(
                one.strip().decode("utf-8", "replace").strip("\"'") for one in fields
            )
        else:
            self._check_numbers(text, len(fields), where)
        request = self.request
        label, flag = request.label, request.flag
        self.columns = choose_columns(len(fields), self.names, label, flag, request.target, where)

    def _check_numbers(self, text: bytes, count: int, where: str) -> None:
        problem = self.request.lines.problem(text, count, where)
        if problem is not None:
            words = str(problem).rstrip(".")
            raise ValueError(
                f"{words}; header=true for a first line with names, delimiter=... for other delimiters than "
                f"{self.request.lines.delimiter!r}."
            )

    def _refuse(self, texts: Sequence[bytes], kept: Sequence[int], first_line: int) -> None:
        """Raise the error about the first wrong line."""
        count = self.columns.count if self.columns else 0
        for at in kept:
            where = line_name(self.path, first_line + at)
            problem = self.request.lines.problem(texts[at], count, where)
            if problem is not None:
                raise problem
        raise ValueError(
            f"Received: {line_name(self.path, first_line + kept[0])} and the lines after it, which are no numbers. "
            "Expected: numbers."
        )

    def _keep_columns(self, values: np.ndarray, lines: Sequence[int]) -> None:
        """Keep labels and flags, which must be whole numbers."""
        columns = self.columns
        assert columns is not None  # noqa: S101 (the caller has it)
        if columns.label is not None:
            labels = values[:, columns.label]
            is_wrong = (labels % 1 != 0) | (np.abs(labels) >= _LABEL_LIMIT)
            self._check_all(
                is_wrong, labels, lines, "label", columns.label, "a whole number, the class"
            )
            self.labels.append(_smallest(labels.astype(np.int64)))
        if columns.flag is not None:
            flags = values[:, columns.flag]
            is_wrong = (flags != 0) & (flags != 1)
            expected = "0 for training or 1 for validation; flag=none for rows without it"
            self._check_all(is_wrong, flags, lines, "flag for validation", columns.flag, expected)
            self.flagged.append(flags == 1)

    def _check_all(
        self,
        is_wrong: np.ndarray,
        values: np.ndarray,
        lines: Sequence[int],
        what: str,
        column: int,
        expected: str,
    ) -> None:
        for row in np.flatnonzero(is_wrong)[:1]:
            raise ValueError(
                f"Received: {line_name(self.path, lines[row])}, whose {what} (value {column + 1}) is "
                f"{values[row]:.9g}. Expected: {expected}."
            )


def _chunks(path: Path, size: int) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield the whole lines of a file in parts of about a MiB: number of the first line, its place, the lines."""
    line, place, rest = 1, 0, b""
    with (
        path.open("rb") as file,
        contextlib.closing(Progress("MiB of rows checked", max(1, size >> 20))) as progress,
    ):
        while True:
            data = file.read(CHUNK_BYTES)
            lines = (rest + data).split(b"\n") if b"\n" in data or not data else [rest + data]
            rest = lines.pop() if data else b""
            if len(rest) > LONGEST_LINE:
                raise ValueError(
                    f"Received: {line_name(path, line + len(lines))}, which is longer than {LONGEST_LINE >> 20} MiB. "
                    "Expected: a text file with a sample in each line."
                )
            if lines:
                yield line, place, lines
            line, place = line + len(lines), place + sum(map(len, lines)) + len(lines)
            if not data:
                return
            if size > 64 * CHUNK_BYTES:
                progress.show(min(file.tell(), size) >> 20)


def read_rows(path: Path, index: RowIndex, lines: LineFormat, rows: np.ndarray) -> np.ndarray:
    """Return the values of some rows, float64 of (rows, columns): the second pass.

    Raises:
        ValueError: the file is another one than that of the index.
    """
    texts: list[bytes] = []
    with path.open("rb") as file:
        number = file.fileno()
        for row in rows.tolist():
            start, stop = index.span(row)
            text = os.pread(number, stop - start, start)
            texts.append(text.partition(b"\n")[0].strip())
    values = lines.numbers(texts, index.columns.count)
    if values is None:
        raise ValueError(
            f"Received: {path}, which has changed since it was opened. Expected: the same file until the run has "
            "ended; start again."
        )
    return values


def _smallest(values: np.ndarray) -> np.ndarray:
    """Return whole numbers in the smallest signed type that holds them."""
    most = int(np.abs(values).max(initial=0))
    kind: Any = next(kind for kind in (np.int8, np.int16, np.int32) if most <= np.iinfo(kind).max)
    return values.astype(kind)


def _compact(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, np.int8)
