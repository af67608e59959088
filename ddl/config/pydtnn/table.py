"""The table of all flags of PyDTNN, of three generations: translated, without effect, or refused with a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

from ddl.config.pydtnn.flag import GENERATIONS, IDLE, REFUSED, TRANSLATED, Flag
from ddl.config.pydtnn.topics import (
    data,
    machine,
    network,
    objective,
    optimizer,
    pictures,
    run,
    schedulers,
)

_TOPICS: Mapping[str, ModuleType] = {
    "Run": run,
    "Network": network,
    "Data": data,
    "Pictures": pictures,
    "Loss and metrics": objective,
    "Optimizer": optimizer,
    "Schedulers": schedulers,
    "Processes and devices": machine,
}

FLAGS: Mapping[str, Flag] = {
    flag.name: flag for module in _TOPICS.values() for flag in module.FLAGS
}
"""Flag's name -> flag."""


def flags_of(generation: str) -> list[str]:
    """Return the flags of a generation as it spells them."""
    return [flag.spelled(generation) for flag in FLAGS.values() if generation in flag.of]


def table_of_flags() -> str:
    """Return a Markdown table of all flags: their spelling in 2020 and 1.x, that in 3.x, and what becomes of them."""
    lines = []
    for topic, module in _TOPICS.items():
        lines += [f"### {topic}", "", "| 2020, 1.x | 3.x | Here |", "|---|---|---|"]
        lines += [_row(flag) for flag in module.FLAGS]
        lines.append("")
    return "\n".join(lines)


def _row(flag: Flag) -> str:
    seed, one, three = (flag.spelled(generation) for generation in GENERATIONS)
    old = f"`{seed or one}`" if seed or one else ""
    if old and not (seed and one):
        old += " (2020)" if seed else " (1.x)"
    new = f"`{three}`" if three else ""
    return f"| {old} | {new} | {_fate(flag)} |"


def _fate(flag: Flag) -> str:
    if flag.fate == TRANSLATED:
        return f"`{flag.to}`" if flag.to.startswith("-") else flag.to
    if flag.fate == IDLE:
        return f"{IDLE}: {flag.idle}"
    return f"{REFUSED}; remedy: {flag.refused}"
