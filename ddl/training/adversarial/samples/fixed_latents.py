"""Latent vectors that are the same whenever they are asked for: of scores, of pictures, and of scripts/predict.py."""

from __future__ import annotations

import numpy as np

SHOWN, SCORED, ASKED = 1, 2, 3
"""Purposes: pictures of a run, its scores, and the samples that a user asks for."""


def fixed_latents(seed: int, purpose: int, numbers: np.ndarray, size: int) -> np.ndarray:
    """Return latent vectors (n, size) of these numbers, each of which depends on seed, purpose and number alone."""
    rows = [
        np.random.Generator(
            np.random.Philox(key=[seed, purpose], counter=[0, 0, 0, int(number)])
        ).standard_normal(size)
        for number in numbers
    ]
    return np.asarray(rows, np.float32).reshape(len(numbers), size)
