"""The loss functions, one value per sample: targets and predicted probabilities (N, ..., C) -> (N,).

Targets have the shape of the probabilities, or are class numbers without the last axis. The loss of a batch is the mean
over samples, so it does not depend on how samples are distributed over batches and ranks.

Pixels of the class `ignore_index` have the weight 0 in the loss of their sample, whose mean is over its other pixels. A
sample without other pixels has a loss of 0, and counts as a sample.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from ddl.training.objectives.targets import pixels, truth_and_weights, weighted_mean

_EPSILON = 1e-7  # as in Keras; keeps the logarithm finite


def binary_crossentropy(
    y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0, ignore_index: int | None = None
) -> Any:
    """Return the binary cross-entropy, averaged over pixels and channels.

    Args:
        label_smoothing: fraction of the target probability spread evenly over both classes, 0 to 1.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    truth, weights = _truth_and_weights(y_true, y_pred, ignore_index)
    truth = truth * (1 - label_smoothing) + label_smoothing / 2
    predicted = ops.clip(y_pred, _EPSILON, 1 - _EPSILON)
    entropy = -truth * ops.log(predicted) - (1 - truth) * ops.log(1 - predicted)
    return weighted_mean(pixels(entropy), weights)


def categorical_crossentropy(
    y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0, ignore_index: int | None = None
) -> Any:
    """Return the categorical cross-entropy, averaged over pixels.

    Args:
        label_smoothing: fraction of the target probability spread evenly over all classes, 0 to 1.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    _need_several_classes(y_pred, "categorical_crossentropy", "binary_crossentropy")
    truth, weights = _truth_and_weights(y_true, y_pred, ignore_index)
    truth = truth * (1 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return weighted_mean(_entropy(pixels(truth), pixels(y_pred)), weights)


def dice(y_true: Any, y_pred: Any, *, smooth: float = 1.0, ignore_index: int | None = None) -> Any:
    """Return the Dice loss, 1 - (2|A and B| + smooth) / (|A| + |B| + smooth), averaged over classes.

    Args:
        smooth: pixels added to numerator and denominator, so that two empty masks give a loss of 0.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    both, truth, predicted = _sums(y_true, y_pred, ignore_index)
    return 1 - ops.mean((2 * both + smooth) / (truth + predicted + smooth), axis=1)


def dice_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    dice_weight: float = 1.0,
    smooth: float = 1.0,
    ignore_index: int | None = None,
) -> Any:
    """Return `dice_weight` times the Dice loss plus the cross-entropy (binary for one channel).

    Args:
        dice_weight: weight of the Dice loss; the cross-entropy has weight 1.
        smooth: smoothing of the Dice loss, see `dice`.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    truth, weights = _truth_and_weights(y_true, y_pred, ignore_index)
    entropy = weighted_mean(_entropy(pixels(truth), pixels(y_pred)), weights)
    overlap = dice(y_true, y_pred, smooth=smooth, ignore_index=ignore_index)
    return dice_weight * overlap + entropy


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


def focal(
    y_true: Any,
    y_pred: Any,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    ignore_index: int | None = None,
) -> Any:
    """Return the cross-entropy with each pixel weighted by (1 - p) ** gamma, p its true class's probability.

    Lin et al. 2017.

    Args:
        gamma: focusing parameter: the larger, the less well-classified pixels count; 0 gives the cross-entropy.
        alpha: weight of the foreground, 0 to 1 (background: 1 - alpha), for one channel only; none weighs both by 1.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    whole, weights = _truth_and_weights(y_true, y_pred, ignore_index)
    truth, predicted = pixels(whole), pixels(y_pred)
    predicted = ops.clip(predicted, _EPSILON, 1 - _EPSILON)
    if predicted.shape[-1] > 1:
        if alpha is not None:
            raise ValueError(
                f"Received: alpha={alpha} with {predicted.shape[-1]} classes. Expected: one channel, or no alpha."
            )
        each = ops.sum(-truth * (1 - predicted) ** gamma * ops.log(predicted), axis=2)
        return weighted_mean(each, weights)
    first, second = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    positive = -first * truth * (1 - predicted) ** gamma * ops.log(predicted)
    negative = -second * (1 - truth) * predicted**gamma * ops.log(1 - predicted)
    return weighted_mean(positive + negative, weights)


