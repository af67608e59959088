"""From the words of a command to the values of its flags with one dash, and the words for `ddl`'s own flags."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.config.neuralnet.table import FLAGS, Flag, text_of
from ddl.options import BOOLS
from ddl.plain_text import escaped

_THEIRS = re.compile(r"-[A-Za-z]\w*")


@dataclass(frozen=True)
class Settings:
    """A command as values.

    Attributes:
        given: name of a flag -> its value.
        ours: the other words, which are flags of `ddl`.
    """

    given: Mapping[str, Any]
    ours: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        """Return a flag's value: the given one, or the default."""
        return self.given.get(name, FLAGS[name].default)

    def shown(self, name: str) -> str:
        """Return a flag with its value, as a command line has it."""
        return f"-{name} {text_of(self[name])}"


def read_words(words: Sequence[str]) -> Settings:
    """Return the settings of a command.

    Raises:
        ValueError: an unknown flag with one dash, one that is given twice or without a value, or a wrong value.
    """
    given: dict[str, Any] = {}
    ours: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, text = word.partition("=")
        if word == "-h" or not _THEIRS.fullmatch(name):
            ours.append(word)
            continue
        flag = _find(name)
        if flag.name in given:
            raise ValueError(f"Received: {name} twice. Expected: once.")
        if not equals and (not rest or rest[0].startswith("--") or rest[0][1:] in FLAGS):
            raise ValueError(f"Received: {name} without a value. Expected: {_expected(flag)}.")
        given[flag.name] = _value(flag, text if equals else rest.pop(0))
    for name in ("conf", "input"):
        if not given.get(name) and not {"--help", "-h", "--flags"} & {*ours}:
            raise ValueError(
                f"Received: no -{name}. Expected: -conf FILE, a prototxt, and -input FILE, rows of text."
            )
    return Settings(given, tuple(ours))


def _find(word: str) -> Flag:
    name = word[1:]
    if name in FLAGS:
        return FLAGS[name]
    alike = {known.lower(): known for known in FLAGS}
    near = difflib.get_close_matches(name.lower(), alike, 1)
    meant = f" Did you mean -{alike[near[0]]}?" if near else ""
    raise ValueError(
        f"Received: unknown flag {word}. Expected: one of -{', -'.join(FLAGS)}; flags of ddl have two dashes.{meant}"
    )


def _value(flag: Flag, text: str) -> Any:
    if flag.kind == "bool" and text.lower() in BOOLS:
        return BOOLS[text.lower()]
    if flag.kind == "int" and re.fullmatch(r"-?\d{1,18}", text) and int(text) >= flag.least:
        return int(text)
    if flag.kind == "text" and text:
        return text
    raise ValueError(f"Received: -{flag.name} {escaped(text)[:80]}. Expected: {_expected(flag)}.")


def _expected(flag: Flag) -> str:
    if flag.kind == "bool":
        return "true or false"
    if flag.kind == "int":
        return f"a whole number of at least {flag.least}"
    return "a file" if flag.name in ("conf", "input") else "a text"
