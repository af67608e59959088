"""Refuses settings that have no meaning for a loss of a model's input and output."""

from __future__ import annotations

from ddl.training.objectives.losses import needs_input
from ddl.training.plan.fields import PlanFields


def random_transforms(plan: PlanFields) -> list[str]:
    """Return the transforms of a plan that draw something else in each epoch."""
    texts = (*plan.transform, *plan.input_transform, *plan.target_transform)
    return [text for text in texts if text.startswith(("random_", "jitter_"))]


def check_equation(plan: PlanFields) -> None:
    """Refuse what needs a target, or would change the input that the loss computes with."""
    if not needs_input(plan.loss):
        return
    for wrong, received, expected in (
        (
            plan.targets in ("mask", "label"),
            f"targets={plan.targets}",
            "no targets; they are not used",
        ),
        (
            random_transforms(plan),
            f"transform {' '.join(random_transforms(plan))}",
            "no transforms that are drawn; augment draws for such a loss",
        ),
        (plan.target_transform, "target_transform", "no target_transform; targets are not used"),
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
