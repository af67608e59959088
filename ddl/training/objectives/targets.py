"""Bring targets and predictions to the same shape, for losses and metrics."""

from __future__ import annotations

from typing import Any

from keras import ops


def truth_like(y_true: Any, y_pred: Any) -> Any:
    """Return the targets in the shape of the predictions (N, ..., C); class numbers become one-hot.

    Args:
        y_true: (N, ..., C), or class numbers (N, ...) or (N, ..., 1).
        y_pred: probabilities (N, ..., C).
    """
    classes, rank = y_pred.shape[-1], len(y_pred.shape)
    same_rank = len(y_true.shape) == rank
    if same_rank and y_true.shape[-1] == classes:
        return ops.cast(y_true, y_pred.dtype)
    if same_rank and y_true.shape[-1] == 1:
        y_true, same_rank = ops.squeeze(y_true, axis=-1), False
    if same_rank or len(y_true.shape) != rank - 1:
        raise ValueError(
            f"Received: targets of shape {tuple(y_true.shape)}, predictions of shape {tuple(y_pred.shape)}. Expected: "
            "the same shape, or class numbers without the last axis."
        )
    if classes == 1:
        return ops.cast(ops.expand_dims(y_true, axis=-1), y_pred.dtype)
    return ops.one_hot(ops.cast(y_true, "int32"), classes, dtype=y_pred.dtype)


def truth_and_weights(y_true: Any, y_pred: Any, ignore_index: int | None) -> tuple[Any, Any]:
    """Return the targets as `truth_like` does, and a weight per pixel.

    Args:
        y_true: (N, ..., C), or class numbers (N, ...) or (N, ..., 1).
        y_pred: probabilities (N, ..., C).
        ignore_index: class number of pixels to leave out; None for none.

    Returns:
        The targets, (N, ..., C), and weights, (N, ..., 1): 0 for pixels to leave out, where the targets are 0, too, and
        1 for all others. None in place of the weights if all pixels count.
    """
    if ignore_index is None:
        return truth_like(y_true, y_pred), None
    rank = len(y_pred.shape)
    numbers = ops.expand_dims(y_true, axis=-1) if len(y_true.shape) == rank - 1 else y_true
    if len(numbers.shape) != rank or numbers.shape[-1] != 1:
        raise ValueError(
            f"Received: ignore_index={ignore_index} with targets of shape {tuple(y_true.shape)}. Expected: class "
            "numbers, not one-hot targets."
        )
    counts = ops.not_equal(ops.cast(numbers, "float32"), float(ignore_index))
    weights = ops.cast(counts, y_pred.dtype)
    truth = truth_like(ops.where(counts, numbers, ops.zeros_like(numbers)), y_pred)
    return truth * weights, weights


def weighted_mean(values: Any, weights: Any) -> Any:
    """Return each sample's mean over the pixels that count; 0 for a sample without any.

    Args:
        values: (N, pixels) or (N, pixels, C), whose channels are averaged, too.
        weights: (N, pixels, 1) of 0 and 1; None if all pixels count.
    """
    axes = tuple(range(1, len(values.shape)))
    if weights is None:
        return ops.mean(values, axis=axes)
    if len(values.shape) == 2:
        weights = weights[..., 0]
    channels = values.shape[-1] if len(values.shape) == 3 else 1
    count = ops.sum(weights, axis=axes) * channels
    return ops.sum(values * weights, axis=axes) / ops.maximum(count, 1)


def some_pixel_counts(weights: Any, sample_weight: Any) -> Any:
    """Return the sample weights (N,), 0 for samples of which no pixel counts.

    Args:
        weights: (N, ..., 1) of 0 and 1; None if all pixels count.
        sample_weight: (N,) or None for 1.
    """
    if weights is None:
        return sample_weight
    some = ops.max(pixels(weights), axis=(1, 2))
    if sample_weight is None:
        return some
    return some * ops.reshape(ops.cast(sample_weight, some.dtype), (-1,))


def pixels(values: Any) -> Any:
    """Flatten the spatial axes into one: (N, ..., C) -> (N, pixels, C)."""
    return ops.reshape(values, (ops.shape(values)[0], -1, values.shape[-1]))


def decided(probabilities: Any) -> Any:
    """Return the predicted classes as 0 and 1: above 0.5 for one channel, the argmax for several."""
    if probabilities.shape[-1] == 1:
        return ops.cast(ops.greater(probabilities, 0.5), probabilities.dtype)
    best = ops.argmax(probabilities, axis=-1)
    return ops.one_hot(best, probabilities.shape[-1], dtype=probabilities.dtype)


def hard_masks(
    y_true: Any, y_pred: Any, ignore_index: int | None = None, *, background: bool = False
) -> tuple[Any, Any, Any]:
    """Return true and predicted masks of 0 and 1, both (N, ..., C), and the weights of `truth_and_weights`.

    Several classes lose class 0, unless `background` is set. Pixels to leave out are 0 in both masks.
    """
    truth, weights = truth_and_weights(y_true, y_pred, ignore_index)
    predicted = decided(y_pred)
    if weights is not None:
        predicted *= weights
    if y_pred.shape[-1] > 1 and not background:
        truth, predicted = truth[..., 1:], predicted[..., 1:]
    return truth, predicted, weights
