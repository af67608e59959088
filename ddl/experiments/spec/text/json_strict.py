"""A strict reader of JSON, whose values know their line and column: no repeated keys, no NaN, nothing after the end."""

from __future__ import annotations

import re
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems
from ddl.experiments.spec.text.scalars import read_scalar
from ddl.experiments.spec.text.yaml_strict import MOST_LEVELS

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![\w.])")
_WORD = re.compile(r"[^\s,:{}\[\]\"]+|.", re.DOTALL)
_WORDS = {"true": True, "false": False, "null": None}
_HALF = re.compile("[\ud800-\udfff]")


def read_json_text(text: str, file: str, problems: Problems) -> Item:
    """Return the value in a text. Repeated keys are added to the problems.

    Raises:
        MisfitError: the text is no JSON.
    """
    return _Reader(text, file, problems).document()


class _Reader:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._text, self._file, self._problems, self._at = text, file, problems, 0
        self._line, self._line_start = 1, 0

    def document(self) -> Item:
        """Return the only value."""
        if not self._next():
            return Item(None, Place(self._file, 1, 1))
        item = self._item(0)
        if self._next():
            raise self._misfit("nothing after the end")
        return item

    def _next(self) -> str:
        """Pass over space; return the next character, "" at the end."""
        found = _SPACE.match(self._text, self._at)
        end = found.end() if found else self._at
        lines = self._text.count("\n", self._at, end)
        if lines:
            self._line += lines
            self._line_start = self._text.rfind("\n", self._at, end) + 1
        self._at = end
        return self._text[end : end + 1]

    def _item(self, depth: int) -> Item:
        first, place = self._next(), self._place()
        if depth > MOST_LEVELS:
            raise self._misfit(f"at most {MOST_LEVELS} levels")
        if first == "{":
            return self._object(place, depth)
        if first == "[":
            return self._array(place, depth)
        if first == '"':
            return Item(self._string(), place)
        return Item(self._scalar(place), place)

    def _object(self, place: Place, depth: int) -> Item:
        members: dict[str, Item] = {}
        keys: dict[str, Place] = {}
        self._at += 1
        while self._more("}", bool(members)):
            where = self._place()
            if self._next() != '"':
                raise self._misfit("a key in double quotes")
            key = self._string()
            if self._next() != ":":
                raise self._misfit("a colon after the key")
            self._at += 1
            item = self._item(depth + 1)
            if key in members:
                self._problems.add(
                    f"{where}: Received: key {key!r} twice, first in line {keys[key].line}. Expected: once."
                )
                continue
            if not key:
                raise MisfitError(where, "Received: an empty key. Expected: a name.")
            members[key], keys[key] = item, where
        return Item(members, place, keys)

    def _array(self, place: Place, depth: int) -> Item:
        items: list[Item] = []
        self._at += 1
        while self._more("]", bool(items)):
            items.append(self._item(depth + 1))
        return Item(items, place)

    def _more(self, closing: str, has_some: bool) -> bool:
        """Return whether another item follows, and pass the comma or the bracket before it."""
        found = self._next()
        if found == closing:
            self._at += 1
            return False
        if has_some:
            if found != ",":
                raise self._misfit(f"a comma or {closing}")
            self._at += 1
            if self._next() == closing:
                raise self._misfit("no comma after the last item")
        return True

    def _string(self) -> str:
        try:
            text, self._at = scanstring(self._text, self._at + 1, True)
        except JSONDecodeError:
            raise self._misfit("a text in double quotes, on one line, with \\n and \\\\") from None
        if _HALF.search(text):
            raise self._misfit("whole characters, no half of a pair (\\ud800 to \\udfff)")
        return str(text)

    def _scalar(self, place: Place) -> Any:
        number = _NUMBER.match(self._text, self._at)
        if number:
            self._at = number.end()
            try:
                return read_scalar(number[0])
            except ValueError as error:
                self._problems.add(f"{place}: {error}")
                return 0
        word = _WORD.match(self._text, self._at)
        if word and word[0] in _WORDS:
            self._at = word.end()
            return _WORDS[word[0]]
        raise self._misfit("a value; texts need double quotes")

    def _place(self) -> Place:
        self._next()
        return Place(self._file, self._line, self._at - self._line_start + 1)

    def _misfit(self, expected: str) -> MisfitError:
        word = _WORD.match(self._text, self._at)
        received = word[0][:40] if word else "the end of the text"
        return MisfitError(
            self._place(),
            f"Received: {received}, where JSON does not allow it. Expected: {expected}.",
        )
