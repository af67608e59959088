"""The one table of losses: a name and its options -> a Keras loss. Listing and checking load no framework."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ddl import options as opts
from ddl.ranges import Range, check_ranges

if TYPE_CHECKING:
    import keras

_FORMULAS = "ddl.training.loss_formulas"

LOSSES = {
    "binary_crossentropy": f"{_FORMULAS}:binary_crossentropy",
    "categorical_crossentropy": f"{_FORMULAS}:categorical_crossentropy",
    "dice": f"{_FORMULAS}:dice",
    "dice_crossentropy": f"{_FORMULAS}:dice_crossentropy",
    "jaccard": f"{_FORMULAS}:jaccard",
    "tversky": f"{_FORMULAS}:tversky",
    "focal": f"{_FORMULAS}:focal",
    "boundary_crossentropy": f"{_FORMULAS}:boundary_crossentropy",
    "batch_dice": f"{_FORMULAS}:BatchDice",
}
"""Name -> formula. All are means over samples but "batch_dice", which warns of it."""

_RANGES = {
    "label_smoothing": Range(0, 1),
    "smooth": Range(1e-6),  # of two empty masks 0 would make 0/0
    "dice_weight": Range(0),
    "alpha": Range(0),
    "beta": Range(0),
    "gamma": Range(0),
    "boundary_weight": Range(0),
    "radius": Range(1),
}
_RANGES_OF = {"focal": {"alpha": Range(0, 1)}}


def build_loss(name: str, **options: Any) -> keras.losses.Loss:
    """Return the loss of this name, of truth and probabilities (N, ..., C).

    Args:
        name: one of `LOSSES`.
        **options: those of `loss_options(name)`.
    """
    options = check_loss(name, **options)
    formula = opts.load(LOSSES[name])
    if isinstance(formula, type):
        return formula(**options)
    from ddl.training.loss_formulas import SampleLoss

    return SampleLoss(name, formula, options)


def check_loss(name: str, /, **options: Any) -> dict[str, Any]:
    """Return the options, each of its type; refuse an unknown name or option, and a value out of its range."""
    values = opts.convert_values(options, loss_options(name), f"loss {name}")
    check_ranges(values, _RANGES | _RANGES_OF.get(name, {}), f"loss {name}")
    return values


def loss_options(name: str) -> dict[str, opts.Option]:
    """Return the options of a loss: name -> type, default and help."""
    if name not in LOSSES:
        raise ValueError(f"Unknown loss. Received: {name!r}. Expected one of: {', '.join(LOSSES)}.")
    return opts.read_options(LOSSES[name])


def parse_loss_options(name: str, texts: Iterable[str]) -> dict[str, Any]:
    """Return the options that texts such as "smooth=0" give a loss, as `build_loss` takes them."""
    options = opts.parse_options(texts, loss_options(name), f"loss {name}")
    return check_loss(name, **options)
