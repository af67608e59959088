"""The formulas of losses, each of a sample alone: truth and probabilities (N, ..., C) -> (N,).

The truth has the shape of the probabilities, or is class numbers without the last axis. As a loss of a batch is the
mean of these, it does not depend on which samples share a batch or a rank.
"""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from ddl.training.objectives.targets import pixels, truth_like

_EPSILON = 1e-7  # Keras's own: keeps the logarithm finite


def binary_crossentropy(y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0) -> Any:
    """Return the mean over pixels and channels of -log of the probability of what is true.

    Args:
        label_smoothing: how much of the certainty goes to both answers alike, 0 to 1.
    """
    truth = truth_like(y_true, y_pred)
    truth = truth * (1 - label_smoothing) + label_smoothing / 2
    found = ops.clip(y_pred, _EPSILON, 1 - _EPSILON)
    entropy = -truth * ops.log(found) - (1 - truth) * ops.log(1 - found)
    return ops.mean(pixels(entropy), axis=(1, 2))


def categorical_crossentropy(y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0) -> Any:
    """Return the mean over pixels of -log of the probability of the true class.

    Args:
        label_smoothing: how much of the certainty goes to all classes alike, 0 to 1.
    """
    _need_several_classes(y_pred, "categorical_crossentropy", "binary_crossentropy")
    truth = truth_like(y_true, y_pred)
    truth = truth * (1 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return ops.mean(_entropy(pixels(truth), pixels(y_pred)), axis=1)


def dice(y_true: Any, y_pred: Any, *, smooth: float = 1.0) -> Any:
    """Return 1 - (2|A and B| + smooth) / (|A| + |B| + smooth), a mean over classes.

    Args:
        smooth: pixels added to both parts, so that two empty masks agree.
    """
    both, truth, found = _sums(y_true, y_pred)
    return 1 - ops.mean((2 * both + smooth) / (truth + found + smooth), axis=1)


def dice_crossentropy(
    y_true: Any, y_pred: Any, *, dice_weight: float = 1.0, smooth: float = 1.0
) -> Any:
    """Return `dice_weight` times Dice plus cross-entropy, binary for one channel.

    Args:
        dice_weight: of Dice, against 1 of the cross-entropy.
        smooth: that of Dice.
    """
    entropy = _entropy(pixels(truth_like(y_true, y_pred)), pixels(y_pred))
    return dice_weight * dice(y_true, y_pred, smooth=smooth) + ops.mean(entropy, axis=1)


def jaccard(y_true: Any, y_pred: Any, *, smooth: float = 1.0) -> Any:
    """Return 1 - (|A and B| + smooth) / (|A or B| + smooth), a mean over classes.

    Args:
        smooth: pixels added to both parts, so that two empty masks agree.
    """
    both, truth, found = _sums(y_true, y_pred)
    return 1 - ops.mean((both + smooth) / (truth + found - both + smooth), axis=1)


def tversky(
    y_true: Any, y_pred: Any, *, alpha: float = 0.3, beta: float = 0.7, smooth: float = 1.0
) -> Any:
    """Return 1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth), a mean over classes (Salehi et al. 2017).

    Args:
        alpha: what a pixel found wrongly costs.
        beta: what a missed pixel costs; 0.5 for both is Dice.
        smooth: pixels added to both parts, so that two empty masks agree.
    """
    both, truth, found = _sums(y_true, y_pred)
    whole = both + alpha * (found - both) + beta * (truth - both)
    return 1 - ops.mean((both + smooth) / (whole + smooth), axis=1)


def focal(y_true: Any, y_pred: Any, *, gamma: float = 2.0, alpha: float | None = None) -> Any:
    """Return the cross-entropy, each pixel times (1 - its probability) ** gamma (Lin et al. 2017).

    Args:
        gamma: how little a pixel that is right already counts; 0 is the cross-entropy.
        alpha: the share of the foreground in the weights, 0 to 1, for one channel only; none for equal ones.
    """
    truth, found = pixels(truth_like(y_true, y_pred)), pixels(y_pred)
    found = ops.clip(found, _EPSILON, 1 - _EPSILON)
    if found.shape[-1] > 1:
        if alpha is not None:
            raise ValueError(
                f"Received: alpha={alpha} with {found.shape[-1]} classes. Expected: one channel, or no alpha."
            )
        return ops.mean(ops.sum(-truth * (1 - found) ** gamma * ops.log(found), axis=2), axis=1)
    first, second = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    positive = -first * truth * (1 - found) ** gamma * ops.log(found)
    negative = -second * (1 - truth) * found**gamma * ops.log(1 - found)
    return ops.mean(positive + negative, axis=(1, 2))


def boundary_crossentropy(
    y_true: Any, y_pred: Any, *, boundary_weight: float = 5.0, radius: int = 2
) -> Any:
    """Return the cross-entropy, pixels near a true boundary weighing more: their weighted mean.

    Args:
        boundary_weight: what a pixel near a boundary weighs more than the 1 of others.
        radius: how far "near" reaches, in pixels along each axis.
    """
    truth = truth_like(y_true, y_pred)
    if len(truth.shape) < 4:
        raise ValueError(
            f"Received: predictions of shape {tuple(y_pred.shape)}. Expected: masks (N, H, W, C) or (N, D, H, W, C)."
        )
    size = 2 * radius + 1
    grown = ops.max_pool(truth, size, strides=1, padding="same")
    shrunk = -ops.max_pool(-truth, size, strides=1, padding="same")
    near = ops.max(pixels(grown - shrunk), axis=2)
    weights = 1 + boundary_weight * near
    entropy = _entropy(pixels(truth), pixels(y_pred))
    return ops.sum(weights * entropy, axis=1) / ops.sum(weights, axis=1)


class SampleLoss(keras.losses.Loss):
    """The mean over samples of one of the formulas above."""

    def __init__(self, name: str, formula: Any, options: dict[str, Any]) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self._formula = formula
        self._options = options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return a value a sample, (N,)."""
        return self._formula(y_true, y_pred, **self._options)


class BatchDice(keras.losses.Loss):
    """Dice over all pixels of a batch at once, as in many published scripts: a number that N ranks give differently.

    Args:
        smooth: pixels added to both parts.
    """

    def __init__(self, *, smooth: float = 1.0) -> None:
        super().__init__(name="batch_dice", reduction="none")
        self._smooth = smooth
        warnings.warn(
            "Received: loss 'batch_dice', which is of a rank's batch as a whole. What is learned will depend on the "
            "number of ranks. Expected: 'dice', a mean over samples, unless old results must be matched.",
            stacklevel=2,
        )

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return one number; a sample of weight 0 does not count."""
        found = ops.cast(ops.convert_to_tensor(y_pred), self.dtype)
        truth = pixels(truth_like(ops.convert_to_tensor(y_true), found))
        found = pixels(found)
        if sample_weight is not None:
            counts = ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1, 1)) > 0
            truth, found = ops.where(counts, truth, 0.0), ops.where(counts, found, 0.0)
        both, either = ops.sum(truth * found), ops.sum(truth) + ops.sum(found)
        return 1 - (2 * both + self._smooth) / (either + self._smooth)


def _entropy(truth: Any, found: Any) -> Any:
    """Return the cross-entropy of each pixel, binary for one channel: (N, places, C) -> (N, places)."""
    found = ops.clip(found, _EPSILON, 1 - _EPSILON)
    entropy = -truth * ops.log(found)
    if found.shape[-1] == 1:
        entropy -= (1 - truth) * ops.log(1 - found)
    return ops.sum(entropy, axis=2)


def _sums(y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """Return |A and B|, |A| and |B| of true and found masks, each (N, C)."""
    truth, found = pixels(truth_like(y_true, y_pred)), pixels(y_pred)
    return ops.sum(truth * found, axis=1), ops.sum(truth, axis=1), ops.sum(found, axis=1)


def _need_several_classes(y_pred: Any, name: str, other: str) -> None:
    if y_pred.shape[-1] == 1:
        raise ValueError(
            f"Received: {name} with one channel, of which it cannot learn. Expected: {other}, or two classes or more."
        )
