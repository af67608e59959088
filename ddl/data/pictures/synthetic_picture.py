"""Realistic microscope pictures with masks, generated from a seed: data for a first run without a download."""

from __future__ import annotations

import numpy as np


def microscope_picture(index: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture of stained cells and their mask: the same for the same index, size and seed.

    The picture is float32 of shape (size, size, 3), from 0 to 1. The mask is float32 of shape (size, size, 1), 1 in a
    cell. Light falls off to one side, cells vary in stain and focus, and there is dirt.
    """
    from scipy import ndimage  # takes 0.3 s on a slow machine, and --help does not need it

    rng = np.random.default_rng([seed, index])
    rows, columns = np.mgrid[0:size, 0:size] / size
    mask = np.zeros((size, size))
    stain = np.zeros((size, size))
    for _ in range(rng.integers(4, 11)):
        cell = _blob(rng, rows, columns)
        mask = np.maximum(mask, cell)
        stain = np.maximum(stain, cell * rng.uniform(0.35, 0.9))
    texture = ndimage.gaussian_filter(rng.normal(size=(size, size)), 2) * 0.5
    stain = ndimage.gaussian_filter(stain * (1 + texture), rng.uniform(0.5, 1.5))
    dirt = sum(_blob(rng, rows, columns, largest=0.02) for _ in range(rng.integers(0, 5)))
    light = 0.85 + 0.25 * (rows * rng.uniform(-1, 1) + columns * rng.uniform(-1, 1))
    colour = np.array([0.25, 0.75, 0.35]) * rng.uniform(0.7, 1.1)
    picture = (
        light[..., None] * (1 - stain[..., None] * colour) - 0.2 * np.minimum(dirt, 1)[..., None]
    )
    picture += rng.normal(scale=0.03, size=picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32), mask[..., None].astype(np.float32)


def _blob(
    rng: np.random.Generator, rows: np.ndarray, columns: np.ndarray, largest: float = 0.13
) -> np.ndarray:
    """Return 1 inside a wavy ellipse at a random place, else 0."""
    row, column = rng.uniform(0.02, 0.98, size=2)
    radius = rng.uniform(0.4, 1) * largest
    angle = np.arctan2(rows - row, columns - column)
    waves = sum(
        rng.normal(scale=0.06) * np.cos(k * angle + rng.uniform(0, 6)) for k in (2, 3, 4, 5)
    )
    stretch = rng.uniform(0.7, 1.4)
    distance = np.hypot((rows - row) * stretch, (columns - column) / stretch)
    return np.where(distance < radius * (1 + waves), 1.0, 0.0)
