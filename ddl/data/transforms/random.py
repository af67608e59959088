"""Transforms that draw: every option of the augmentation, and those that only this table has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation import Augmentation
from ddl.data.pictures.resizing import bilinear, nearest
from ddl.data.transforms.parts import Drawn, Parts
from ddl.data.transforms.transform import Transform

_JITTER, _ZOOM, _PATCHES = range(0x7472616E, 0x7472616E + 3)
"""Streams, which separate these draws from others of the same sample."""


@dataclass(frozen=True)
class Augmented(Transform):
    """One option of the augmentation, with its default for all others."""

    augmentation: Augmentation
    is_flip: bool = False
    draws = True
    always = False

    @property
    def commutes_with_resize(self) -> bool:
        return self.is_flip

    def sides(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        return self.augmentation.crop_of((*sides, 3))

    def channels(self, channels: int) -> int:
        self.augmentation.check_channels(channels)
        return channels

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        picture, *others = parts.arrays
        changed, other = self.augmentation(
            picture,
            others[0] if others else None,
            seed=drawn.seed,
            epoch=drawn.epoch,
            index=drawn.index,
            place=drawn.place,
            smooth=parts.smooth[-1],
        )
        return Parts((changed,) if other is None else (changed, other), parts.smooth)


@dataclass(frozen=True)
class JitterCrop(Transform):
    """Cut up to half of this fraction off each edge, drawn for each, and enlarge the rest to the former size."""

    fraction: float
    draws = True
    always = False
    pictures_only = True

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        return _zoomed(parts, drawn.generator(_JITTER).random(4) * self.fraction / 2)


@dataclass(frozen=True)
class RandomZoom(Transform):
    """Enlarge the middle: cut up to half of this fraction off every edge alike."""

    fraction: float
    draws = True
    always = False
    pictures_only = True

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        return _zoomed(parts, np.repeat(drawn.generator(_ZOOM).random(), 4) * self.fraction / 2)


@dataclass(frozen=True)
class RandomPatches(Transform):
    """A number of squares, and their side: inputs lose what is in them, and targets hold that alone.

    Held-out samples have those of epoch 0 in every epoch, because the squares make the task.
    """

    number: int
    size: int
    draws = True
    pictures_only = True
    needs_values = True

    def sides(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        if self.size > min(sides):
            raise ValueError(
                f"Received: random_patches={self.number},{self.size} of pictures of {'x'.join(map(str, sides))}. "
                "Expected: patches no larger than the pictures."
            )
        return sides

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        height, width = parts.arrays[0].shape[:2]
        gone = np.zeros((height, width, 1), np.bool_)
        rng = drawn.generator(_PATCHES)
        tops = rng.integers(height - self.size + 1, size=self.number)
        lefts = rng.integers(width - self.size + 1, size=self.number)
        for top, left in zip(tops, lefts, strict=True):
            gone[top : top + self.size, left : left + self.size] = True
        inputs, targets = parts.arrays
        return Parts((np.where(gone, 0, inputs), np.where(gone, targets, 0)), parts.smooth)


def _zoomed(parts: Parts, cuts: np.ndarray) -> Parts:
    """Enlarge what is left after cutting these fractions off the top, bottom, left and right edge."""
    height, width = parts.arrays[0].shape[:2]
    top, bottom, left, right = cuts.tolist()
    rows, columns = (
        slice(round(first * side), side - round(last * side))
        for first, last, side in ((top, bottom, height), (left, right, width))
    )

    def enlarged(array: np.ndarray, smooth: bool) -> np.ndarray:
        part = array[rows, columns]
        return bilinear(part, (height, width)) if smooth else nearest(part, (height, width))

    return parts.mapped(enlarged)
