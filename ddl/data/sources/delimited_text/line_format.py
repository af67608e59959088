"""How a line of text becomes numbers: delimiter, comments, and an error that names the line and the value."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ddl.data.sources.delimited_text.whole_numbers import whole_numbers
from ddl.plain_text import escaped

_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PART_OF_NUMBERS = "0123456789+-.eE"
_LONGEST_DELIMITER = 100
_SHOWN = 40
_MOST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class LineFormat:
    """How the values of a line are separated.

    Attributes:
        delimiter: one character, taken as it is, or a regular expression.
    """

    delimiter: str = ","

    def __post_init__(self) -> None:
        wrong = ""
        if not self.delimiter.strip():
            wrong = (
                r"a character such as , or ; or a regular expression: \s+ for blanks, \t for a tab"
            )
        elif self.delimiter in _PART_OF_NUMBERS:
            wrong = "a character that is no part of a number"
        elif len(self.delimiter) > _LONGEST_DELIMITER:
            wrong = f"at most {_LONGEST_DELIMITER} characters"
        elif len(self.delimiter) > 1:
            wrong = _wrong_expression(self.delimiter)
        if wrong:
            raise ValueError(
                f"Received: delimiter={escaped(self.delimiter)[:_SHOWN]!r}. Expected: {wrong}."
            )

    @functools.cached_property
    def _literal(self) -> bytes | None:
        """The delimiter's bytes, None for a regular expression."""
        return self.delimiter.encode() if len(self.delimiter) == 1 else None

    @functools.cached_property
    def _expression(self) -> re.Pattern[bytes]:
        return re.compile(self.delimiter.encode())

    def split(self, line: bytes) -> list[bytes]:
        """Return the values of a line as text. Delimiters at its end separate nothing."""
        if self._literal is not None:
            fields = line.split(self._literal)
        elif self.delimiter == r"\s+":
            return line.split()
        else:
            fields = self._expression.split(line)
        while len(fields) > 1 and not fields[-1].strip():
            fields.pop()
        return fields

    def numbers(self, lines: Sequence[bytes], columns: int) -> np.ndarray | None:
        """Return the values of stripped lines, float64 of (lines, columns); None where a line is wrong.

        Which one it is, and why, says `problem`.
        """
        text = self._joined(lines, columns)
        if text is None:
            return None
        values = whole_numbers(text)
        if values is None:
            values = _parsed(text.decode("latin-1"))
        if (
            values is None
            or len(values) != len(lines) * columns
            or not (abs(values) <= _MOST).all()
        ):
            return None
        return values.reshape(len(lines), columns)

    def _joined(self, lines: Sequence[bytes], columns: int) -> bytes | None:
        """Return the values of all lines, separated by commas; None where a line has another number of them."""
        if self._literal is None or any(line.endswith(self._literal) for line in lines):
            split = [self.split(line) for line in lines]
            if any(len(fields) != columns or b"," in b"".join(fields) for fields in split):
                return None
            return b",".join([field for fields in split for field in fields])
        count, delimiter = columns - 1, self._literal
        if any(line.count(delimiter) != count for line in lines):
            return None
        text = delimiter.join(lines)
        if delimiter == b",":
            return text
        return None if b"," in text else text.replace(delimiter, b",")

    def problem(self, line: bytes, columns: int, where: str) -> ValueError | None:
        """Return what is wrong with a line, None for nothing.

        Args:
            line: the line, without blanks around it.
            columns: how many values it must have.
            where: names the line.
        """
        fields = self.split(line)
        if len(fields) != columns:
            return ValueError(
                f"Received: {where} with {len(fields)} {'value' if len(fields) == 1 else 'values'} (delimiter "
                f"{self.delimiter!r}). Expected: {columns}, as in the lines before; correct the line."
            )
        for number, field in enumerate(fields, 1):
            text = field.strip()
            if not _NUMBER.fullmatch(text):
                shown = escaped(text.decode("utf-8", "replace")[:_SHOWN])
                what = (
                    f"whose value {number} is {shown!r}"
                    if text
                    else f"whose value {number} is empty"
                )
                return ValueError(f"Received: {where}, {what}. Expected: a finite number.")
            if abs(float(text)) > _MOST:
                return ValueError(
                    f"Received: {where}, whose value {number} is {text.decode()[:_SHOWN]}. Expected: at most "
                    f"{_MOST:.3g} in size, which float32 holds."
                )
        return None


def _parsed(text: str) -> np.ndarray | None:
    """Return the numbers of "0.5,1e-3", None where NumPy stops at what is no number."""
    try:
        return np.fromstring(text, np.float64, sep=",")
    except (
        ValueError,
        DeprecationWarning,
    ):  # newer NumPy raises, this one warns and returns a part
        return None


def _wrong_expression(text: str) -> str:
    """Return what is expected in place of a regular expression, "" for a good one."""
    try:
        expression = re.compile(text.encode())
    except re.error as error:
        return f"one character, or a regular expression ({error})"
    if expression.fullmatch(b""):
        return "a regular expression that matches at least one character, such as \\s+"
    if expression.groups:
        return "a regular expression without groups; (?:...) groups without keeping"
    return ""


def stripped(line: bytes) -> bytes:
    """Return a line without blanks around it; empty for a comment, which begins with #."""
    line = line.strip()
    return b"" if line.startswith(b"#") else line


def line_name(path: Path, number: int) -> str:
    """Return what messages call a line, counted from 1."""
    return f"{path}, line {number}"
