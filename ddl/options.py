"""The options of a builder, read from its source code, so that listing and checking them imports no framework.

A builder is a function or a class, named as "package.module:name". Its options are its keyword-only arguments (or
those of its `__init__`, or the fields of a dataclass). Their help texts are the docstring's Args or Attributes.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ddl.ranges import did_you_mean

Size = int | tuple[int, ...]
"""Type of an option written as 64 or 64x96."""


@dataclass(frozen=True)
class Option:
    """An option of a builder: an argument, its annotation such as "str | None", and its text in the docstring."""

    name: str
    type: str
    default: Any
    help: str


REQUIRED = "required"
"""The default of an option without one."""
BOOLS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "Path": "a path",
    "int | tuple[int, ...]": "a whole number, or several with commas",
    "tuple[int, ...]": "whole numbers with commas",
    "tuple[float, ...]": "numbers with commas",
    "float | tuple[float, ...]": "a number, or several with commas",
    "tuple[str, ...]": "texts with commas",
}
_EXPECTED_OF_PYTHON = _EXPECTED | {
    "int | tuple[int, ...]": "a whole number, or a list of them",
    "float | tuple[float, ...]": "a number, or a list of them",
    "Size": "a whole number, or a list of them",
    "tuple[int, int]": "a list of two whole numbers",
    "tuple[int, ...]": "a list of whole numbers",
    "tuple[float, ...]": "a list of numbers",
    "tuple[float, float]": "a list of two numbers",
    "tuple[str, ...]": "a list of texts",
    "Mapping[str, Any]": "a mapping of names to values",
    "Mapping[str, Mapping[str, Any]]": "a mapping of names to mappings",
}
_PYTHON: dict[str, tuple[type, type]] = {
    "int": (Integral, int),
    "float": (Real, float),
    "bool": (bool, bool),
    "str": (str, str),
}


def load(builder: str) -> Any:
    """Return the function or class that "package.module:name" stands for. Loads what it needs."""
    module, _, name = builder.partition(":")
    return getattr(importlib.import_module(module), name)


@functools.cache
def read_options(builder: str) -> dict[str, Option]:
    """Return the options of "package.module:name", in the order of its signature, without importing the module."""
    module, _, name = builder.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module {module}.")
    definition = _with_constructor(Path(spec.origin), find_definition(Path(spec.origin), name))
    helps = read_helps(ast.get_docstring(definition) or "")
    return {
        name: Option(
            name,
            ast.unparse(kind) if kind else "",
            REQUIRED if default is None else ast.literal_eval(default),
            helps.get(name, ""),
        )
        for name, kind, default in find_arguments(definition)
    }


def read_signature(function: Callable[..., Any]) -> dict[str, Option]:
    """Return the options of an already imported function, without help texts."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: Option(parameter.name, _type_of(parameter), parameter.default, "")
        for parameter in parameters
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def _type_of(parameter: inspect.Parameter) -> str:
    """Return a parameter's type as text: its annotation, or else the type of its default."""
    kind = parameter.annotation
    if kind is parameter.empty:
        kind = type(parameter.default)
    return kind.__name__ if isinstance(kind, type) else str(kind)


def find_arguments(
    definition: ast.FunctionDef | ast.ClassDef,
) -> list[tuple[str, ast.expr | None, ast.expr | None]]:
    """Return (name, type, default) of arguments that are keyword-only or have a default, or of a dataclass's fields."""
    function = find_constructor(definition) if isinstance(definition, ast.ClassDef) else definition
    if function is not None:
        named, given = function.args.args, function.args.defaults
        arguments = named[len(named) - len(given) :] + function.args.kwonlyargs
        both = zip(arguments, [*given, *function.args.kw_defaults], strict=True)
        return [(argument.arg, argument.annotation, default) for argument, default in both]
    fields = [node for node in definition.body if isinstance(node, ast.AnnAssign)]
    return [(ast.unparse(node.target), node.annotation, node.value) for node in fields]


def find_definition(path: Path, name: str) -> ast.FunctionDef | ast.ClassDef:
    """Return the definition of this function or class in a source file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return next(node for node in nodes if node.name == name)


def _with_constructor(
    path: Path, definition: ast.FunctionDef | ast.ClassDef
) -> ast.FunctionDef | ast.ClassDef:
    """Return the class of the same file that a class without `__init__` inherits it from; else the definition."""
    if isinstance(definition, ast.ClassDef) and find_constructor(definition) is None:
        for base in definition.bases:
            if isinstance(base, ast.Name) and base.id.startswith("_"):
                return _with_constructor(path, find_definition(path, base.id))
    return definition


def find_constructor(definition: ast.ClassDef) -> ast.FunctionDef | None:
    """Return the `__init__` defined in the class body, or None."""
    methods = [node for node in definition.body if isinstance(node, ast.FunctionDef)]
    return next((node for node in methods if node.name == "__init__"), None)


def read_helps(docstring: str) -> dict[str, str]:
    """Return the Args of a docstring: name -> text, continuation lines joined."""
    part = re.split(r"^(?:Args|Attributes):\n", docstring, maxsplit=1, flags=re.MULTILINE)
    if len(part) == 1:
        return {}
    body = re.split(r"^\S", part[1], maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", body, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in entries}


def check_names(given: Iterable[str], options: Mapping[str, Option], owner: str) -> None:
    """Refuse unknown options; the message lists the known ones."""
    for name in given:
        if name not in options:
            known = ", ".join(options) or "none, it has no options"
            raise ValueError(
                f"Unknown option of {owner}. Received: {name!r}. Expected: {known}.{did_you_mean(name, options)}"
            )


def parse_options(
    texts: Iterable[str], options: Mapping[str, Option], owner: str
) -> dict[str, Any]:
    """Return {"width": 32} from ["width=32"], each value converted to its option's type."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"Received: option {text!r} of {owner}. Expected: NAME=VALUE.")
        check_names([name], options, owner)
        if name in values:
            raise ValueError(f"Received: option {name!r} of {owner} twice. Expected: once.")
        values[name] = parse_value(value.strip(), options[name])
    return values


