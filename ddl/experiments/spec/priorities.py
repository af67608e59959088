"""Which experiments a priority is for: `learning_rate=3e-4`, a pattern of names, or all."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from ddl.experiments.spec.block import Block
from ddl.experiments.spec.records import Experiment
from ddl.experiments.spec.text.item import Problems
from ddl.experiments.spec.text.scalars import read_scalar


def priority_of(block: Block, setting: Mapping[str, Any], label: str) -> int:
    """Return the priority of an experiment: that of the first entry that fits, else 0."""
    for which, priority, _ in block.priorities:
        if fits(which, setting, label):
            return priority
    return 0


def fits(which: str, setting: Mapping[str, Any], label: str) -> bool:
    """Return whether `name=value` or a pattern of labels fits an experiment; an empty text fits all."""
    name, equals, text = which.partition("=")
    if not equals or name not in setting:
        return not which or fnmatchcase(label, which)
    try:
        wanted = read_scalar(text)
    except ValueError:
        wanted = text
    value = setting[name]
    return (
        bool(value == wanted and isinstance(value, bool) == isinstance(wanted, bool))
        or str(value) == text
    )


def check_priorities(
    experiments: list[Experiment], owners: list[Block], problems: Problems
) -> None:
    """Refuse a priority for experiments that do not exist: it would be ignored in silence."""
    patterns = {(place, which) for block in owners for which, _, place in block.priorities}
    for one, block in zip(experiments, owners, strict=True):
        patterns -= {
            (place, which)
            for which, _, place in block.priorities
            if (place, which) in patterns and fits(which, one.parameters, one.label)
        }
        if not patterns:
            return
    for place, which in sorted(patterns):
        problems.add(
            f"{place}: Received: priority of {which!r}, which no experiment is. "
            "Expected: such as learning_rate=3e-4, or a pattern of names such as '*-w32*'."
        )
