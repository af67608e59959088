"""Checks that the augmentation and the mixing of a plan fit its model. No TensorFlow here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddl.data.batches.augmentation import Augmentation
    from ddl.data.batches.mixing import Mixing


PLURALS = {"mask": "masks", "label": "labels", "values": "values", "boxes": "boxes"}


def check_augmenting(
    augmentation: Augmentation | None,
    mixing: Mixing | None,
    *,
    model: str,
    predicts: str,
    ignore_index: int | None,
    epochs: int,
) -> None:
    """Refuse what needs labels where the model predicts masks, and mixing that would have no effect or no meaning."""
    if augmentation is not None and predicts == "boxes":
        augmentation.check_boxes()
    elif augmentation is not None and predicts != "label":
        augmentation.check_masks()
    if mixing is None:
        return
    for wrong, received, expected in (
        (
            mixing.mosaic > 0 and predicts != "boxes",
            f"mosaic for model {model}, which predicts {PLURALS[predicts]}",
            "no mosaic, or a model that predicts boxes",
        ),
        (
            not mixing.mosaic and predicts != "label",
            f"for model {model}, which predicts {PLURALS[predicts]}",
            "mosaic" if predicts == "boxes" else "no mix, or a model that predicts labels",
        ),
        (
            ignore_index is not None,
            f"with loss_option ignore_index={ignore_index}",
            "one of them; a mixed label has parts of two classes",
        ),
        (
            mixing.off_epochs >= epochs,
            f"with off_epochs={mixing.off_epochs} of {epochs} epochs",
            "fewer, or no mix",
        ),
    ):
        if wrong:
            raise ValueError(f"Received: mix {received}. Expected: {expected}.")
