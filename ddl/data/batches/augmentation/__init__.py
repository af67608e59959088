"""Augments a picture or volume together with its mask, in NumPy and SciPy, drawn from (seed, epoch, index) only.

    augmentation = Augmentation(flip=True, rotation_degrees=15, zoom=0.1, noise=0.02)
    picture, mask = augmentation(picture, mask, seed=0, epoch=3, index=17)

So a sample looks the same for any batch, rank or resume, and differs only between epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation.colour import lit
from ddl.data.batches.augmentation.crops import cropped
from ddl.data.batches.augmentation.geometry import AXES, turned, warped
from ddl.options import Size
from ddl.ranges import Range, check_choice, check_ranges

_LIGHT = ("brightness", "contrast", "gamma", "noise")
_STREAM = 0x617567  # separates these draws from others with the same seed
_RANGES = {
    "rotation_degrees": Range(0, 180),
    "zoom": Range(0, 0.9),
    **dict.fromkeys(("contrast", "crop_foreground"), Range(0, 1)),
    **dict.fromkeys(("elastic_pixels", "brightness", "gamma", "noise"), Range(0, 1000)),
    "elastic_smoothness_pixels": Range(0, 1000, above=True),
    "crop_size": Range(1),
}


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

    def __post_init__(self) -> None:
        check_ranges(vars(self), _RANGES, "augmentation")
        for axis in self.flip_axes or ():
            check_choice("flip_axes", axis, AXES)
        if self.flip and self.flip_axes is not None:
            raise ValueError(
                "Received: flip=true and flip_axes for augmentation. Expected: one of them; flip is along all axes."
            )
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
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the sample as it looks in this epoch, with unchanged dtypes, and cropped if `crop_size` is given.

        Args:
            picture: (height, width, channels) or (depth, height, width, channels), float, from 0 to 1. Not changed.
            mask: of the picture's size, (..., 1), any dtype; None for a sample with a label instead.
            index: index of the sample in its source.
            ignore_index: number in the mask that marks pixels to leave out: no crop is placed on them.
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
        self.crop_of(picture.shape)
        rng = np.random.Generator(np.random.PCG64([seed, epoch, index, _STREAM]))
        parts = [picture] if mask is None else [picture, mask]
        # The order of draws is part of the result. Options that are off still draw, so that turning one on
        # does not change the others.
        axes = AXES if self.flip else self.flip_axes or ()
        parts = turned(rng, parts, axes=axes, right_angles=self.right_angles)
        parts = warped(
            rng,
            parts,
            rotation_degrees=self.rotation_degrees,
            zoom=self.zoom,
            elastic_pixels=self.elastic_pixels,
            elastic_smoothness_pixels=self.elastic_smoothness_pixels,
        )
        size = None if self.crop_size is None else self.crop_of(parts[0].shape)
        parts = cropped(rng, parts, size, self.crop_foreground, ignore_index)
        light = {name: getattr(self, name) for name in _LIGHT}
        parts[0] = lit(rng, parts[0], **light).astype(picture.dtype, copy=False)
        changed, *masks = map(np.ascontiguousarray, parts)
        return changed, masks[0] if masks else None

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
        if self.crop_size is None:
            return sides
        crop = (self.crop_size,) * len(sides) if isinstance(self.crop_size, int) else self.crop_size
        if len(crop) != len(sides) or np.any(np.greater(crop, sides)):
            raise ValueError(
                f"Received: crop_size={self.crop_size} for a picture of shape {shape}. "
                f"Expected: {len(sides)} sides, none larger than the picture's."
            )
        return crop
