"""What a model whose layers are divided among ranks cannot do."""

from __future__ import annotations

from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.partition == "none":
        return []
    return []
