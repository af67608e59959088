"""Checks that a plan whose model finds boxes has a loss, metrics and settings for them, and that no other plan has."""

from __future__ import annotations

from collections.abc import Iterator

from ddl.models.detectors.layouts import is_detector, kind_of
from ddl.ranges import expected_one_of
from ddl.training.objectives.losses import BOX_LOSSES
from ddl.training.objectives.metrics import WHOLE_METRICS
from ddl.training.plan.fields import PlanFields, has_validation

METRICS_OF_BOXES = ("ap50",)
"""Of a command that names none."""


def loss_of_boxes(model: str) -> str:
    """Return the loss that a detector is made for."""
    kind = kind_of(model)
    return next(loss for loss, its_kind in BOX_LOSSES.items() if its_kind == kind)


def check_boxes(plan: PlanFields) -> None:
    """Refuse a loss, metrics and settings that are not for boxes, in a plan whose model finds them."""
    if is_detector(plan.model, plan.model_option):
        wanted = loss_of_boxes(plan.model)
        if plan.loss != wanted:
            raise ValueError(
                f"Received: loss={plan.loss} for model {plan.model}, which finds boxes. Expected: loss={wanted}."
            )
    for name in plan.metric:
        if name not in WHOLE_METRICS:
            raise ValueError(
                f"Received: metric={name} for model {plan.model}, which finds boxes. "
                f"{expected_one_of(name, WHOLE_METRICS)}"
            )
    _check_metric_options(plan)
    for received, expected in _contradictions(plan):
        raise ValueError(
            f"Received: {received} for model {plan.model}, which finds boxes. Expected: {expected}."
        )


def _check_metric_options(plan: PlanFields) -> None:
    """Refuse metrics with different options: one set of found boxes is scored."""
    given = {name: plan.metric_option[name] for name in plan.metric if plan.metric_option.get(name)}
    if len({tuple(sorted(options.items())) for options in given.values()}) > 1:
        raise ValueError(
            f"Received: different metric_option of {' and '.join(given)}. Expected: the same, or those of one metric "
            "alone, because all score one set of boxes."
        )


def refuse_boxes(plan: PlanFields) -> None:
    """Refuse a loss and metrics of boxes in a plan whose model finds none."""
    some = [f"metric={name}" for name in plan.metric if name in WHOLE_METRICS]
    if plan.loss in BOX_LOSSES:
        some.insert(0, f"loss={plan.loss}")
    if some:
        raise ValueError(
            f"Received: {some[0]} for model {plan.model}, which finds no boxes. Expected: another one, or a model that "
            "finds boxes, such as yolo_small."
        )


def _contradictions(plan: PlanFields) -> Iterator[tuple[str, str]]:
    """Yield what the plan has and boxes cannot, and what would be right."""
    if plan.class_weight != "none":
        yield f"class_weight={plan.class_weight}", "no class_weight, which is for labels"
    if plan.slicer:
        yield "slicer", "no slicer; scripts/predict.py cuts large pictures into tiles"
    if "crop_size" in plan.augment and not plan.augment.get("resized_crop"):
        yield (
            f"augment crop_size={plan.augment['crop_size']}",
            "no crop_size; a detector trains at the size that it is validated at, which pad_crop and zoom keep",
        )
    if plan.metric and not has_validation(plan):
        yield f"metric={plan.metric[0]} without validation", "validation samples, or no metric"
    if plan.partition != "none":
        yield f"partition={plan.partition}", "no partition"
    if plan.assembled_output is not None:
        yield "assembled_output", "no assembled_output"
    values = {"monitor": plan.monitor, "target": (plan.target or "").partition("=")[0]}
    for name, value in values.items():
        if value in WHOLE_METRICS:
            yield (
                f"{name}={value}",
                f"{name}=val_{value}, because it is computed in validations alone",
            )
