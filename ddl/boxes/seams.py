"""Joins what a detector has found in overlapping tiles of one picture.

An object in the overlap is found in both tiles; at a tile's inner edge often only a part of it. Parts give way to the
whole, and two parts of an object that no tile holds whole become one box.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.boxes.found import Found
from ddl.boxes.geometry import areas, shared_areas

COVERED = 0.6
"""Share of the smaller box that a part has in common with the whole, and of the side along the seam that two parts of
one object have in common."""


@dataclass(frozen=True)
class TileFound:
    """What was found in one tile.

    Attributes:
        found: boxes in pixels of the picture, x0, y0, x1, y1.
        is_cut: (n,) whether a box ends at an edge of the tile that lies inside the picture.
    """

    found: Found
    is_cut: np.ndarray


def join_tiles(tiles: list[TileFound], most_overlap: float) -> Found:
    """Return each object once, best first.

    Args:
        tiles: what was found in each tile, after suppression.
        most_overlap: intersection over union above which two whole boxes of a class are one object.
    """
    boxes = np.concatenate([tile.found.boxes for tile in tiles])
    classes = np.concatenate([tile.found.classes for tile in tiles])
    scores = np.concatenate([tile.found.scores for tile in tiles])
    is_cut = np.concatenate([tile.is_cut for tile in tiles])
    origin = np.repeat(np.arange(len(tiles)), [len(tile.found) for tile in tiles])
    kept: list[int] = []
    # Whole boxes first, so that a part never hides the whole.
    for index in np.lexsort((np.arange(len(scores)), -scores, is_cut)).tolist():
        rivals = np.array(
            [k for k in kept if classes[k] == classes[index] and origin[k] != origin[index]], int
        )
        common = shared_areas(boxes[index][None], boxes[rivals])[0]
        own, others = areas(boxes[index]), areas(boxes[rivals])
        union = own + others - common
        is_same = common > most_overlap * union
        if is_cut[index]:
            is_same |= common > COVERED * np.minimum(own, others)
            is_same |= is_cut[rivals] & (common > 0) & _agree(boxes[index], boxes[rivals])
        if not is_same.any():
            kept.append(index)
            continue
        best = int(rivals[np.argmax(np.where(is_same, common, -1))])
        if is_cut[index] and is_cut[best]:
            boxes[best, :2] = np.minimum(boxes[best, :2], boxes[index, :2])
            boxes[best, 2:] = np.maximum(boxes[best, 2:], boxes[index, 2:])
            scores[best] = max(scores[best], scores[index])
    order = np.array(sorted(kept, key=lambda k: (-scores[k], k)), int)
    return Found(boxes[order], classes[order], scores[order])


def _agree(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return whether a box (4,) and each of others (n, 4) have nearly the same place along one of the axes."""
    common = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    union = np.maximum(box[2:], others[:, 2:]) - np.minimum(box[:2], others[:, :2])
    return np.asarray((common > COVERED * union).any(axis=1))
