"""Checks that data, model, loss and metrics of a plan fit together, by shapes and numbers. No TensorFlow here."""

from __future__ import annotations

from collections.abc import Sequence

from ddl.data.source import Source
from ddl.models.from_file import made_shape
from ddl.training.objectives.losses import NONE, needs_input
from ddl.training.plan.augmenting import PLURALS
from ddl.training.plan.plan import Plan

_TOP_K = {"top_1": 1, "top_5": 5}


def check_shapes(training: Source, held_out: Source, plan: Plan, part: str = "validation") -> None:
    """Refuse samples whose shapes the plan's model does not accept.

    Args:
        training: training samples.
        held_out: validation or test samples.
        plan: gives the model.
        part: "validation" or "test", what `held_out` is.
    """
    shape, *target = (field.shape for field in training.fields.values())
    other, *other_target = (field.shape for field in held_out.fields.values())
    origin = (plan.validation_data if part == "validation" else plan.test_data) or plan.data
    if plan.image_size is not None and tuple(shape[: len(plan.image_size)]) != plan.image_size:
        raise ValueError(
            f"Received: image_size={_by(plan.image_size)}, but {plan.data} holds samples of {_by(shape)}. Expected: no "
            "image_size, because these are not picture files."
        )
    if other[-1] != shape[-1] or len(other) != len(shape):
        raise ValueError(
            f"Received: training samples of {_by(shape)}, {part} samples of {_by(other)}. Expected: equally many "
            "sides and channels; for picture files, set data_option channels=rgb or grey."
        )
    if plan.is_adversarial and other != shape:
        raise ValueError(
            f"Received: training pictures of {_by(shape)}, {part} pictures of {_by(other)}, for a GAN. Expected: the "
            "same sides; for picture files, set image_size."
        )
    if needs_input(plan.loss):
        _check_equation(plan, shape)
    elif plan.predicts == "label":
        axes = plan.sides.axes
        if len(shape) - 1 not in axes:
            expected = f"{axes[0]} sides" if axes != (2,) else "height x width"
            raise ValueError(
                f"Received: samples of {_by(shape)} from {plan.data}, for model {plan.model}. Expected: {expected} x "
                "channels."
            )
    elif plan.predicts == "mask":
        _check_masks(shape, target[0], plan.data)
        _check_masks(other, other_target[0], origin)
    elif plan.predicts == "boxes":
        pass  # whose numbers differ between the parts
    elif len(other_target[0]) != len(target[0]) or other_target[0][-1:] != target[0][-1:]:
        raise ValueError(
            f"Received: training targets of {_by(target[0])}, {part} targets of {_by(other_target[0])}. Expected: "
            "equally many sides and values."
        )
    sees_whole = plan.predicts in ("mask", "boxes") or needs_input(plan.loss)
    if sees_whole or "crop_size" not in plan.augment:
        check_sides(shape, plan.data, plan)
        check_sides(other, origin, plan)
    _check_output(training, plan)
    _check_crop(shape, other, plan, part)


def check_agreement(
    plan: Plan, metrics: Sequence[str], shape: Sequence[int | None], classes: int
) -> None:
    """Refuse a loss or metrics that do not fit the model's predictions.

    Args:
        plan: gives the loss and the options.
        metrics: names of the metrics.
        shape: shape of a sample.
        classes: number of classes that the model predicts.
    """
    names = (plan.loss, *metrics)
    separate = plan.loss_option.get("outputs") == "separate"
    needs_several = plan.loss == "crossentropy" and not separate
    if classes == 1 and (needs_several or plan.loss in ("categorical_crossentropy", "nll")):
        raise ValueError(
            f"Received: loss={plan.loss} of one class, which is always 0. Expected: "
            "loss=binary_crossentropy, or 2 classes or more."
        )
    if plan.loss == "mse" and plan.predicts == "mask" and classes > 1:
        raise ValueError(
            f"Received: loss=mse for masks of {classes} classes, whose numbers are no values. Expected: one class, "
            "values as targets, or another loss."
        )
    weight = plan.loss_option.get("weight") if plan.loss == "nll" else None
    if weight is not None and len(weight) != classes:
        raise ValueError(
            f"Received: {len(weight)} weights in loss_option weight for {classes} classes. Expected: one per class."
        )
    if plan.loss == "focal" and plan.loss_option.get("alpha") is not None and classes > 1:
        raise ValueError(
            f"Received: loss_option alpha of loss focal with {classes} classes. Expected: no alpha, because it weights "
            "foreground against background."
        )
    for name in ("boundary_crossentropy", "hausdorff_95"):
        if name in names and plan.predicts != "mask":
            raise ValueError(
                f"Received: {name} for model {plan.model}, which predicts {PLURALS[plan.predicts]}. Expected: another "
                "loss or metric, because this one needs the edges of masks."
            )
    for name in metrics:
        if max(2, classes) <= _TOP_K.get(name, 0):
            raise ValueError(
                f"Received: metric {name} of {max(2, classes)} classes, which is always 1. Expected: more than "
                f"{_TOP_K[name]} classes, or another metric."
            )
    spacing = plan.metric_option.get("hausdorff_95", {}).get("spacing", (1.0,))
    if "hausdorff_95" in metrics and len(spacing) not in (1, len(shape) - 1):
        raise ValueError(
            f"Received: hausdorff_95.spacing={','.join(f'{size:g}' for size in spacing)} for pictures of "
            f"{len(shape) - 1} axes. Expected: one number, or one per axis."
        )


