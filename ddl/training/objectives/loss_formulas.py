"""Losses of single pixels and labels, one value per sample: targets and probabilities (N, ..., C) -> (N,).

Targets have the shape of the probabilities, or are class numbers without the last axis. The loss of a batch is the mean
over samples, so it does not depend on how samples are distributed over batches and ranks.

Pixels of the class `ignore_index` have the weight 0 in the loss of their sample, whose mean is over its other pixels. A
sample without other pixels has a loss of 0, and counts as a sample.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from ddl.training.objectives.overlap_formulas import dice
from ddl.training.objectives.predictions import EPSILON, log_probabilities, probabilities
from ddl.training.objectives.sources import AUTO, activation_of
from ddl.training.objectives.targets import pixels, truth_and_weights, truth_like, weighted_mean


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
    predicted = ops.clip(y_pred, EPSILON, 1 - EPSILON)
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


def crossentropy(y_true: Any, y_pred: Any, *, outputs: str = "exclusive") -> Any:
    """Return the cross-entropy whose gradient for logits is output minus target, averaged over pixels.

    The other formulas clip probabilities, so a network that is sure and wrong has no gradient there.

    Args:
        outputs: "exclusive" takes outputs for the probabilities of one class each, as softmax makes them; "separate"
            takes each for itself, as sigmoid makes them, and sums their binary cross-entropies.
    """
    is_exclusive = outputs == "exclusive"
    if is_exclusive:
        _need_several_classes(y_pred, "crossentropy", "outputs=separate")
    truth = pixels(truth_like(y_true, y_pred))
    logits = _logits(y_pred, "Softmax" if is_exclusive else "Sigmoid")
    if logits is None:
        entropy = -truth * _log(pixels(y_pred))
        if not is_exclusive:
            entropy -= (1 - truth) * _log(1 - pixels(y_pred))
        return ops.mean(ops.sum(entropy, axis=2), axis=1)
    if is_exclusive:
        return ops.mean(ops.categorical_crossentropy(truth, pixels(logits), True), axis=1)
    entropy = ops.binary_crossentropy(truth, pixels(logits), from_logits=True)
    return ops.mean(ops.sum(entropy, axis=2), axis=1)


def _logits(y_pred: Any, operation: str) -> Any | None:
    """Return what an operation made probabilities of, as Keras's own losses look for it.

    None outside of a compiled step, or where another operation made them.
    """
    if not hasattr(y_pred, "graph"):  # eager
        return None
    return y_pred.op.inputs[0] if y_pred.op.type == operation else None


_LEAST = 1e-37  # in float32, its logarithm and its reciprocal are finite


def _log(probability: Any) -> Any:
    return ops.log(ops.maximum(probability, _LEAST))


def nll(
    y_true: Any,
    y_pred: Any,
    *,
    weight: tuple[float, ...] | None = None,
    ignore_index: int | None = None,
) -> Any:
    """Return the negative log-likelihood of the true class, averaged over pixels. `y_pred` has log-probabilities.

    The mean over pixels and samples is of weighted values, and is not divided by the sum of their weights: torch
    divides by that of the whole batch, which differs from rank to rank.

    Args:
        weight: weight of each class, such as 1,3.5; none weighs all by 1.
        ignore_index: class number of pixels to leave out, such as 255 or -1.
    """
    _need_several_classes(y_pred, "nll", "binary_crossentropy")
    truth, counts = _truth_and_weights(y_true, y_pred, ignore_index)
    likelihood = truth * y_pred
    if weight is not None:
        if len(weight) != y_pred.shape[-1]:
            raise ValueError(
                f"Received: {len(weight)} weights of loss nll for {y_pred.shape[-1]} classes. Expected: one per class."
            )
        likelihood *= ops.convert_to_tensor(weight, dtype=y_pred.dtype)
    return weighted_mean(ops.sum(pixels(-likelihood), axis=2), counts)


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
    predicted = ops.clip(predicted, EPSILON, 1 - EPSILON)
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
    """A Keras loss: the mean over samples of a formula of probabilities, `nll` being one of their logarithms.

    Args:
        name: name of the loss.
        formula: targets and predictions -> one value per sample.
        options: keyword arguments of the formula.
        source: what the network ends in, see `ddl.training.objectives.sources`; None for a formula of its output.
    """

    def __init__(
        self, name: str, formula: Any, options: dict[str, Any], source: str | None = AUTO
    ) -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self._formula, self._options, self._source = formula, options, source

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value per sample, (N,)."""
        if self._source is not None:
            activation = activation_of(self.name, self._source, y_pred.shape[-1])
            convert = log_probabilities if self.name == "nll" else probabilities
            y_pred = convert(y_pred, activation)
        return self._formula(y_true, y_pred, **self._options)


def _entropy(truth: Any, predicted: Any) -> Any:
    """Return the cross-entropy of each pixel, binary for one channel: (N, pixels, C) -> (N, pixels)."""
    predicted = ops.clip(predicted, EPSILON, 1 - EPSILON)
    entropy = -truth * ops.log(predicted)
    if predicted.shape[-1] == 1:
        entropy -= (1 - truth) * ops.log(1 - predicted)
    return ops.sum(entropy, axis=2)


def _truth_and_weights(y_true: Any, y_pred: Any, ignore_index: int | None) -> tuple[Any, Any]:
    """Return the targets like the predictions, and the weight of each pixel (N, pixels, 1) or None for 1."""
    truth, weights = truth_and_weights(y_true, y_pred, ignore_index)
    return truth, None if weights is None else pixels(weights)


def _need_several_classes(y_pred: Any, name: str, other: str) -> None:
    if y_pred.shape[-1] == 1:
        raise ValueError(
            f"Received: {name} with one channel, for which it is always 0. Expected: {other}, or two classes or more."
        )
