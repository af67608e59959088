"""Refuses settings that the plan's mode of parallel training would ignore, or cannot fulfil."""

from __future__ import annotations

import dataclasses

from ddl.flags import default_of
from ddl.training.plan.fields import ParallelPlan, PlanFields
from ddl.training.plan.modes import asynchronous, balanced, local, partition
from ddl.training.plan.modes.table import MODES


def check_mode(plan: PlanFields) -> None:
    """Refuse what the mode would ignore or cannot do.

    Raises:
        ValueError: it names the setting, the mode, and the remedy.
    """
    for field in dataclasses.fields(ParallelPlan):
        value = getattr(plan, field.name)
        if field.name in ("parallel", *MODES[plan.parallel]) or value == default_of(field):
            continue
        users = " or ".join(
            f"parallel={mode}" for mode, used in MODES.items() if field.name in used
        )
        raise ValueError(
            f"Received: {field.name}={_told(value)} with parallel={plan.parallel}, which does not use it. Expected: "
            f"no {field.name}, or {users}."
        )
    for kind in (balanced, local, asynchronous, partition):
        for wrong, received, expected in kind.rules(plan):
            if wrong:
                raise ValueError(f"Received: {received}. Expected: {expected}.")


def _told(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