def _check_equation(plan: Plan, shape: tuple[int, ...]) -> None:
    """Refuse inputs that are not of the form that the plan's equation is for."""
    wanted = {"poisson_2d": (3,), "poisson_3d": (4,), "burgers": (2, 3)}.get(plan.loss)
    if wanted is not None and (len(shape) not in wanted or shape[-1] != 1):
        form = {
            "poisson_2d": "height x width x 1",
            "poisson_3d": "depth x height x width x 1",
            "burgers": "places x 1, or places x times x 1",
        }[plan.loss]
        raise ValueError(
            f"Received: samples of {_by(shape)} from {plan.data}, for loss {plan.loss}. Expected: {form}; or another "
            "loss."
        )


def _check_masks(shape: tuple[int, ...], mask: tuple[int, ...], origin: str) -> None:
    if len(shape) not in (2, 3, 4) or mask != (*shape[:-1], 1):
        raise ValueError(
            f"Received: pictures of {_by(shape)} with masks of {_by(mask)} from {origin}. Expected: height x width x "
            "channels with height x width x 1; volumes have a depth as well."
        )


def check_own_classes(source: Source, plan: Plan, own: int) -> None:
    """Refuse other classes than those that the plan's model has whatever the data."""
    what = f"the network {plan.model_option.get('file') or 'in layers'} has outputs"
    if plan.classes not in (0, own):
        raise ValueError(f"Received: classes={plan.classes}. Expected: {own}, as {what}.")
    names = source.class_names
    if plan.predicts in ("label", "boxes") and names and len(names) != own:
        raise ValueError(
            f"Received: {len(names)} classes in {plan.data} ({', '.join(names[:6])}{', ...' * (len(names) > 6)}). "
            f"Expected: {own}, as {what}."
        )


def _check_output(training: Source, plan: Plan) -> None:
    """Refuse a network from a file whose output has not the form of the targets, or of an equation's solution."""
    shape, *targets = (field.shape for field in training.fields.values())
    if "crop_size" in plan.augment and plan.predicts != "mask":
        return  # the network sees another size
    made = made_shape(plan.model, plan.model_option, shape)
    if made is None or plan.loss == NONE:
        return
    fits, expected = True, ""
    if needs_input(plan.loss):
        fits, expected = made[-1] == 1, f"one channel, for loss {plan.loss}"
    elif plan.predicts == "values":
        fits, expected = made == targets[0], f"{_by(targets[0])}, the shape of the targets"
    elif plan.predicts == "mask":
        fits, expected = made[:-1] == shape[:-1], "the pictures' size, a class for each pixel"
    if not fits:
        raise ValueError(
            f"Received: a network whose output is {_by(made)} for samples of {_by(shape)}. Expected: {expected}."
        )


def check_sides(shape: tuple[int, ...], origin: str, plan: Plan, what: str = "pictures") -> None:
    """Refuse sides, and channels, that the plan's model does not accept."""
    sides, needed = shape[:-1], plan.sides
    if needed.channels not in (None, shape[-1]) or needed.size not in (None, sides):
        built = (*(needed.size or ["any"] * needed.axes[0]), needed.channels)
        raise ValueError(
            f"Received: {what} of {_by(shape)} from {origin}, for model {plan.model}. Expected: {_by(built)}, for "
            "which it is built."
        )
    unit, least = needed.multiple, max(needed.multiple, needed.least)
    if len(sides) not in needed.axes:
        expected = "pictures; only model unet accepts volumes"
        if 2 not in needed.axes:
            expected = f"samples of {needed.axes[0]} sides"
        raise ValueError(
            f"Received: {what if len(sides) < 3 else 'volumes'} of {_by(sides)} from {origin}, for model {plan.model}. "
            f"Expected: {expected}."
        )
    if any(side % unit or side < least for side in sides):
        good = _by([max(least, side // unit * unit) for side in sides])
        remedy = "another image_size or a smaller depth" if plan.model == "unet" else "this size"
        expected = f"sides that {unit} divides, such as {good}" if unit > 1 else f"{good} at least"
        raise ValueError(
            f"Received: {what} of {_by(sides)} from {origin}, for model {plan.model}. Expected: {expected}: use "
            f"{remedy}."
        )


def _check_crop(shape: tuple[int, ...], other: tuple[int, ...], plan: Plan, part: str) -> None:
    augmentation = plan.augmentation()
    crop = shape[:-1] if augmentation is None else augmentation.crop_of(shape)
    what = "pictures" if crop == shape[:-1] else "crops"
    if augmentation is not None:
        check_sides((*crop, shape[-1]), plan.data, plan, "crops")
    if plan.sides.is_fixed and crop != other[:-1]:
        raise ValueError(
            f"Received: {what} of {_by(crop)}, but whole pictures of {_by(other[:-1])} for {part}, with model "
            f"{plan.model}. Expected: the same size, because this model is built for one."
        )


def _by(sides: Sequence[int | str | None]) -> str:
    return "x".join(map(str, sides))
