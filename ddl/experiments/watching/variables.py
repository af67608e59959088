"""Variables of a running program: rows such as {"epoch": 3, "loss": 0.31}, whatever it writes them to.

    reader = Reader([{"from": "stdout", "pattern": "{name} {value}"}], [run_dir], out_log=..., err_log=...)
    rows = reader.poll()            # new and changed rows
    rows = reader.poll(ended=True)  # the program has ended; again while reader.is_behind
    for note in reader.take_notes():
        ...

docs/watching.md describes the sources.
"""

from __future__ import annotations

import glob
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ddl.experiments.watching.reading.patterns import LineReader, compile_pattern, read_pairs
from ddl.experiments.watching.reading.sources import (
    Csv,
    Document,
    JsonLines,
    Lines,
    Source,
    parse_object,
)
from ddl.experiments.watching.values import AXES, COUNTED, EPOCH, RESERVED, STEP, Row, key_of

AUTO, STDOUT, STDERR = "auto", "stdout", "stderr"
DDL_HISTORY = "history.jsonl"
MOST_NAMES = 256
"""Variables of one experiment; more are left out, with a note."""

MOST_ROWS = 1000
"""Rows of one poll, about; the next one continues."""

SLOW_S, SLOW_LINE_S = 2.0, 0.001
"""Seconds that the lines of one poll may take by a pattern, all together and each; it is not used after that."""

_MOST_READS = 64

_CSV_ENDINGS = (".csv", ".tsv")


def check_source(source: Mapping[str, Any]) -> None:
    """Check one entry of `variables:`, as the spec gives it.

    Raises:
        ValueError: something in it means nothing.
    """
    origin, pattern = source.get("from", AUTO), source.get("pattern")
    if not isinstance(origin, str) or not origin.strip():
        raise ValueError(
            f"Received: variables from: {origin!r}. Expected: auto, stdout, stderr, or the path of a file."
        )
    if pattern is not None:
        compile_pattern(pattern)
        if _is_table(origin):
            raise ValueError(
                f"Received: a pattern for {origin}. Expected: one for text only; its lines are read as they are."
            )
    _columns_of(source)


def _is_table(origin: str) -> bool:
    return origin == AUTO or origin.endswith((*_CSV_ENDINGS, ".jsonl", ".json", ".ndjson"))


def _columns_of(source: Mapping[str, Any]) -> dict[str, str]:
    """Return the names that are wanted, old -> new; empty: all."""
    columns = source.get("columns") or ()
    if isinstance(columns, str) or not all(isinstance(name, str) and name for name in columns):
        raise ValueError(
            f"Received: columns: {columns!r}. Expected: a list of names, such as [epoch, loss, accuracy=acc]."
        )
    pairs = [name.partition("=") for name in columns]
    return {(old or new).strip(): new.strip() for new, _, old in pairs}


