"""Converts pictures to the size, channels and bit depth of a data set: one frozen `Conversion`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ddl.data.pictures.listing import Sample
from ddl.data.pictures.picture_file import MASK_MODES, PIXEL_LIMIT, read_mask, read_picture
from ddl.data.value_range import ValueRange, scale_values
from ddl.ranges import Range, check_choices, check_ranges

CHANNELS: dict[str, int] = {"grey": 1, "rgb": 3, "rgba": 4}
COLOUR_ORDERS = ("rgb", "bgr")
RESAMPLINGS = ("area", "bilinear")
DEPTHS: dict[int, np.dtype] = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16)}
_CHOICES: dict[str, Iterable[Any]] = {
    "channels": CHANNELS,
    "bits": DEPTHS,
    "mask_mode": (*MASK_MODES, "grey"),
    "colour_order": COLOUR_ORDERS,
    "resampling": RESAMPLINGS,
}
_RANGES = {"image_size": Range(1, 65536), "pixel_limit": Range(1)}


@dataclass(frozen=True)
class Conversion:
    """The form to which pictures and masks are converted.

    Attributes:
        image_size: height and width in pixels, or None for no resizing.
        channels: "grey", "rgb" or "rgba". Colours become grey by luminance; transparency is drawn over white.
        bits: 8 or 16 per channel; the range is scaled, so that white stays white.
        mask_mode: "binary": 1 where not black. "classes": the grey value or palette index is the class. "grey": the
            same, of masks in colours, whose luminance it is.
        pixel_limit: pictures with more pixels are refused before decoding.
        range: the stored values that become black and white; None for the whole range of a picture's own type.
        keeps_depth: refuse pictures of more than `bits`, instead of reducing them.
        colour_order: "rgb", or "bgr" for blue before green and red.
        resampling: how pictures are resized: "area" averages where it shrinks, "bilinear" never does.
    """

    image_size: tuple[int, int] | None = None
    channels: str = "rgb"
    bits: int = 8
    mask_mode: str = "binary"
    pixel_limit: int = PIXEL_LIMIT
    range: ValueRange | None = None
    keeps_depth: bool = False
    colour_order: str = "rgb"
    resampling: str = "area"

    def __post_init__(self) -> None:
        check_choices(vars(self), _CHOICES)
        check_ranges(vars(self), _RANGES, "pictures")

    def read(self, sample: Sample) -> dict[str, np.ndarray]:
        """Read one sample from its files: "image", and "mask" or "label" if it has one."""
        picture = read_picture(sample.image, self.pixel_limit)
        if self.keeps_depth and 8 * picture.dtype.itemsize > self.bits:
            raise ValueError(
                f"Received: {sample.image} of {8 * picture.dtype.itemsize} bits, but the first picture has "
                f"{self.bits}. Expected: one depth; or give bits=16 (or 8) to convert all."
            )
        parts = {"image": self.convert(picture)}
        if sample.mask is not None:
            mask = self._read_mask(sample.mask)
            if mask.shape[:2] != picture.shape[:2]:
                raise ValueError(
                    f"Received: {sample.mask} of {_size(mask)} pixels for {sample.image} of {_size(picture)}. "
                    "Expected: the same size; correct or remove the pair."
                )
            parts["mask"] = self.convert_mask(mask)
        if sample.label is not None:
            parts["label"] = np.asarray(sample.label, np.int64)
        return parts

    def _read_mask(self, path: Path) -> np.ndarray:
        """Return the mask of a file as class numbers, (height, width, 1) uint8."""
        if self.mask_mode != "grey":
            return read_mask(path, self.mask_mode, self.pixel_limit)
        picture = read_picture(path, self.pixel_limit)
        whole = picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
        return np.asarray(np.rint(_with_channels(whole, "grey") * 255), np.uint8)

    def convert(self, picture: np.ndarray) -> np.ndarray:
        """Return a uint8 or uint16 picture (height, width, 1|3|4) in this form.

        Shrinking averages over areas, so that every pixel counts; enlarging interpolates.
        """
        target = DEPTHS[self.bits]
        same_form = picture.shape[-1] == CHANNELS[self.channels] and picture.dtype == target
        if same_form and self.range is None and self.image_size in (None, picture.shape[:2]):
            return self._ordered(picture)
        values = _with_channels(self._unit_values(picture), self.channels)
        if self.image_size is not None and values.shape[:2] != self.image_size:
            values = self._resize(values, self.image_size)
        scaled = np.rint(np.clip(values, 0, 1) * np.iinfo(target).max)
        return self._ordered(np.ascontiguousarray(scaled.astype(target)))

    def _resize(self, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if self.resampling == "area":
            return _resized(values, size)
        from ddl.data.pictures.resizing import bilinear

        return bilinear(values, size)

    def _ordered(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture of red, green and blue in this order of colours."""
        if self.colour_order == "rgb" or picture.shape[-1] == 1:
            return picture
        return np.ascontiguousarray(picture[..., [2, 1, 0, *range(3, picture.shape[-1])]])

    def _unit_values(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture as floats from 0 to 1. A range does not apply to the transparency."""
        whole = picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
        if self.range is not None:
            colours = slice(3 if picture.shape[-1] == 4 else None)
            whole[..., colours] = scale_values(picture[..., colours], self.range)
        return whole

    def convert_mask(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask (height, width, 1) at this size, by nearest neighbour."""
        if self.image_size is None or mask.shape[:2] == self.image_size:
            return mask
        from skimage import transform

        shape = (*self.image_size, mask.shape[-1])
        nearest = transform.resize(mask, shape, order=0, preserve_range=True, anti_aliasing=False)
        return np.ascontiguousarray(nearest.astype(mask.dtype))


def read_stored_mask(path: Path, pixel_limit: int = PIXEL_LIMIT) -> np.ndarray | None:
    """Return the numbers (height, width, 1) or colours (height, width, 3) of a mask's file; None for a JPEG.

    A JPEG blurs edges, so its numbers mean nothing.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        return None
    try:
        return read_mask(path, "classes", pixel_limit)
    except ValueError:  # colours; or a damaged file, which raises again
        return read_picture(path, pixel_limit)[..., :3]


def unit_range(pictures: np.ndarray) -> np.ndarray:
    """Return pictures of any bit depth as float32; integers are scaled to 0 (black) to 1 (white)."""
    if pictures.dtype.kind == "f":
        return pictures.astype(np.float32, copy=False)
    if pictures.dtype.kind not in "bu":
        raise ValueError(
            f"Received: pictures of dtype {pictures.dtype}. Expected: floats or unsigned integers; or give the "
            "values that are black and white, such as range=-1000,3000."
        )
    white = 1 if pictures.dtype.kind == "b" else np.iinfo(pictures.dtype).max
    return pictures.astype(np.float32) / np.float32(white)


def to_levels(pictures: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return pictures from 0 to 1 as the nearest unsigned integers: the inverse of `unit_range`.

    Pictures stay unchanged if floats are requested, or if they already have this integer dtype.
    """
    if dtype.kind == "f" or pictures.dtype == dtype:
        return pictures.astype(dtype, copy=False)
    levels = np.rint(np.clip(pictures, 0, 1) * np.float32(np.iinfo(dtype).max))
    return np.asarray(levels, dtype)


def _with_channels(values: np.ndarray, channels: str) -> np.ndarray:
    """Convert the channels of a picture (height, width, 1|3|4) of floats from 0 to 1."""
    if values.shape[-1] == CHANNELS[channels]:
        return values
    if values.shape[-1] == 4:
        alpha = values[..., 3:]
        values = values[..., :3] * alpha + (1 - alpha)
    if channels == "grey":
        # ITU-R BT.709, as scikit-image's rgb2gray
        return np.asarray(values @ np.array([[0.2125], [0.7154], [0.0721]], values.dtype))
    if values.shape[-1] == 1:
        values = np.repeat(values, 3, axis=-1)
    opaque = np.ones_like(values[..., :1])
    return np.concatenate([values, opaque], axis=-1) if channels == "rgba" else values


def _resized(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    from skimage import transform

    if size[0] <= values.shape[0] and size[1] <= values.shape[1]:
        resized = transform.resize_local_mean(values, size, channel_axis=-1, preserve_range=True)
    else:
        shape = (*size, values.shape[-1])
        resized = transform.resize(values, shape, order=1, preserve_range=True, anti_aliasing=True)
    return np.asarray(resized, np.float32)


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]} x {picture.shape[0]}"


def central_sides(sides: Sequence[int], fraction: float) -> tuple[int, ...]:
    """Return the sides of the crop in the middle that keeps this fraction of each side."""
    return tuple(max(1, round(side * fraction)) for side in sides)


def central_crop(pictures: np.ndarray, fraction: float) -> np.ndarray:
    """Return the middle of pictures (..., height, width, channels): this fraction of height and width."""
    sides = pictures.shape[-3:-1]
    kept = central_sides(sides, fraction)
    top, left = ((side - length) // 2 for side, length in zip(sides, kept, strict=True))
    return pictures[..., top : top + kept[0], left : left + kept[1], :]