def parse_value(text: str, option: Option) -> Any:
    """Return the text converted to the option's type; refuse it if that fails."""
    if option.type.startswith("Size") and text.lower() != "none":
        size = parse_size(option.name, text)
        return size if len(size) > 1 else size[0]
    try:
        return _parse(text, option.type)
    except (ValueError, KeyError):
        raise _refusal(text, option, _EXPECTED) from None


def parse_size(name: str, text: str, most: int = 3) -> tuple[int, ...]:
    """Return (128,) from "128", (96, 128) from "96x128", (32, 64, 64) from "32x64x64"; at most `most` sides."""
    sides = text.split("x")
    if len(sides) > most or not all(side.isdecimal() and int(side) > 0 for side in sides):
        volumes = ", or 32x64x64 (depth x height x width)" if most > 2 else ""
        raise ValueError(
            f"Received: {name}={text!r}. Expected: pixels, such as 128 or 96x128 (height x width){volumes}."
        )
    return tuple(int(side) for side in sides)


def convert_value(value: Any, option: Option) -> Any:
    """Return a Python or JSON value converted to the option's type (1 to 1.0, a list to a tuple), or refuse it."""
    try:
        return _convert(value, option.type)
    except (ValueError, OverflowError):
        raise _refusal(value, option, _EXPECTED_OF_PYTHON) from None


def convert_values(
    given: Mapping[str, Any], options: Mapping[str, Option], owner: str
) -> dict[str, Any]:
    """Return Python or JSON values converted to their options' types; refuse unknown options."""
    check_names(given, options, owner)
    return {name: convert_value(value, options[name]) for name, value in given.items()}


def convert_fields(instance: Any) -> None:
    """Convert every field of a dataclass, frozen or not, to its annotated type, or refuse its value.

    Call it in `__post_init__`: the annotations then hold for every instance.
    """
    for field in dataclasses.fields(instance):
        option = Option(field.name, str(field.type), field.default, "")
        value = convert_value(getattr(instance, field.name), option)
        object.__setattr__(instance, field.name, value)


def _refusal(value: Any, option: Option, words: Mapping[str, str]) -> ValueError:
    kind = option.type.removesuffix(" | None")
    expected = words[kind] + (", or none" if kind != option.type else "")
    return ValueError(f"Received: {option.name}={value!r}. Expected: {expected}.")


def _convert(value: Any, kind: str) -> Any:
    if kind == "Any":
        return value
    for part in kind.replace("Size", "int | tuple[int, ...]").split(" | "):
        element = part.removeprefix("tuple[").removesuffix(", ...]")
        if part == "None" and value is None:
            return None
        if part == "Path" and isinstance(value, str | Path) and str(value):
            return Path(value)
        if part.startswith("Mapping[str, ") and isinstance(value, Mapping):
            inner = part.removeprefix("Mapping[str, ")[:-1]
            return {_convert(name, "str"): _convert(item, inner) for name, item in value.items()}
        if element != part and isinstance(value, list | tuple):
            return _convert_several(value, element)
        if part in _PYTHON:
            role, make = _PYTHON[part]
            # Python's bool is an int, but width=True is surely a mistake.
            if isinstance(value, role) and isinstance(value, bool) == (part == "bool"):
                return make(value)
    raise ValueError


def _convert_several(values: list[Any] | tuple[Any, ...], element: str) -> tuple[Any, ...]:
    """Return a tuple of `element`s; "int, int]" fixes their number."""
    kinds = element.removesuffix("]").split(", ")
    if len(kinds) not in (1, len(values)):
        raise ValueError
    return tuple(_convert(item, kinds[0]) for item in values)


def _parse(text: str, kind: str) -> Any:
    if kind.endswith(" | None") and text.lower() == "none":
        return None
    kind = kind.removesuffix(" | None")
    if not kind.endswith(", ...]"):
        return _SCALARS[kind](text)
    alone, _, several = kind.rpartition("tuple[")
    values = tuple(_SCALARS[several[: -len(", ...]")]](part.strip()) for part in text.split(","))
    return values[0] if alone and len(values) == 1 else values


def _parse_path(text: str) -> Path:
    if not text:  # Path("") is the working directory
        raise ValueError
    return Path(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "bool": lambda text: BOOLS[text.lower()],
    "str": str,
    "Path": _parse_path,
}
