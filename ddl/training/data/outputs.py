"""Checks that a model's outputs fit targets that are values. No TensorFlow here: shapes alone."""

from __future__ import annotations

from collections.abc import Sequence

from ddl.data.source import Source
from ddl.training.objectives.losses import needs_input
from ddl.training.plan.plan import Plan


def check_outputs(plan: Plan, output: Sequence[int | None], training: Source) -> None:
    """Refuse a model whose outputs have another shape than the plan's targets that are values.

    Args:
        plan: the plan.
        output: shape of the first output for one sample, None for open sides.
        training: the training samples.
    """
    if plan.predicts != "values" or needs_input(plan.loss):
        return
    (*_, target) = training.fields.values()
    wanted = target.shape or (1,)
    augmentation = plan.augmentation()
    if augmentation is not None and len(wanted) > 1:
        wanted = (*augmentation.crop_of(wanted), wanted[-1])
    fits = len(output) == len(wanted) and all(
        side is None or side == other for side, other in zip(output, wanted, strict=True)
    )
    if not fits:
        raise ValueError(
            f"Received: model {plan.model} with outputs of {_by(output)} for targets of {_by(wanted)}. Expected: the "
            "same shape."
        )
    several = plan.model == "unet" and wanted[-1] > 1
    if several and plan.model_option.get("output", "auto") in ("auto", "softmax"):
        raise ValueError(
            f"Received: model unet for {wanted[-1]} values a pixel, whose softmax makes their sum 1. Expected: "
            "model_option output=sigmoid for values from 0 to 1, or output=linear."
        )


def _by(sides: Sequence[int | None]) -> str:
    return "x".join("?" if side is None else str(side) for side in sides)
