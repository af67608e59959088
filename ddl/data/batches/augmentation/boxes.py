"""Boxes that move with their picture: each step of an augmentation tells `MovedBoxes` what it did to the pixels.

At the end a box is that around what is left of it: of its turned corners, in the part of the picture that was kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ddl.boxes.rows import BOTTOM, CORNERS, LEFT, RIGHT, TOP, boxes_in, padded_rows
from ddl.data.pictures.resizing import Box

_LEAST = 1e-6  # of a side
_SLACK = 1e-9  # pixels


class MovedBoxes:
    """The boxes of one picture, in pixels.

    Attributes:
        corners: (boxes, 4, 2): x and y of each box's corners, around it.
        sides: height and width of the picture.
    """

    def __init__(self, rows: np.ndarray, sides: tuple[int, int]) -> None:
        """Begin with rows (most, 6) of a picture with these sides."""
        self._most, self._rows, self.sides = len(rows), boxes_in(rows), sides
        around = [[LEFT, TOP], [RIGHT, TOP], [RIGHT, BOTTOM], [LEFT, BOTTOM]]
        self.corners = self._rows[:, around].astype(np.float64) * sides[::-1]
        self._kept = np.array(
            [[0, 0], sides[::-1]], np.float64
        )  # two corners of what was never cut off

    def flip(self, *, rows: bool, columns: bool) -> None:
        """Turn the order of rows or columns of pixels round."""
        sign = np.array([-1 if columns else 1, -1 if rows else 1])
        self._move(lambda places: sign * places + (sign < 0) * self.sides[::-1])

    def quarter_turns(self, count: int) -> None:
        """Rotate as `np.rot90` does, from rows to columns."""
        for _ in range(count % 4):
            width = self.sides[1]
            self.sides = (width, self.sides[0])
            self._move(lambda places, w=width: np.stack([places[..., 1], w - places[..., 0]], -1))

    def warp(self, turn: np.ndarray, factor: float) -> None:
        """Turn and enlarge about the centre, as `geometry.warped` does. Comes before anything is cut off."""
        middle = np.array(self.sides[::-1]) / 2
        self.corners = factor * (self.corners - middle) @ turn[::-1, ::-1] + middle

    def shift(self, down: int, right: int) -> None:
        """Move all pixels; those that leave the picture are gone."""
        self._move(lambda places: places + np.array([right, down]))

    def cut(self, area: Box, size: tuple[int, int]) -> None:
        """Keep a part of the picture, and resize it."""
        scale = np.divide(size, (area.height, area.width))[::-1]
        self.sides = size
        self._move(lambda places: (places - (area.left, area.top)) * scale)

    def middles(self) -> np.ndarray:
        """Return x and y of the middle of what is left of each box, (boxes, 2)."""
        return np.asarray(self._seen().reshape(-1, 2, 2).mean(1))

    def finish(self, visibility: float) -> np.ndarray:
        """Return the rows (most, 6), without boxes of whose area less than this fraction is left."""
        seen, sides = self._seen(), np.array(self.sides[::-1])
        sizes = seen[:, 2:] - seen[:, :2]
        whole = np.ptp(self.corners, axis=1)
        is_seen = (sizes > _LEAST * sides).all(1)
        is_seen &= sizes.prod(1) >= visibility * (1 - 1e-9) * whole.prod(1)
        rows = self._rows[is_seen].copy()
        rows[:, CORNERS] = seen[is_seen] / np.tile(sides, 2)
        return padded_rows(rows, self._most)

    def _seen(self) -> np.ndarray:
        return bounds_inside(self.corners, self._kept.min(0), self._kept.max(0))

    def _move(self, change: Any) -> None:
        """Change all places, and cut off what is outside the picture."""
        self.corners = change(self.corners)
        self._kept = np.clip(change(self._kept), 0, self.sides[::-1])


def bounds_inside(corners: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the box around what is inside a window of each turned box: (boxes, 4), zeros for one outside.

    Args:
        corners: (boxes, 4, 2): x and y of the corners of convex shapes, around them.
        low: smallest x and y of the window.
        high: largest x and y of the window.

    The part inside is convex, too. Its corners are those of the shape that are inside, those of the window that are in
    the shape, and the places where an edge of the shape crosses the line of an edge of the window.
    """
    count = len(corners)
    steps = np.roll(corners, -1, axis=1) - corners
    # Where along each edge x or y is the lowest or the highest: (boxes, edges, axes, 2).
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (np.stack([low, high], -1) - corners[..., None]) / steps[..., None]
        crossings = corners[:, :, None, None] + along[..., None] * steps[:, :, None, None]
    window = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    away = window[:, None] - corners[:, None]  # (boxes, corners of the window, corners, 2)
    sides = steps[:, None, :, 0] * away[..., 1] - steps[:, None, :, 1] * away[..., 0]
    is_in_shape = (sides >= 0).all(-1) | (sides <= 0).all(-1)
    crosses = ((along >= 0) & (along <= 1)).reshape(count, 16)
    places = np.concatenate(
        [corners, np.broadcast_to(window, (count, 4, 2)), crossings.reshape(count, 16, 2)], 1
    )
    with np.errstate(invalid="ignore"):
        is_inside = np.all((places >= low - _SLACK) & (places <= high + _SLACK), axis=-1)
    is_inside[:, 4:] &= np.concatenate([is_in_shape, crosses], 1)
    found = np.concatenate(
        [
            np.where(is_inside[..., None], places, np.inf).min(1),
            np.where(is_inside[..., None], places, -np.inf).max(1),
        ],
        -1,
    )
    found[~is_inside.any(1)] = 0
    clipped: np.ndarray = np.clip(found, np.tile(low, 2), np.tile(high, 2))
    return clipped
