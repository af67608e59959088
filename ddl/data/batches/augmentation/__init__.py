"""Augments a picture or volume together with its mask, in NumPy and SciPy, drawn from (seed, epoch, index) only.

    augmentation = Augmentation(flip=True, rotation_degrees=15, zoom=0.1, noise=0.02)
    picture, mask = augmentation(picture, mask, seed=0, epoch=3, index=17)

So a sample looks the same for any batch, rank or resume, and differs only between epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation.boxes import MovedBoxes
from ddl.data.batches.augmentation.checks import RANGES, check_flips, check_pairs
from ddl.data.batches.augmentation.colour import lit, tinted
from ddl.data.batches.augmentation.crops import cropped, padded_crop, resized_crop
from ddl.data.batches.augmentation.draws import (
    ERASE,
    ERASES,
    FLIP,
    PAD,
    RANDAUGMENT,
    RESIZED,
    TINT,
    Draws,
)
from ddl.data.batches.augmentation.erase import erased
from ddl.data.batches.augmentation.geometry import AXES, Parts, flipped, turned, warped
from ddl.data.batches.augmentation.randaugment import randaugmented
from ddl.options import Size
from ddl.ranges import check_choice, check_ranges

_LIGHT = ("brightness", "contrast", "gamma", "noise")
_PICTURES_ONLY = ("resized_crop", "randaugment", "erase", "saturation", "hue")


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a sample. Everything is off by default. Mask values are never changed.

    Pictures have two axes (height, width), volumes three (depth, height, width), and channels after them.

    Attributes:
        flip: flip along each axis with probability 1/2.
        flip_axes: axes to flip along, each with probability 1/2: height, width, depth; in place of `flip`.
        right_angles: rotate in the plane by 0, 90, 180 or 270 degrees (0 or 180 if the sides differ); a cube in space.
        rotation_degrees: rotate by up to this angle, either way; a volume about a random axis.
        zoom: enlarge or shrink by up to this fraction.
        elastic_pixels: shift every pixel smoothly by about this much (standard deviation).
        elastic_smoothness_pixels: distance over which neighbours shift alike.
        brightness: add up to this value, either way; 1 is the whole range from black to white.
        contrast: scale differences from the mean by up to this fraction.
        gamma: raise to a random power between 1 / (1 + gamma) and 1 + gamma.
        noise: add normal noise with a standard deviation up to this.
        crop_size: sides of the crop that is returned, as 64x96 (one number: all sides), or None for no crop.
        crop_foreground: probability that a crop is placed on the mask's foreground, if it has any.
        flip_horizontal: probability of a flip along the width, in place of `flip`.
        flip_vertical: probability of a flip along the height, in place of `flip`.
        pad_crop: pad every side with this many pixels of zeros, and crop to the former size at a random place.
        resized_crop: resize a random part to the size of the picture, or to `crop_size`; for pictures alone.
        resized_scale: smallest and largest fraction of the area that such a part has.
        resized_ratio: smallest and largest width divided by height of such a part.
        central_crop: fraction of each side that evaluation and prediction keep, the middle; training never crops so.
        saturation: scale differences from grey by up to this fraction.
        hue: turn colours by up to this part of the whole circle, either way.
        erase: probability that a rectangle of a picture becomes noise.
        randaugment: number and magnitude (0 to 30, published for 10) of operations of RandAugment, such as 2,9.
        box_visibility: a box of whose area less than this fraction stays inside the picture is left out.
    """

    flip: bool = False
    flip_axes: tuple[str, ...] | None = None
    right_angles: bool = False
    rotation_degrees: float = 0.0
    zoom: float = 0.0
    elastic_pixels: float = 0.0
    elastic_smoothness_pixels: float = 12.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    crop_size: Size | None = None
    crop_foreground: float = 0.5
    flip_horizontal: float = 0.0
    flip_vertical: float = 0.0
    pad_crop: int = 0
    resized_crop: bool = False
    resized_scale: tuple[float, ...] = (0.08, 1.0)
    resized_ratio: tuple[float, ...] = (0.75, 1.3333333333333333)
    central_crop: float = 1.0
    saturation: float = 0.0
    hue: float = 0.0
    erase: float = 0.0
    randaugment: tuple[int, ...] | None = None
    box_visibility: float = 0.3

    def __post_init__(self) -> None:
        check_ranges(vars(self), RANGES, "augmentation")
        for axis in self.flip_axes or ():
            check_choice("flip_axes", axis, AXES)
        check_flips(vars(self))
        check_pairs(vars(self), vars(type(self)))
        sides = self.crop_size
        if isinstance(sides, tuple) and len(sides) not in (2, 3):
            raise ValueError(
                f"Received: crop_size={sides}. Expected: one number, height and width, or depth, height and width."
            )

    def __call__(
        self,
        picture: np.ndarray,
        mask: np.ndarray | None,
        *,
        seed: int,
        epoch: int,
        index: int,
        ignore_index: int | None = None,
        place: int = 0,
        smooth: bool = False,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the sample as it looks in this epoch, with unchanged dtypes, and cropped if `crop_size` is given.

        Args:
            picture: (height, width, channels) or (depth, height, width, channels), float, from 0 to 1. Not changed.
            mask: of the picture's size, (..., 1), any dtype; None for a sample with a label instead.
            index: index of the sample in its source.
            ignore_index: number in the mask that marks pixels to leave out: no crop is placed on them.
            place: makes draws of its own for each of several augmentations of one sample.
            smooth: whether `mask` holds values, which are interpolated as the picture is, in place of class numbers.
        """
        if picture.dtype.kind != "f":
            raise ValueError(
                f"Received: a picture of dtype {picture.dtype}. Expected: float, from 0 to 1."
            )
        if mask is not None and mask.shape[:-1] != picture.shape[:-1]:
            raise ValueError(
                f"Received: a mask of shape {mask.shape} for a picture of {picture.shape}. "
                "Expected: the same height and width."
            )
        if mask is not None:
            self.check_masks()
        size = self.crop_of(picture.shape)

        draws = Draws(seed, epoch, index, place)
        parts = [picture] if mask is None else [picture, mask]
        parts = self._changed(draws, parts, size, ignore_index, smooth, None)
        changed, *masks = map(np.ascontiguousarray, parts)
        return changed, masks[0] if masks else None

    def with_boxes(
        self, picture: np.ndarray, rows: np.ndarray, *, seed: int, epoch: int, index: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture (height, width, channels), from 0 to 1, and its boxes (most, 6) as `__call__` does.

        The pixels are those of a picture without boxes, but for what comes from outside when it is turned: grey.
        """
        self.check_boxes()
        height, width, _ = picture.shape
        boxes = MovedBoxes(rows, (height, width))
        size, draws = self.crop_of(picture.shape), Draws(seed, epoch, index, 0)
        (changed,) = self._changed(draws, [picture], size, None, False, boxes)
        moved = boxes.finish(self.box_visibility)
        return np.ascontiguousarray(changed), moved.astype(rows.dtype, copy=False)

    def _changed(
        self,
        draws: Draws,
        parts: Parts,
        size: tuple[int, ...],
        ignore_index: int | None,
        smooth: bool,
        boxes: MovedBoxes | None,
    ) -> Parts:
        """Move, crop and colour.

        The order of draws is part of the result. Options that are off still draw from `draws.first`, so that turning
        one on does not change the others.
        """
        dtype = parts[0].dtype
        parts = self._moved(draws, parts, smooth, boxes)
        parts = self._cropped(draws, parts, size, ignore_index, smooth, boxes)
        parts[0] = self._coloured(draws, parts[0]).astype(dtype, copy=False)
        return parts

    def check_boxes(self) -> None:
        """Refuse options that cannot move boxes."""
        for name in ("elastic_pixels", "randaugment", "central_crop"):
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(
                    f"Received: {name} for samples with boxes. Expected: rotation_degrees, zoom, resized_crop and "
                    "others, which move boxes with pictures."
                )

    def check_masks(self) -> None:
        """Refuse options that fit no masks."""
        for name in ("randaugment", "central_crop"):
            if getattr(self, name) != getattr(type(self), name):
                raise ValueError(
                    f"Received: {name} for samples with masks. Expected: samples with labels; for masks there are "
                    "rotation_degrees, zoom, brightness and others."
                )

    def check_channels(self, channels: int) -> None:
        """Refuse options that need another number of channels."""
        if (self.saturation or self.hue) and channels != 3:
            raise ValueError(
                f"Received: saturation={self.saturation:g} and hue={self.hue:g} for pictures of {channels} channels. "
                "Expected: 3 channels, red, green and blue; or neither option."
            )

    def crop_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the output sides for a picture or volume of shape (..., channels), or refuse its shape."""
        sides = shape[:-1]
        if len(sides) not in (2, 3):
            raise ValueError(
                f"Received: pictures of shape {shape}. "
                "Expected: (height, width, channels) or (depth, height, width, channels)."
            )
        if len(sides) == 2 and "depth" in (self.flip_axes or ()):
            raise ValueError(
                f"Received: flip_axes={','.join(self.flip_axes or ())} for pictures of shape {shape}. Expected: height "
                "or width; only volumes have a depth."
            )
        self._check_picture(shape)
        if self.crop_size is None:
            return sides
        crop = (self.crop_size,) * len(sides) if isinstance(self.crop_size, int) else self.crop_size
        if len(crop) != len(sides) or np.any(np.greater(crop, sides)):
            raise ValueError(
                f"Received: crop_size={self.crop_size} for a picture of shape {shape}. "
                f"Expected: {len(sides)} sides, none larger than the picture's."
            )
        return crop

    def _check_picture(self, shape: tuple[int, ...]) -> None:
        """Refuse options that need another number of axes or channels, or longer sides."""
        if len(shape) != 3:
            for name in _PICTURES_ONLY:
                if getattr(self, name) != getattr(type(self), name):
                    raise ValueError(
                        f"Received: {name} for samples of shape {shape}. Expected: pictures (height, width, channels)."
                    )
        self.check_channels(shape[-1])
        if self.pad_crop >= min(shape[:-1]):
            raise ValueError(
                f"Received: pad_crop={self.pad_crop} for pictures of shape {shape}. Expected: less than the shortest "
                "side, so that some of the picture is left."
            )

    def _moved(self, draws: Draws, parts: Parts, smooth: bool, boxes: MovedBoxes | None) -> Parts:
        """Flip, rotate, zoom and deform."""
        axes = AXES if self.flip else self.flip_axes or ()
        parts = turned(draws.first, parts, axes=axes, right_angles=self.right_angles, boxes=boxes)
        if self.flip_horizontal or self.flip_vertical:
            chances = {"horizontal": self.flip_horizontal, "vertical": self.flip_vertical}
            parts = flipped(draws.few[FLIP], parts, **chances, boxes=boxes)
        return warped(
            draws.first,
            parts,
            rotation_degrees=self.rotation_degrees,
            zoom=self.zoom,
            elastic_pixels=self.elastic_pixels,
            elastic_smoothness_pixels=self.elastic_smoothness_pixels,
            smooth=smooth,
            boxes=boxes,
        )

    def _cropped(
        self,
        draws: Draws,
        parts: Parts,
        size: tuple[int, ...],
        ignore_index: int | None,
        smooth: bool,
        boxes: MovedBoxes | None,
    ) -> Parts:
        """Crop to `size`, in one of three ways."""
        if self.pad_crop:
            parts = padded_crop(draws.few[PAD], parts, self.pad_crop, boxes)
        is_crop = self.crop_size is not None and not self.resized_crop
        crop = size if is_crop else None
        parts = cropped(draws.first, parts, crop, self.crop_foreground, ignore_index, boxes)
        if not self.resized_crop:
            return parts
        height, width = size
        scale, ratio = self.resized_scale, self.resized_ratio
        rng = draws.of(RESIZED)
        return resized_crop(rng, parts, (height, width), scale, ratio, smooth=smooth, boxes=boxes)

    def _coloured(self, draws: Draws, picture: np.ndarray) -> np.ndarray:
        """Change colours, light and noise, and erase; the result stays between 0 and 1."""
        if self.randaugment is not None:
            picture = randaugmented(draws.of(RANDAUGMENT), picture, *self.randaugment)
        if self.saturation or self.hue:
            picture = tinted(draws.few[TINT], picture, saturation=self.saturation, hue=self.hue)
        picture = lit(draws.first, picture, **{name: getattr(self, name) for name in _LIGHT})
        return erased(draws.of(ERASE), picture) if draws.few[ERASES] < self.erase else picture
