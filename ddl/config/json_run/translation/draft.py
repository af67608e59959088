"""A plan in the making: its fields, and lines for whoever wrote the config."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ddl.config.json_run.place import Problem

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class NetworkForm:
    """The shapes of a network's input and output, without the batch; None for open sides."""

    input_shape: Shape
    output_shape: Shape


@dataclass
class Draft:
    """What a config stands for.

    Attributes:
        fields: field of a plan -> its value; `run_dir` is among them only where the config has it.
        notes: keys without effect, a line each.
        problems: what cannot be translated.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    notes: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def give_option(self, name: str, **options: Any) -> None:
        """Add options to a field such as "data_option"; None for those that are not wanted."""
        given = {key: value for key, value in options.items() if value is not None}
        self.fields[name] = {**self.fields.get(name, {}), **given}
