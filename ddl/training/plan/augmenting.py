"""Checks that the augmentation and the mixing of a plan fit its model. No TensorFlow here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddl.training.plan.plan import Plan


def check_augmenting(plan: Plan) -> None:
    """Refuse `augment` and `mix` with values out of range, or that need labels where the model predicts masks."""
    # The constructors refuse options out of range.
    augmentation, mixing = plan.augmentation(), plan.mixing()
    if augmentation is not None and plan.predicts == "mask":
        augmentation.check_masks()
    if mixing is None:
        return
    for wrong, received, expected in (
        (
            plan.predicts != "label",
            f"for model {plan.model}, which predicts masks",
            "no mix, or a model that predicts labels",
        ),
        (
            plan.ignore_index is not None,
            f"with loss_option ignore_index={plan.ignore_index}",
            "one of them; a mixed label has parts of two classes",
        ),
        (
            mixing.off_epochs >= plan.epochs,
            f"with off_epochs={mixing.off_epochs} of {plan.epochs} epochs",
            "fewer, or no mix",
        ),
    ):
        if wrong:
            raise ValueError(f"Received: mix {received}. Expected: {expected}.")
