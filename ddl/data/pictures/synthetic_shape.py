"""Noisy pictures of a disc, a ring, a square or a cross, generated from a seed: a class for each shape."""

from __future__ import annotations

import numpy as np

SHAPES = ("cross", "disc", "ring", "square")


def shape_picture(index: int, size: int, seed: int = 0) -> tuple[np.ndarray, str]:
    """Return a picture and the name of its shape: the same for the same index, size and seed.

    The picture is uint8 of shape (size, size, 3). Shapes take turns, one an index.
    """
    rng = np.random.default_rng([seed, index, 2])
    shape = SHAPES[index % len(SHAPES)]
    row, column = rng.uniform(0.35, 0.65, 2)
    rows, columns = np.mgrid[0:size, 0:size] / size
    angle, radius = rng.uniform(0, np.pi / 2), rng.uniform(0.15, 0.3)
    down, right = rows - row, columns - column
    along = np.cos(angle) * down + np.sin(angle) * right
    across = np.cos(angle) * right - np.sin(angle) * down
    inside = _inside(shape, along / radius, across / radius)
    colours = rng.uniform(0.15, 0.85, (2, 3))
    colours[1] = colours[0] + np.where(colours[0] > 0.5, -1, 1) * rng.uniform(0.25, 0.6, 3)
    picture = colours[inside.astype(int)] + rng.normal(0, 0.06, (size, size, 3))
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8), shape


def _inside(shape: str, along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return where a shape of radius 1 is."""
    farther, nearer = (
        np.maximum(np.abs(along), np.abs(across)),
        np.minimum(np.abs(along), np.abs(across)),
    )
    distance = np.hypot(along, across)
    inside: np.ndarray = {
        "cross": (nearer < 0.25) & (farther < 1),
        "disc": distance < 0.9,
        "ring": (distance < 1) & (distance > 0.6),
        "square": farther < 0.8,
    }[shape]
    return inside
