"""The identity of an experiment: the same parameters, command and code policy have the same 16 hex digits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_EXACT = 2**53
"""Beyond it, a whole double stands for several whole numbers."""


def canonical(value: Any) -> str:
    """Return a JSON text that is the same for equal values: sorted keys, 1.0 as 1, no spaces."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def identity(parameters: Mapping[str, Any], command: Mapping[str, Any]) -> str:
    """Return 16 hex digits of parameters and of what else makes an experiment another one.

    Args:
        parameters: the experiment's parameters.
        command: its template, whether a shell runs it, ranks, code policy.
    """
    text = canonical({"parameters": parameters, "command": command})
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def digest(text: str) -> str:
    """Return 6 hex digits of a text, to tell shortened names apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
