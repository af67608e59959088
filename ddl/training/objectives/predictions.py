"""Brings a network's output to what formulas and metrics take: probabilities or their logarithms."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

EPSILON = 1e-7  # as in Keras; keeps the logarithm finite


def probabilities(outputs: Any, activation: str) -> Any:
    """Return the probabilities of outputs (N, ..., C), by one of `ddl.data.preprocessing.ACTIVATIONS`."""
    if activation == "exp":
        return ops.exp(outputs)
    if activation == "sigmoid":
        return ops.sigmoid(outputs)
    return ops.softmax(outputs, axis=-1) if activation == "softmax" else outputs


def log_probabilities(outputs: Any, activation: str) -> Any:
    """Return the logarithms of the probabilities, from log-probabilities and logits without rounding to 0."""
    if activation == "exp":
        return outputs
    if activation == "sigmoid":
        return ops.log_sigmoid(outputs)
    if activation == "softmax":
        return ops.log_softmax(outputs, axis=-1)
    return ops.log(ops.maximum(outputs, EPSILON))


def of_probabilities(metric: keras.metrics.Metric, activation: str) -> keras.metrics.Metric:
    """Make a metric take a network's outputs, and return it: it then sees their probabilities, in its own dtype."""
    if activation == "none":
        return metric
    update = metric.update_state

    def update_state(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        outputs = ops.cast(ops.convert_to_tensor(y_pred), metric.dtype)
        return update(y_true, probabilities(outputs, activation), sample_weight)

    metric.update_state = update_state
    return metric
