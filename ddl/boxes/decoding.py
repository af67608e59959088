"""From a detector's output to boxes with scores, and the numbers of its positions."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from ddl.boxes.layout import BOX_NUMBERS, FIRST_CLASS, OBJECT, Layout

LARGEST = 8.0
"""Exponents are cut off here: a box of 3,000 times its anchor is none, and infinite ones spoil a mean."""


@dataclass(frozen=True)
class Positions:
    """The positions of a layout for one size of input, in its order; all in pixels of the input.

    Attributes:
        corners: (positions, 2) x and y of the cell's upper left corner.
        strides: (positions,) side of the cell.
        anchors: (positions, 2) width and height of the anchor; of points the stride twice.
        levels: (positions,) number of the level.
    """

    corners: np.ndarray
    strides: np.ndarray
    anchors: np.ndarray
    levels: np.ndarray

    @property
    def centres(self) -> np.ndarray:
        """The cells' centres, (positions, 2)."""
        return np.asarray(self.corners + self.strides[:, None] / 2)


@functools.lru_cache(maxsize=16)
def positions_of(layout: Layout, sides: tuple[int, int]) -> Positions:
    """Return the positions for an input of this height and width."""
    corners, strides, anchors, levels = [], [], [], []
    for number, (level, rows, columns) in enumerate(layout.grids(sides)):
        per_cell = level.positions_per_cell
        x, y = np.meshgrid(np.arange(columns), np.arange(rows))
        cells = np.stack([x.ravel(), y.ravel()], axis=1) * float(level.stride)
        corners.append(np.repeat(cells, per_cell, axis=0))
        strides.append(np.full(len(cells) * per_cell, float(level.stride)))
        own = np.array(level.anchors or ((level.stride, level.stride),), float)
        anchors.append(np.tile(own, (len(cells), 1)))
        levels.append(np.full(len(cells) * per_cell, number))
    return Positions(*map(np.concatenate, (corners, strides, anchors, levels)))


def decode(
    raw: np.ndarray, layout: Layout, sides: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes and scores of a raw prediction.

    Args:
        raw: (positions, 5 + classes).
        layout: what it is.
        sides: height and width of the model's input.

    Returns:
        Boxes (positions, 4) as fractions of width and height, which may reach beyond the picture, and scores
        (positions, classes) from 0 to 1.
    """
    wanted = (layout.positions(sides), FIRST_CLASS + layout.classes)
    if raw.shape != wanted:
        raise ValueError(
            f"Received: a prediction of shape {raw.shape} for an input of {sides[0]}x{sides[1]}. Expected: {wanted}, "
            "by the model's layout."
        )
    values, places = raw.astype(np.float64), positions_of(layout, sides)
    numbers = values[:, :BOX_NUMBERS]
    if layout.kind == "anchors":
        centres = places.corners + _sigmoid(numbers[:, :2]) * places.strides[:, None]
        half = places.anchors * np.exp(np.minimum(numbers[:, 2:], LARGEST)) / 2
        boxes = np.concatenate([centres - half, centres + half], axis=1)
    else:
        reach = np.exp(np.minimum(numbers, LARGEST)) * places.strides[:, None]
        boxes = np.concatenate(
            [places.centres - reach[:, :2], places.centres + reach[:, 2:]], axis=1
        )
    scores = _sigmoid(values[:, OBJECT : OBJECT + 1]) * _sigmoid(values[:, FIRST_CLASS:])
    return boxes / np.array([sides[1], sides[0]] * 2, float), scores


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(values / 2)))
