"""The transforms of a plan: checks, and what others need to know of them. No TensorFlow here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddl.data.transforms.table import parse_transforms
from ddl.training.plan.fields import PlanFields

if TYPE_CHECKING:
    from ddl.data.transforms.chain import Chain


def check_transforms(plan: PlanFields, predicts: str) -> None:
    """Refuse transforms that the plan's targets do not take, and two sizes for one picture."""
    lists = (plan.transform, plan.input_transform, plan.target_transform)
    if not any(lists):
        return
    if predicts == "boxes":
        raise ValueError(
            "Received: transforms for a model that predicts boxes. Expected: augment, which moves boxes with pictures."
        )
    plan_chain(plan).check(predicts)
    if "central_crop" in plan.augment and (plan.transform or plan.input_transform):
        raise ValueError(
            "Received: augment central_crop with transform. Expected: transform center_crop in its place."
        )
    resizes = any(stated.is_resize for texts in lists for stated in parse_transforms(texts))
    if resizes and plan.image_size is not None:
        size = "x".join(map(str, plan.image_size))
        raise ValueError(
            f"Received: image_size={size} with a resize in transform. Expected: one of them."
        )


def plan_chain(plan: PlanFields) -> Chain:
    """Return the plan's transforms."""
    from ddl.data.transforms.chain import Chain  # imports SciPy, which --help does not need

    return Chain(plan.transform, plan.input_transform, plan.target_transform)


def input_size(plan: PlanFields) -> tuple[int, int] | None:
    """Return the size that picture files of inputs are resized to when they are read, by `transform`; None for none."""
    return _size((*plan.transform, *plan.input_transform))


def target_size(plan: PlanFields) -> tuple[int, int] | None:
    """Return the same of targets."""
    return _size((*plan.transform, *plan.target_transform))


def _size(texts: tuple[str, ...]) -> tuple[int, int] | None:
    if not texts:
        return None
    from ddl.data.transforms.chain import first_resize

    return first_resize(texts)


def input_transforms(plan: PlanFields) -> tuple[str, ...]:
    """Return the transforms of inputs that a user of the model must apply, too."""
    if not (plan.transform or plan.input_transform):
        return ()
    from ddl.data.transforms.chain import fixed_inputs

    return fixed_inputs(plan.transform, plan.input_transform)


def mask_numbers(plan: PlanFields) -> list[tuple[float, float]]:
    """Return mean and deviation of each `normalize` that the plan has for masks, in order."""
    stated = parse_transforms((*plan.transform, *plan.target_transform))
    return [one.value for one in stated if one.name == "normalize"]  # type: ignore[misc]
