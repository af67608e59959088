"""The table of losses: a name and its options -> a Keras loss. Listing and checking import no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.ranges import Range

if TYPE_CHECKING:
    import keras

_FORMULAS = (
    "binary_crossentropy",
    "categorical_crossentropy",
    "dice",
    "dice_crossentropy",
    "jaccard",
    "tversky",
    "focal",
    "boundary_crossentropy",
)

LOSSES = BuilderTable(
    "loss",
    {name: f"ddl.training.objectives.loss_formulas:{name}" for name in _FORMULAS}
    | {"batch_dice": "ddl.training.objectives.loss_formulas:BatchDice"},
    ranges={
        "label_smoothing": Range(0, 1),
        "smooth": Range(1e-6),  # 0 would give 0/0 for two empty masks
        **dict.fromkeys(("dice_weight", "alpha", "beta", "gamma", "boundary_weight"), Range(0)),
        "focal.alpha": Range(0, 1),
        "radius": Range(1),
    },
)
"""All are means over samples, except "batch_dice", which warns that it is not."""


def build_loss(name: str, **options: Any) -> keras.losses.Loss:
    """Return one of `LOSSES` with options from `LOSSES.options(name)`, for targets and probabilities (N, ..., C).

    model.compile("adam", build_loss("dice_crossentropy", smooth=0.1))
    """
    if name == "batch_dice":
        loss: keras.losses.Loss = LOSSES.build(name, **options)
        return loss
    options, formula = LOSSES.check(name, **options), LOSSES.load(name)
    from ddl.training.objectives.loss_formulas import SampleLoss

    return SampleLoss(name, formula, options)
