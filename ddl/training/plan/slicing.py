"""Checks of the fields that cut one large array into slices, and put their predictions together again."""

from __future__ import annotations

from ddl.data.slicing.slicer import parse_slicers
from ddl.training.plan.fields import PlanFields

SLICE_OPTIONS = ("keys", "range", "memory_limit")
"""Options of the data format that hold for slices, too."""


def check_slicing(plan: PlanFields, predicts: str) -> None:
    """Refuse slicers that no array could be cut by, and settings that have no meaning with them, or without them.

    Args:
        plan: the plan.
        predicts: what its model predicts.
    """
    parse_slicers(plan.slicer)
    moved = [text for text in (*plan.transform, *plan.input_transform) if _moves(text)]
    others = [name for name in plan.data_option if name not in SLICE_OPTIONS]
    for wrong, received, expected in (
        (
            plan.slicer and plan.fold is not None,
            f"fold={plan.fold} with slicer",
            "one of them; a file of folds holds samples, not one array",
        ),
        (
            plan.slicer and plan.image_size is not None,
            f"image_size={plan.image_size} with slicer",
            "no image_size; sizes of the slicer are those of a sample",
        ),
        (
            plan.slicer and predicts in ("label", "boxes"),
            f"slicer for model {plan.model}, which predicts {'boxes' if predicts == 'boxes' else 'labels'}",
            "a model that predicts masks or values, because targets are cut as inputs are",
        ),
        (
            plan.slicer and others,
            f"data_option {', '.join(others)} with slicer",
            f"options among {', '.join(SLICE_OPTIONS)}",
        ),
        (
            plan.assembled_output is not None and not plan.slicer,
            f"assembled_output={plan.assembled_output} without slicer",
            "both; it puts the predictions of slices together",
        ),
        (
            plan.assembled_output is not None and moved,
            f"assembled_output={plan.assembled_output} with the transform {', '.join(moved)}",
            "one of them; predictions would stand at other places than their slices",
        ),
        (
            plan.assembled_precision != "single" and plan.assembled_output is None,
            f"assembled_precision={plan.assembled_precision} without assembled_output",
            "both",
        ),
    ):
        if wrong:
            raise ValueError(f"Received: {received}. Expected: {expected}.")


def _moves(text: str) -> bool:
    """Return whether a transform of every sample moves its values to other places."""
    return text.partition("=")[0] in ("resize", "center_crop", "rotate")
