"""A flag of PyDTNN: how each generation spells it, its defaults there, and what becomes of it here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SEED, ONE, THREE = "2020", "1", "3"
"""The generations: March 2020 with version 1.0, the 1.1 releases, and the 3.x releases."""
GENERATIONS = (SEED, ONE, THREE)
OLD, NEW = (SEED, ONE), (ONE, THREE)

TRANSLATED, IDLE, REFUSED = "translated", "without effect", "refused"

_SAME = object()


@dataclass(frozen=True)
class Flag:
    """A flag. Exactly one of `to`, `idle` and `refused` says what becomes of it.

    Attributes:
        name: the name with underscores, that of 1.x where 3.x has renamed it; also the key of its value.
        kind: "text", "int", "float", "bool", "names" (with commas) or "numbers" (with commas).
        default: its value where it is not given.
        of: the generations that have it.
        to: the setting of ddl that it becomes.
        idle: why it has no effect here.
        refused: the remedy for who asks for it.
        harmless: the values of a refused flag that ask for nothing.
        three: the name in 3.x, where it is another one.
        default_2020: the default of 2020, where it is another one.
        default_3: the default of 3.x, where it is another one.
    """

    name: str
    kind: str
    default: Any
    of: tuple[str, ...] = GENERATIONS
    to: str = ""
    idle: str = ""
    refused: str = ""
    harmless: tuple[Any, ...] = ()
    three: str = ""
    default_2020: Any = _SAME
    default_3: Any = _SAME

    def __post_init__(self) -> None:
        if sum(map(bool, (self.to, self.idle, self.refused))) != 1:
            raise ValueError(f"Received: flag {self.name}. Expected: one of to, idle, refused.")

    @property
    def fate(self) -> str:
        """What becomes of it: `TRANSLATED`, `IDLE` or `REFUSED`."""
        return TRANSLATED if self.to else IDLE if self.idle else REFUSED

    def spelled(self, generation: str) -> str:
        """Return its name as a generation spells it, with the dashes before it; "" where it is not there."""
        if generation not in self.of:
            return ""
        if generation == THREE:
            return "--" + (self.three or self.name).replace("_", "-")
        return "--" + self.name

    def default_in(self, generation: str) -> Any:
        """Return its default in a generation."""
        own = {SEED: self.default_2020, THREE: self.default_3}.get(generation, _SAME)
        return self.default if own is _SAME else own
