"""Reads JSON text into values that know their line and column. Finds every mistake that it can read past.

    document = read_document("x.json")
    document.problems              # duplicate keys, trailing commas, ...
    document.root.value["neural_network"].place.line

Stricter than Python's `json`: no duplicate keys, no NaN or Infinity, no numbers beyond the range of a double.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddl.config.json_run.encoding import UnreadableError, read_config
from ddl.config.json_run.place import UNREAD, Lines, Node, Place
from ddl.plain_text import escaped

MOST_LEVELS = 64
"""Brackets within brackets. Configs have 6, networks 12."""
MOST_DIGITS = 400

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])")
_WORD = re.compile(r"[^\s,:{}\[\]\"]+")
_QUOTED = re.compile(r'"[^"\n]*"')
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPES = dict(zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True))
_WORDS = {"true": True, "false": False, "null": None}
_NO_NUMBERS = ("nan", "infinity", "inf")


@dataclass
class Document:
    """A JSON text as values, and what is wrong with it."""

    file: str
    root: Node | None = None
    problems: list[str] = field(default_factory=list)


def read_document(path: str) -> Document:
    """Return the document in a file. All that is wrong with it is in its `problems`."""
    document = Document(escaped(path))
    try:
        text = read_config(Path(path))
    except UnreadableError as error:
        document.problems.append(str(error))
        return document
    return parse_document(text, document)


def parse_document(text: str, document: Document) -> Document:
    """Return the document with the values of a text."""
    _Reader(text, document).read()
    return document


class _Reader:
    def __init__(self, text: str, document: Document) -> None:
        self._text, self._document, self._at = text, document, 0
        self._lines = Lines(text)
        self._keys_of_line: dict[int, int] = {}

    def read(self) -> None:
        try:
            self._skip()
            if self._at == len(self._text):
                raise self._stop(self._at, "no text. Expected: a JSON object, from { to }.")
            root = self._value(0)
            self._skip()
            if self._at < len(self._text):
                raise self._stop(
                    self._at, f"text after the end: {self._word()}. Expected: nothing."
                )
        except UnreadableError as error:
            self._document.problems.append(str(error))
            return
        self._document.root = self._with_shared_lines(root)

    def _value(self, depth: int) -> Node:
        place, first = self._place(self._at), self._text[self._at : self._at + 1]
        if depth > MOST_LEVELS:
            raise self._stop(self._at, f"more than {MOST_LEVELS} levels of brackets.")
        if first == "{":
            return Node(self._object(depth), place)
        if first == "[":
            return Node(self._array(depth), place)
        if first == '"':
            return Node(self._string(), place)
        return Node(self._scalar(), place)

    def _object(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        opening = self._at
        self._at += 1
        while self._goes_on("}", opening, bool(members)):
            start = self._at
            if self._text[start] != '"':
                raise self._stop(start, f"{self._word()}. Expected: a key in double quotes, or }}.")
            key = self._string()
            place = self._place(start)
            self._keys_of_line[place.line] = self._keys_of_line.get(place.line, 0) + 1
            self._skip()
            if self._text[self._at : self._at + 1] != ":":
                raise self._stop(
                    self._at, f'no colon after "{escaped(key)}". Expected: "key": value.'
                )
            self._at += 1
            self._skip()
            node = self._value(depth + 1)
            if key in members:
                before = members[key].place
                self._tell(
                    start,
                    f'key "{escaped(key)}" twice, first in line {before.line}. Expected: once.',
                )
            members[key] = Node(node.value, place)
        return members

    def _array(self, depth: int) -> list[Node]:
        items: list[Node] = []
        opening = self._at
        self._at += 1
        while self._goes_on("]", opening, bool(items)):
            items.append(self._value(depth + 1))
        return items

    def _goes_on(self, closing: str, opening: int, has_items: bool) -> bool:
        """Read up to the next item and return True, or read the closing bracket and return False."""
        self._skip()
        comma = None
        if has_items and self._text[self._at : self._at + 1] == ",":
            comma = self._at
            self._at += 1
            self._skip()
        found = self._text[self._at : self._at + 1]
        if not found:
            line = self._place(opening).line
            bracket = self._text[opening]
            raise self._stop(
                self._at,
                f"the text ends before the {bracket} of line {line} is closed. Expected: {closing}.",
            )
        if found == closing:
            if comma is not None:
                self._tell(
                    comma, f"a comma before {closing}. Expected: no comma after the last item."
                )
            self._at += 1
            return False
        if found == ",":
            raise self._stop(self._at, "a comma without an item before it. Expected: an item.")
        if has_items and comma is None:
            self._miss_comma(found, closing)
        return True

    def _miss_comma(self, found: str, closing: str) -> None:
        """Report that no comma separates two items, and read on where the next one is clear."""
        word = self._word()
        what = f"{word} without a comma before it. Expected: a comma, or {closing}."
        if word.startswith(("//", "/*", "#")):
            what = _strange(word)
        elif found == '"' or (closing == "]" and found in "{["):
            self._tell(self._at, what)
            return
        raise self._stop(self._at, what)

    def _string(self) -> str:
        start, parts = self._at, []
        self._at += 1
        while True:
            plain = _PLAIN.match(self._text, self._at)
            assert plain is not None  # noqa: S101 (it matches an empty text, too)
            parts.append(plain[0])
            self._at = plain.end()
            end = self._text[self._at : self._at + 1]
            if end == '"':
                self._at += 1
                return self._joined(start, "".join(parts))
            if end != "\\":
                what = (
                    "a line end"
                    if end and end in "\r\n"
                    else f"the character {escaped(end)}"
                    if end
                    else "the end"
                )
                raise self._stop(
                    self._at, f"{what} within a text. Expected: a closing double quote first."
                )
            parts.append(self._escape())

    def _escape(self) -> str:
        kind = self._text[self._at + 1 : self._at + 2]
        if kind in _ESCAPES and kind:
            self._at += 2
            return _ESCAPES[kind]
        digits = self._text[self._at + 2 : self._at + 6]
        if kind != "u" or not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
            raise self._stop(
                self._at,
                f"\\{escaped(kind)} within a text. Expected: such as \\n or \\u00e9; \\\\ for a backslash.",
            )
        self._at += 6
        return chr(int(digits, 16))

    def _joined(self, start: int, text: str) -> str:
        """Return the text with its pairs of surrogates as one character each."""
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.count("\ufffd") != text.count("\ufffd"):
            self._tell(start, "half a character (\\ud800 to \\udfff alone). Expected: both halves.")
        return joined

    def _scalar(self) -> Any:
        number = _NUMBER.match(self._text, self._at)
        start = self._at
        if number:
            self._at = number.end()
            return self._number(start, number[0])
        word = self._word()
        bare = word.lower().lstrip("+-")
        if word in _WORDS:
            self._at += len(word)
            return _WORDS[word]
        if bare in _NO_NUMBERS:
            self._at += len(word)
            self._tell(start, f"{word}, which JSON does not have. Expected: a number.")
            return UNREAD
        raise self._stop(start, _strange(word))

    def _number(self, start: int, text: str) -> Any:
        if len(text) > MOST_DIGITS:
            raise self._stop(
                start, f"a number of {len(text)} digits. Expected: at most {MOST_DIGITS}."
            )
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self._tell(start, f"{text}, which is too large. Expected: a number below 1.8e308.")
            return UNREAD
        return value

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _word(self) -> str:
        word = _QUOTED.match(self._text, self._at) or _WORD.match(self._text, self._at)
        text = word[0] if word else self._text[self._at : self._at + 1]
        return escaped(text[:40]) or "the end of the text"

    def _place(self, offset: int) -> Place:
        return self._lines.place(self._document.file, offset)

    def _tell(self, offset: int, text: str) -> None:
        self._document.problems.append(f"{self._place(offset).exactly()}: {text}")

    def _stop(self, offset: int, text: str) -> UnreadableError:
        return UnreadableError(f"{self._place(offset).exactly()}: {text}")

    def _with_shared_lines(self, node: Node) -> Node:
        """Return the nodes with places that give a column where a line has several keys."""
        place, value = node.place, node.value
        if self._keys_of_line.get(place.line, 0) > 1:
            place = Place(place.file, place.line, place.column, shares_line=True)
        if isinstance(value, dict):
            value = {name: self._with_shared_lines(each) for name, each in value.items()}
        elif isinstance(value, list):
            value = [self._with_shared_lines(each) for each in value]
        return Node(value, place)


def _strange(word: str) -> str:
    """Return what is wrong with a word that is no JSON value."""
    if word.startswith(("//", "/*", "#")):
        return f"{word}, a comment, which JSON does not have. Expected: a value."
    if word.startswith("'"):
        return f"{word}. Expected: double quotes around a text."
    if word.lower() in ("true", "false", "null", "none"):
        meant = {"none": "null"}.get(word.lower(), word.lower())
        return f"{word}. Expected: {meant}, in small letters."
    if re.match(r"[-+.]?\d|[-+]", word):
        return f"{word}, which is no number of JSON. Expected: such as 1, -0.5 or 1e-3."
    if word in ("}", "]", ",", ":"):
        return f"{word} without a value before it. Expected: a value."
    return f"{word}. Expected: a value; texts need double quotes."
