"""Reads a large JSON file piece by piece: the elements of the arrays in its outermost object, one at a time."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ddl.files.regular import check_regular

_BLOCK = 1 << 20
_MOST = 64 << 20  # characters of one element
_REST = 2  # characters such as "e+" behind a number, which may go on
_SPACE = re.compile(r"[ \t\n\r]*")
_NEAR = 64  # an error so close to the end of what was read may be one of a text that goes on


def json_elements(path: Path) -> Iterator[tuple[str, Any, int]]:
    """Yield (key, element, line) for each element of an array in the outermost object.

    Of other values yield (key, value, line). Only one element is in memory.

    Raises:
        ValueError: the file is no such JSON; the message names the line.
    """
    check_regular(path)
    with path.open("rb") as file:
        yield from _Reader(path, file).elements()


class _Reader:
    """The part of a file that is in memory, and the place that was reached in it."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder(parse_constant=_refuse_constant)
        self._text, self._at, self._is_end = "", 0, False
        self._lines, self._counted = 1, 0  # the line at the place `_counted` of the text

    def elements(self) -> Iterator[tuple[str, Any, int]]:
        self._expect("{")
        if self._next() == "}":
            self._at += 1
        else:
            while True:
                key = self._value()
                if not isinstance(key, str):
                    raise self._wrong("a key in quotes")
                self._expect(":")
                if self._next() == "[":
                    yield from self._array(key)
                else:
                    line = self._line()
                    yield key, self._value(), line
                if self._expect(",}") == "}":
                    break
        if self._next():
            raise self._wrong("the end of the file")

    def _array(self, key: str) -> Iterator[tuple[str, Any, int]]:
        self._at += 1
        if self._next() == "]":
            self._at += 1
            return
        while True:
            self._next()
            line = self._line()
            yield key, self._value(), line
            if self._expect(",]") == "]":
                return

    def _next(self) -> str:
        """Return the next character that is no space, "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._is_end:
                return ""
            self._more(_BLOCK)

    def _expect(self, characters: str) -> str:
        found = self._next()
        if not found or found not in characters:
            raise self._wrong(" or ".join(characters))
        self._at += 1
        return found

    def _value(self) -> Any:
        """Return the next value, which is read whole."""
        self._next()
        block = _BLOCK
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except _ConstantError as error:
                raise self._wrong(f"finite numbers, not {error}") from None
            except RecursionError:
                raise self._wrong("less deeply nested values") from None
            except json.JSONDecodeError as error:
                goes_on = error.pos >= len(self._text) - _NEAR or error.msg.startswith(
                    "Unterminated"
                )
                if self._is_end or not goes_on or len(self._text) - self._at > _MOST:
                    self._at = min(error.pos, len(self._text))
                    raise self._wrong(f"JSON ({error.msg})") from None
            else:
                if len(self._text) - end > _REST or self._is_end:
                    self._at = end
                    return value
            self._more(block)
            block = min(2 * block, _MOST)

    def _more(self, size: int) -> None:
        """Read on, and forget what is behind."""
        self._line()
        data = self._file.read(size)
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError:
            raise ValueError(
                f"Received: {self._path}, which is not UTF-8 after line {self._lines}. Expected: JSON."
            ) from None
        self._is_end = not data
        self._text, self._at, self._counted = self._text[self._at :] + text, 0, 0

    def _line(self) -> int:
        """Return the line of the place, counted on from the last one."""
        self._lines += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._lines

    def _wrong(self, expected: str) -> ValueError:
        found = self._text[self._at : self._at + 20]
        line = self._line()
        what = f"{found!r}" if found else "the end of the file"
        return ValueError(
            f"Received: {self._path}, line {line}, with {what}. Expected: {expected}; write the file again."
        )


class _ConstantError(Exception):
    """NaN or Infinity, which are no JSON."""


def _refuse_constant(name: str) -> Any:
    raise _ConstantError(name)
