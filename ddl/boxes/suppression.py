"""Non-maximum suppression: of boxes that show one object, the best stays."""

from __future__ import annotations

import numpy as np

from ddl.boxes.found import Found
from ddl.boxes.geometry import iou

MOST = 100
"""Boxes of a picture, as COCO counts them."""
_CANDIDATES = 1000


def suppress(
    boxes: np.ndarray,
    scores: np.ndarray,
    *,
    least_score: float = 0.05,
    most_overlap: float = 0.5,
    most: int = MOST,
    by_class: bool = True,
) -> Found:
    """Return the boxes that stay, best first; of equal scores the earlier position is first.

    Args:
        boxes: (n, 4), clipped to 0..1 here.
        scores: (n, classes). A position may stand for an object of several classes.
        least_score: lower scores are left out.
        most_overlap: intersection over union with a better box above which one goes.
        most: number of boxes that stay at most; a thousand candidates of each class are looked at.
        by_class: whether only boxes of one class suppress each other.
    """
    clipped = np.clip(boxes, 0, 1)
    has_area = (clipped[:, 2:] > clipped[:, :2]).all(axis=1)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    if not by_class:
        best = scores.argmax(axis=1)
        rows = _ranked(np.take_along_axis(scores, best[:, None], 1)[:, 0], has_area, least_score)
        rows = _greedy(clipped, rows, most_overlap, most)
        kept.append((rows, best[rows]))
    for label in range(scores.shape[1]) if by_class else ():
        rows = _ranked(scores[:, label], has_area, least_score)
        rows = _greedy(clipped, rows, most_overlap, most)
        kept.append((rows, np.full(len(rows), label)))
    rows = np.concatenate([part for part, _ in kept]).astype(np.int64)
    classes = np.concatenate([part for _, part in kept]).astype(np.int64)
    values = scores[rows, classes].astype(np.float64)
    order = np.lexsort((classes, rows, -values))[:most]
    return Found(clipped[rows[order]].astype(np.float64), classes[order], values[order])


def _ranked(scores: np.ndarray, has_area: np.ndarray, least_score: float) -> np.ndarray:
    """Return the rows of candidates, best first."""
    rows = np.flatnonzero(has_area & (scores >= least_score))
    return np.asarray(rows[np.argsort(-scores[rows], kind="stable")][:_CANDIDATES])


def _greedy(boxes: np.ndarray, rows: np.ndarray, most_overlap: float, most: int) -> np.ndarray:
    """Return the rows that stay: each in turn suppresses those after it that overlap it too much."""
    kept: list[int] = []
    while len(rows) and len(kept) < most:
        first, rows = rows[0], rows[1:]
        kept.append(int(first))
        rows = rows[iou(boxes[first][None], boxes[rows])[0] <= most_overlap]
    return np.array(kept, np.int64)
