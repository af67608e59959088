"""What a detector finds in a picture: `Found`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """Boxes with classes and scores, best first.

    Attributes:
        boxes: (n, 4) float64: x0, y0, x1, y1, fractions of the picture's width and height.
        classes: (n,) int64.
        scores: (n,) float64 from 0 to 1: probability of an object times that of its class.
    """

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)
