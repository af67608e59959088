"""The keys of `parallel`: how ranks work together. They are the fields of `ParallelPlan`, with its help and limits."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from ddl.config.json_run.keys.key import Key, Section
from ddl.flags import default_of
from ddl.options import read_helps
from ddl.training.plan.field_limits import CHOICES, RANGES
from ddl.training.plan.fields import ParallelPlan
from ddl.training.plan.modes.table import MODES

MODE = "mode"
"""The key of the field `parallel`; all others have the names of their fields."""

_KINDS = {
    "str": "text",
    "str | None": "text",
    "int": "int",
    "int | None": "int",
    "float": "float",
    "bool": "bool",
    "tuple[int, ...]": "ints",
    "tuple[str, ...]": "texts",
}


def field_of(key: str) -> str:
    """Return the field of a plan that a key of this section says."""
    return "parallel" if key == MODE else key


def _key(field: dataclasses.Field[Any], text: str) -> Key:
    choices = tuple(CHOICES.get(field.name, ()))
    default = default_of(field)
    users = tuple(mode for mode, used in MODES.items() if field.name in used)
    is_everywhere = field.name == "parallel" or len(users) == len(MODES)
    return Key(
        MODE if field.name == "parallel" else field.name,
        "name" if choices else _KINDS[str(field.type)],
        text.rstrip("."),
        f"--{field.name.replace('_', '-')}",
        default=None if default == () else default,
        range=RANGES.get(field.name),
        choices=choices,
        only=() if is_everywhere else users,
    )


_HELPS = read_helps(inspect.cleandoc(ParallelPlan.__doc__ or ""))

PARALLEL = Section(
    "parallel",
    "how ranks work together, as docs/parallel.md says",
    tuple(_key(field, _HELPS[field.name]) for field in dataclasses.fields(ParallelPlan)),
    decides=MODE,
)
