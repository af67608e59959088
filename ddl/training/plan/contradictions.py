"""Refuses plans whose settings contradict each other, or would be silently ignored."""

from __future__ import annotations

from typing import Any

from ddl.models.zoo import MODELS, target_of
from ddl.training.objectives.losses import NONE, needs_input
from ddl.training.optimization.optimizers import OPTIMIZERS
from ddl.training.optimization.schedules import needs_length
from ddl.training.optimization.weight_decay import has_weight_decay
from ddl.training.plan.equations import check_equation
from ddl.training.plan.fields import CheckpointPlan, DataPlan, PlanFields, RunPlan, has_validation
from ddl.training.plan.gan.rules import check_adversarial
from ddl.training.plan.modes.check import check_mode
from ddl.training.plan.second_order import check_second_order

_Rule = tuple[Any, str, str]
"""Whether a plan is wrong, what was received, and what is expected."""


def check_together(plan: PlanFields) -> None:
    """Refuse settings that contradict each other, or that would be silently ignored."""
    for rules in (
        _about_no_epochs,
        _about_data,
        _about_the_loss,
        _about_the_optimizer,
        _about_checkpoints,
    ):
        for wrong, received, expected in rules(plan):
            if wrong:
                raise ValueError(f"Received: {received}. Expected: {expected}.")
    check_equation(plan)
    check_second_order(plan)
    check_mode(plan)
    check_adversarial(plan)


def _about_no_epochs(plan: PlanFields) -> list[_Rule]:
    """Return the rules of a plan that validates alone."""
    return [
        (
            not plan.epochs and plan.init_weights is None,
            "epochs=0 for training",
            "at least 1. With init_weights, 0 validates that model once",
        ),
        (
            plan.loss == NONE and plan.epochs and not plan.is_adversarial,
            f"loss={NONE} with epochs={plan.epochs}",
            f"another loss; {NONE} is for a model's outputs alone, with epochs=0",
        ),
        (
            not plan.epochs and not has_validation(plan),
            "epochs=0 with validation_part=0, so that there is nothing to do",
            "validation_data, on which the model of init_weights is evaluated",
        ),
        (
            not plan.epochs and plan.probe,
            f"epochs=0 with probe={plan.probe}",
            "no probe; nothing is trained",
        ),
        (
            not plan.epochs and (plan.evaluate or plan.restore_best),
            "epochs=0 with evaluate or restore_best",
            "neither of them; the model does not change",
        ),
    ]


def _about_data(plan: PlanFields) -> list[_Rule]:
    """Return the rules of data and batches."""
    return [
        (
            plan.validation_data is not None and plan.fold is not None,
            f"fold={plan.fold} with validation_data={plan.validation_data}",
            "one of them; a fold is itself the validation data",
        ),
        (
            plan.validation_data is not None and plan.validation_part != DataPlan.validation_part,
            f"validation_part={plan.validation_part} with validation_data={plan.validation_data}",
            "one of them; with validation_data nothing is held out of the training data",
        ),
        (
            plan.fold is not None and not plan.validation_part,
            f"fold={plan.fold} with validation_part=0",
            "one of them; a fold is the validation data",
        ),
        *(
            (
                getattr(plan, name) is not None and not has_validation(plan),
                f"{name}={getattr(plan, name)} with validation_part=0, which trains without validation",
                "validation samples, because their predictions are written",
            )
            for name in ("prediction_output", "assembled_output")
        ),
        (
            plan.test_data is not None and not plan.evaluate,
            f"test_data={plan.test_data} without evaluate",
            "both; evaluate=true tests the model before and after training",
        ),
        (
            plan.global_batch_size and plan.per_rank_batch_size != RunPlan.per_rank_batch_size,
            f"global_batch_size={plan.global_batch_size} with per_rank_batch_size={plan.per_rank_batch_size}",
            "one of them",
        ),
        (
            plan.global_batch_size and plan.learning_rate_scaling == "linear",
            f"learning_rate_scaling=linear with global_batch_size={plan.global_batch_size}",
            "no learning_rate_scaling; the learning rate is that of the global batch, on any number of ranks",
        ),
    ]


