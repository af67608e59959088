"""Realistic microscope volumes with masks, generated from a seed: stained cells in a block of tissue, for 3D models."""

from __future__ import annotations

import numpy as np


def microscope_volume(index: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume of bright cells and their mask: the same for the same index, size and seed.

    The volume is float32 of shape (size, size, size, 1), from 0 to 1. The mask is float32 of the same shape, 1 in a
    cell. Deeper layers are darker and more blurred, because tissue absorbs and scatters light.
    """
    from scipy import ndimage  # takes 0.3 s on a slow machine, and --help does not need it

    rng = np.random.default_rng([seed, index, 3])
    axes = np.mgrid[0:size, 0:size, 0:size] / size
    mask = np.zeros((size,) * 3)
    stain = np.zeros((size,) * 3)
    for _ in range(rng.integers(3, 8)):
        cell = _ellipsoid(rng, axes)
        mask = np.maximum(mask, cell)
        stain = np.maximum(stain, cell * rng.uniform(0.4, 0.9))
    texture = ndimage.gaussian_filter(rng.normal(size=mask.shape), 1.5)
    sharp = stain * (1 + texture) + 0.1
    blurred = ndimage.gaussian_filter(sharp, (1.5, 0.7, 0.7))
    depth = axes[0]
    volume = (sharp * (1 - depth) + blurred * depth) * (1 - 0.35 * depth)
    volume += rng.normal(scale=0.03, size=volume.shape)
    return np.clip(volume, 0, 1)[..., None].astype(np.float32), mask[..., None].astype(np.float32)


def _ellipsoid(rng: np.random.Generator, axes: np.ndarray) -> np.ndarray:
    """Return 1 inside a randomly placed and rotated ellipsoid, else 0."""
    centre = rng.uniform(0.15, 0.85, size=3)
    radii = rng.uniform(0.09, 0.2, size=3)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    offsets = np.tensordot(turn, axes - centre[:, None, None, None], axes=1)
    distance = np.sqrt(((offsets / radii[:, None, None, None]) ** 2).sum(axis=0))
    return np.where(distance < 1, 1.0, 0.0)
