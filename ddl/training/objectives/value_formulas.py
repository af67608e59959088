"""Losses of a network's values as they are, one per sample: targets and outputs (N, ..., C) -> (N,)."""

from __future__ import annotations

from typing import Any

from keras import ops

from ddl.training.objectives.targets import truth_like


def mse(y_true: Any, y_pred: Any) -> Any:
    """Return the squared error, averaged over all values of a sample. Class numbers become one-hot."""
    return _means(ops.square(_values_like(y_true, y_pred, "mse") - y_pred))


def wasserstein(y_true: Any, y_pred: Any) -> Any:
    """Return the mean of -y p over all values of a sample: a critic's score p, for targets y of -1 and 1."""
    return _means(-_values_like(y_true, y_pred, "wasserstein") * y_pred)


def none(y_true: Any, y_pred: Any) -> Any:
    """Return 0: nothing is compared, for outputs alone. It trains nothing; `epochs` must be 0."""
    return ops.zeros_like(_means(y_pred))


def _values_like(y_true: Any, y_pred: Any, name: str) -> Any:
    """Return the targets in the shape of the outputs; never one-hot targets of values with another channel count."""
    truth, outputs = y_true.shape[1:], y_pred.shape[1:]
    if len(truth) == len(outputs) and truth[-1:] != outputs[-1:]:
        raise ValueError(
            f"Received: loss {name} of targets of shape {tuple(y_true.shape)} and outputs of shape "
            f"{tuple(y_pred.shape)}. Expected: equally many channels."
        )
    return truth_like(y_true, y_pred)


def _means(values: Any) -> Any:
    return ops.mean(values, axis=tuple(range(1, len(values.shape))))