class Reader:
    """Reads the rows of one attempt from all its sources."""

    def __init__(
        self,
        sources: Sequence[Mapping[str, Any]],
        folders: Sequence[Path],
        *,
        out_log: Path | None = None,
        err_log: Path | None = None,
        record: Path | None = None,
        rows_before: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read nothing yet.

        Args:
            sources: entries of `variables:`, {"from": ..., "pattern": ..., "columns": [...]}; none: "auto".
            folders: where relative paths are looked for; the first is the run directory.
            out_log: what the program writes to stdout.
            err_log: what it writes to stderr.
            record: JSON lines by `agent record`, which are read besides the sources.
            rows_before: rows without epoch and step that earlier attempts had: `History.counted`.
            clock: seconds since 1970.

        Raises:
            ValueError: an entry means nothing.
        """
        self._folders, self._clock = list(folders), clock
        self._logs = {STDOUT: out_log, STDERR: err_log}
        self._before = rows_before
        self._names: set[str] = set()
        self._notes: list[str] = []
        self._told: set[str] = set()
        self.is_behind = False
        self._entries = [_Entry(source) for source in sources or [{"from": AUTO}]]
        if record is not None:
            self._entries.append(_of_record(record, rows_before))

    def poll(self, ended: bool = False) -> list[Row]:
        """Return new and changed rows, in order; rows of a file that was begun anew come again.

        A long file takes several polls: `is_behind` says whether there is more. With `ended` rows that waited for more
        come as they are.
        """
        rows: dict[Any, Row] = {}
        self.is_behind = False
        for entry in self._entries:
            self._open(entry)
            for _ in range(_MOST_READS):
                for row in self._read(entry, ended):
                    rows.setdefault(key_of(row), {}).update(row)
                if not entry.is_behind or len(rows) > MOST_ROWS:
                    break
            self.is_behind |= entry.is_behind
        return list(rows.values())

    def take_notes(self) -> list[str]:
        """Return what users should know, each once: what cannot be read, what was left out."""
        notes, self._notes = self._notes, []
        return notes

    def _note(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notes.append(text)

    def _open(self, entry: _Entry) -> None:
        """Find the file of an entry; for a path with stars that is the newest one."""
        if entry.is_fixed:
            return
        path = self._path(entry.origin)
        if path is not None and path != entry.path:
            entry.path = path
            entry.source = _source(path, entry, self._before)

    def _path(self, origin: str) -> Path | None:
        if origin != AUTO:
            return self._logs[origin] if origin in self._logs else self._found(origin)
        history = self._folders[0] / DDL_HISTORY if self._folders else None
        return history if history is not None and history.exists() else self._logs[STDOUT]

    def _found(self, origin: str) -> Path | None:
        """Return the file that a path means, None if there is none yet."""
        for folder in self._folders or [Path()]:
            if any(sign in origin for sign in "*?["):
                found = [Path(path) for path in glob.glob(str(folder / origin))]  # noqa: PTH207 - may be absolute
                if found:
                    return max(found, key=_changed)
            elif (folder / origin).exists():
                return folder / origin
        return None

    def _read(self, entry: _Entry, ended: bool) -> list[Row]:
        source = entry.source
        if source is None:
            return []
        begin, lines = time.process_time(), entry.lines
        rows = [self._kept(row, entry) for row in source.poll(self._clock(), ended)]
        took_s = time.process_time() - begin
        if entry.read and took_s > SLOW_S and took_s > SLOW_LINE_S * (entry.lines - lines):
            entry.close()
            self._note(f"{entry.origin}: its pattern is too slow, it is not read any more")
        self._note_problems(entry, source)
        return [row for row in rows if len(row) > 1 and key_of(row)]

    def _kept(self, row: Row, entry: _Entry) -> Row:
        """Return the columns of a row that are wanted, up to the number of names that an experiment may have."""
        if entry.columns:
            row = _chosen(row, entry.columns)
        new = [name for name in row if name not in self._names and name not in (*AXES, *RESERVED)]
        room = MOST_NAMES - len(self._names)
        self._names.update(new[: max(room, 0)])
        if len(new) > room:
            self._note(
                f"more than {MOST_NAMES} variables: {new[room]} and others are left out; name those to keep in columns"
            )
            row = {name: row[name] for name in row if name not in new[room:]}
        return row

    def _note_problems(self, entry: _Entry, source: Source) -> None:
        tail = None if isinstance(source, Document) else source.tail
        error = source.error if isinstance(source, Document) else source.tail.error
        if error:
            self._note(f"{entry.origin} cannot be read: {error}")
        if tail is not None and tail.left_out:
            self._note(f"{entry.origin}: lines longer than {tail.longest} bytes are left out")
        if source.bad_lines:
            self._note(f"{entry.origin}: lines that are no {entry.kind} are left out")


class _Entry:
    """One entry of `variables:`, and the file that it is read from at present."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        check_source(source)
        self.origin = str(source.get("from", AUTO)).strip()
        pattern = source.get("pattern")
        self.read: LineReader | None = compile_pattern(pattern) if pattern else None
        self.columns = _columns_of(source)
        self.path: Path | None = None
        self.source: Source | None = None
        self.is_fixed = False

    def renamed(self, line: str) -> dict[str, Any]:
        """Return the values of a line by their new names."""
        values = (self.read or read_pairs)(line)
        return {self.columns.get(name, name): value for name, value in values.items()}

    @property
    def kind(self) -> str:
        """Return what its lines should be."""
        return "rows of its columns" if self.origin.endswith(_CSV_ENDINGS) else "JSON objects"

    @property
    def lines(self) -> int:
        """Return how many lines were read."""
        return (
            0
            if self.source is None or isinstance(self.source, Document)
            else self.source.tail.lines
        )

    @property
    def is_behind(self) -> bool:
        """Return whether there is more to read."""
        if self.source is None or isinstance(self.source, Document):
            return False
        return self.source.tail.is_behind

    def close(self) -> None:
        """Read nothing more."""
        self.source, self.is_fixed = None, True


def _of_record(path: Path, rows_before: int) -> _Entry:
    """Return the entry of what a program records by the agent: JSON objects, several of which make a row."""
    entry = _Entry({"from": "agent record"})
    entry.source, entry.is_fixed = Lines(path, _record, rows_before), True
    return entry


def _record(line: str) -> dict[str, Any]:
    return parse_object(line) or {}


def _source(path: Path, entry: _Entry, rows_before: int) -> Source:
    """Return the reader of a file: by a pattern, or by the ending of its name."""
    if entry.read is not None:
        return Lines(path, entry.renamed, rows_before)
    if path.suffix == ".json":
        return Document(path)
    if path.suffix in _CSV_ENDINGS:
        return Csv(path)
    if path.suffix in (".jsonl", ".ndjson"):
        return JsonLines(path)
    return Lines(path, entry.renamed, rows_before)


def _chosen(row: Row, columns: Mapping[str, str]) -> Row:
    """Return the columns of a row that are wanted, by their new names, and what it is known by."""
    wanted = {*columns.values(), *AXES, *RESERVED}
    renamed = {columns.get(name, name): value for name, value in row.items()}
    if EPOCH in renamed or STEP in renamed:
        renamed.pop(COUNTED, None)
    return {name: value for name, value in renamed.items() if name in wanted}


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
