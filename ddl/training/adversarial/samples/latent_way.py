"""The spherical way from one latent vector to another. NumPy alone."""

from __future__ import annotations

import numpy as np

_PARALLEL = 1e-6


def spherical_way(first: np.ndarray, second: np.ndarray, count: int) -> np.ndarray:
    """Return `count` vectors from `first` to `second`, both included, at equal angles.

    Draws of a normal distribution in many dimensions lie near a sphere. The straight way between two of them leaves
    it, so that the middle would be unlike any vector of training; this one keeps to it.

    Args:
        first: (d,), not 0.
        second: (d,), not 0. Opposite or parallel vectors have no one shortest way, and get the straight one.
        count: at least 2.

    Returns:
        (count, d), float32.
    """
    start, end = (np.asarray(vector, np.float64) for vector in (first, second))
    parts = np.linspace(0, 1, count)[:, None]
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    cosine = float(np.clip(start @ end / (lengths[0] * lengths[1]), -1, 1))
    angle = np.arccos(cosine)
    if np.sin(angle) < _PARALLEL:
        return np.asarray((1 - parts) * start + parts * end, np.float32)
    weights = np.sin((1 - parts) * angle) / np.sin(angle), np.sin(parts * angle) / np.sin(angle)
    directions = weights[0] * start / lengths[0] + weights[1] * end / lengths[1]
    return np.asarray(directions * ((1 - parts) * lengths[0] + parts * lengths[1]), np.float32)
