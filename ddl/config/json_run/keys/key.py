"""A key of a config: its type, default, range and choices, when it has a meaning, and what it becomes here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ddl.ranges import Range

EXPECTED = {
    "text": "a text",
    "path": "a path",
    "name": "a name",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "ints": "a list of whole numbers",
    "floats": "a list of numbers",
    "texts": "a list of texts",
    "object": "an object, from { to }",
    "objects": "a list of objects",
    "layers": "the path of a network file, or a list of layers",
    "options": "an object with an option each",
    "any": "a value",
}
"""Kind of a key -> what messages call its values."""


@dataclass(frozen=True)
class Key:
    """A key.

    Attributes:
        name: the key, as the config has it.
        kind: one of `EXPECTED`.
        help: what it means, without a full stop.
        to: the flag of the training scripts that says the same, or what else becomes of it.
        default: its value where it is not given; None for none.
        range: the numbers that it takes.
        choices: the names that it takes. Capital and small letters are the same.
        also: its other spellings.
        only: the values of the section's deciding key with which it has a meaning; empty for all.
        needed: whether it must be given, where it has a meaning.
        length: the length of its list.
        section: the keys of its object, or of each object in its list.
        idle: why it has no effect here. It is accepted, and named.
    """

    name: str
    kind: str
    help: str
    to: str = ""
    default: Any = None
    range: Range | None = None
    choices: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    needed: bool = False
    length: int | None = None
    section: Section | None = None
    idle: str = ""

    @property
    def expected(self) -> str:
        """What messages say that it takes."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        text = EXPECTED[self.kind]
        if self.length is not None:
            count = {1: "one", 2: "two", 3: "three"}[self.length]
            text = text.replace("a list of", f"a list of {count}")
        return text + ("" if self.range is None or not str(self.range) else f", {self.range}")

    def has_meaning(self, deciding: str | None) -> bool:
        """Return whether it has a meaning where the section's deciding key has this value; None is unknown."""
        return not self.only or deciding is None or deciding in self.only


@dataclass(frozen=True)
class Section:
    """An object of a config.

    Attributes:
        path: where it stands, such as "optimizer.lr_scheduler"; "" for the outermost.
        help: what it is for.
        keys: its keys.
        decides: the key whose value says which others have a meaning, such as "type".
        is_single: whether it has exactly one of its keys, as a transform has.
    """

    path: str
    help: str
    keys: tuple[Key, ...]
    decides: str = ""
    is_single: bool = False

    def find(self, name: str) -> Key | None:
        """Return the key of this name or other spelling."""
        return next((key for key in self.keys if name == key.name or name in key.also), None)

    def path_of(self, name: str) -> str:
        """Return the path of a key of this section."""
        return f"{self.path}.{name}" if self.path else name
