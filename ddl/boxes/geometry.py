"""Areas and overlaps of boxes: arrays (..., 4) of x0, y0, x1, y1 in any unit."""

from __future__ import annotations

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Return the areas of boxes (..., 4); 0 where a side is negative."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def shared_areas(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the area that each box (n, 4) shares with each of others (m, 4), (n, m)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return intersection over union of each box (n, 4) with each of others (m, 4), (n, m); 0 without area."""
    common = shared_areas(boxes, others)
    union = areas(boxes)[:, None] + areas(others)[None] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common, float), where=union > 0))


def with_centres(boxes: np.ndarray) -> np.ndarray:
    """Return boxes as centre x, centre y, width, height."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.concatenate([boxes[..., :2] + sides / 2, sides], axis=-1)


def with_corners(boxes: np.ndarray) -> np.ndarray:
    """Return boxes of centre x, centre y, width, height as corners."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)
