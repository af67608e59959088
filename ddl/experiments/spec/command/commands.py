"""From a command's template and an experiment's parameters to the words that run.

python train.py --lr {learning_rate} --out {run_dir}     # any program: placeholders
python train.py {flags}                                  # all other parameters as --learning-rate 0.001
python scripts/train_unet.py --epochs 50                 # a script of ours: flags, --run-dir, --resume by itself
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddl.experiments.spec.command.flags import SET_SCRIPT, flags_of, json_text, words_of
from ddl.experiments.spec.command.template import (
    Placeholder,
    braced,
    check_no_shell,
    check_placeholders,
    fill,
    placeholders,
    quotes,
)
from ddl.experiments.spec.parameter.reader import FILLED, RUNTIME

OWN_SCRIPTS = (
    "train_unet.py",
    "train_cnn.py",
    "train_resnet.py",
    "train_custom.py",
    "train_detector.py",
    "run.py",
)
"""Scripts of ours that have --run-dir and --resume."""

PROFILED_STEPS = 20

_HEAD_BYTES = 8192
_PYTHON = re.compile(r"python(?:[0-9.]*)")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command with placeholders.

    Attributes:
        words: Its words; with `shell` the one text.
        shell: Whether a shell runs it.
        own: Name of the script of ours that it runs, or "".
    """

    words: tuple[str, ...]
    shell: bool = False
    own: str = ""


def parse_command(text: str) -> tuple[str, ...]:
    """Return the words of a command that no shell runs.

    Raises:
        ValueError: a quote is open, or only a shell would understand it.
    """
    check_no_shell(text)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise ValueError(
            f"Received: a command with an open quote ({error}). Expected: quotes in pairs."
        ) from None


def own_script(words: tuple[str, ...], folder: Path) -> str:
    """Return the name of the script of ours among a command's words, or "".

    A stranger's script of the same name imports nothing of ddl. One that is not here is taken for ours by its name.
    """
    for word in words:
        name = word.rpartition("/")[2]
        if name in OWN_SCRIPTS:
            try:
                with (folder / word).open("rb") as file:
                    return name if b"import ddl" in file.read(_HEAD_BYTES) else ""
            except (OSError, ValueError):
                return name
    return ""


def check_command(command: Command, parameters: list[str], profile: bool) -> None:
    """Refuse a command that cannot be filled in, or that a parameter would not reach.

    Raises:
        ValueError: the first thing that is wrong.
    """
    named: set[str] = set()
    for word in command.words:
        named |= check_placeholders(word, (*parameters, *FILLED, *RUNTIME))
    missing = [name for name in parameters if name not in named]
    reached = command.own or named & {"flags", "parameters"}
    if missing and not reached:
        raise ValueError(
            f"Received: parameter {missing[0]!r}, which the command does not name. "
            f"Expected: {{{missing[0]}}} in it, {{flags}} for all as flags, or {{parameters}} for all as JSON."
        )
    if command.shell:
        _check_quoted(command.words[0])
    if command.own:
        _check_own(command.words)
    if profile and not command.own and _profiled(list(command.words)) == list(command.words):
        raise ValueError(
            "Received: profile: true with a command that is not `python SCRIPT.py ...`. Expected: profile: false."
        )


def argv_of(
    command: Command, parameters: Mapping[str, Any], ranks: int | None, profile: bool = False
) -> tuple[str, ...]:
    """Return the words of an experiment's command. Placeholders of the node (such as {run_dir}) are left.

    Raises:
        ValueError: a value does not fit where its placeholder stands.
    """
    filler = _Filler(command, parameters, ranks)
    if command.shell:
        return (filler.shell_text(command.words[0]),)
    words = [part for word in command.words for part in filler.words(word)]
    if command.own:
        words += filler.own_words(profile)
    elif profile:
        words = _profiled(words)
    return tuple(words)


