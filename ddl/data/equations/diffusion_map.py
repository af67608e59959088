"""Smooth random maps of a diffusion coefficient: exponentials of a few random waves."""

from __future__ import annotations

import numpy as np


def diffusion_map(
    index: int, sides: tuple[int, ...], seed: int, *, modes: int = 6, contrast: float = 2.0
) -> np.ndarray:
    """Return a map of positive numbers, (*sides, 1) float32, drawn from (seed, index).

    Its logarithm is a sum of products of cosines, scaled so that the largest magnitude is `contrast`.

    Args:
        index: number of the sample.
        sides: nodes along each axis, 2 or more.
        seed: seed of all samples.
        modes: number of waves; each has at most 2 periods along an axis.
        contrast: largest magnitude of the logarithm: 2 means coefficients between 0.14 and 7.4.
    """
    rng = np.random.Generator(np.random.PCG64([seed, index]))
    logarithm = np.zeros(sides)
    for _ in range(modes):
        wave: np.ndarray = np.full((1,) * len(sides), rng.normal())
        for axis, side in enumerate(sides):
            turns, phase = rng.uniform(0.25, 2.0), rng.uniform(0, 2 * np.pi)
            cosine = np.cos(2 * np.pi * turns * np.linspace(0, 1, side) + phase)
            wave = wave * cosine.reshape(-1, *[1] * (len(sides) - axis - 1))
        logarithm = logarithm + wave
    logarithm *= contrast / max(np.abs(logarithm).max(), 1e-12)
    return np.exp(logarithm)[..., None].astype(np.float32)
