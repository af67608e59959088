"""What balanced training cannot do."""

from __future__ import annotations

from ddl.training.plan.fields import PlanFields
from ddl.training.plan.modes.rule import Rule


def rules(plan: PlanFields) -> list[Rule]:
    """Return the rules of the mode; none for a plan in another mode."""
    if plan.parallel != "balanced":
        return []
    return [
        (
            any(share < 1 for share in plan.shares),
            f"shares={','.join(map(str, plan.shares))}",
            "at least 1 sample for each rank",
        ),
    ]
