"""Finds the boxes in a picture of any size with a detector: whole, or by overlapping tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.boxes.decoding import decode
from ddl.boxes.fitting import Placement, place
from ddl.boxes.found import Found
from ddl.boxes.layout import Layout
from ddl.boxes.seams import TileFound, join_tiles
from ddl.boxes.suppression import suppress
from ddl.data.pictures.conversion import unit_range
from ddl.data.preprocessing import Preprocessing
from ddl.data.sources.boxed_pictures.conversion import BoxedConversion
from ddl.inference.backends.predictor import Predictor
from ddl.inference.tiles.segmenter import PreparedPicture, Segmenter
from ddl.inference.tiles.tiling import Axis, Rows, cut_tile, read_band

EDGE_PX = 2.0
"""Boxes that end this close to an inner edge of a tile may go on beyond it."""


@dataclass(frozen=True)
class FramedPicture:
    """A picture, prepared for a detector.

    Attributes:
        prepared: the picture as the model's input or cut into such.
        where: where the picture lies in `prepared`.
    """

    prepared: PreparedPicture
    where: Placement


def frame(segmenter: Segmenter, how: Preprocessing, rows: Rows, *, is_file: bool) -> FramedPicture:
    """Prepare a picture as training has prepared its own: stretched, or between borders.

    Raises:
        ValueError: the model does not accept such a picture.
    """
    sides = (int(rows.shape[0]), int(rows.shape[1]))
    conversion = how.conversion()
    if not (is_file and segmenter.resizes and conversion and how.image_size):
        return FramedPicture(segmenter.begin(rows, is_file), place(sides, sides, "stretch"))
    where = place(sides, how.image_size, how.fit)
    form = BoxedConversion(**vars(conversion), fit=how.fit)
    pixels = unit_range(form.placed(np.asarray(rows[: sides[0]]), where))
    return FramedPicture(segmenter.begin(pixels, is_file=False), where)


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

    def found(self, raw: np.ndarray, framed: FramedPicture) -> Found:
        """Return the boxes of a picture that is one tile, from its raw prediction (positions, 5 + classes)."""
        return _in_picture(self._tile(raw, framed.prepared.axes, (0, 0)).found, framed)

    def find(self, framed: FramedPicture) -> Found:
        """Predict a picture tile by tile and return its boxes; memory holds one band of tiles."""
        prepared = framed.prepared
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
        return _in_picture(join_tiles(tiles, self._most_overlap), framed)

    def _tile(self, raw: np.ndarray, axes: tuple[Axis, ...], start: tuple[int, int]) -> TileFound:
        """Return a tile's boxes in pixels of the prepared picture."""
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
        return _with_area(
            TileFound(Found(np.clip(boxes, 0, inside), found.classes, found.scores), is_cut)
        )


def _with_area(tile: TileFound) -> TileFound:
    """Return it without boxes that lie in the padding alone."""
    found = tile.found
    kept = (found.boxes[:, 2:] > found.boxes[:, :2]).all(axis=1)
    return TileFound(
        Found(found.boxes[kept], found.classes[kept], found.scores[kept]), tile.is_cut[kept]
    )


def _in_picture(found: Found, framed: FramedPicture) -> Found:
    """Return boxes in pixels of the prepared picture as fractions of the picture itself, inside it."""
    height, width = framed.prepared.rows.shape[:2]
    fractions = found.boxes / np.array([width, height] * 2, float)
    boxes = np.clip(framed.where.to_picture(fractions), 0, 1)
    whole = TileFound(Found(boxes, found.classes, found.scores), np.zeros(len(found), bool))
    return _with_area(whole).found
