"""What turns a model's output into probabilities, where it gives logarithms of them or logits. No TensorFlow here."""

from __future__ import annotations

import numpy as np

ACTIVATIONS = ("none", "exp", "sigmoid", "softmax")
"""For outputs that are probabilities, log-probabilities, and logits of separate channels or of classes."""


def activated(values: np.ndarray, activation: str) -> np.ndarray:
    """Return the probabilities of outputs (..., C), in their dtype; the same array for "none"."""
    if activation == "exp":
        return np.exp(values)
    if activation == "sigmoid":
        half: np.ndarray = values / 2  # tanh does not overflow
        return ((1 + np.tanh(half)) / 2).astype(values.dtype)
    if activation == "softmax":
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), values.dtype)
    return values
