"""Refuses settings that have no meaning for an optimizer which takes whole steps over all samples."""

from __future__ import annotations

from ddl.training.optimization.optimizers import is_full_batch
from ddl.training.plan.equations import random_transforms
from ddl.training.plan.fields import OptimizerPlan, PlanFields


def check_second_order(plan: PlanFields) -> None:
    """Refuse what an optimizer over all samples would ignore, and what changes the loss between two evaluations."""
    if not is_full_batch(plan.optimizer):
        return
    for wrong, received, expected in (
        (plan.augment, "augment", "no augment, which draws other samples in each epoch"),
        (
            random_transforms(plan),
            f"transform {' '.join(random_transforms(plan))}",
            "no transforms that are drawn",
        ),
        (plan.mix, "mix", "no mix, which draws other samples in each epoch"),
        (
            plan.mixed_precision != "none",
            f"mixed_precision={plan.mixed_precision}",
            "no mixed_precision, in which a line search finds no descent",
        ),
        (
            plan.learning_rate != OptimizerPlan.learning_rate,
            f"learning_rate={plan.learning_rate:g}",
            "no learning_rate; a line search finds the length of each step",
        ),
        (
            plan.schedule != "constant" or plan.plateau,
            f"schedule={plan.schedule}" if plan.schedule != "constant" else "plateau",
            "no schedule; a line search finds the length of each step",
        ),
        (plan.compression != "none", f"compression={plan.compression}", "no compression"),
        (
            plan.steps_per_epoch,
            f"steps_per_epoch={plan.steps_per_epoch}",
            "no steps_per_epoch; each epoch is one iteration over all samples",
        ),
        (
            plan.steps_per_execution > 1,
            f"steps_per_execution={plan.steps_per_execution}",
            "no steps_per_execution; each epoch is one iteration over all samples",
        ),
        (plan.profile, f"profile={plan.profile}", "no profile"),
        (plan.probe, f"probe={plan.probe}", "no probe; an iteration has no steps of a rate"),
        (plan.jit == "true", "jit=true", "jit=auto or false"),
        (plan.loss == "batch_dice", "loss=batch_dice", "loss=dice, a mean over samples"),
    ):
        if wrong:
            raise ValueError(
                f"Received: {received} with optimizer={plan.optimizer}. Expected: {expected}."
            )
