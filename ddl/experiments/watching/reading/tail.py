"""Lines of a file that grows, is replaced, or is written anew: each is read once as long as the file only grows."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO

LONGEST_LINE = 1 << 20
MOST_BYTES = 1 << 18
"""Bytes that one poll reads; the next one continues. A list of their lines takes some times as much memory."""

_CHUNK = 1 << 17
_HEAD, _FOOT = 256, 64
_LINE_END = re.compile(rb"[\r\n]+")


class Tail:
    """Reads the new lines of one file.

    Carriage returns end lines, too: progress bars are written so. A last line without an end waits for it.
    """

    def __init__(self, path: Path, longest_line: int = LONGEST_LINE) -> None:
        """Read nothing yet. Lines longer than `longest_line` bytes are left out and counted."""
        self.path, self.longest = path, longest_line
        self.left_out = 0
        self.lines = 0
        self.error: str | None = None
        self._forget()

    def _forget(self) -> None:
        self._place: tuple[int, int] | None = None
        self._offset = 0
        self._rest = b""
        self._is_skipping = False
        self._head = self._foot = b""
        self.is_behind = False

    def poll(self, ended: bool = False) -> tuple[bool, list[str]]:
        """Return whether the file was begun anew, and its new lines without their ends, empty ones left out.

        With `ended` the last line counts although it has no end. A file that is missing or cannot be read has no lines;
        `error` says why.
        """
        try:
            with _opened(self.path) as file:
                anew = self._is_other(file)
                if anew:
                    self._forget()
                lines = self._read(file)
            self.error = None
        except OSError as error:
            anew, lines, self.is_behind = False, [], False
            missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
            self.error = None if missing else error.strerror or str(error)
        if ended and not self.is_behind and self._rest and not self._is_skipping:
            lines.append(_text(self._rest))
            self._rest = b""
        self.lines += len(lines)
        return anew, lines

    def _is_other(self, file: BinaryIO) -> bool:
        """Return whether the file is not the one read so far, or holds something else where it was read."""
        facts = os.fstat(file.fileno())
        place = facts.st_dev, facts.st_ino
        known, self._place = self._place, place
        if known is None:
            return False
        if known != place or facts.st_size < self._offset:
            return True
        file.seek(self._offset - len(self._foot))
        if file.read(len(self._foot)) != self._foot:
            return True
        file.seek(0)
        return file.read(len(self._head)) != self._head

    def _read(self, file: BinaryIO) -> list[str]:
        facts = os.fstat(file.fileno())
        self._place = facts.st_dev, facts.st_ino
        lines: list[str] = []
        file.seek(self._offset)
        end = self._offset + MOST_BYTES
        while self._offset < end:
            chunk = file.read(_CHUNK)
            if not chunk:
                break
            self._offset += len(chunk)
            if len(self._head) < _HEAD:
                self._head = (self._head + chunk)[:_HEAD]
            self._foot = (self._foot + chunk)[-_FOOT:]
            self._split(chunk, lines)
        self.is_behind = self._offset >= end
        return lines

    def _split(self, chunk: bytes, lines: list[str]) -> None:
        *whole, rest = _LINE_END.split(self._rest + chunk)
        for line in whole:
            if self._is_skipping:  # the end of a line that was too long
                self._is_skipping = False
            elif len(line) > self.longest:
                self.left_out += 1
            elif line:
                lines.append(_text(line))
        if self._is_skipping or len(rest) > self.longest:
            self.left_out += not self._is_skipping
            self._is_skipping, rest = True, b""
        self._rest = rest


def _opened(path: Path) -> BinaryIO:
    """Open a regular file; a pipe or a device would block or never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _text(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").lstrip("\ufeff")
