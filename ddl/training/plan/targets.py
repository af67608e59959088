"""What the target of a plan's samples is, and checks that its paths, its loss and its validation fit it."""

from __future__ import annotations

from ddl.models.detectors.layouts import YOLOV3_ANCHORS
from ddl.models.from_file import FROM_FILE
from ddl.models.zoo import MODELS, is_classifier, target_of
from ddl.ranges import expected_one_of
from ddl.training.objectives.losses import needs_input
from ddl.training.plan.boxes import check_boxes, refuse_boxes
from ddl.training.plan.fields import PlanFields, has_validation

TARGETS = ("auto", "mask", "label", "values", "boxes")
METRICS_OF_VALUES = ("mae", "mse")
DEFAULTS_OF_VALUES = {"loss": "mse", "metric": ("mae",)}
"""Of a command with targets=values that names neither."""

_NEEDS_CLASSES = (
    *("categorical_crossentropy", "dice_crossentropy", "focal", "boundary_crossentropy"),
    *("batch_dice", "nll", "lovasz"),
)
"""Losses whose targets are class numbers, or masks of 0 and 1."""


_EXAMPLE = ",".join(f"{number:g}" for number in YOLOV3_ANCHORS)


def predicted(plan: PlanFields) -> str:
    """Return what the model of a plan predicts: "mask", "label", "values" or "boxes"."""
    if needs_input(plan.loss):
        return "values"
    if plan.targets != "auto":
        return plan.targets
    return target_of(plan.model, plan.model_option)


def check_targets(plan: PlanFields) -> None:
    """Refuse targets that the model cannot predict, a loss that does not take them, and paths without a partner."""
    if plan.model in MODELS and not plan.is_adversarial:
        _check_model(plan)
    if needs_input(plan.loss):
        pass  # `check_equation` tells what such a loss refuses
    elif predicted(plan) == "boxes":
        check_boxes(plan)
    elif predicted(plan) == "values":
        _check_values(plan)
    elif some := [name for name in plan.metric if name in METRICS_OF_VALUES]:
        raise ValueError(
            f"Received: metric={some[0]} for model {plan.model}, which predicts {_singular(predicted(plan))}. "
            "Expected: another metric; or targets=values."
        )
    if predicted(plan) != "boxes":
        refuse_boxes(plan)
    _check_paths(plan)


def _check_model(plan: PlanFields) -> None:
    own = target_of(plan.model, plan.model_option)
    if plan.targets == "boxes" != own and plan.model == FROM_FILE:
        raise ValueError(
            "Received: targets=boxes for model network without anchors. Expected: model_option anchors=W,H,W,H,... in "
            f"pixels, smallest first, such as {_EXAMPLE}, those of YOLOv3; or targets=auto."
        )
    if plan.targets in ("mask", "label", "boxes") and own != plan.targets:
        raise ValueError(
            f"Received: targets={plan.targets} for model {plan.model}, which predicts {_singular(own)}. Expected: "
            "targets=auto, or another model."
        )
    if plan.targets == "values" and own == "boxes":
        raise ValueError(
            f"Received: targets=values for model {plan.model}, which finds boxes. Expected: targets=auto, or another "
            "model."
        )
    if plan.targets == "values" and own == "label" and is_classifier(plan.model):
        raise ValueError(
            f"Received: targets=values for model {plan.model}, whose outputs are the probabilities of classes. "
            "Expected: model=unet, or a model of your own."
        )


def _singular(target: str) -> str:
    return target if target in ("values", "boxes") else f"a {target}"


def _check_values(plan: PlanFields) -> None:
    """Refuse a loss, metrics and settings that are for classes."""
    for name in plan.metric:
        if name not in METRICS_OF_VALUES:
            raise ValueError(
                f"Received: metric={name} for targets that are values. {expected_one_of(name, METRICS_OF_VALUES)}"
            )
    for wrong, received in (
        (plan.loss in _NEEDS_CLASSES, f"loss={plan.loss}"),
        (plan.class_weight != "none", f"class_weight={plan.class_weight}"),
        (plan.classes > 0, f"classes={plan.classes}"),
        (plan.loss_option.get("ignore_index") is not None, "loss_option ignore_index"),
    ):
        if wrong:
            remedy = "loss=mse or binary_crossentropy" if "loss=" in received else "none"
            raise ValueError(
                f"Received: {received} for targets that are values. Expected: {remedy}."
            )


def _check_paths(plan: PlanFields) -> None:
    itself = plan.target_data is not None and plan.target_data == plan.data
    for name in ("validation", "test"):
        data, target = f"{name}_data", f"{name}_target_data"
        path, partner = getattr(plan, data), getattr(plan, target)
        if partner is not None and path is None:
            raise ValueError(f"Received: {target}={partner} without {data}. Expected: both.")
        if plan.target_data is not None and path is not None and partner is None and not itself:
            raise ValueError(
                f"Received: {data}={path} without {target}, while target_data={plan.target_data}. Expected: both; "
                f"{target} has the targets of {data}."
            )
    if plan.target_data_option and plan.target_data is None:
        raise ValueError(
            "Received: target_data_option without target_data. Expected: both, or data_option."
        )


def settled_monitor(plan: PlanFields) -> str:
    """Return what decides which epoch is best: without validation the loss takes the place of the default.

    Raises:
        ValueError: the plan watches a value of a validation that it does not have.
    """
    if has_validation(plan):
        is_default = plan.monitor == PlanFields.monitor
        return "val_kid" if plan.is_adversarial and is_default else plan.monitor
    monitor = "loss" if plan.monitor == PlanFields.monitor else plan.monitor
    watched = {
        "monitor": monitor,
        "target": plan.target or "",
        "plateau monitor": str(plan.plateau.get("monitor") or ""),
        "schedule_option monitor": str(plan.schedule_option.get("monitor") or ""),
    }
    for name, value in watched.items():
        if value.startswith("val_"):
            raise ValueError(
                f"Received: {name}={value} with validation_part=0, which trains without validation. Expected: "
                f"{value.removeprefix('val_')}, or validation samples."
            )
    if plan.validate_every_epochs != PlanFields.validate_every_epochs:
        raise ValueError(
            f"Received: validate_every_epochs={plan.validate_every_epochs} with validation_part=0, which trains "
            "without validation. Expected: one of them."
        )
    return monitor