class _Filler:
    """Fills in one experiment's values."""

    def __init__(self, command: Command, parameters: Mapping[str, Any], ranks: int | None) -> None:
        self._parameters, self._own = parameters, command.own
        self._ranks = ranks
        self._template = command.words
        self._named = {found.name for word in command.words for found in placeholders(word)}

    def words(self, word: str) -> list[str]:
        """Return the words that one word of the template becomes."""
        found = placeholders(word)
        if len(found) == 1 and found[0].end - found[0].start == len(word):
            several = self._several(found[0].name)
            if several is not None:
                return [braced(each) for each in several]
        return [fill(word, lambda each: self._part(each.name))]

    def shell_text(self, text: str) -> str:
        """Return the text for a shell, all values quoted."""
        states = quotes(text)

        def quoted(found: Placeholder) -> str | None:
            several = self._several(found.name)
            if several is None:
                return None
            value = " ".join(map(shlex.quote, several))
            if states[found.start] != " " and value != " ".join(several):
                raise ValueError(
                    f"Received: {{{found.name}}} within quotes, with the value {value}. "
                    "Expected: it without quotes; values are quoted where they need it."
                )
            return braced(value)

        return fill(text, quoted)

    def own_words(self, profile: bool) -> list[str]:
        """Return what a script of ours needs and the template does not have."""
        given = {word.partition("=")[0] for word in self._template}
        words = []
        if "flags" not in self._named:
            words += [braced(word) for word in self._flags()]
        if "--run-dir" not in given:
            words += ["--run-dir", "{run_dir}"]
        if "--resume" not in given:
            words += ["--resume", "auto"]
        if profile and "--profile" not in given and self._own != SET_SCRIPT:
            words += ["--profile", str(PROFILED_STEPS)]
        return words

    def _flags(self) -> list[str]:
        others = {
            name: value for name, value in self._parameters.items() if name not in self._named
        }
        return flags_of(others, self._own)

    def _several(self, name: str) -> list[str] | None:
        """Return the words of a placeholder, None for one that the node fills in."""
        if name == "flags":
            return self._flags()
        if name == "parameters":
            return [json_text(dict(self._parameters))]
        if name == "ranks":
            return [str(self._ranks or 1)]
        if name in RUNTIME:
            return None
        if name not in self._parameters:
            raise ValueError(
                f"Received: {{{name}}} in the command, and no {name} here. Expected: a value in each experiment."
            )
        return words_of(name, self._parameters[name])

    def _part(self, name: str) -> str | None:
        several = self._several(name)
        if several is None:
            return None
        if len(several) != 1:
            raise ValueError(
                f"Received: {{{name}}} within a word, and {len(several)} values. "
                f"Expected: {{{name}}} alone between spaces."
            )
        return braced(several[0])


def _check_quoted(text: str) -> None:
    """Refuse a path of the node within quotes: it is quoted when it is filled in."""
    states = quotes(text)
    for found in placeholders(text):
        if found.name in RUNTIME and states[found.start] != " ":
            raise ValueError(
                f"Received: {{{found.name}}} within quotes. Expected: it without; it is quoted where it needs it."
            )


def _check_own(words: tuple[str, ...]) -> None:
    for number, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag != "--run-dir":
            continue
        value = value if equals else "".join(words[number + 1 : number + 2])
        if "{run_dir}" not in value:
            raise ValueError(
                f"Received: --run-dir {value}, the same for all experiments. Expected: --run-dir {{run_dir}}, or none."
            )


def _profiled(words: list[str]) -> list[str]:
    """Return the command of a Python script with cProfile before the script."""
    for number, word in enumerate(words[:-1]):
        if _PYTHON.fullmatch(word.rpartition("/")[2]) and words[number + 1].endswith(".py"):
            profiler = ["-m", "cProfile", "-o", "{experiment_dir}/profile.pstats"]
            return [*words[: number + 1], *profiler, *words[number + 1 :]]
    return words
