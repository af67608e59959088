"""Predict pictures and volumes of any size by overlapping tiles, and blend the predictions. Pure NumPy.

1. The picture is padded by reflection, at its far edges, to sides that the model accepts.
2. Tiles start at multiples of the model's downsampling factor, so that pooling groups the same pixels as in a
   prediction of the whole picture.
3. Where tiles overlap, the outer part of each is dropped, because it lacks context. The inner parts are blended with
   Gaussian weights, which are normalized along each axis and add up to 1 everywhere. A single tile therefore equals
   the prediction of the whole picture, bit for bit.

Memory is bounded by one band: as many rows as a tile has, over the whole width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

# Share of the overlap that is dropped on either side; tiles are blended over the quarter between.
_DROPPED = 3 / 8
_FADE = 8.0  # log of the ratio of the two tiles' weights at either end of the blended part


class Rows(Protocol):
    """A picture that is read by rows (a volume: by slices): an array, a memory-mapped file, or a decoder."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels; volumes: depth first."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Dtype of the values."""
        ...

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return a slice of rows."""
        ...


@dataclass(frozen=True)
class Axis:
    """How one axis of a picture is cut into tiles, which start at `starts` and overlap by at least `overlap`.

    `side`, `padded` and `tile` are the lengths of the picture, of the padded picture and of each tile in pixels.
    """

    side: int
    padded: int
    tile: int
    starts: tuple[int, ...]
    overlap: int

    @property
    def sources(self) -> np.ndarray:
        """For each pixel of the padded picture, the index of the pixel that it repeats."""
        return np.pad(np.arange(self.side), (0, self.padded - self.side), mode="reflect")

    def weights(self) -> np.ndarray:
        """Return the weight of each pixel of each tile, (tiles, tile) float64. They add up to 1 for every pixel."""
        starts = np.array(self.starts)
        places = starts[:, None] + np.arange(self.tile)
        dropped = int(self.overlap * _DROPPED)
        blended = max(self.overlap - 2 * dropped, 1)
        stride = starts[1] - starts[0] if len(starts) > 1 else self.tile
        variance = stride * blended / (2 * _FADE)
        # Computed as logarithms: far from a tile's centre the Gaussian itself would underflow to 0.
        every = np.full((len(starts), self.padded), -np.inf)
        centres = starts + (self.tile - 1) / 2
        logs = -((places - centres[:, None]) ** 2) / (2 * variance)
        for row in range(len(starts)):
            first = dropped if row else 0
            last = self.tile - (dropped if row < len(starts) - 1 else 0)
            every[row, places[row, first:last]] = logs[row, first:last]
        shares = np.exp(every - every.max(axis=0))
        shares /= shares.sum(axis=0)
        return np.take_along_axis(shares, places, axis=1)


def plan_axis(side: int, *, tile: int | None, overlap: int, multiple: int, least: int = 1) -> Axis:
    """Return how an axis is cut into tiles.

    Args:
        side: side of the picture.
        tile: side of a tile, a multiple of `multiple`; None for one tile.
        overlap: minimum overlap of neighbours.
        multiple: number that the model's sides must be a multiple of.
        least: minimum side that the model accepts.
    """
    padded = max(-(-side // multiple), -(-least // multiple)) * multiple
    if tile is None or tile >= padded:
        return Axis(side, padded, padded, (0,), overlap)
    stride = (tile - overlap) // multiple * multiple
    if tile % multiple or tile < least or overlap < 0 or stride < 1:
        raise ValueError(
            f"Received: tile={tile}, overlap={overlap}. Expected: a tile that is a multiple of {multiple} and at least "
            f"{-(-least // multiple) * multiple}, and an overlap of at most the tile minus {multiple}."
        )
    count = math.ceil((padded - tile) / stride) + 1
    starts = tuple(min(number * stride, padded - tile) for number in range(count))
    return Axis(side, padded, tile, starts, overlap)


def cut_tile(band: np.ndarray, axes: Sequence[Axis], starts: Sequence[int]) -> np.ndarray:
    """Cut a tile out of a band. The band already has the tile's rows; `starts` are those of the other axes."""
    for number, (axis, start) in enumerate(zip(axes[1:], starts, strict=True), start=1):
        band = np.take(band, axis.sources[start : start + axis.tile], axis=number)
    return band


def read_band(rows: Rows, axis: Axis, start: int) -> np.ndarray:
    """Read the stored pixels of the tile rows that begin at `start` of the padded picture."""
    wanted = axis.sources[start : start + axis.tile]
    first = int(wanted.min())
    stored = np.asarray(rows[first : int(wanted.max()) + 1])
    return stored if len(stored) == len(wanted) else stored[wanted - first]


def predict_tiles(
    rows: Rows,
    axes: Sequence[Axis],
    predict: Callable[[np.ndarray], np.ndarray],
    convert: Callable[[np.ndarray], np.ndarray],
    batch_size: int,
) -> Iterator[tuple[int, np.ndarray]]:
    """Predict a picture by tiles. Yields bands: the number of the first row, and (rows, ..., classes) float32.

    Args:
        rows: the picture.
        axes: how each axis is cut.
        predict: (N, *tile, C) float32 -> (N, *tile, classes).
        convert: converts stored pixels to model input.
        batch_size: tiles per batch.
    """
    first, others = axes[0], axes[1:]
    inside = tuple(slice(axis.side) for axis in others)
    weights = [axis.weights().astype(np.float32) for axis in axes]
    places = list(itertools.product(*[range(len(axis.starts)) for axis in others]))
    blend: np.ndarray | None = None
    ends = (*first.starts[1:], first.padded)
    for row, (start, end) in enumerate(zip(first.starts, ends, strict=True)):
        band = read_band(rows, first, start)
        for begin in range(0, len(places), batch_size):
            chunk = places[begin : begin + batch_size]
            corners = [[a.starts[n] for a, n in zip(others, place, strict=True)] for place in chunk]
            tiles = np.stack([convert(cut_tile(band, axes, corner)) for corner in corners])
            predicted = predict(tiles)
            if blend is None:
                shape = (first.tile, *(axis.padded for axis in others), predicted.shape[-1])
                blend = np.zeros(shape, np.float32)
            for place, corner, weighted in zip(chunk, corners, predicted, strict=True):
                for number, index in enumerate((row, *place)):
                    weighted = weighted * _along(weights[number][index], number, weighted.ndim)
                where = [slice(c, c + a.tile) for a, c in zip(others, corner, strict=True)]
                blend[(slice(None), *where)] += weighted
        if blend is None:
            raise RuntimeError("The picture has no tiles.")
        done = min(end, first.side) - start
        if done > 0:
            yield start, blend[(slice(done), *inside)].copy()
        # Rows below `end` also belong to the next row of tiles: shift them to the top of the buffer.
        moved = end - start
        blend[: first.tile - moved] = blend[moved:].copy()
        blend[first.tile - moved :] = 0


def _along(weights: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    """Return weights of one axis in a shape that broadcasts against an array with `dimensions` axes."""
    return weights.reshape([-1 if number == axis else 1 for number in range(dimensions)])
