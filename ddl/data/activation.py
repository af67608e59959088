"""What turns a model's output into probabilities, where it gives logarithms of them or logits. No TensorFlow here."""

from __future__ import annotations

import numpy as np


def activated(values: np.ndarray, activation: str) -> np.ndarray:
    """Return the probabilities of outputs (..., C), in their dtype; the same array for "none".

    Args:
        values: outputs.
        activation: one of `ddl.data.preprocessing.ACTIVATIONS`.
    """
    if activation == "none":
        return values
    if activation == "exp":
        found = np.exp(values)
    elif activation == "sigmoid":
        found = (1 + np.tanh(values / 2)) / 2  # does not overflow
    else:
        found = np.exp(values - values.max(axis=-1, keepdims=True))
        found /= found.sum(axis=-1, keepdims=True)
    return np.asarray(found, values.dtype)