def boundary_crossentropy(
    y_true: Any,
    y_pred: Any,
    *,
    boundary_weight: float = 5.0,
    radius: int = 2,
    ignore_index: int | None = None,
) -> Any:
    """Return a weighted mean of the cross-entropy in which pixels near a true boundary count more.

    Args:
        boundary_weight: extra weight of pixels near a boundary; all others have weight 1.
        radius: largest distance to a boundary that counts as near, in pixels along each axis.
        ignore_index: class number of pixels to leave out; they make no boundary.
    """
    truth, counted = truth_and_weights(y_true, y_pred, ignore_index)
    if len(truth.shape) < 4:
        raise ValueError(
            f"Received: predictions of shape {tuple(y_pred.shape)}. Expected: masks (N, H, W, C) or (N, D, H, W, C)."
        )
    size = 2 * radius + 1
    grown = ops.max_pool(truth, size, strides=1, padding="same")
    # A pixel to leave out is 0 where the largest value counts, and 1 where the smallest does.
    least = truth if counted is None else truth + 1 - counted
    shrunk = -ops.max_pool(-least, size, strides=1, padding="same")
    near = ops.max(pixels(grown - shrunk), axis=2)
    entropy = _entropy(pixels(truth), pixels(y_pred))
    if counted is None:
        weights = 1 + boundary_weight * near
        return ops.sum(weights * entropy, axis=1) / ops.sum(weights, axis=1)
    weights = (1 + boundary_weight * ops.maximum(near, 0)) * pixels(counted)[..., 0]
    return ops.sum(weights * entropy, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1)


class SampleLoss(keras.losses.Loss):
    """A Keras loss: the mean over samples of one of the functions above."""

    def __init__(self, name: str, formula: Any, options: dict[str, Any]) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self._formula = formula
        self._options = options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value per sample, (N,)."""
        return self._formula(y_true, y_pred, **self._options)


class BatchDice(keras.losses.Loss):
    """Dice over all pixels of a batch at once, as in many published scripts. Its value depends on the number of ranks.

    Args:
        smooth: pixels added to numerator and denominator.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """

    def __init__(self, *, smooth: float = 1.0, ignore_index: int | None = None) -> None:
        super().__init__(name="batch_dice", reduction="none")
        self._smooth, self._ignored = smooth, ignore_index
        warnings.warn(
            "Received: loss 'batch_dice', which is computed over a rank's whole batch. Results will depend on the "
            "number of ranks. Expected: 'dice', a mean over samples, unless you must match old results.",
            stacklevel=2,
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return a scalar; samples of weight 0 are left out."""
        predicted = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        whole, weights = truth_and_weights(ops.convert_to_tensor(y_true), predicted, self._ignored)
        truth = pixels(whole)
        predicted = pixels(predicted if weights is None else predicted * weights)
        if sample_weight is not None:
            counts = ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1, 1)) > 0
            truth, predicted = ops.where(counts, truth, 0.0), ops.where(counts, predicted, 0.0)
        both, either = ops.sum(truth * predicted), ops.sum(truth) + ops.sum(predicted)
        return 1 - (2 * both + self._smooth) / (either + self._smooth)


def _entropy(truth: Any, predicted: Any) -> Any:
    """Return the cross-entropy of each pixel, binary for one channel: (N, pixels, C) -> (N, pixels)."""
    predicted = ops.clip(predicted, _EPSILON, 1 - _EPSILON)
    entropy = -truth * ops.log(predicted)
    if predicted.shape[-1] == 1:
        entropy -= (1 - truth) * ops.log(1 - predicted)
    return ops.sum(entropy, axis=2)


def _truth_and_weights(y_true: Any, y_pred: Any, ignore_index: int | None) -> tuple[Any, Any]:
    """Return the targets like the predictions, and the weight of each pixel (N, pixels, 1) or None for 1."""
    truth, weights = truth_and_weights(y_true, y_pred, ignore_index)
    return truth, None if weights is None else pixels(weights)


def _sums(y_true: Any, y_pred: Any, ignore_index: int | None) -> tuple[Any, Any, Any]:
    """Return |A and B|, |A| and |B| of true and predicted masks, each (N, C)."""
    whole, weights = _truth_and_weights(y_true, y_pred, ignore_index)
    truth, predicted = pixels(whole), pixels(y_pred)
    if weights is not None:
        predicted *= weights
    return ops.sum(truth * predicted, axis=1), ops.sum(truth, axis=1), ops.sum(predicted, axis=1)


def _need_several_classes(y_pred: Any, name: str, other: str) -> None:
    if y_pred.shape[-1] == 1:
        raise ValueError(
            f"Received: {name} with one channel, for which it is always 0. Expected: {other}, or two classes or more."
        )
