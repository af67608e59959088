"""The `Preprocessing` that a plan stands for. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ddl.data.preprocessing import Preprocessing
from ddl.data.source import Source
from ddl.data.sources import PICTURE_FILES, detect_format
from ddl.models.zoo import needed_sides
from ddl.training.data.training_data import TrainingData
from ddl.training.plan.plan import Plan


def training_preprocessing(plan: Plan, data: TrainingData) -> Preprocessing:
    """Return what a training with these data does to a picture."""
    return _preprocessing(plan, data.input_shape, data.classes, data.training)


def plan_preprocessing(
    plan: Plan, input_shape: tuple[int | None, ...], classes: int
) -> Preprocessing:
    """Return the same of a model whose training has left its plan alone, without names of classes.

    Args:
        plan: of the training.
        input_shape: of the model, with None for open sides.
        classes: of its output.
    """
    return _preprocessing(plan, input_shape, classes, None)


def _preprocessing(
    plan: Plan, shape: tuple[int | None, ...], classes: int, origin: Source | None
) -> Preprocessing:
    options: Mapping[str, Any] = {} if origin is None else origin.manifest.get("options", {})
    if _is_picture_files(plan):
        options = {**plan.data_option, "image_size": plan.image_size}
    size = options.get("image_size")
    sides = needed_sides(plan.model, plan.model_option)
    if plan.target == "label" and None not in shape[:-1]:
        size = shape[:-1]  # what a picture shows is told at the scale that was learned
    return Preprocessing(
        target=plan.target,
        channels=int(shape[-1] or 1),
        classes=classes,
        axes=len(shape) - 1,
        bits=options.get("bits", 8),
        image_size=None if size is None else (int(size[0]), int(size[1])),
        side_multiple=sides.multiple,
        least_side=sides.least,
        class_names=_class_names(origin, classes),
    )


def _is_picture_files(plan: Plan) -> bool:
    try:
        return detect_format(Path(plan.data)) in PICTURE_FILES
    except (ValueError, OSError):  # the data are no longer there
        return plan.image_size is not None or "channels" in plan.data_option


def _class_names(origin: Source | None, classes: int) -> tuple[str, ...]:
    names = () if origin is None else origin.class_names
    return names if len(names) == classes else ()
