"""Plain scalars by the core schema of YAML 1.2: `1e-3` is a number, `on` a text, `012` is 12, `1:30` a text."""

from __future__ import annotations

import math
import re

MOST_DIGITS = 300
"""Python itself refuses to read more than 4,300 digits; a double has 309."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def read_scalar(text: str) -> bool | int | float | str | None:
    """Return the value of an unquoted scalar.

    Raises:
        ValueError: it is a number that is not finite, or far too long.
    """
    if text in _NULL:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if text[0] not in "+-.0123456789":  # most texts
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(
            f"Received: {text}. Expected: a finite number; the text in quotes, if it is a text."
        )
    for pattern, base in ((_INT, 10), (_OCTAL, 8), (_HEX, 16)):
        if pattern.fullmatch(text):
            return int(_short(text), base) if base == 10 else int(_short(text)[2:], base)
    if not _FLOAT.fullmatch(text):
        return text
    value = float(_short(text))
    if math.isinf(value):
        raise ValueError(f"Received: {text}. Expected: a number below 1.8e308.")
    return value


def _short(text: str) -> str:
    if len(text) > MOST_DIGITS:
        raise ValueError(
            f"Received: a number of {len(text)} characters. Expected: at most {MOST_DIGITS}; a text in quotes."
        )
    return text
