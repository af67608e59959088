"""Augments a picture or volume together with its mask, in NumPy and SciPy, drawn from (seed, epoch, index) only.

    augmentation = Augmentation(flip=True, rotation_degrees=15, zoom=0.1, noise=0.02)
    picture, mask = augmentation(picture, mask, seed=0, epoch=3, index=17)

So a sample looks the same for any batch, rank or resume, and differs only between epochs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ddl.options import Size
from ddl.ranges import Range, check_choice, check_ranges

_Parts = list[np.ndarray]  # the picture, and its mask if it has one
_STREAM = 0x617567  # separates these draws from others with the same seed
_RANGES = {
    "rotation_degrees": Range(0, 180),
    "zoom": Range(0, 0.9),
    **dict.fromkeys(("contrast", "crop_foreground"), Range(0, 1)),
    **dict.fromkeys(("elastic_pixels", "brightness", "gamma", "noise"), Range(0, 1000)),
    "elastic_smoothness_pixels": Range(0, 1000, above=True),
    "crop_size": Range(1),
}
_AXES = ("depth", "height", "width")
# Plane and number of quarter turns that bring each of a cube's six sides to the front.
_SIDES = (((0, 1), 0), ((0, 1), 1), ((0, 1), 2), ((0, 1), 3), ((0, 2), 1), ((0, 2), 3))


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
            check_choice("flip_axes", axis, _AXES)
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
        parts = self._turned(rng, parts)
        parts = self._warped(rng, parts)
        parts = self._cropped(rng, parts, ignore_index)
        parts[0] = self._coloured(rng, parts[0]).astype(picture.dtype, copy=False)
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

    def _turned(self, rng: np.random.Generator, parts: _Parts) -> _Parts:
        """Flip and rotate by right angles; pixel values do not change."""
        sides = parts[0].shape[:-1]
        flips = rng.random(len(sides)) < 0.5
        turns = int(rng.integers(4))
        plane, quarters = _SIDES[rng.integers(6) if len(sides) == 3 else 0]
        if sides[-2] != sides[-1]:
            turns = turns // 2 * 2
        if len(set(sides)) > 1:
            quarters = 0  # not a cube: rotate only in the plane of height and width

        axes = tuple(
            axis for axis in np.flatnonzero(flips).tolist() if self._flips(axis - len(sides))
        )
        parts = [np.flip(part, axes) for part in parts]
        if self.right_angles:
            parts = [np.rot90(np.rot90(part, quarters, plane), turns, (-3, -2)) for part in parts]
        return parts

    def _flips(self, axis: int) -> bool:
        """Return whether samples are flipped along an axis: -1 is the width, -2 the height, -3 the depth."""
        return self.flip or _AXES[axis] in (self.flip_axes or ())

    def _warped(self, rng: np.random.Generator, parts: _Parts) -> _Parts:
        """Rotate, zoom and deform in one pass, so that pixels are interpolated only once."""
        shape = parts[0].shape[:-1]
        angle = math.radians(rng.uniform(-1, 1) * self.rotation_degrees)
        zoom = (1 + self.zoom) ** rng.uniform(-1, 1)
        elastic = np.random.Generator(np.random.PCG64(int(rng.integers(1 << 62))))
        if not (self.rotation_degrees or self.zoom or self.elastic_pixels):
            return parts
        centre = (np.array(shape) - 1) / 2
        places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) - centre
        turn = _rotation(angle) if len(shape) == 2 else _rotation_about(rng.normal(size=3), angle)
        places = np.moveaxis(places @ turn.T / zoom + centre, -1, 0)
        if self.elastic_pixels:
            places = places + self._displacement(elastic, shape)
        # Linear for the picture, nearest for the mask.
        return [_sampled(part, places, order) for order, part in zip((1, 0), parts, strict=False)]

    def _displacement(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Return each pixel's displacement: smooth noise with the requested standard deviation, (axes, *shape)."""
        sigma = self.elastic_smoothness_pixels
        noise = rng.normal(size=(len(shape), *shape))
        smooth = ndimage.gaussian_filter(noise, (0, *(sigma,) * len(shape)), mode="wrap")
        # Smoothing scales the standard deviation by the norm of its kernel.
        impulses = [np.eye(1, side)[0] for side in shape]
        norms = [
            np.linalg.norm(ndimage.gaussian_filter1d(impulse, sigma, mode="wrap"))
            for impulse in impulses
        ]
        return np.asarray(smooth * (self.elastic_pixels / math.prod(norms)))

    def _cropped(self, rng: np.random.Generator, parts: _Parts, ignore_index: int | None) -> _Parts:
        """Crop the sample; with probability `crop_foreground` the crop contains foreground."""
        shape = parts[0].shape
        wants_foreground = rng.random() < self.crop_foreground
        place, pick = rng.random(len(shape) - 1), rng.random()
        if self.crop_size is None:
            return parts
        size = np.array(self.crop_of(shape))
        room = np.array(shape[:-1]) - size
        start = np.floor(place * (room + 1)).astype(int)
        if wants_foreground and len(parts) > 1:
            is_foreground = (parts[1] != 0) & (parts[1] != ignore_index)
            marked = np.argwhere(is_foreground.any(axis=-1))
            if len(marked):
                # Any position at which the crop contains this pixel.
                start = marked[int(pick * len(marked))] - np.floor(place * size).astype(int)
                start = np.clip(start, 0, room)
        area = tuple(slice(int(s), int(s) + int(n)) for s, n in zip(start, size, strict=True))
        return [part[area] for part in parts]

    def _coloured(self, rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
        """Change light and noise; the picture stays between 0 and 1."""
        brightness, contrast, gamma = rng.uniform(-1, 1, 3)
        strength = rng.random()
        if not (self.brightness or self.contrast or self.gamma or self.noise):
            return picture
        changed = picture
        if self.gamma:
            changed = np.clip(changed, 0, 1) ** ((1 + self.gamma) ** gamma)
        if self.contrast:
            mean = float(changed.mean())
            changed = (changed - mean) * (1 + contrast * self.contrast) + mean
        changed = changed + brightness * self.brightness
        if self.noise:
            changed = changed + rng.normal(size=changed.shape) * (strength * self.noise)
        return np.asarray(np.clip(changed, 0, 1))


def _rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _rotation_about(axis: np.ndarray, angle: float) -> np.ndarray:
    """Return the 3D rotation about an axis of any length except 0 (Rodrigues' formula)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def _sampled(array: np.ndarray, places: np.ndarray, order: int) -> np.ndarray:
    """Return the values of each channel at these places; the array is mirrored beyond its edges."""
    channels = np.moveaxis(array, -1, 0)
    sampled = [ndimage.map_coordinates(c, places, order=order, mode="mirror") for c in channels]
    return np.stack(sampled, -1)
