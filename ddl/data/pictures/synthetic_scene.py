"""Noisy pictures of several cells of different shapes with the box of each, generated from a seed.

Cells may overlap and reach over the picture's edge. A box is that of the pixels that can be seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

SHAPES = ("disk", "ring", "rod", "square", "cross")
_STREAM = 5  # separates these draws from others with the same seed
_RADIUS = (0.07, 0.17)  # fraction of the picture's shorter side
_TRIES = 8
_SEEN, _INSIDE = 0.7, 0.5
"""Least fraction of a cell that another one leaves visible, and of one that lies inside the picture."""
_NOISE = 12  # standard deviation, of 255
_LEAST_PIXELS = 6
_BACKGROUND, _STAIN = (150, 215), (0.25, 0.6)


@dataclass(frozen=True)
class Scene:
    """A picture and its cells.

    Attributes:
        picture: (height, width, channels) uint8.
        owner: (height, width) int16, the number of the cell that is seen there, -1 for none.
        classes: (cells,) int64, the number of each cell's shape in `SHAPES`.
        corners: (cells, 4) int64: x0, y0, x1, y1 in pixels, the ends not included.
    """

    picture: np.ndarray
    owner: np.ndarray
    classes: np.ndarray
    corners: np.ndarray


def scene(
    index: int, sides: tuple[int, int], *, channels: int, classes: int, most: int, seed: int
) -> Scene:
    """Return the scene of this index, with 1 to `most` cells of the first `classes` shapes: always the same."""
    rng = np.random.Generator(np.random.PCG64([seed, index, _STREAM]))
    owner = np.full(sides, -1, np.int16)
    kinds: list[int] = []
    sizes: list[int] = []
    for _ in range(int(rng.integers(1, most + 1))):
        kind = int(rng.integers(classes))
        for _ in range(_TRIES):
            if _placed(rng, owner, SHAPES[kind], sizes):
                kinds.append(kind)
                break
    corners = np.array([_corners(owner == cell) for cell in range(len(kinds))]).reshape(-1, 4)
    picture = _painted(rng, owner, len(kinds), channels)
    return Scene(picture, owner, np.array(kinds, np.int64), corners)


def _placed(rng: np.random.Generator, owner: np.ndarray, shape: str, sizes: list[int]) -> bool:
    """Put a cell over the others at a random place, unless it would hide too much of one, or is mostly outside."""
    radius = rng.uniform(*_RADIUS) * min(owner.shape)
    radius = max(radius, 3.0)
    centre = rng.uniform(0, 1, 2) * owner.shape
    angle = rng.uniform(0, math.pi)
    reach = math.ceil(radius) + 1
    first = np.floor(centre).astype(int) - reach
    down, right = (
        np.arange(n, n + 2 * reach + 1) + 0.5 - c for n, c in zip(first, centre, strict=True)
    )
    inside = _inside(shape, down[:, None], right, radius, angle)
    whole = int(inside.sum())
    low = np.maximum(first, 0)
    high = np.minimum(first + 2 * reach + 1, owner.shape)
    area = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    inside = inside[tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))]
    own = int(inside.sum())
    if own < max(_LEAST_PIXELS, _INSIDE * whole):
        return False
    place = owner[area]
    cells = len(sizes)
    hidden = np.bincount(place[inside & (place >= 0)], minlength=cells)
    left = np.bincount(owner[owner >= 0], minlength=cells) - hidden
    if any(count < _SEEN * size for count, size in zip(left.tolist(), sizes, strict=True)):
        return False
    place[inside] = cells
    sizes.append(own)
    return True


def _inside(
    shape: str, down: np.ndarray, right: np.ndarray, radius: float, angle: float
) -> np.ndarray:
    """Return which pixels a cell covers, given their places from its centre."""
    if shape in ("disk", "ring"):
        distance = np.hypot(down, right)
        whole: np.ndarray = distance < radius
        return whole & (distance > 0.55 * radius) if shape == "ring" else whole
    along = np.abs(math.cos(angle) * down + math.sin(angle) * right)
    across = np.abs(math.cos(angle) * right - math.sin(angle) * down)
    if shape == "rod":
        return np.asarray((along < radius) & (across < max(0.35 * radius, 1)))
    if shape == "square":
        return np.asarray(np.maximum(along, across) < 0.7 * radius)
    thin, long = np.minimum(along, across), np.maximum(along, across)
    return np.asarray((thin < max(0.2 * radius, 1)) & (long < radius))


def _corners(seen: np.ndarray) -> tuple[int, int, int, int]:
    """Return x0, y0, x1, y1 of the pixels that are set."""
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _painted(rng: np.random.Generator, owner: np.ndarray, cells: int, channels: int) -> np.ndarray:
    """Return the picture: light that falls off to one side, stained cells, noise; (height, width, channels) uint8."""
    height, width = owner.shape
    light = np.float32(rng.uniform(*_BACKGROUND))
    slope = rng.uniform(-40, 40, 2).astype(np.float32)
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    columns = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    ground = light + slope[0] * rows + slope[1] * columns
    stains = np.ones((cells + 1, channels), np.float32)  # the last one, -1, is the background
    stains[:cells] = 1 - rng.uniform(*_STAIN, (cells, 1)) * rng.uniform(0.7, 1.0, (cells, channels))
    picture = ground[..., None] * stains[owner]
    picture += rng.standard_normal(picture.shape, np.float32) * _NOISE
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
