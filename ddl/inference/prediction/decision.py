"""From probabilities to masks and classes: the rules that files, SQL and evaluation share."""

from __future__ import annotations

import numpy as np


def decide(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Return the mask, uint8 (...): 1 above the threshold of one channel, else the most probable class."""
    if probabilities.shape[-1] == 1:
        above: np.ndarray = probabilities[..., 0] > threshold
        return above.astype(np.uint8)
    best: np.ndarray = probabilities.argmax(axis=-1)
    return best.astype(np.uint8)


def every_class(probabilities: np.ndarray) -> np.ndarray:
    """Return the probability of every class of a label; a single probability is that of class 1 of two."""
    if len(probabilities) > 1:
        return probabilities
    return np.concatenate([1 - probabilities, probabilities])
