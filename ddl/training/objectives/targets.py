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


def pixels(values: Any) -> Any:
    """Flatten the spatial axes into one: (N, ..., C) -> (N, pixels, C)."""
    return ops.reshape(values, (ops.shape(values)[0], -1, values.shape[-1]))


def decided(probabilities: Any) -> Any:
    """Return the predicted classes as 0 and 1: above 0.5 for one channel, the argmax for several."""
    if probabilities.shape[-1] == 1:
        return ops.cast(ops.greater(probabilities, 0.5), probabilities.dtype)
    best = ops.argmax(probabilities, axis=-1)
    return ops.one_hot(best, probabilities.shape[-1], dtype=probabilities.dtype)


def hard_masks(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return true and predicted masks of 0 and 1, both (N, ..., C); several classes lose class 0 (background)."""
    truth, predicted = truth_like(y_true, y_pred), decided(y_pred)
    if y_pred.shape[-1] > 1:
        truth, predicted = truth[..., 1:], predicted[..., 1:]
    return truth, predicted
