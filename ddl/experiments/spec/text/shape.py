"""Checks of one value each: a text, a whole number, a mapping with known keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from ddl.experiments.spec.text.item import Item, MisfitError, Place, Problems
from ddl.experiments.spec.text.units import parse_bytes, parse_duration
from ddl.ranges import did_you_mean

T = TypeVar("T")

MOST_CHARACTERS = 20_000


def misfit(item: Item, expected: str) -> MisfitError:
    """Return the error for a value that is not what was expected."""
    return MisfitError(item.place, f"Received: {item.words()}. Expected: {expected}.")


def text_of(item: Item, expected: str = "a text") -> str:
    """Return a text; a number stands for its digits, because `name: 7` means the name 7."""
    value = item.value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = repr(value)
    if not isinstance(value, str) or not value.strip():
        raise misfit(item, expected)
    return checked_text(item, value)


def checked_text(item: Item, text: str) -> str:
    """Return the text, which a command may be given; refuse a NUL and one that is far too long."""
    if "\0" in text:
        raise MisfitError(item.place, "Received: a text with a NUL. Expected: one without.")
    if len(text) > MOST_CHARACTERS:
        raise MisfitError(
            item.place,
            f"Received: a text of {len(text):,} characters. Expected: at most {MOST_CHARACTERS:,}; put it into a file.",
        )
    return text


def texts_of(item: Item, expected: str = "a text, or a list of texts") -> tuple[str, ...]:
    """Return the texts of a list, or the only one."""
    if isinstance(item.value, list):
        return tuple(text_of(each, expected) for each in item.value)
    return (text_of(item, expected),)


def whole_of(item: Item, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`."""
    value = item.value
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise misfit(item, f"a whole number from {low} to {high:,}")
    return value


def truth_of(item: Item) -> bool:
    """Return true or false."""
    if not isinstance(item.value, bool):
        raise misfit(item, "true or false")
    return item.value


def duration_of(item: Item) -> float:
    """Return seconds of a duration with its unit."""
    return _with_unit(item, parse_duration, "4h, 90 min or 30s")


def bytes_of(item: Item) -> int:
    """Return bytes of a size with its unit."""
    return _with_unit(item, parse_bytes, "500M or 16G")


def choice_of(item: Item, known: Collection[str]) -> str:
    """Return a text that is one of the known ones."""
    text = text_of(item, f"one of: {', '.join(known)}")
    if text not in known:
        raise MisfitError(
            item.place,
            f"Received: {text!r}. Expected one of: {', '.join(known)}.{did_you_mean(text, known)}",
        )
    return text


def mapping_of(item: Item, expected: str = "a mapping of names to values") -> dict[str, Item]:
    """Return the members of a mapping."""
    if not isinstance(item.value, dict):
        raise misfit(item, expected)
    return item.value


def read_members(
    item: Item, readers: Mapping[str, Callable[[Item], Any]], owner: str, problems: Problems
) -> dict[str, Any]:
    """Return the values of a mapping by their readers; add unknown keys and misfits to the problems.

    A key without a value (`mail:`) is one that was not given.
    """
    values: dict[str, Any] = {}
    for name, member in mapping_of(item, f"{owner}: a mapping of {', '.join(readers)}").items():
        if name not in readers:
            problems.add(unknown_key(item.keys.get(name, member.place), name, readers, owner))
        elif member.value is not None:
            values = _with(values, name, readers[name], member, problems)
    return values


def unknown_key(place: Place, name: str, known: Collection[str], owner: str) -> str:
    """Return the line about an unknown key, with the one that is near."""
    listed = "" if did_you_mean(name, known) else f" Known: {', '.join(known)}."
    return (
        f"{place}: Received: unknown key {name!r} in {owner}. Expected: a known key."
        f"{did_you_mean(name, known)}{listed}"
    )


def _with(
    values: dict[str, Any],
    name: str,
    reader: Callable[[Item], Any],
    member: Item,
    problems: Problems,
) -> dict[str, Any]:
    try:
        return {**values, name: reader(member)}
    except MisfitError as error:
        problems.add(error)
        return values


def _with_unit(item: Item, parse: Callable[[str], T], examples: str) -> T:
    if not isinstance(item.value, str):
        raise misfit(item, f"a number with its unit, such as {examples}")
    try:
        return parse(item.value)
    except ValueError as error:
        raise MisfitError(item.place, str(error)) from None
