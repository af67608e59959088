"""Rows of boxes, as samples have them: (most, 6) float32 of class, x0, y0, x1, y1, ignored.

Coordinates are fractions of the picture's width and height. A row without a box has class -1 and zeros.
"""

from __future__ import annotations

import numpy as np

CLASS, LEFT, TOP, RIGHT, BOTTOM, IGNORED = range(6)
COLUMNS = 6
CORNERS = slice(LEFT, BOTTOM + 1)
NO_BOX = -1.0


def empty_rows(most: int) -> np.ndarray:
    """Return rows without boxes, (most, 6)."""
    rows = np.zeros((most, COLUMNS), np.float32)
    rows[:, CLASS] = NO_BOX
    return rows


def padded_rows(boxes: np.ndarray, most: int) -> np.ndarray:
    """Return boxes (n, 6) followed by rows without boxes, (most, 6); boxes beyond `most` are left out."""
    rows = empty_rows(most)
    kept = boxes[:most]
    rows[: len(kept)] = kept
    return rows


def boxes_in(rows: np.ndarray) -> np.ndarray:
    """Return the rows that hold a box."""
    found: np.ndarray = rows[rows[:, CLASS] >= 0]
    return found
