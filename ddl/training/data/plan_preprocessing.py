"""Derives the `Preprocessing` of a plan's model. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ddl.data.normalization import Normalization
from ddl.data.preprocessing import GENERATOR, Preprocessing
from ddl.data.source import Source, origin_of
from ddl.data.sources import FORMAT_OPTION, PICTURE_FILES, format_of
from ddl.data.sources.boxed_pictures.picture_facts import category_ids, fit_of
from ddl.models.detectors.layouts import layout_of
from ddl.training.plan.plan import Plan
from ddl.training.plan.transforms import input_size, input_transforms


def plan_preprocessing(
    plan: Plan,
    input_shape: tuple[int | None, ...],
    classes: int,
    source: Source | None = None,
    normalization: Normalization | None = None,
) -> Preprocessing:
    """Return how pictures become inputs of the plan's model.

    Args:
        plan: the plan of the training run.
        input_shape: shape of the model's input, with None for open sides.
        classes: number of classes that the model predicts.
        source: the training data, if available. They know the names of classes and the options of a prepared file.
        normalization: mean and deviation of each channel, for a plan with `normalize`.
    """
    transforms = input_transforms(plan)
    options: Mapping[str, Any] = {} if source is None else source.manifest.get("options", {})
    stored = None if source is None else next(iter(origin_of(source).fields.values())).shape
    reads_files = _reads_picture_files(plan)
    resized = input_size(plan) if reads_files else None
    if reads_files:
        options = {**plan.data_option, "image_size": resized or plan.image_size}
    size, bits = options.get("image_size"), options.get("bits")
    if bits is None:
        bits = 8 if source is None else _depth_of(origin_of(source))
    if plan.predicts == "label" and len(input_shape) == 3 and None not in input_shape[:-1]:
        size = input_shape[:-1]  # labels are predicted at the scale of training
        if transforms and stored is not None:
            size = stored[:-1]  # before the transforms
    sides = plan.sides
    names = () if source is None else source.class_names
    return Preprocessing(
        target=GENERATOR if plan.is_adversarial else plan.predicts,
        channels=int((stored if stored and transforms else input_shape)[-1] or 1),
        classes=classes,
        axes=len(input_shape) - 1,
        bits=bits,
        range=None if source is None else source.value_range,
        image_size=None if size is None else (int(size[0]), int(size[1])),
        side_multiple=sides.multiple,
        least_side=sides.least,
        class_names=names if len(names) == classes else (),
        mean=None if normalization is None else normalization.mean,
        deviation=None if normalization is None else normalization.deviation,
        central_crop=plan.evaluation_crop,
        colour_order=str(plan.data_option.get("colour_order", "rgb")),
        resampling="area" if resized is None else "bilinear",
        transforms=transforms,
        fills_picture=_fills_picture(source),
        channels_first=plan.data_option.get(FORMAT_OPTION) == "channels-first",
        **(_of_boxes(plan, classes, source) if plan.predicts == "boxes" else {}),
    )


def _of_boxes(plan: Plan, classes: int, source: Source | None) -> dict[str, Any]:
    """Return what the preprocessing of a model of boxes has besides."""
    ids = () if source is None else category_ids(source)
    return {
        "layout": layout_of(plan.model, plan.model_option, classes).to_dict(),
        "category_ids": ids if len(ids) == classes else (),
        "fit": "stretch" if source is None else fit_of(source),
    }


def _fills_picture(source: Source | None) -> bool:
    """Return whether targets that are values have the sides of their inputs; True for all others."""
    fields = {} if source is None else dict(source.fields)
    if "values" not in fields:
        return True
    image, values = (fields[name].shape for name in ("image", "values"))
    return len(values) > 1 and values[:-1] == image[:-1]


def _depth_of(source: Source) -> int:
    """Return 16 for stored pictures of 16 bits, else 8."""
    return 16 if next(iter(source.fields.values())).dtype == np.uint16 else 8


def _reads_picture_files(plan: Plan) -> bool:
    try:
        return format_of(plan.data, plan.data_option) in PICTURE_FILES
    except (ValueError, OSError):  # the data no longer exist
        return plan.image_size is not None or "channels" in plan.data_option
