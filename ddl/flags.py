"""The fields of dataclasses as flags of a command line: in groups, with helps, units and defaults; errors in one line.

Helps come from the dataclasses' docstrings. No TensorFlow here.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import inspect
import re
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from ddl.distributed.launcher import placement
from ddl.options import Option, parse_size, parse_value, read_helps

BAD_INPUT = 2
NONE: Mapping[str, Any] = {}
_ROOT_SPEAKS_S = 5.0
_LOOK_EVERY_S = 0.05
_UNITS = {"_min": "MINUTES", "_s": "SECONDS", "epochs": "EPOCHS"}
_WORDS = {
    **dict.fromkeys(("data", "validation_data"), "PATH"),
    **dict.fromkeys(("resume", "checkpoint"), "WHICH"),
}
_ONE_FOR_ALL = ("tile",)  # of which one number stands for all axes, two or three
_METAVARS = {
    "int": "N",
    "float": "NUMBER",
    "bool": "true|false",
    "Path": "PATH",
    "tuple[int, ...]": "SIZE",
    "tuple[int, int]": "SIZE",
}


class Parser(argparse.ArgumentParser):
    """A parser of whole flags, each given once, whose errors are one line."""

    def __init__(self, name: str, doc: str, usage: str) -> None:
        """Describe the script.

        Args:
            name: of the script, which its errors begin with.
            doc: the script's docstring; its first line goes above the flags, the rest below.
            usage: what to type, without the flags that may be left out.
        """
        first, *rest = doc.strip().splitlines()
        super().__init__(
            prog=f"{name}.py",
            usage=f"%(prog)s {usage}",
            description=first,
            epilog="\n".join(rest),
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        self.name = name

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the values of the flags; of those that were not given, None."""
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = [flag for flag in flags if flag.startswith(word)]
            near = near or difflib.get_close_matches(word, flags, 1)
            expected = (
                f"{' or '.join(near)}; --help lists all flags" if near else "what --help lists"
            )
            self.error(f"Received: {word}, which is no flag of this script. Expected: {expected}.")
        return found

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with status 2."""
        if "Received: " in message:
            message = message[message.index("Received: ") :]
        else:
            message = f"{message[:1].upper()}{message[1:]} (--help lists all flags)."
        sys.exit(complain(self.name, message))


def complain(name: str, problem: object, is_ended: Callable[[], object] = bool) -> int:
    """Print one line for all ranks, or for the one rank that alone has something to complain about; return status 2.

    Only before the ranks know of each other: then rank 0 ends, and with it the job, while the others wait.

    Args:
        name: of the script.
        problem: that it has met.
        is_ended: whether a signal has come to end this rank, where that alone does not.
    """
    rank = placement().rank
    if rank:
        deadline = time.monotonic() + _ROOT_SPEAKS_S
        while time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            if is_ended():
                return BAD_INPUT
        name = f"{name} (rank {rank})"
    sys.stderr.write(f"{name}: {problem}\n")
    return BAD_INPUT


def add_flags(
    parser: argparse.ArgumentParser,
    parts: Iterable[type],
    defaults: Mapping[str, Any] = NONE,
    known: Mapping[str, Iterable[str]] = NONE,
) -> None:
    """Add one flag for every field of some dataclasses, one group for each, with the helps of their docstrings.

    A field without a default, of a dataclass that stands alone, is a word to be given in its place.

    Args:
        parser: of a script.
        parts: the dataclasses.
        defaults: what this script has in place of their defaults.
        known: field -> the names that it may be, where its help does not tell them.
    """
    for part in parts:
        doc = inspect.getdoc(part) or ""
        group = parser.add_argument_group(doc.splitlines()[0].rstrip("."))
        helps = _helps_of(part)
        for field in dataclasses.fields(part):
            default = defaults.get(field.name, default_of(field))
            names = tuple(known.get(field.name, ()))
            help_text = (
                helps[field.name].rstrip(".") + _shown_names(names) + _shown_default(default)
            )
            _add_flag(group, field, help_text.replace("%", "%%"), default)


def _helps_of(part: type) -> dict[str, str]:
    """Return the help of every field, those that a base class has told of included."""
    helps: dict[str, str] = {}
    for base in reversed(part.__mro__):
        helps |= read_helps(inspect.cleandoc(base.__doc__ or ""))
    return helps


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return what a field is when it is not given, or `dataclasses.MISSING`."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def given_flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parsed flags that were given, lists as tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments.items()
        if value is not None
    }


def _add_flag(group: Any, field: dataclasses.Field[Any], help_text: str, default: Any) -> None:
    kind = str(field.type).removesuffix(" | None")
    flag = "--" + field.name.replace("_", "-")
    several = kind.startswith("Mapping") or kind == "tuple[str, ...]"
    if several:
        metavar = "NAME=VALUE" if kind.startswith("Mapping") else "NAME"
        many = "+" if kind.startswith("Mapping") else "*"  # `--metric` alone: none of them
        group.add_argument(flag, nargs=many, action="extend", metavar=metavar, help=help_text)
        return
    required = default is dataclasses.MISSING
    reader = _reader(field.name, kind)
    if required and not field.kw_only:
        group.add_argument(field.name, type=reader, help=help_text)
        return
    group.add_argument(
        flag,
        type=reader,
        action=_Once,
        required=required,
        metavar=_metavar(field.name, kind),
        help=help_text,
    )


def _reader(name: str, kind: str) -> Callable[[str], Any]:
    """Return what makes a value of a word."""

    def read(text: str) -> Any:
        try:
            if kind.startswith("tuple[int"):
                size = parse_size(name, text, 2 if kind == "tuple[int, int]" else 3)
                return size if len(size) > 1 or name in _ONE_FOR_ALL else size * 2
            return parse_value(text, Option(name, kind, None, ""))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _metavar(name: str, kind: str) -> str:
    for ending, unit in _UNITS.items():
        if name.endswith(ending):
            return unit
    return _WORDS.get(name) or _METAVARS.get(kind, "NAME")


def _shown_names(names: Sequence[str]) -> str:
    return f": {', '.join(names)}" if names else ""


def _shown_default(default: Any) -> str:
    if default is dataclasses.MISSING or default is None or default in ("", (), {}):
        return ""
    if isinstance(default, tuple):
        text = ("x" if isinstance(default[0], int) else " ").join(map(str, default))
    elif isinstance(default, bool):
        text = str(default).lower()
    else:
        text = f"{default:g}" if isinstance(default, float) else str(default)
    return f" (default: {text})"


class _Once(argparse.Action):
    """Keeps a value, and refuses a second one: a setting is never ignored in silence."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(None, f"Received: {option} twice. Expected: once.")
        setattr(namespace, self.dest, values)


class _Formatter(argparse.HelpFormatter):
    """Fills paragraphs to the terminal's width, and leaves indented ones, which are commands, as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text.strip("\n"))
        return "\n\n".join(
            part if part.startswith(" ") else textwrap.fill(" ".join(part.split()), width)
            for part in paragraphs
        )
