"""A plan in the making: fields of a `Plan`, and lines for those who gave the command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Draft:
    """What a command of PyDTNN stands for.

    Attributes:
        fields: field of a `Plan` -> its value.
        notes: what is otherwise here than there, a line each.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