def _about_the_loss(plan: PlanFields) -> list[_Rule]:
    """Return the rules of loss and targets."""
    return [
        (
            plan.class_weight != "none" and plan.loss == "batch_dice",
            "class_weight with loss=batch_dice, which has no loss of a single sample",
            "no class_weight, or another loss",
        ),
        (
            plan.class_weight != "none" and plan.loss_option.get("weight") is not None,
            f"class_weight={plan.class_weight} with loss_option weight, which both weigh classes",
            "one of them",
        ),
        (
            plan.class_weight != "none" and _predicts_masks(plan) and not needs_input(plan.loss),
            f"class_weight={plan.class_weight} for model {plan.model}, which predicts masks",
            "no class_weight, which is for labels; for rare foreground use loss=focal or tversky",
        ),
        (
            plan.loss == "wasserstein" and _predicts_classes(plan),
            f"loss=wasserstein for model {plan.model}, whose targets are class numbers",
            "targets of -1 and 1, which targets=values takes as they are; or another loss",
        ),
    ]


def _about_the_optimizer(plan: PlanFields) -> list[_Rule]:
    """Return the rules of optimizer and learning rate."""
    return [
        (
            plan.schedule_epochs and not needs_length(plan.schedule),
            f"schedule_epochs={plan.schedule_epochs} with schedule={plan.schedule!r}, which does not depend on it",
            "no schedule_epochs, or schedule=cosine or polynomial",
        ),
        (
            plan.no_decay_on
            and plan.optimizer in OPTIMIZERS
            and not has_weight_decay(plan.optimizer, plan.optimizer_option),
            f"no_decay_on={plan.no_decay_on} with optimizer={plan.optimizer!r} without weight decay",
            "optimizer_option weight_decay=0.01 as well",
        ),
        (
            plan.plateau and plan.schedule == "plateau",
            "plateau with schedule='plateau'",
            "one of them; plateau adds to another schedule",
        ),
        (
            not plan.warmup_epochs
            and (plan.warmup_from is not None or plan.warmup_shape != "linear"),
            f"warmup_from={plan.warmup_from}, warmup_shape={plan.warmup_shape!r} without a warm-up",
            "warmup_epochs=5 as well, or neither of them",
        ),
        (
            plan.mixed_precision == "float16" and "loss_scale_factor" in plan.optimizer_option,
            "optimizer_option loss_scale_factor with mixed_precision=float16",
            "one of them; with float16 Keras adapts the factor itself",
        ),
    ]


def _about_checkpoints(plan: PlanFields) -> list[_Rule]:
    """Return the rules of checkpoints and the end of a run."""
    return [
        (
            plan.restore_best and not (plan.keep_best and _every_value_has_a_checkpoint(plan)),
            f"restore_best with keep_best={plan.keep_best} and checkpoint_every_epochs={plan.checkpoint_every_epochs}",
            "keep_best=1, and checkpoint_every_epochs=1, so that each epoch with a value has a checkpoint",
        ),
        (
            plan.early_stopping_min_delta and not plan.early_stopping_patience,
            f"early_stopping_min_delta={plan.early_stopping_min_delta} without early_stopping_patience",
            "both, for example early_stopping_patience=10",
        ),
        (
            plan.copy_every_epochs != CheckpointPlan.copy_every_epochs
            and plan.checkpoint_copies is None,
            f"copy_every_epochs={plan.copy_every_epochs} without checkpoint_copies",
            "both; checkpoint_copies is the folder",
        ),
    ]


def _predicts_classes(plan: PlanFields) -> bool:
    return plan.model in MODELS and getattr(plan, "predicts", "") in ("mask", "label")


def _predicts_masks(plan: PlanFields) -> bool:
    return plan.model in MODELS and target_of(plan.model, plan.model_option) == "mask"


def _every_value_has_a_checkpoint(plan: PlanFields) -> bool:
    """Return whether each epoch that has a value of `monitor` ends with a checkpoint."""
    every, period = plan.checkpoint_every_epochs, 1
    if plan.monitor.startswith("val_"):
        period = plan.validate_every_epochs
    return every > 0 and period % every == 0
