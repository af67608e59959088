"""The values of a command's flags, with the defaults of its generation, and which of them were read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ddl.config.pydtnn.flag import Flag


@dataclass(frozen=True)
class Settings:
    """A command of PyDTNN as values.

    Attributes:
        generation: whose command it is.
        given: flag's name -> its value.
        words: flag's name -> the flag as it was written, for messages.
        flags: flag's name -> flag, of all generations.
        ranks: how many ranks the launcher starts.
        asked: names of the flags that a translation has read.
    """

    generation: str
    given: Mapping[str, Any]
    words: Mapping[str, str]
    flags: Mapping[str, Flag]
    ranks: int = 1
    asked: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Any:
        """Return a flag's value: the given one, or the generation's default."""
        self.asked.add(name)
        if name in self.given:
            return self.given[name]
        return self.flags[name].default_in(self.generation)

    def has(self, name: str) -> bool:
        """Return whether the generation has this flag."""
        return self.generation in self.flags[name].of

    def is_given(self, name: str) -> bool:
        """Return whether the command has this flag."""
        return name in self.given

    def shown(self, name: str) -> str:
        """Return a flag as the command has it, or as its generation spells it."""
        flag = self.flags[name]
        return self.words.get(name) or flag.spelled(self.generation) or f"--{name}"

    def refusal(self, name: str, expected: str) -> ValueError:
        """Return the error about a flag's value."""
        return ValueError(
            f"Received: {self.shown(name)}={text_of(self[name])}. Expected: {expected}."
        )


def text_of(value: Any) -> str:
    """Return a value as a command line has it."""
    if isinstance(value, tuple):
        return ",".join(map(text_of, value))
    return str(value)
