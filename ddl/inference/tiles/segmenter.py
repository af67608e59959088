"""Segment pictures of any size: whole, by tiles, or resized to the training size and back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ddl.data.pictures.conversion import unit_range
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import Predictor, check_shape
from ddl.inference.tiles.resizing import resize_bands
from ddl.inference.tiles.tiling import Axis, Rows, cut_tile, plan_axis, predict_tiles, read_band

Bands = Iterator[tuple[int, np.ndarray]]
SCALES = ("trained", "native")

_WHOLE_PIXELS = {2: 1 << 20, 3: 1 << 21}  # axes -> larger pictures are tiled by default
_TILES = {2: 512, 3: 96}
_OVERLAPS = {2: 128, 3: 32}


@dataclass(frozen=True)
class Cut:
    """How pictures are scaled and cut into tiles.

    Attributes:
        tile: sides of a tile: one number, or one per axis. () for the default: no tiles up to one megapixel (two
            megavoxels), tiles of 512 pixels (96 voxels) above.
        overlap: overlap of neighbouring tiles; None for 128 pixels (32 voxels), at most half a tile.
        scale: "trained" resizes picture files to the training size, if training resized them; "native" keeps their
            size.
    """

    tile: tuple[int, ...] = ()
    overlap: int | None = None
    scale: str = "trained"


@dataclass(frozen=True)
class PreparedPicture:
    """A picture, prepared for prediction.

    Attributes:
        rows: the picture as stored, or already resized to the training size, float32.
        axes: how each of its axes is cut into tiles.
        sides: sides of the stored picture, which the probabilities are resized back to.
        how: preprocessing to apply to the pixels of a tile; None to only scale them to 0..1.
    """

    rows: Rows
    axes: tuple[Axis, ...]
    sides: tuple[int, ...]
    how: Preprocessing | None

    @property
    def is_single(self) -> bool:
        """Whether one tile covers the whole picture."""
        return all(len(axis.starts) == 1 for axis in self.axes)

    @property
    def tile(self) -> np.ndarray:
        """The first tile as model input: (..., C) float32."""
        band = read_band(self.rows, self.axes[0], 0)
        return self.convert(cut_tile(band, self.axes, [0] * (len(self.axes) - 1)))

    def convert(self, pixels: np.ndarray) -> np.ndarray:
        """Return stored pixels as model input."""
        return (
            unit_range(pixels) if self.how is None else self.how.model_input(pixels, resizes=False)
        )

    def finish(self, probabilities: np.ndarray) -> Bands:
        """Yield the picture's probabilities from those of its single tile: without padding, at the stored size."""
        inside = tuple(slice(axis.side) for axis in self.axes)
        yield from self._resized(probabilities[inside])

    def bands(self, predictor: Predictor, batch_size: int) -> Bands:
        """Predict all tiles and yield the blended probabilities."""
        bands = predict_tiles(self.rows, self.axes, predictor.predict, self.convert, batch_size)
        if self.sides == self.rows.shape[:-1]:
            yield from bands
        else:
            yield from self._resized(np.concatenate([band for _, band in bands]))

    def _resized(self, probabilities: np.ndarray) -> Bands:
        if probabilities.shape[:-1] == self.sides:
            yield 0, probabilities
        else:
            yield from resize_bands(probabilities, (self.sides[0], self.sides[1]))


