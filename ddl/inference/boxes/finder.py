"""Finds the boxes in a picture of any size with a detector: whole, or by overlapping tiles."""

from __future__ import annotations

import numpy as np

from ddl.boxes.decoding import decode
from ddl.boxes.found import Found
from ddl.boxes.layout import Layout
from ddl.boxes.seams import TileFound, join_tiles
from ddl.boxes.suppression import suppress
from ddl.inference.backends.predictor import Predictor
from ddl.inference.tiles.segmenter import PreparedPicture
from ddl.inference.tiles.tiling import Axis, cut_tile, read_band

EDGE_PX = 2.0
"""Boxes that end this close to an inner edge of a tile may go on beyond it."""


class Finder:
    """Finds boxes with one detector and one set of limits."""

    def __init__(
        self,
        predictor: Predictor,
        layout: Layout,
        *,
        least_score: float,
        most_overlap: float,
        batch_size: int,
    ) -> None:
        """Use a predictor whose output `layout` describes.

        Args:
            predictor: from pictures of 0 to 1 to raw predictions (N, positions, 5 + classes).
            layout: what these are.
            least_score: boxes with a lower score are left out.
            most_overlap: of boxes of a class whose intersection over union is larger, the best stays.
            batch_size: tiles per batch.
        """
        self._predictor, self._layout = predictor, layout
        self._least_score, self._most_overlap = least_score, most_overlap
        self._batch_size = batch_size

    def found(self, raw: np.ndarray, prepared: PreparedPicture) -> Found:
        """Return the boxes of a picture that is one tile, from its raw prediction (positions, 5 + classes)."""
        tile = self._tile(raw, prepared.axes, (0, 0))
        return _as_fractions(tile.found, prepared.rows.shape)

    def find(self, prepared: PreparedPicture) -> Found:
        """Predict a picture tile by tile and return its boxes; memory holds one band of tiles."""
        down, across = prepared.axes
        tiles: list[TileFound] = []
        for top in down.starts:
            band = read_band(prepared.rows, down, top)
            for first in range(0, len(across.starts), self._batch_size):
                lefts = across.starts[first : first + self._batch_size]
                batch = np.stack(
                    [prepared.convert(cut_tile(band, prepared.axes, [left])) for left in lefts]
                )
                for left, raw in zip(lefts, self._predictor.predict(batch), strict=True):
                    tiles.append(self._tile(raw, prepared.axes, (top, left)))
        return _as_fractions(join_tiles(tiles, self._most_overlap), prepared.rows.shape)

    def _tile(self, raw: np.ndarray, axes: tuple[Axis, ...], start: tuple[int, int]) -> TileFound:
        """Return a tile's boxes in pixels of the picture."""
        sides = axes[0].tile, axes[1].tile
        found = suppress(
            *decode(raw, self._layout, sides),
            least_score=self._least_score,
            most_overlap=self._most_overlap,
        )
        corner, side = np.array([start[1], start[0]] * 2), np.array([sides[1], sides[0]] * 2)
        boxes = found.boxes * side + corner
        inside = np.array([axes[1].side, axes[0].side] * 2)
        inner = np.concatenate([corner[:2] > 0, (corner + side)[2:] < inside[2:]])
        ends = np.concatenate([corner[:2], (corner + side)[2:]])
        is_cut = (inner & (np.abs(boxes - ends) <= EDGE_PX)).any(axis=1)
        boxes = np.clip(boxes, 0, inside)
        kept = ((boxes[:, 2:] - boxes[:, :2]) > 0).all(axis=1)  # not in the padding alone
        return TileFound(Found(boxes[kept], found.classes[kept], found.scores[kept]), is_cut[kept])


def _as_fractions(found: Found, shape: tuple[int, ...]) -> Found:
    """Return boxes in pixels as fractions of a picture of this shape (height, width, ...)."""
    return Found(
        found.boxes / np.array([shape[1], shape[0]] * 2, float), found.classes, found.scores
    )
