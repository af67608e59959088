"""Values of parameters as words of a command, and as flags."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SET_SCRIPT = "run.py"
"""The script of ours whose settings are given by `--set key=value`."""


def flags_of(parameters: Mapping[str, Any], script: str = "") -> list[str]:
    """Return parameters as flags: --learning-rate 0.001, --augment flip=true, --model-option width=16 depth=3.

    Raises:
        ValueError: a value has too many levels.
    """
    if script == SET_SCRIPT:
        given = {name: value for name, value in parameters.items() if value is not None}
        pairs = [f"{name}={json_text(value)}" for name, value in given.items()]
        return ["--set", *pairs] if pairs else []
    words = []
    for name, value in parameters.items():
        if value is None:
            continue
        flag = "--" + name.replace("_", "-")
        values = words_of(name, value)
        if len(values) == 1 and values[0].startswith("-"):
            words.append(f"{flag}={values[0]}")  # else argparse takes -x for a flag
        else:
            words += [flag, *values]
    return words


def words_of(name: str, value: Any) -> list[str]:
    """Return the words of a value: one of a scalar, several of a list or a mapping.

    Raises:
        ValueError: it is nothing, or has too many levels.
    """
    if isinstance(value, list):
        return [_text(name, item) for item in value]
    if isinstance(value, Mapping):
        return [f"{key}={_joined(name, item)}" for key, item in value.items()]
    return [_text(name, value)]


def _joined(name: str, value: Any) -> str:
    return (
        ",".join(_text(name, item) for item in value)
        if isinstance(value, list)
        else _text(name, value)
    )


def _text(name: str, value: Any) -> str:
    if value is None:
        raise ValueError(
            f"Received: {{{name}}} without a value here. Expected: a value; only {{flags}} leaves a parameter out."
        )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, Mapping)):
        raise ValueError(f"Received: {name} with lists in lists. Expected: one level.")
    return value if isinstance(value, str) else repr(value)


def json_text(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
