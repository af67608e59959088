"""What a plan of a GAN implies, and what it refuses."""

from __future__ import annotations

from typing import Any

from ddl.training.objectives.losses import NONE
from ddl.training.plan.fields import PlanFields

ADAM = {"beta_1": 0.5, "beta_2": 0.9}
"""Options of Adam where none are given: a game has no valley that a long memory would lead along."""
_LABELS = "categorical_crossentropy"


def implied(plan: PlanFields) -> dict[str, Any]:
    """Return the fields that follow from a GAN: it has no metric, and no target but the class of a picture."""
    if not plan.is_adversarial:
        return {}
    values: dict[str, Any] = {"loss_option": {}, "metric": ()}
    if plan.jit == "auto":
        values["jit"] = "false"  # XLA has no kernel for the reductions in the middle of a step
    if plan.optimizer == "adam" and not plan.optimizer_option:
        values["optimizer_option"] = ADAM
    if plan.conditional:
        return {**values, "loss": _LABELS, "targets": "label"}
    return {**values, "loss": NONE, "targets": "auto"}


def check_adversarial(plan: PlanFields) -> None:
    """Refuse settings that a GAN does not have, and those of a GAN without one."""
    if not plan.is_adversarial:
        return
    for wrong, received, expected in (
        (not plan.epochs, "epochs=0", "at least 1"),
        (plan.parallel != "sync", f"parallel={plan.parallel}", "sync"),
        (plan.partition != "none", f"partition={plan.partition}", "none"),
        (plan.remat, f"remat={plan.remat}", "no remat"),
        (plan.probe, f"probe={plan.probe}", "no probe"),
        (plan.mixed_precision != "none", f"mixed_precision={plan.mixed_precision}", "none"),
        (plan.normalize != "none", f"normalize={plan.normalize}", "none; pictures are 0 to 1"),
        (plan.mix, "mix", "no mix"),
        (plan.evaluate, "evaluate", "none; each validation scores samples"),
        (plan.prediction_output, "prediction_output", "predict.py --samples"),
        (plan.slicer, "slicer", "no slicer"),
        (plan.jit == "true", "jit=true", "auto or false; XLA does not compile these steps"),
        (plan.gradient_norm, "gradient_norm", "none; the history has both norms"),
        (plan.epoch_log, f"epoch_log={plan.epoch_log}", "none; history.csv has all losses"),
        (plan.optimizer == "hessian", "optimizer=hessian", "a rule of first order, such as adam"),
        (plan.class_weight != "none", f"class_weight={plan.class_weight}", "none"),
    ):
        if wrong:
            raise ValueError(f"Received: {received} for a GAN. Expected: {expected}.")
