"""Ends of logs, whatever their size, and what is added to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ddl.plain_text import escaped

_BLOCK_BYTES = 64 << 10
_MOST_BYTES = 8 << 20
"""Most that is read for the last lines: a line may be as long as the file."""
_LONGEST = 10_000
"""Most characters of a line that are shown."""


def last_lines(path: Path, count: int, *, whole: bool = False) -> tuple[list[str], int]:
    """Return the last lines of a log, escaped, and the position behind them. [] without a file.

    Only the end of the file is read, at most 8 MiB. With `whole` a last line without its end is left to be followed.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            start = _start_of(file.fileno(), size, count)
            data = os.pread(file.fileno(), size - start, start)
    except FileNotFoundError:
        return [], 0
    end = data.rfind(b"\n") + 1 if whole else len(data)
    return split(data[:end]), start + end


def _start_of(file: int, size: int, count: int) -> int:
    """Return where the last `count` lines of an open file begin."""
    position, found = size, 0
    while position > 0 and size - position < _MOST_BYTES:
        length = min(_BLOCK_BYTES, position)
        position -= length
        block = os.pread(file, length, position)
        if position + length == size and block.endswith(b"\n"):
            block = block[:-1]  # the end of the last line begins no other one
        lines = block.count(b"\n")
        if found + lines >= count:
            for _ in range(found + lines - count + 1):
                cut = block.find(b"\n")
                position, block = position + cut + 1, block[cut + 1 :]
            return position
        found += lines
    return position


def split(data: bytes) -> list[str]:
    """Return the lines in a piece of a log, escaped. Of a line that was redrawn only the last state stays."""
    texts = data.decode("utf-8", "replace").split("\n")
    if texts and not texts[-1]:
        texts.pop()
    return [escaped(_as_seen(text)) for text in texts]


def _as_seen(line: str) -> str:
    shown = line.rstrip("\r").rpartition("\r")[2].replace("\t", "    ")
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown)} characters)"


class Follower:
    """Reads what is added to a log. A log that was replaced or cut is read from its beginning."""

    def __init__(self, path: Path, position: int = 0) -> None:
        """Begin behind `position`."""
        self._path, self._position = path, position
        self._inode: int | None = None

    def poll(self, *, at_end: bool = False) -> list[str]:
        """Return the lines that are new, at most 8 MiB of them. An unfinished line waits, unless this is the end."""
        try:
            with self._path.open("rb") as file:
                facts = os.fstat(file.fileno())
                if self._inode not in (None, facts.st_ino) or facts.st_size < self._position:
                    self._position = 0
                self._inode = facts.st_ino
                data = os.pread(file.fileno(), _MOST_BYTES, self._position)
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        is_block = len(data) == _MOST_BYTES
        if (is_block and not whole) or (at_end and not is_block):
            whole = len(data)
        self._position += whole
        return split(data[:whole])

    def drain(self, *, at_end: bool = False) -> Iterator[str]:
        """Yield all lines that are new."""
        while self._has_block():
            yield from self.poll()
        yield from self.poll(at_end=at_end)

    def _has_block(self) -> bool:
        try:
            return self._path.stat().st_size - self._position >= _MOST_BYTES
        except FileNotFoundError:
            return False
