"""The options of a builder, read from its source: so listing and checking them loads no framework.

A builder is a function or a class, named as "package.module:name"; its options are the keyword-only arguments of
it (or of its `__init__`), and their help is what its docstring says under Args.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Option:
    """An option of a builder.

    Attributes:
        name: of the argument.
        type: its annotation, such as "int" or "str | None".
        default: what it is when not given; `REQUIRED` when it must be given.
        help: its line in the docstring.
    """

    name: str
    type: str
    default: Any
    help: str


REQUIRED = "required"
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "int | tuple[int, ...]": "a whole number, or several with commas",
    "tuple[float, ...]": "numbers with commas",
    "str | None": "a text, or none",
    "float | None": "a number, or none",
}


def load(builder: str) -> Any:
    """Return the function or class that "package.module:name" stands for. Loads what it needs."""
    module, _, name = builder.partition(":")
    return getattr(importlib.import_module(module), name)


@functools.cache
def read_options(builder: str) -> dict[str, Option]:
    """Return the options of "package.module:name", in their order, without importing that module."""
    module, _, name = builder.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module {module}.")
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    found = next(node for node in nodes if node.name == name)
    helps = _helps(ast.get_docstring(found) or "")
    function: Any = found
    if isinstance(found, ast.ClassDef):
        inits = [node for node in found.body if isinstance(node, ast.FunctionDef)]
        function = next((node for node in inits if node.name == "__init__"), None)
    if function is None:
        return {}
    arguments = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {
        argument.arg: Option(
            argument.arg,
            ast.unparse(argument.annotation),
            REQUIRED if default is None else ast.literal_eval(default),
            helps.get(argument.arg, ""),
        )
        for argument, default in arguments
    }


def check_names(given: Iterable[str], options: Mapping[str, Option], owner: str) -> None:
    """Refuse an option that the owner does not have, listing those that it has."""
    for name in given:
        if name not in options:
            known = ", ".join(options) or "none, it has no options"
            raise ValueError(f"Unknown option of {owner}. Received: {name!r}. Expected: {known}.")


def parse_options(
    texts: Iterable[str], options: Mapping[str, Option], owner: str
) -> dict[str, Any]:
    """Return what texts such as "width=32" say, each value of its option's type."""
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
    """Return what the text says as the option's type, or refuse it."""
    try:
        return _parse(text, option.type)
    except ValueError:
        expected = _EXPECTED[option.type]
        raise ValueError(f"Received: {option.name}={text!r}. Expected: {expected}.") from None


def _parse(text: str, kind: str) -> Any:
    if kind.endswith(" | None") and text.lower() == "none":
        return None
    match kind.removesuffix(" | None"):
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return _parse_bool(text)
        case "int | tuple[int, ...]":
            numbers = tuple(int(number) for number in text.split(","))
            return numbers if len(numbers) > 1 else numbers[0]
        case "tuple[float, ...]":
            return tuple(float(number) for number in text.split(","))
        case "str":
            return text
    raise TypeError(f"An option of type {kind} cannot be given as text.")


def _parse_bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError


def _helps(docstring: str) -> dict[str, str]:
    """Return the Args of a docstring: name -> text, continuation lines joined."""
    part = re.split(r"^(?:Args|Attributes):\n", docstring, maxsplit=1, flags=re.MULTILINE)
    if len(part) == 1:
        return {}
    body = re.split(r"^\S", part[1], maxsplit=1, flags=re.MULTILINE)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8,}.*)*)", body, flags=re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for name, text in entries}
