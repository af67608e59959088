"""The list of generators and discriminators with their sizes, for people. No network is built, no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass

from ddl.builder_table import BuilderTable
from ddl.models.adversarial.table import DISCRIMINATORS, GENERATORS

PICTURE = (32, 32, 3)
"""Shape of the pictures that the numbers are for, with all options at their defaults."""
PARAMETERS = {("generator", "dcgan"): 990_147, ("discriminator", "dcgan"): 662_529}


@dataclass(frozen=True)
class Row:
    """A network: what it is for, its name, its options, and its parameters (None where a file decides)."""

    role: str
    name: str
    options: tuple[str, ...]
    parameters: int | None


def listed_parts() -> list[Row]:
    """Return the generators and the discriminators."""
    tables: dict[str, BuilderTable] = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}
    return [
        Row(role, name, tuple(sorted(table.options(name))), PARAMETERS.get((role, name)))
        for role, table in tables.items()
        for name in table
    ]
