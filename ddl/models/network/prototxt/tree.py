"""Protobuf's text format -> fields that know where they stand.

The reader is our own: `google.protobuf.text_format` needs generated classes and stops at the first problem, while a
user wants all problems of a file, each with its line and column.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True)
class Place:
    """Where something stands in a file, counted from 1."""

    origin: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}"


class BadPrototxt(ValueError):
    """A prototxt file is refused. The message has a line for each problem, in the order of the file."""

    def __init__(self, problems: Sequence[tuple[Place, str]]) -> None:
        ordered = sorted(problems, key=lambda problem: (problem[0].line, problem[0].column))
        super().__init__("\n".join(f"{place}: {text}" for place, text in ordered))


@dataclass(frozen=True)
class Scalar:
    """A value as it is written: a string (without its quotes), a number, or a bare word."""

    text: str
    form: str  # "string", "number" or "word"
    place: Place

    def __str__(self) -> str:
        return f'"{self.text}"' if self.form == "string" else self.text


@dataclass(frozen=True)
class Message:
    """The fields between braces, or of a whole file."""

    fields: tuple[Field, ...]
    place: Place


@dataclass(frozen=True)
class Field:
    """A name and one value. A list such as `[28, 28]` is one field for each of its values."""

    name: str
    value: Scalar | Message
    place: Place


_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\r\n]*)
    |(?P<number>-?\s*(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?)(?![\w.]))
    |(?P<word>-?[A-Za-z_][A-Za-z0-9_]*)
    |(?P<string>"(?:[^"\\\r\n]|\\[^\r\n])*"|'(?:[^'\\\r\n]|\\[^\r\n])*')
    |(?P<sign>[{}<>\[\]:,;])
    |(?P<strange>["'][^\r\n]*|[^\s{}<>\[\]:,;"']+)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\([0-7]{1,3}|[xX][0-9a-fA-F]{1,2}|.)")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}
_CLOSING = {"{": "}", "<": ">"}
_LINE_END = re.compile(r"\r\n|\n|\r")
_MOST_LEVELS = 20


@dataclass(frozen=True)
class _Token:
    text: str
    form: str
    place: Place


def read_tree(text: str, origin: str) -> Message:
    """Return the fields of a text.

    Args:
        text: the whole file.
        origin: its name, for messages.

    Raises:
        BadPrototxt: it is not in protobuf's text format; the message has the line and the column.
    """
    return _Reader(list(_tokens(text.removeprefix("\ufeff"), origin))).message("", 0)


def _tokens(text: str, origin: str) -> Iterator[_Token]:
    starts = [0, *(end.end() for end in _LINE_END.finditer(text))]
    for found in _TOKEN.finditer(text):
        line = bisect.bisect_right(starts, found.start())
        place = Place(origin, line, found.start() - starts[line - 1] + 1)
        form = str(found.lastgroup)
        if form == "strange":
            open_string = found.group()[0] in "\"'"
            what = "a string without its closing quote" if open_string else f"{found.group()!r}"
            expected = "one on the same line" if open_string else "a name, a number, a string or {"
            _refuse(place, what, expected)
        if form != "space":
            yield _Token(found.group(), form, place)
    last = len(starts)
    yield _Token("", "end", Place(origin, last, len(text) - starts[-1] + 1))


class _Reader:
    """Takes tokens one after the other."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def message(self, closing: str, level: int) -> Message:
        """Return the fields up to a closing sign, or to the end of the file for none."""
        opened, fields = self._tokens[max(0, self._at - 1)], []
        while self._next.text != closing or (not closing and self._next.form != "end"):
            if self._next.form == "end":
                _refuse(
                    self._next.place,
                    "the end of the file",
                    f"{closing} for line {opened.place.line}",
                )
            fields += self._field(level)
        self._at += bool(closing)
        return Message(tuple(fields), opened.place)

    def _field(self, level: int) -> list[Field]:
        name = self._take()
        if name.form != "word" or name.text.startswith("-"):
            _refuse(name.place, _shown(name), "the name of a field")
        has_colon = self._next.text == ":"
        self._at += has_colon
        if self._next.text in _CLOSING:
            values: list[Scalar | Message] = [self._inner(level)]
        elif not has_colon:
            _refuse(self._next.place, f"{_shown(self._next)} after {name.text}", ": or {")
        elif self._next.text == "[":
            values = self._list(level)
        else:
            values = [self._scalar()]
        if self._next.text in (",", ";"):
            self._at += 1
        return [Field(name.text, value, name.place) for value in values]

    def _inner(self, level: int) -> Message:
        opened = self._take()
        if level >= _MOST_LEVELS:
            _refuse(opened.place, f"more than {_MOST_LEVELS} levels of braces", "fewer")
        return self.message(_CLOSING[opened.text], level + 1)

    def _list(self, level: int) -> list[Scalar | Message]:
        self._take()
        values: list[Scalar | Message] = []
        while self._next.text != "]":
            if values:
                if self._next.text != ",":
                    _refuse(self._next.place, f"{_shown(self._next)} in a list", ", or ]")
                self._at += 1
            values.append(self._inner(level) if self._next.text in _CLOSING else self._scalar())
        self._at += 1
        return values

    def _scalar(self) -> Scalar:
        first = self._take()
        if first.form not in ("string", "number", "word"):
            _refuse(first.place, _shown(first), "a value: a number, a string in quotes, or a word")
        if first.form != "string":
            return Scalar(re.sub(r"\s", "", first.text), first.form, first.place)
        text = _unescaped(first)
        while self._next.form == "string":  # "a" "b" is one string
            text += _unescaped(self._take())
        return Scalar(text, "string", first.place)


def _shown(token: _Token) -> str:
    return "the end of the file" if token.form == "end" else token.text


def _unescaped(token: _Token) -> str:
    def replaced(found: re.Match[str]) -> str:
        code = found.group(1)
        if code[0] in "01234567":
            return chr(int(code, 8))
        if code[0] in "xX" and len(code) > 1:
            return chr(int(code[1:], 16))
        if code not in _ESCAPED:
            _refuse(token.place, f"the unknown escape \\{code} in a string", "such as \\n or \\\\")
        return _ESCAPED[code]

    return _ESCAPE.sub(replaced, token.text[1:-1])


def _refuse(place: Place, received: str, expected: str) -> NoReturn:
    raise BadPrototxt([(place, f"Received: {received}. Expected: {expected}.")])
