"""How pictures of any size come into inputs of one size, and boxes with them: stretched, or whole with borders.

"letterbox" keeps the ratio of width to height: the picture lies in the middle, between grey borders, as in YOLO.
"stretch" fills the input; fractions of the sides stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FITS = ("letterbox", "stretch")
BORDER = 114 / 255
"""The grey of borders, as Ultralytics has it."""


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in an input.

    Attributes:
        sides: height and width of the input.
        inner: height and width to which the picture is resized.
        top: rows above it.
        left: columns left of it.
    """

    sides: tuple[int, int]
    inner: tuple[int, int]
    top: int
    left: int

    def to_input(self, corners: np.ndarray) -> np.ndarray:
        """Return corners (..., 4) in fractions of the input's sides, given those in fractions of the picture's."""
        return np.asarray((corners * self._scale + self._offset).astype(corners.dtype))

    def to_picture(self, corners: np.ndarray) -> np.ndarray:
        """Return corners (..., 4) in fractions of the picture's sides, given those of the input's.

        What lies on a border is outside 0 to 1.
        """
        return np.asarray(((corners - self._offset) / self._scale).astype(corners.dtype))

    @property
    def _scale(self) -> np.ndarray:
        return np.tile(np.divide(self.inner, self.sides)[::-1], 2)

    @property
    def _offset(self) -> np.ndarray:
        return np.tile(np.divide((self.top, self.left), self.sides)[::-1], 2)


def place(stored: tuple[int, int], sides: tuple[int, int], fit: str) -> Placement:
    """Return where a picture with these sides (height, width) lies in an input with others."""
    if fit == "stretch":
        return Placement(sides, sides, 0, 0)
    scale = min(wanted / side for wanted, side in zip(sides, stored, strict=True))
    height, width = (
        max(1, min(wanted, round(side * scale))) for wanted, side in zip(sides, stored, strict=True)
    )
    return Placement(sides, (height, width), (sides[0] - height) // 2, (sides[1] - width) // 2)
