"""Refuses settings that have no meaning for a loss of a model's input and output."""

from __future__ import annotations

from ddl.training.objectives.losses import needs_input
from ddl.training.plan.fields import PlanFields


def check_equation(plan: PlanFields) -> None:
    """Refuse what needs a target, or would change the input that the loss computes with."""
    if not needs_input(plan.loss):
        return
    for wrong, received, expected in (
        (
            plan.metric,
            f"metric={' '.join(plan.metric)}",
            "no metric; a metric compares predictions with targets",
        ),
        (plan.normalize != "none", f"normalize={plan.normalize}", "no normalize"),
        (plan.mix, "mix", "no mix"),
        (plan.class_weight != "none", f"class_weight={plan.class_weight}", "no class_weight"),
        (
            plan.mixed_precision != "none",
            f"mixed_precision={plan.mixed_precision}",
            "no mixed_precision; differences of neighbours are too small for it",
        ),
    ):
        if wrong:
            raise ValueError(
                f"Received: {received} with loss={plan.loss}, a loss of the model's input and output. Expected: "
                f"{expected}."
            )
