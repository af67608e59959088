"""Command-line flags from the fields of dataclasses, in groups, with help, units and defaults; one-line errors.

The help comes from the dataclasses' docstrings. Imports no TensorFlow.
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
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn

from ddl.distributed.job.launcher import placement
from ddl.options import BOOLS, Option, parse_size, parse_value, read_helps
from ddl.plain_text import tell
from ddl.standard_streams import secure_streams

BAD_INPUT = 2
NONE: Mapping[str, Any] = {}
ARGUMENT = {"argument": True}
"""Metadata of a dataclass's field that is a list of positional arguments."""
SHORT = "short"
"""Key of the metadata of a field whose flag has a second name of one letter, such as "-f"."""
_ROOT_SPEAKS_S = 5.0
_LOOK_EVERY_S = 0.05
_UNITS = {"_min": "MINUTES", "_s": "SECONDS", "epochs": "EPOCHS"}
_WORDS = {
    **dict.fromkeys(("data", "validation_data", "test_data"), "PATH"),
    **dict.fromkeys(("target_data", "validation_target_data", "test_target_data"), "PATH"),
    **dict.fromkeys(("resume", "checkpoint"), "WHICH"),
}
_WORDS_OF_LISTS = {
    **dict.fromkeys(("ranks", "gbit"), "NUMBER"),
    **dict.fromkeys(("transform", "input_transform", "target_transform"), "NAME=VALUE"),
    "slicer": "TEXT",
}
_ONE_FOR_ALL = ("tile",)  # a single number holds for all axes, two or three
_WITH_COMMAS = ("shares",)  # numbers of any count; the others are sides of a picture
_NAMED = re.compile(
    r"(?<![\w./\"'-])(?:(?P<owner>\w+_option) |(?P<verb>raise |give ))?"
    r"(?P<name>[a-z]\w*)\b(?:=(?P<value>\S*[\w%]))?"
)
"""A field or an option in a remedy, with its value if it has one: "cache=none", "data_option bits=16", "give keys"."""
_OPTION_OF = {
    "data_option": (
        "keys",
        "range",
        "bits",
        "channels",
        "mask_mode",
        "pixel_limit",
        "memory_limit",
        "split",
        "labels",
        "raw_shape",
        "picture_list",
    ),
    "loss_option": ("ignore_index",),
}
"""Field -> options that remedies name without it."""
_METAVARS = {
    "int": "N",
    "float": "NUMBER",
    "bool": "true|false",
    "Path": "PATH",
    "tuple[int, ...]": "SIZE",
    "tuple[int, int]": "SIZE",
}


class Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviated or repeated flags and reports errors in one line."""

    def __init__(self, name: str, doc: str, usage: str) -> None:
        """Create the parser of the script `name`. Its docstring's first line goes above the flags, the rest below."""
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
        """Return the values of the flags, None for flags that were not given."""
        secure_streams()
        words = self._spelled_out(sys.argv[1:] if args is None else list(args))
        values, unknown = self.parse_known_args(words, namespace)
        if unknown:
            word = unknown[0].partition("=")[0]
            flags = [flag for action in self._actions for flag in action.option_strings]
            near = [flag for flag in flags if flag.startswith(word)]
            near = near or difflib.get_close_matches(word, flags, 1)
            expected = "a flag that --help lists"
            if near:
                expected = f"{' or '.join(near)}; --help lists all flags"
            kind = "flag" if word.startswith("-") else "argument"
            self.error(f"Received: unknown {kind} {word}. Expected: {expected}.")
        return values

    def _spelled_out(self, words: list[str]) -> list[str]:
        """Add "true" to each true-or-false flag before an argument, which argparse would take for the flag's value."""
        switches = {
            word
            for action in self._actions
            if action.nargs == "?" and action.const is True
            for word in action.option_strings
        }
        if all(action.option_strings for action in self._actions):  # there are no arguments
            return words
        spelled = []
        for number, word in enumerate(words, 1):
            spelled.append(word)
            if word in switches and "".join(words[number : number + 1]).lower() not in BOOLS:
                spelled.append("true")
        return spelled

    def complain(self, problem: object, is_ended: Callable[[], object] = bool) -> int:
        """Print one line as `complain` does, with the flags of the fields that its remedy names; return status 2."""
        return complain(self.name, self.in_flags(str(problem)), is_ended)

    def in_flags(self, message: str) -> str:
        """Return an error with flags in its remedy: "give image_size" becomes "give --image-size"."""
        received, expected, remedy = message.partition("Expected: ")
        return received + expected + _NAMED.sub(self._as_flag, remedy)

    def _as_flag(self, found: re.Match[str]) -> str:
        owner, verb, name, value = found.group("owner", "verb", "name", "value")
        flags = {action.dest for action in self._actions if action.option_strings}
        known = next((field for field, names in _OPTION_OF.items() if name in names), "")
        if not owner and name in flags and (value or "_" in name):
            return f"{verb or ''}{_flag_of(name)}" + (f" {value}" if value else "")
        if (owner or known) in flags and (value or verb):
            return f"{verb or ''}{_flag_of(owner or known)} {name}" + (f"={value}" if value else "")
        return found[0]

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with status 2."""
        if "Received: " in message:
            message = message[message.index("Received: ") :]
        else:
            message = f"{message[:1].upper()}{message[1:]} (--help lists all flags)."
        sys.exit(complain(self.name, message))


def _flag_of(field: str) -> str:
    return "--" + field.replace("_", "-")


def complain(name: str, problem: object, is_ended: Callable[[], object] = bool) -> int:
    """Print one line for all ranks of a script, or for a rank that alone has a problem; return status 2.

    Call it only before Horovod starts. Rank 0 prints and exits, which ends the job; the other ranks wait for that,
    and print their own problem only if the job is still running. `is_ended` returns whether a signal asked this rank
    to end, if signals do not end it by themselves.
    """
    rank = placement().rank
    if rank:
        deadline = time.monotonic() + _ROOT_SPEAKS_S
        while time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY_S)
            if is_ended():
                return BAD_INPUT
        name = f"{name} (rank {rank})"
    tell(f"{name}: {problem}")
    return BAD_INPUT


def add_flags(
    parser: argparse.ArgumentParser,
    parts: Iterable[type],
    defaults: Mapping[str, Any] = NONE,
    known: Mapping[str, Iterable[str]] = NONE,
    without: Collection[str] = (),
) -> None:
    """Add a flag for every field of some dataclasses, one group per dataclass, with the help in their docstrings.

    A field without a default that is not keyword-only becomes a positional argument, and so does a list of texts made
    by `field(metadata=ARGUMENT)`; with a default, it may be empty. `defaults` override those of the fields. `known`
    has the names that a field allows, to append to its help. Fields in `without` get no flag.
    """
    for part in parts:
        doc = inspect.getdoc(part) or ""
        group = parser.add_argument_group(doc.splitlines()[0].rstrip("."))
        helps = _helps_of(part)
        for field in dataclasses.fields(part):
            if field.name in without:
                continue
            default = defaults.get(field.name, default_of(field))
            names = ", ".join(known.get(field.name, ()))
            listed = f": {names}" if names else ""
            help_text = helps[field.name].rstrip(".") + listed + _shown_default(default)
            _add_flag(group, field, help_text.replace("%", "%%"), default)


def _helps_of(part: type) -> dict[str, str]:
    """Return the help of every field, including inherited ones."""
    helps: dict[str, str] = {}
    for base in reversed(part.__mro__):
        helps |= read_helps(inspect.cleandoc(base.__doc__ or ""))
    return helps


def default_of(field: dataclasses.Field[Any]) -> Any:
    """Return a field's default, or `dataclasses.MISSING`."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def given_flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags that were given, lists as tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in arguments.items()
        if value is not None
    }


def _add_flag(group: Any, field: dataclasses.Field[Any], help_text: str, default: Any) -> None:
    kind = str(field.type).removesuffix(" | None")
    flag = "--" + field.name.replace("_", "-")
    several = {"action": "extend", "help": help_text}
    if kind.startswith("Mapping"):
        group.add_argument(flag, nargs="+", metavar="NAME=VALUE", **several)
        return
    if field.metadata.get("argument"):
        least = "+" if default is dataclasses.MISSING else "*"
        group.add_argument(field.name, nargs=least, metavar=field.name.upper(), help=help_text)
        return
    if kind == "tuple[str, ...]":  # `--metric` alone means no metric
        metavar = _WORDS_OF_LISTS.get(field.name, "NAME")
        group.add_argument(flag, nargs="*", metavar=metavar, **several)
        return
    required = default is dataclasses.MISSING
    reader = _reader(field.name, kind)
    if required and not field.kw_only:
        group.add_argument(field.name, type=reader, help=help_text)
        return
    value = (
        True if kind == "bool" else field.metadata.get("alone")
    )  # what the flag means without a value
    alone = {} if value is None else {"nargs": "?", "const": value}
    group.add_argument(
        *filter(None, (field.metadata.get(SHORT), flag)),
        type=reader,
        action=_Once,
        required=required,
        metavar=_metavar(field.name, kind),
        help=help_text,
        **alone,
    )


def _reader(name: str, kind: str) -> Callable[[str], Any]:
    """Return the function that parses a field's value."""

    def read(text: str) -> Any:
        try:
            if kind.startswith("tuple[int") and name not in _WITH_COMMAS:
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
    if name in _WITH_COMMAS:
        return "N,N,..."
    return _WORDS.get(name) or _METAVARS.get(kind, "NAME")


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
    """Stores a value and rejects a second one, so that no setting is silently ignored."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: Any = None
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(None, f"Received: {option} twice. Expected: once.")
        setattr(namespace, self.dest, values)


class _Formatter(argparse.HelpFormatter):
    """Wraps paragraphs to the terminal's width, and keeps indented ones (commands) as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = re.split(r"\n\s*\n", text.strip("\n"))
        return "\n\n".join(
            part if part.startswith(" ") else textwrap.fill(" ".join(part.split()), width)
            for part in paragraphs
        )
