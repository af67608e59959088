"""A picture of any size by overlapping tiles whose predictions are blended. Pure NumPy, for pictures and volumes.

The picture is mirrored at its far edges to sides that the model can halve. Tiles start at multiples of the same number,
so that the model's poolings see the pixels in the groups in which a pass over the whole picture has them. Where tiles
overlap, the outer part of each, which knows too little of its surroundings, is dropped, and between the inner parts
one tile fades into the next by Gaussian weights. Weights are normalized along each axis, so that they add up to 1
everywhere and a single tile is the pass over the whole picture, bit for bit.

Memory is bounded by a band: as many rows as a tile has, over the whole width.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

_DROPPED = 3 / 8  # of the overlap, at either side; a quarter is left to blend in
_FADE = 8.0  # logarithm of how much more the one tile weighs than the other where blending begins, and ends


class Rows(Protocol):
    """A picture that is read by rows (of a volume: slices): an array, a mapped file, or a decoder."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels; of a volume depth first."""
        ...

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        ...

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """Return rows from start to stop."""
        ...


@dataclass(frozen=True)
class Axis:
    """How one axis of a picture is cut.

    Attributes:
        side: of the picture, in pixels.
        padded: side of the mirrored picture.
        tile: side of each tile.
        starts: of the tiles in the mirrored picture.
        overlap: that two neighbours have at least.
    """

    side: int
    padded: int
    tile: int
    starts: tuple[int, ...]
    overlap: int

    @property
    def sources(self) -> np.ndarray:
        """The pixel of the picture that each pixel of the mirrored one shows."""
        return np.pad(np.arange(self.side), (0, self.padded - self.side), mode="reflect")

    def weights(self) -> np.ndarray:
        """Return how much each pixel of each tile counts, (tiles, tile) float64; for every pixel they add up to 1."""
        starts = np.array(self.starts)
        places = starts[:, None] + np.arange(self.tile)
        dropped = int(self.overlap * _DROPPED)
        blended = max(self.overlap - 2 * dropped, 1)
        stride = starts[1] - starts[0] if len(starts) > 1 else self.tile
        variance = stride * blended / (2 * _FADE)
        # In logarithms: a tile's corners are so far from its centre that a Gaussian would be 0 there.
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
    """Return how an axis is cut.

    Args:
        side: of the picture.
        tile: side of a tile, a multiple of `multiple`; None for one tile.
        overlap: that neighbours have at least.
        multiple: what the model's sides must be multiples of.
        least: that they must have.
    """
    padded = max(-(-side // multiple), -(-least // multiple)) * multiple
    if tile is None or tile >= padded:
        return Axis(side, padded, padded, (0,), overlap)
    stride = (tile - overlap) // multiple * multiple
    if tile % multiple or tile < least or overlap < 0 or stride < 1:
        raise ValueError(
            f"Received: tile={tile}, overlap={overlap}. Expected: a multiple of {multiple}, at least "
            f"{-(-least // multiple) * multiple}, and an overlap that leaves {multiple} of it or more."
        )
    count = math.ceil((padded - tile) / stride) + 1
    starts = tuple(min(number * stride, padded - tile) for number in range(count))
    return Axis(side, padded, tile, starts, overlap)


def plan_tiles(
    sides: Sequence[int],
    *,
    tile: Sequence[int] | None,
    overlap: int,
    multiple: int,
    least: Sequence[int] | None = None,
) -> tuple[Axis, ...]:
    """Return how each axis is cut; see `plan_axis`."""
    wanted = [None] * len(sides) if tile is None else tile
    smallest = [1] * len(sides) if least is None else least
    return tuple(
        plan_axis(side, tile=one, overlap=overlap, multiple=multiple, least=few)
        for side, one, few in zip(sides, wanted, smallest, strict=True)
    )


def count_tiles(axes: Sequence[Axis]) -> int:
    """Return how many tiles there are."""
    return math.prod(len(axis.starts) for axis in axes)


def cut_tile(band: np.ndarray, axes: Sequence[Axis], starts: Sequence[int]) -> np.ndarray:
    """Return a tile of a band, which holds the rows of the mirrored picture that the tile has."""
    for number, (axis, start) in enumerate(zip(axes[1:], starts, strict=True), start=1):
        band = np.take(band, axis.sources[start : start + axis.tile], axis=number)
    return band


def read_band(rows: Rows, axis: Axis, start: int) -> np.ndarray:
    """Return the rows of the mirrored picture that the tiles from `start` on have, as they are stored."""
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
    """Yield the blended prediction of a picture, band after band: the first row, and (rows, ..., classes) float32.

    Args:
        rows: the picture.
        axes: how it is cut.
        predict: (N, *tile, C) float32 -> (N, *tile, classes).
        convert: from pixels as they are stored to those that the model takes.
        batch_size: tiles that are predicted at once.
    """
    first, others = axes[0], axes[1:]
    inside = tuple(slice(axis.side) for axis in others)
    every = [axis.weights().astype(np.float32) for axis in axes]
    places = list(itertools.product(*[range(len(axis.starts)) for axis in others]))
    blend: np.ndarray | None = None
    ends = (*first.starts[1:], first.padded)
    for row, (start, end) in enumerate(zip(first.starts, ends, strict=True)):
        band = read_band(rows, first, start)
        for chunk in _chunks(places, batch_size):
            corners = [[a.starts[n] for a, n in zip(others, place, strict=True)] for place in chunk]
            tiles = np.stack([convert(cut_tile(band, axes, corner)) for corner in corners])
            found = predict(tiles)
            if blend is None:
                shape = (first.tile, *(axis.padded for axis in others), found.shape[-1])
                blend = np.zeros(shape, np.float32)
            for place, corner, one in zip(chunk, corners, found, strict=True):
                weighed = one
                for number, share in enumerate((row, *place)):
                    weighed = weighed * _along(every[number][share], number, one.ndim)
                where = [slice(c, c + a.tile) for a, c in zip(others, corner, strict=True)]
                blend[(slice(None), *where)] += weighed
        if blend is None:
            raise RuntimeError("A picture without tiles.")
        done = min(end, first.side) - start
        if done > 0:
            yield start, blend[(slice(done), *inside)].copy()
        moved = end - start
        blend[: first.tile - moved] = blend[moved:].copy()
        blend[first.tile - moved :] = 0


def _chunks(places: list[tuple[int, ...]], size: int) -> Iterator[list[tuple[int, ...]]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _along(weights: np.ndarray, axis: int, dimensions: int) -> np.ndarray:
    """Return weights of one axis in a shape that multiplies an array of so many."""
    return weights.reshape([-1 if number == axis else 1 for number in range(dimensions)])
