"""A picture in, bands of probabilities out: whole, by tiles, or brought to the training's size and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddl.data.pictures.conversion import unit_range
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import Predictor
from ddl.inference.tiles.resizing import resize_bands
from ddl.inference.tiles.tiling import (
    Axis,
    Rows,
    count_tiles,
    cut_tile,
    plan_axis,
    plan_tiles,
    predict_tiles,
    read_band,
)

Bands = Iterator[tuple[int, np.ndarray]]
SCALES = ("trained", "native")

_WHOLE_PIXELS = {2: 1 << 20, 3: 1 << 21}  # axes -> more than these are tiled where nothing is said
_TILES = {2: 512, 3: 96}
_OVERLAPS = {2: 128, 3: 32}


@dataclass(frozen=True)
class Cut:
    """How pictures are brought before a model.

    Attributes:
        tile: sides of a tile, one or one an axis; () for the whole picture up to a megapixel (two megavoxels), and for
            tiles of 512 pixels (96 voxels) above.
        overlap: of neighbouring tiles; None for 128 pixels (32 voxels), at most half a tile.
        scale: "trained": picture files are brought to the size that the training brought them to, if it did.
            "native": they are predicted as they are.
        batch_size: tiles or small pictures that are predicted at once.
    """

    tile: tuple[int, ...] = ()
    overlap: int | None = None
    scale: str = "trained"
    batch_size: int = 4


@dataclass(frozen=True)
class Passage:
    """One picture on its way through a model.

    Attributes:
        rows: what the model is shown of: the picture as stored, or already at the training's size, float32.
        axes: how that is cut.
        sides: of the picture as stored, which the probabilities come back to.
        how: what is still to be done to pixels beside scaling them to 0..1; None for nothing.
    """

    rows: Rows
    axes: tuple[Axis, ...]
    sides: tuple[int, ...]
    how: Preprocessing | None

    @property
    def is_single(self) -> bool:
        """Whether one tile shows everything."""
        return count_tiles(self.axes) == 1

    @property
    def tile(self) -> np.ndarray:
        """The one tile, as the model takes it: (..., C) float32."""
        band = read_band(self.rows, self.axes[0], 0)
        return self.convert(cut_tile(band, self.axes, [0] * (len(self.axes) - 1)))

    def convert(self, pixels: np.ndarray) -> np.ndarray:
        """Return stored pixels as the model takes them."""
        return (
            unit_range(pixels) if self.how is None else self.how.model_input(pixels, resizes=False)
        )

    def finish(self, found: np.ndarray) -> Bands:
        """Yield the probabilities of the one tile as those of the picture."""
        inside = tuple(slice(axis.side) for axis in self.axes)
        yield from self._resized(found[inside])

    def bands(self, predictor: Predictor, batch_size: int) -> Bands:
        """Yield the probabilities of all tiles, blended."""
        bands = predict_tiles(self.rows, self.axes, predictor.predict, self.convert, batch_size)
        if self.sides == self.rows.shape[:-1]:
            yield from bands
        else:
            yield from self._resized(np.concatenate([band for _, band in bands]))

    def _resized(self, found: np.ndarray) -> Bands:
        if found.shape[:-1] == self.sides:
            yield 0, found
        else:
            yield from resize_bands(found, (self.sides[0], self.sides[1]))


class Segmenter:
    """Finds masks in pictures and volumes of any size."""

    def __init__(self, predictor: Predictor, preprocessing: Preprocessing, cut: Cut) -> None:
        """Take a predictor of masks, which stays the caller's."""
        self.predictor, self._how, self._cut = predictor, preprocessing, cut

    def begin(self, rows: Rows, is_file: bool) -> Passage:
        """Return how a picture is shown to the model.

        Args:
            rows: the picture, channels last.
            is_file: whether it is a picture file, which is converted; else an array, taken as stored.

        Raises:
            ValueError: the model does not take such pictures.
        """
        how, sides = self._how, tuple(rows.shape[:-1])
        if len(sides) != how.axes or not (is_file or rows.shape[-1] == how.channels):
            axes = "height x width" if how.axes == 2 else "depth x height x width"
            raise ValueError(
                f"Received: a picture of {'x'.join(map(str, rows.shape))}. Expected: {axes} x {how.channels}, which "
                "the model takes."
            )
        if is_file and how.conversion() is None:
            raise ValueError(
                f"Received: a picture file for a model of {how.channels} channels. Expected: .npy, .npz or HDF5."
            )
        if is_file and self._cut.scale == "trained" and how.image_size is not None:
            rows = how.model_input(np.asarray(rows[: sides[0]]))
            return Passage(rows, self._axes(rows.shape[:-1]), sides, None)
        return Passage(rows, self._axes(sides), sides, how if is_file else None)

    def _axes(self, sides: tuple[int, ...]) -> tuple[Axis, ...]:
        cut, least = self._cut, [self._how.least_side] * len(sides)
        fixed = tuple(side for side in self.predictor.input_shape[:-1] if side is not None)
        if fixed:
            self._check_fixed(fixed, len(sides))
            cut, least = dataclasses.replace(cut, tile=fixed), list(fixed)
        tile, overlap = choose_tile(cut, self._how, sides)
        multiple = self._how.side_multiple
        return plan_tiles(sides, tile=tile, overlap=overlap, multiple=multiple, least=least)

    def _check_fixed(self, fixed: tuple[int, ...], axes: int) -> None:
        """Refuse tiles of another size than a model takes that takes only one."""
        tile = self._cut.tile
        wanted = tile * axes if len(tile) == 1 else tile
        if tile and wanted != fixed:
            raise ValueError(
                f"Received: tile={'x'.join(map(str, wanted))} for a model of {'x'.join(map(str, fixed))} alone. "
                "Expected: that, or no tile."
            )


def choose_tile(
    cut: Cut, how: Preprocessing, sides: tuple[int, ...]
) -> tuple[list[int] | None, int]:
    """Return the tile of a picture of these sides (None: the whole), and the overlap."""
    axes, unit, tile = len(sides), how.side_multiple, cut.tile
    if not tile:
        if math.prod(sides) <= _WHOLE_PIXELS[axes]:
            return None, 0
        tile = (-(-_TILES[axes] // unit) * unit,)
    most = min(min(tile) // 2, min(tile) - unit)
    overlap = min(_OVERLAPS[axes], most) if cut.overlap is None else cut.overlap
    return list(tile if len(tile) == axes else tile * axes), overlap


def check_cut(cut: Cut, how: Preprocessing) -> None:
    """Refuse tiles that the model cannot take, before it is loaded.

    Raises:
        ValueError: with what it takes.
    """
    if len(cut.tile) not in (0, 1, how.axes):
        raise ValueError(
            f"Received: tile={'x'.join(map(str, cut.tile))} for a model of {how.axes} axes. Expected: one number, or "
            f"{how.axes}."
        )
    given = [name for name in ("tile", "overlap") if getattr(cut, name) not in ((), None)]
    if given and how.target == "label":
        raise ValueError(
            f"Received: {given[0]} for a model of labels. Expected: none; only masks are tiled."
        )
    if how.target == "label":
        return
    large = (1 << 20,) * how.axes
    tile, overlap = choose_tile(cut, how, large)
    for side in tile or ():
        plan_axis(
            large[0], tile=side, overlap=overlap, multiple=how.side_multiple, least=how.least_side
        )