class Segmenter:
    """Prepares pictures and volumes of any size for a model that predicts masks."""

    def __init__(
        self, input_shape: tuple[int | None, ...], preprocessing: Preprocessing, cut: Cut
    ) -> None:
        """Use the model's input shape, (..., C), where None is a side that may vary."""
        self._input_shape, self._how, self._cut = input_shape, preprocessing, cut

    @property
    def resizes(self) -> bool:
        """Whether picture files are resized to the size of training."""
        return self._cut.scale == "trained" and self._how.image_size is not None

    def begin(self, rows: Rows, is_file: bool) -> PreparedPicture:
        """Prepare a picture for prediction.

        Args:
            rows: the picture, channels last.
            is_file: True for a picture file, which the preprocessing converts; False for an array, used as stored.

        Raises:
            ValueError: the model does not accept such a picture.
        """
        how, sides = self._how, tuple(rows.shape[:-1])
        if len(sides) != how.axes or not (is_file or rows.shape[-1] == how.channels):
            axes = "height x width" if how.axes == 2 else "depth x height x width"
            raise ValueError(
                f"Received: a picture of {'x'.join(map(str, rows.shape))}. Expected: {axes} x {how.channels}, as the "
                "model requires."
            )
        if is_file and how.conversion() is None:
            raise ValueError(
                f"Received: a picture file for a model of {how.channels} channels. Expected: .npy, .npz or HDF5."
            )
        if is_file and self.resizes:
            rows = how.model_input(np.asarray(rows[: sides[0]]))
            return PreparedPicture(rows, self._axes(rows.shape[:-1]), sides, None)
        return PreparedPicture(rows, self._axes(sides), sides, how if is_file else None)

    def _axes(self, sides: tuple[int, ...]) -> tuple[Axis, ...]:
        cut, least = self._cut, (self._how.least_side,) * len(sides)
        fixed = tuple(side for side in self._input_shape[:-1] if side is not None)
        if fixed:
            self._check_fixed(fixed, len(sides))
            cut, least = dataclasses.replace(cut, tile=fixed), fixed
        tile, overlap = choose_tile(cut, self._how, sides)
        multiple = self._how.side_multiple
        return tuple(
            plan_axis(side, tile=tile_side, overlap=overlap, multiple=multiple, least=minimum)
            for side, tile_side, minimum in zip(sides, tile, least, strict=True)
        )

    def _check_fixed(self, fixed: tuple[int, ...], axes: int) -> None:
        """Check that the tile fits a model of fixed input size."""
        tile = self._cut.tile
        given = tile * axes if len(tile) == 1 else tile
        if tile and given != fixed:
            size = "x".join(map(str, fixed))
            raise ValueError(
                f"Received: tile={'x'.join(map(str, given))} for a model with the fixed input size {size}. Expected: "
                f"{size}, or no tile."
            )


def whole_picture(
    rows: Rows, how: Preprocessing, input_shape: tuple[int | None, ...], *, is_file: bool
) -> np.ndarray:
    """Return a picture as input of a model that predicts labels: (H, W, C) float32.

    Raises:
        ValueError: the model does not accept such a picture.
    """
    pixels = np.asarray(rows[: rows.shape[0]])
    picture = how.model_input(pixels) if is_file else how.middle(unit_range(pixels))
    picture = how.transformed(picture)
    check_shape(picture, input_shape)
    return picture


def choose_tile(
    cut: Cut, how: Preprocessing, sides: tuple[int, ...]
) -> tuple[tuple[int | None, ...], int]:
    """Return the sides of the tile for a picture with these sides (None: no tiles), and the overlap."""
    axes, unit, tile = len(sides), how.side_multiple, cut.tile
    if not tile:
        if math.prod(sides) <= _WHOLE_PIXELS[axes]:
            return (None,) * axes, 0
        tile = (-(-_TILES[axes] // unit) * unit,)
    most = min(min(tile) // 2, min(tile) - unit)
    overlap = min(_OVERLAPS[axes], most) if cut.overlap is None else cut.overlap
    return tile if len(tile) == axes else tile * axes, overlap


def check_cut(cut: Cut, how: Preprocessing) -> None:
    """Check tile and overlap against the model's preprocessing, before the model is loaded.

    Raises:
        ValueError: the model does not accept such tiles.
    """
    if len(cut.tile) not in (0, 1, how.axes):
        raise ValueError(
            f"Received: tile={'x'.join(map(str, cut.tile))} for a model of {how.axes} axes. Expected: one number, or "
            f"{how.axes}."
        )
    given = [name for name in ("tile", "overlap") if getattr(cut, name) not in ((), None)]
    if given and how.target == "label":
        raise ValueError(
            f"Received: {given[0]} for a model that predicts labels. Expected: the command without this flag; only "
            "masks are predicted by tiles."
        )
    if how.target == "label":
        return
    large = (1 << 20,) * how.axes
    tile, overlap = choose_tile(cut, how, large)
    for side in tile:
        plan_axis(
            large[0], tile=side, overlap=overlap, multiple=how.side_multiple, least=how.least_side
        )
