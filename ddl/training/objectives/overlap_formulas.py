"""Losses of the overlap of masks, one value per sample: targets and probabilities (N, ..., C) -> (N,)."""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from ddl.training.objectives.predictions import probabilities
from ddl.training.objectives.sources import activation_of
from ddl.training.objectives.targets import pixels, truth_and_weights


def dice(y_true: Any, y_pred: Any, *, smooth: float = 1.0, ignore_index: int | None = None) -> Any:
    """Return the Dice loss, 1 - (2|A and B| + smooth) / (|A| + |B| + smooth), averaged over classes.

    Args:
        smooth: pixels added to numerator and denominator, so that two empty masks give a loss of 0.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    both, truth, predicted = _sums(y_true, y_pred, ignore_index)
    return 1 - ops.mean((2 * both + smooth) / (truth + predicted + smooth), axis=1)


def jaccard(
    y_true: Any, y_pred: Any, *, smooth: float = 1.0, ignore_index: int | None = None
) -> Any:
    """Return the Jaccard (IoU) loss, 1 - (|A and B| + smooth) / (|A or B| + smooth), averaged over classes.

    Args:
        smooth: pixels added to numerator and denominator, so that two empty masks give a loss of 0.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    both, truth, predicted = _sums(y_true, y_pred, ignore_index)
    return 1 - ops.mean((both + smooth) / (truth + predicted - both + smooth), axis=1)


def tversky(
    y_true: Any,
    y_pred: Any,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    smooth: float = 1.0,
    ignore_index: int | None = None,
) -> Any:
    """Return 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), averaged over classes (Salehi et al. 2017).

    Args:
        alpha: weight of false positives.
        beta: weight of false negatives; 0.5 for both gives Dice.
        smooth: pixels added to numerator and denominator, so that two empty masks give a loss of 0.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    both, truth, predicted = _sums(y_true, y_pred, ignore_index)
    whole = both + alpha * (predicted - both) + beta * (truth - both)
    return 1 - ops.mean((both + smooth) / (whole + smooth), axis=1)


def lovasz(
    y_true: Any, y_pred: Any, *, present_only: bool = True, ignore_index: int | None = None
) -> Any:
    """Return the Lovasz extension of the IoU loss, averaged over classes (Berman et al. 2018).

    It is the convex extension of 1 - IoU from masks to probabilities: at probabilities of 0 and 1 both are equal.

    Args:
        present_only: average over the classes that a sample's mask holds, not over all; one channel always counts.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    truth, weights = truth_and_weights(y_true, y_pred, ignore_index)
    truth, errors = pixels(truth), ops.abs(pixels(truth) - pixels(y_pred))
    if weights is not None:
        errors *= pixels(weights)  # without an error a pixel adds nothing
    each = _lovasz_extension(truth, errors)
    if not present_only or y_pred.shape[-1] == 1:
        return ops.mean(each, axis=1)
    present = ops.cast(ops.max(truth, axis=1) > 0, each.dtype)
    return ops.sum(each * present, axis=1) / ops.maximum(ops.sum(present, axis=1), 1)


def _lovasz_extension(truth: Any, errors: Any) -> Any:
    """Return the extension for masks of 0 and 1 and errors, both (N, pixels, C) -> (N, C)."""
    order = ops.argsort(-errors, axis=1)
    errors, truth = (ops.take_along_axis(values, order, axis=1) for values in (errors, truth))
    both = ops.sum(truth, axis=1, keepdims=True) - ops.cumsum(truth, axis=1)
    either = both + ops.cumsum(ops.ones_like(truth), axis=1)
    # The loss of a mask in which this pixel and all with larger errors are wrong.
    losses = 1 - both / either
    before = ops.pad(losses[:, :-1], ((0, 0), (1, 0), (0, 0)))
    return ops.sum(errors * (losses - before), axis=1)


class BatchDice(keras.losses.Loss):
    """Dice over all pixels of a batch at once, as in many published scripts. Its value depends on the number of ranks.

    Args:
        smooth: pixels added to numerator and denominator.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
        source: what the network ends in; see `ddl.training.objectives.sources`.
    """

    def __init__(
        self, *, smooth: float = 1.0, ignore_index: int | None = None, source: str = "auto"
    ) -> None:
        super().__init__(name="batch_dice", reduction="none")
        self._smooth, self._ignored, self._source = smooth, ignore_index, source
        warnings.warn(
            "Received: loss 'batch_dice', which is computed over a rank's whole batch. Results will depend on the "
            "number of ranks. Expected: 'dice', a mean over samples, unless you must match old results.",
            stacklevel=2,
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return a scalar; samples of weight 0 are left out."""
        outputs = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        activation = activation_of(self.name, self._source, outputs.shape[-1])
        predicted = probabilities(outputs, activation)
        whole, weights = truth_and_weights(ops.convert_to_tensor(y_true), predicted, self._ignored)
        truth = pixels(whole)
        predicted = pixels(predicted if weights is None else predicted * weights)
        if sample_weight is not None:
            counts = ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1, 1)) > 0
            truth, predicted = ops.where(counts, truth, 0.0), ops.where(counts, predicted, 0.0)
        both, either = ops.sum(truth * predicted), ops.sum(truth) + ops.sum(predicted)
        return 1 - (2 * both + self._smooth) / (either + self._smooth)


def _sums(y_true: Any, y_pred: Any, ignore_index: int | None) -> tuple[Any, Any, Any]:
    """Return |A and B|, |A| and |B| of true and predicted masks, each (N, C)."""
    whole, weights = truth_and_weights(y_true, y_pred, ignore_index)
    truth, predicted = pixels(whole), pixels(y_pred)
    if weights is not None:
        predicted *= pixels(weights)
    return ops.sum(truth * predicted, axis=1), ops.sum(truth, axis=1), ops.sum(predicted, axis=1)
