"""From the words of a command to its flags' values: three spellings, and argparse's unambiguous beginnings."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ddl.config.pydtnn.flag import GENERATIONS, THREE, Flag
from ddl.config.pydtnn.settings import Settings

NAMES = {"2020": "PyDTNN of 2020", "1": "PyDTNN 1.x", "3": "PyDTNN 3.x"}
_BOOLS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off", "none", ""), False),
}


@dataclass(frozen=True)
class Word:
    """A flag of a command: how it is written, its text after "=" or in the next word, None without one."""

    flag: str
    text: str | None


class UnknownFlag(ValueError):
    """A flag that a generation does not have, or a beginning that several of its flags have."""


def read_words(words: Sequence[str]) -> list[Word]:
    """Return the flags of a command with their texts.

    Raises:
        ValueError: a word that is neither a flag nor the value of one.
    """
    found: list[Word] = []
    for number, word in enumerate(words):
        if word.startswith("--") and len(word) > 2:
            name, equals, text = word.partition("=")
            found.append(Word(name, text if equals else None))
        elif found and found[-1].text is None and words[number - 1] == found[-1].flag:
            found[-1] = Word(found[-1].flag, word)
        else:
            raise ValueError(
                f"Received: argument {word!r}. Expected: flags, such as --batch_size=64; --help lists all of them."
            )
    return found


def settings_of(
    words: Sequence[str], flags: Mapping[str, Flag], generation: str | None = None, ranks: int = 1
) -> Settings:
    """Return the settings of a command.

    Args:
        words: the command's words, without the program.
        flags: name -> flag, of all generations.
        generation: whose command it is; None takes the earliest one that has all of its flags.
        ranks: how many ranks the launcher starts.

    Raises:
        ValueError: a flag that no generation has, flags that no generation has together, or a value of another type.
    """
    given = read_words(words)
    generation, found = _generation_of(given, flags, generation)
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for word, (flag, negated) in zip(given, found, strict=True):
        if flag.name in values:
            raise ValueError(f"Received: {word.flag} twice. Expected: once.")
        values[flag.name] = _value(word, flag, negated)
        spelled[flag.name] = word.flag
    return Settings(generation, values, spelled, flags, ranks)


Found = list[tuple[Flag, bool]]


def _generation_of(
    given: Sequence[Word], flags: Mapping[str, Flag], wanted: str | None
) -> tuple[str, Found]:
    """Return the generation of a command and its flags, each with whether "no-" stands before it.

    Names are looked for as each generation spells them, then with hyphens for underscores and the other way round.
    """
    problems: list[UnknownFlag] = []
    for alike in (str, _alike):
        for generation in (wanted,) if wanted else GENERATIONS:
            names = _names(flags, generation)
            try:
                return generation, [_find(word.flag, names, generation, alike) for word in given]
            except UnknownFlag as problem:
                problems.append(problem)
    for word in given:
        _check_one(word.flag, flags, (wanted,) if wanted else GENERATIONS)
    everywhere = {name: one for each in GENERATIONS for name, one in _names(flags, each).items()}
    strange = [word.flag for word in given if not _matches(word.flag, everywhere, _alike)]
    if wanted is None and not strange:
        raise ValueError(_mixture(given, flags))
    raise _unknown(strange[0], everywhere) if strange else problems[-1]


def _check_one(word: str, flags: Mapping[str, Flag], generations: Sequence[str]) -> None:
    """Refuse the beginning of several flags that stands for one flag in no generation."""
    counts = [len(_matches(word, _names(flags, one), _alike)) for one in generations]
    if 1 not in counts and any(counts):
        generation = generations[next(at for at, count in enumerate(counts) if count)]
        _find(word, _names(flags, generation), generation, _alike)


def _names(flags: Mapping[str, Flag], generation: str) -> dict[str, tuple[Flag, bool]]:
    """Return how a generation spells its flags; 3.x also has "--no-" before those that are true or false."""
    names = {
        flag.spelled(generation): (flag, False)
        for flag in flags.values()
        if flag.spelled(generation)
    }
    if generation == THREE:
        booleans = [name for name, (flag, _) in names.items() if flag.kind == "bool"]
        names |= {f"--no-{name[2:]}": (names[name][0], True) for name in booleans}
    return names


def _alike(name: str) -> str:
    return name.replace("_", "-").lower()


def _matches(
    word: str, names: Mapping[str, tuple[Flag, bool]], alike: Callable[[str], str]
) -> list[str]:
    """Return the names that a word stands for: the one that it is, or else all that it begins."""
    same = [name for name in names if alike(name) == alike(word)]
    return same[:1] or [name for name in names if alike(name).startswith(alike(word))]


def _find(
    word: str,
    names: Mapping[str, tuple[Flag, bool]],
    generation: str,
    alike: Callable[[str], str],
) -> tuple[Flag, bool]:
    found = _matches(word, names, alike)
    if len(found) == 1:
        return names[found[0]]
    if found:
        raise UnknownFlag(
            f"Received: {word}, the beginning of {' and '.join(found)} of {NAMES[generation]}. Expected: one of them."
        )
    raise _unknown(word, names)


def _unknown(word: str, names: Mapping[str, Any]) -> UnknownFlag:
    near = difflib.get_close_matches(word, names, 1)
    meant = f" Did you mean {near[0]}?" if near else ""
    return UnknownFlag(
        f"Received: unknown flag {word}. Expected: a flag of PyDTNN, which --help lists; flags of train_cnn.py go "
        f"behind a single --.{meant}"
    )


def _mixture(given: Sequence[Word], flags: Mapping[str, Flag]) -> str:
    """Return the error about flags that no generation has together."""
    first: dict[str, str] = {}
    for generation in GENERATIONS:
        names = _names(flags, generation)
        missing = [word.flag for word in given if len(_matches(word.flag, names, _alike)) != 1]
        if missing:
            first[generation] = missing[0]
    lacks = "; ".join(f"{NAMES[one]} has no {flag}" for one, flag in first.items())
    return f"Received: flags that no generation has together ({lacks}). Expected: flags of one generation."


def _value(word: Word, flag: Flag, negated: bool) -> Any:
    """Return the value that a flag's text stands for."""
    if flag.kind == "bool":
        return _bool(word) != negated
    if word.text is None:
        raise ValueError(f"Received: {word.flag} without a value. Expected: {word.flag}=VALUE.")
    return _READERS[flag.kind](word, word.text)


def _bool(word: Word) -> bool:
    if word.text is None:
        return True
    if word.text.lower() not in _BOOLS:
        raise ValueError(f"Received: {word.flag}={word.text}. Expected: true or false.")
    return _BOOLS[word.text.lower()]


def _number(kind: type[int] | type[float], expected: str) -> Callable[[Word, str], Any]:
    def read(word: Word, text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"Received: {word.flag}={text}. Expected: {expected}.") from None

    return read


def _several(read: Callable[[Word, str], Any]) -> Callable[[Word, str], tuple[Any, ...]]:
    def read_all(word: Word, text: str) -> tuple[Any, ...]:
        parts = (part.strip() for part in text.strip("()[]").split(","))
        return tuple(read(word, part) for part in parts if part)

    return read_all


_READERS: dict[str, Callable[[Word, str], Any]] = {
    "text": lambda word, text: text,
    "int": _number(int, "a whole number"),
    "float": _number(float, "a number"),
    "names": _several(lambda word, text: text),
    "numbers": _several(_number(float, "numbers with commas")),
}
