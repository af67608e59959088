"""The table of losses: a name and its options -> a Keras loss. Listing and checking import no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddl.builder_table import BuilderTable
from ddl.options import Option, read_options
from ddl.ranges import Range
from ddl.training.objectives.sources import AUTO, OPTION, SOURCES

if TYPE_CHECKING:
    import keras

_ROOM = "ddl.training.objectives"
_FORMULAS = {
    "binary_crossentropy": f"{_ROOM}.loss_formulas:binary_crossentropy",
    "categorical_crossentropy": f"{_ROOM}.loss_formulas:categorical_crossentropy",
    "crossentropy": f"{_ROOM}.loss_formulas:crossentropy",
    "nll": f"{_ROOM}.loss_formulas:nll",
    "dice": f"{_ROOM}.overlap_formulas:dice",
    "dice_crossentropy": f"{_ROOM}.loss_formulas:dice_crossentropy",
    "jaccard": f"{_ROOM}.overlap_formulas:jaccard",
    "tversky": f"{_ROOM}.overlap_formulas:tversky",
    "lovasz": f"{_ROOM}.overlap_formulas:lovasz",
    "focal": f"{_ROOM}.loss_formulas:focal",
    "boundary_crossentropy": f"{_ROOM}.loss_formulas:boundary_crossentropy",
    "batch_dice": f"{_ROOM}.overlap_formulas:BatchDice",
}
"""Losses of probabilities. They have the option `source`."""
_VALUES = {
    "mse": f"{_ROOM}.value_formulas:mse",
    "wasserstein": f"{_ROOM}.value_formulas:wasserstein",
}
"""Losses of a network's output as it is."""
BOX_LOSSES = {"yolo": "anchors", "fcos": "points"}
"""Losses of detectors -> the kind of layout that they are for."""


def _read(builder: str) -> dict[str, Option]:
    """Return the options of a loss; those of probabilities share `source`."""
    options = read_options(builder)
    return {**options, OPTION.name: OPTION} if builder in _FORMULAS.values() else options


_JOINT = ("softmax", "log_softmax", "logits")
"""Sources of which `activation_of` makes the probabilities of one class each."""


def _check_outputs(given: dict[str, Any], defaults: dict[str, Any], owner: str) -> None:
    """Refuse separate outputs of a network that makes none."""
    values = {**defaults, **given}
    if values.get("outputs") == "separate" and values.get("source") in _JOINT:
        raise ValueError(
            f"Received: outputs=separate with source={values['source']} for {owner}. Expected: a network that ends in "
            "sigmoid, or outputs=exclusive."
        )


EQUATIONS = ("poisson_2d", "poisson_3d", "burgers")
"""Losses of a model's input and output, which need no target."""
NONE = "none"
"""No loss, and so no target either: for a model's outputs alone."""

LOSSES = BuilderTable(
    "loss",
    {
        **_FORMULAS,
        **_VALUES,
        **{name: f"{_ROOM}.boxes.box_losses:{name}" for name in BOX_LOSSES},
        **{name: f"{_ROOM}.equation_losses:{name}" for name in EQUATIONS},
        NONE: f"{_ROOM}.value_formulas:none",
    },
    hidden=("layout", "sides"),  # of a detector
    ranges={
        "label_smoothing": Range(0, 1),
        "smooth": Range(1e-7),  # 0 would give 0/0 for two empty masks
        **dict.fromkeys(("dice_weight", "alpha", "beta", "gamma", "boundary_weight"), Range(0)),
        "focal.alpha": Range(0, 1),
        "radius": Range(1),
        "weight": Range(0),
        **dict.fromkeys(("diffusion_coeff", "boundary_factor"), Range(0)),
        "end_time": Range(0, above=True),
        **dict.fromkeys(("box_weight", "empty_weight", "class_weight", "centre_weight"), Range(0)),
        "ignore_above": Range(0, 1),
        "fcos.alpha": Range(0, 1),
    },
    choices={
        OPTION.name: SOURCES,
        "residual": ("balance", "pointwise"),
        "outputs": ("exclusive", "separate"),
    },
    rule=_check_outputs,
    read=_read,
)
"""All are means over samples, except "batch_dice", which warns that it is not."""


def needs_input(name: str) -> bool:
    """Return whether a loss is one of the model's input and output: the steps pass the input in place of a target.

    A loss of your own says so by an attribute `needs_input = True`.
    """
    return name in (*EQUATIONS, NONE) or bool(getattr(LOSSES.own.get(name), "needs_input", False))


def least_value(name: str) -> float | None:
    """Return the smallest input that a loss has a meaning for, or None."""
    return 0.0 if name in ("poisson_2d", "poisson_3d") else None


def build_loss(name: str, **options: Any) -> keras.losses.Loss:
    """Return one of `LOSSES` with options from `LOSSES.options(name)`, for targets and predictions (N, ..., C).

        model.compile("adam", build_loss("dice_crossentropy", smooth=0.1))

    Predictions are probabilities, unless the option `source` says log_softmax or logits. "mse" and "wasserstein" take
    any values. "yolo" and "fcos" take rows of boxes and raw predictions, and need the `layout` of the detector and the
    `sides` of its input.
    """
    if name == "batch_dice":
        loss: keras.losses.Loss = LOSSES.build(name, **options)
        return loss
    given = {key: options.pop(key) for key in LOSSES.hidden if key in options}
    options, formula = {**given, **LOSSES.check(name, **options)}, LOSSES.load(name)
    from ddl.training.objectives.loss_formulas import SampleLoss

    source = options.pop("source", AUTO) if name in _FORMULAS else None
    return SampleLoss(name, formula, options, source)


def loss_of_probabilities(name: str, **options: Any) -> keras.losses.Loss:
    """Return a loss of a trained model, whose outputs have been turned into probabilities already."""
    if "source" in LOSSES.options(name):
        options["source"] = "probability"
    return build_loss(name, **options)
