"""Small JSON files, read again only when they have changed, for what looks at a store again and again."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ddl.files import parse_json

_Value = TypeVar("_Value")
_Stamp = tuple[int, int, int]

LARGEST_BYTES = 64 << 20
_NOTHING: Mapping[str, Any] = {}


class Files:
    """Reads files of a store. Keeps what was read in memory, for the life of the object only."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._kept: dict[str, tuple[_Stamp, Any]] = {}

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names in a folder; none where it is missing."""
        try:
            return frozenset(os.listdir(folder))  # noqa: PTH208 (names, not paths: called for every attempt)
        except OSError:
            return frozenset()

    def read(self, path: Path) -> Mapping[str, Any]:
        """Return the object in a JSON file, {} where it is missing or something else."""
        return self.parsed_or(path, _as_it_is, _NOTHING)

    def parsed(self, path: Path, parse: Callable[[Mapping[str, Any]], _Value]) -> _Value:
        """Return what `parse` makes of the object in a JSON file.

        Raises:
            OSError, ValueError: It is missing, or not what it should be.
        """
        return self.made(path, lambda file, size: parse(_object(path, _all(path, file, size))))

    def parsed_or(
        self, path: Path, parse: Callable[[Mapping[str, Any]], _Value], otherwise: _Value
    ) -> _Value:
        """Return what `parse` makes of the object in a JSON file, or `otherwise`."""
        try:
            return self.parsed(path, parse)
        except (OSError, ValueError):
            return otherwise

    def lines(self, path: Path) -> int:
        """Return the number of lines in a text file, 0 where it is missing."""
        try:
            return self.made(path, lambda file, size: _all(path, file, size).count(b"\n"))
        except (OSError, ValueError):
            return 0

    def made(self, path: Path, make: Callable[[int, int], _Value]) -> _Value:
        """Return what `make` made of an open file (its number, its size) when it had last changed.

        Raises:
            OSError, ValueError: It cannot be opened, or is no regular file; or what `make` raises.
        """
        name = str(path)
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            facts = os.fstat(file)
            stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            kept = self._kept.get(name)
            if kept is not None and kept[0] == stamp:
                return kept[1]  # type: ignore[no-any-return]
            if not stat.S_ISREG(facts.st_mode):
                raise ValueError(f"Received: {path}, which is no file. Expected: a regular file.")
            value = make(file, facts.st_size)
        finally:
            os.close(file)
        self._kept[name] = (stamp, value)
        return value


def _all(path: Path, file: int, size: int) -> bytes:
    if size > LARGEST_BYTES:
        raise ValueError(f"Received: {path} of {size} bytes. Expected: at most {LARGEST_BYTES}.")
    return os.read(file, size)


def _as_it_is(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return value


def _object(path: Path, data: bytes) -> Mapping[str, Any]:
    try:
        value = parse_json(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"Received: {path}, which is damaged. Expected: a JSON object.")
    return value
