"""Augments a picture or volume together with its mask, in NumPy and SciPy, drawn from (seed, epoch, index) only.

    augmentation = Augmentation(flip=True, rotation_degrees=15, zoom=0.1, noise=0.02)
    picture, mask = augmentation(picture, mask, seed=0, epoch=3, index=17)

So a sample looks the same for any batch, rank or resume, and differs only between epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation.colour import lit, tinted
from ddl.data.batches.augmentation.crops import cropped, padded_crop, resized_crop
from ddl.data.batches.augmentation.erase import erased
from ddl.data.batches.augmentation.geometry import AXES, Parts, flipped, turned, warped
from ddl.data.batches.augmentation.randaugment import randaugmented
from ddl.options import Size
from ddl.ranges import Range, check_choice, check_ranges

_LIGHT = ("brightness", "contrast", "gamma", "noise")
_STREAM = 0x617567  # separates these draws from others with the same seed
# Later options have draws of their own, so that they change nothing else when they are turned on. Those that need few
# numbers share a stream, each with its own numbers of it, because to start a stream takes 10 to 20 microseconds.
_FEW, _RESIZED, _RANDAUGMENT, _ERASE = range(_STREAM + 1, _STREAM + 5)
_FLIP, _PAD, _TINT, _ERASES = slice(0, 2), slice(2, 5), slice(5, 7), 7
_PICTURES_ONLY = ("resized_crop", "randaugment", "erase", "saturation", "hue")
_RANGES = {
    "rotation_degrees": Range(0, 180),
    "zoom": Range(0, 0.9),
    **dict.fromkeys(("contrast", "crop_foreground"), Range(0, 1)),
    **dict.fromkeys(("elastic_pixels", "brightness", "gamma", "noise"), Range(0, 1000)),
    "elastic_smoothness_pixels": Range(0, 1000, above=True),
    "crop_size": Range(1),
    **dict.fromkeys(("flip_horizontal", "flip_vertical", "saturation", "erase"), Range(0, 1)),
    "pad_crop": Range(0),
    "resized_scale": Range(0, 1, above=True),
    "resized_ratio": Range(0, 100, above=True),
    "central_crop": Range(0, 1, above=True),
    "hue": Range(0, 0.5),
    "randaugment": Range(0, 30),
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

    def __post_init__(self) -> None:
        check_ranges(vars(self), _RANGES, "augmentation")
        for axis in self.flip_axes or ():
            check_choice("flip_axes", axis, AXES)
        self._check_flips()
        self._check_pairs()
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

        draws = _Draws(seed, epoch, index, place)
        parts = [picture] if mask is None else [picture, mask]
        # The order of draws is part of the result. Options that are off still draw from `draws.first`, so that turning
        # one on does not change the others.
        parts = self._moved(draws, parts, smooth)
        parts = self._cropped(draws, parts, size, ignore_index, smooth)
        parts[0] = self._coloured(draws, parts[0]).astype(picture.dtype, copy=False)
        changed, *masks = map(np.ascontiguousarray, parts)
        return changed, masks[0] if masks else None

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

    def _check_flips(self) -> None:
        """Refuse two ways to flip."""
        if self.flip and self.flip_axes is not None:
            raise ValueError(
                "Received: flip=true and flip_axes for augmentation. Expected: one of them; flip is along all axes."
            )
        if (self.flip or self.flip_axes) and (self.flip_horizontal or self.flip_vertical):
            other = "flip=true" if self.flip else f"flip_axes={','.join(self.flip_axes or ())}"
            raise ValueError(
                f"Received: {other} with flip_horizontal={self.flip_horizontal:g} and flip_vertical="
                f"{self.flip_vertical:g} for augmentation. Expected: probabilities alone, or flip or flip_axes alone."
            )

    def _check_pairs(self) -> None:
        """Refuse options of two numbers that have another count or order, or no effect."""
        if self.randaugment is not None and (len(self.randaugment) != 2 or self.randaugment[0] < 1):
            raise ValueError(
                f"Received: randaugment={_text(self.randaugment)} for augmentation. Expected: a number of operations "
                "and a magnitude, such as 2,9."
            )
        for name in ("resized_scale", "resized_ratio"):
            pair = getattr(self, name)
            if len(pair) != 2 or pair[0] > pair[1]:
                raise ValueError(
                    f"Received: {name}={_text(pair)} for augmentation. Expected: the smallest and the largest, such as "
                    f"{_text(getattr(type(self), name))}."
                )
            if pair != getattr(type(self), name) and not self.resized_crop:
                raise ValueError(
                    f"Received: {name}={_text(pair)} without resized_crop. Expected: both; give resized_crop=true."
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

    def _moved(self, draws: _Draws, parts: Parts, smooth: bool) -> Parts:
        """Flip, rotate, zoom and deform."""
        axes = AXES if self.flip else self.flip_axes or ()
        parts = turned(draws.first, parts, axes=axes, right_angles=self.right_angles)
        if self.flip_horizontal or self.flip_vertical:
            chances = {"horizontal": self.flip_horizontal, "vertical": self.flip_vertical}
            parts = flipped(draws.few[_FLIP], parts, **chances)
        return warped(
            draws.first,
            parts,
            rotation_degrees=self.rotation_degrees,
            zoom=self.zoom,
            elastic_pixels=self.elastic_pixels,
            elastic_smoothness_pixels=self.elastic_smoothness_pixels,
            smooth=smooth,
        )

    def _cropped(
        self,
        draws: _Draws,
        parts: Parts,
        size: tuple[int, ...],
        ignore_index: int | None,
        smooth: bool,
    ) -> Parts:
        """Crop to `size`, in one of three ways."""
        if self.pad_crop:
            parts = padded_crop(draws.few[_PAD], parts, self.pad_crop)
        is_crop = self.crop_size is not None and not self.resized_crop
        crop = size if is_crop else None
        parts = cropped(draws.first, parts, crop, self.crop_foreground, ignore_index)
        if not self.resized_crop:
            return parts
        height, width = size
        scale, ratio = self.resized_scale, self.resized_ratio
        return resized_crop(draws.of(_RESIZED), parts, (height, width), scale, ratio, smooth=smooth)

    def _coloured(self, draws: _Draws, picture: np.ndarray) -> np.ndarray:
        """Change colours, light and noise, and erase; the result stays between 0 and 1."""
        if self.randaugment is not None:
            picture = randaugmented(draws.of(_RANDAUGMENT), picture, *self.randaugment)
        if self.saturation or self.hue:
            picture = tinted(draws.few[_TINT], picture, saturation=self.saturation, hue=self.hue)
        picture = lit(draws.first, picture, **{name: getattr(self, name) for name in _LIGHT})
        return erased(draws.of(_ERASE), picture) if draws.few[_ERASES] < self.erase else picture


class _Draws:
    """What is drawn for a sample in an epoch: the stream of the first options, and those of the later ones."""

    def __init__(self, seed: int, epoch: int, index: int, place: int) -> None:
        self._key = (seed, epoch, index)
        self._place = (place,) if place else ()  # 0 gives the bits of an augmentation alone
        self.first = self.of(_STREAM)
        self.few = self.of(_FEW).random(8)

    def of(self, stream: int) -> np.random.Generator:
        """Return a generator at the start of a stream."""
        return np.random.Generator(np.random.PCG64([*self._key, stream, *self._place]))


def _text(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
