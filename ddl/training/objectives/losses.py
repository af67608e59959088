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

EQUATIONS = ("poisson_2d", "poisson_3d", "burgers")
"""Losses of a model's input and output, which need no target."""

LOSSES = BuilderTable(
    "loss",
    {name: f"ddl.training.objectives.loss_formulas:{name}" for name in _FORMULAS}
    | {name: f"ddl.training.objectives.equation_losses:{name}" for name in EQUATIONS}
    | {"batch_dice": "ddl.training.objectives.loss_formulas:BatchDice"},
    ranges={
        "label_smoothing": Range(0, 1),
        "smooth": Range(1e-6),  # 0 would give 0/0 for two empty masks
        **dict.fromkeys(("dice_weight", "alpha", "beta", "gamma", "boundary_weight"), Range(0)),
        "focal.alpha": Range(0, 1),
        "radius": Range(1),
        **dict.fromkeys(("diffusion_coeff", "boundary_factor"), Range(0)),
        "end_time": Range(0, above=True),
    },
)
"""All are means over samples, except "batch_dice", which warns that it is not."""


def needs_input(name: str) -> bool:
    """Return whether a loss is one of the model's input and output: the steps pass the input in place of a target.

    A loss of your own says so by an attribute `needs_input = True`.
    """
    return name in EQUATIONS or bool(getattr(LOSSES.own.get(name), "needs_input", False))


def least_value(name: str) -> float | None:
    """Return the smallest input that a loss has a meaning for, or None."""
    return 0.0 if name in ("poisson_2d", "poisson_3d") else None


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
