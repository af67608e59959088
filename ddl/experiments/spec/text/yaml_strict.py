"""A strict reader of YAML: scalars of YAML 1.2, no repeated keys, no tags, no objects, bounded anchors.

PyYAML finds the structure; what the scalars mean is decided here. Each value knows its line and column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml  # type: ignore[import-untyped]

from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems
from ddl.experiments.spec.text.scalars import read_scalar

MOST_LEVELS = 32
MOST_VALUES = 2_000_000
"""Values after anchors are followed: ten anchors of ten uses each would make ten thousand million of them."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser, ten times as fast, where PyYAML was built with it."""

_FORBIDDEN = re.compile(
    "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]"
)
_HALF = re.compile("[\ud800-\udfff]")
_TAB = re.compile(r"^[ ]*\t", re.MULTILINE)


def read_yaml(text: str, file: str, problems: Problems) -> Item:
    """Return the document in a text. Repeated keys and numbers that are not finite are added to the problems.

    Raises:
        MisfitError: the text is no YAML, or has something that we do not read.
    """
    _check_characters(text, file)
    try:
        return _Builder(yaml.parse(text, _LOADER), file, problems).document()
    except yaml.YAMLError as error:
        raise _as_misfit(error, text, file) from None


def _check_characters(text: str, file: str) -> None:
    found = _FORBIDDEN.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        raise MisfitError(
            Place(file, line, column),
            f"Received: the character U+{ord(found[0]):04X}. Expected: a text; is it another kind of file?",
        )


def _as_misfit(error: Any, text: str, file: str) -> MisfitError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if "flow" in str(
        getattr(error, "context", "")
    ):  # a bracket that nothing closes: where it was opened
        mark = getattr(error, "context_mark", None) or mark
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
    what = " ".join(str(getattr(error, "problem", None) or error).split())
    context = getattr(error, "context", None)
    what = f"{context}: {what}" if context else what
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if _TAB.match(line):
        return MisfitError(
            place, "Received: a tab at the start of a line. Expected: spaces, which YAML wants."
        )
    return MisfitError(
        place,
        f"Received: what YAML does not allow ({what}). Expected: `key: value` lines; texts with : # {{ or [ in quotes.",
    )


class _Builder:
    """Makes items of PyYAML's events."""

    def __init__(self, events: Iterator[Any], file: str, problems: Problems) -> None:
        self._events, self._file, self._problems = events, file, problems
        self._anchors: dict[str, tuple[Item, int] | None] = {}
        self._values = 0

    def document(self) -> Item:
        """Return the only document."""
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Item(None, Place(self._file, 1, 1))
        item = self._item(next(self._events), 0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise MisfitError(
                self._place(event), "Received: a second document (---). Expected: one."
            )
        return item

    def _item(self, event: Any, depth: int) -> Item:
        place = self._place(event)
        if depth > MOST_LEVELS:
            raise MisfitError(
                place, f"Received: more than {MOST_LEVELS} levels. Expected: a flatter text."
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        if event.tag is not None:
            raise MisfitError(
                place, f"Received: the tag {event.tag}. Expected: plain values, without tags."
            )
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # open: its own contents cannot refer to it
        before = self._values
        self._count(1, place)
        item = self._contents(event, place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = (item, self._values - before)
        return item

    def _contents(self, event: Any, place: Place, depth: int) -> Item:
        if isinstance(event, yaml.ScalarEvent):
            return Item(self._scalar(event, place), place)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                items.append(self._item(inner, depth + 1))
            return Item(items, place)
        return self._mapping(place, depth)

    def _mapping(self, place: Place, depth: int) -> Item:
        members: dict[str, Item] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            where = self._place(event)
            key = self._key(event, where)
            item = self._item(next(self._events), depth + 1)
            if key in members:
                self._problems.add(
                    f"{where}: Received: key {key!r} twice, first in line {keys[key].line}. Expected: once."
                )
                continue
            members[key], keys[key] = item, where
        return Item(members, place, keys)

    def _key(self, event: Any, place: Place) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            raise MisfitError(
                place,
                "Received: a key that is not a text. Expected: `name: value`; braces in quotes.",
            )
        if event.implicit[0] and event.value == "<<":
            raise MisfitError(
                place,
                "Received: <<, which YAML 1.2 does not have. Expected: experiments with base: NAME, which inherit.",
            )
        if not event.value or (event.implicit[0] and event.value == "~"):
            raise MisfitError(place, "Received: an empty key. Expected: a name before the colon.")
        return str(event.value)

    def _scalar(self, event: Any, place: Place) -> Any:
        if not event.implicit[0]:  # quoted, or a block of text
            if _HALF.search(event.value):
                raise MisfitError(
                    place,
                    "Received: half a character (\\ud800 to \\udfff). Expected: the character itself, or \\U0001f600.",
                )
            return event.value
        try:
            return read_scalar(event.value)
        except ValueError as error:
            self._problems.add(f"{place}: {error}")
            return 0

    def _alias(self, event: Any, place: Place) -> Item:
        found = self._anchors.get(event.anchor)
        if found is None:
            within = event.anchor in self._anchors
            what = "which is within itself" if within else "which no anchor before it names"
            raise MisfitError(
                place, f"Received: *{event.anchor}, {what}. Expected: an anchor above it."
            )
        item, size = found
        self._count(size, place)
        return item

    def _count(self, values: int, place: Place) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            raise MisfitError(
                place,
                f"Received: more than {MOST_VALUES:,} values, anchors followed. Expected: a smaller text.",
            )

    def _place(self, event: Any) -> Place:
        return Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
