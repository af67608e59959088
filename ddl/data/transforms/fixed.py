"""Transforms that draw nothing: resize, center_crop, rotate, convert_color, normalize. They hold for all samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ddl.data.batches.augmentation.geometry import turned_by
from ddl.data.pictures.resizing import bilinear, nearest
from ddl.data.transforms.colour_codes import find_colour_code
from ddl.data.transforms.parts import Drawn, Parts
from ddl.data.transforms.transform import Transform


@dataclass(frozen=True)
class Resize(Transform):
    """Height and width; bilinear at the centres of pixels without averaging, masks by nearest neighbour."""

    size: tuple[int, int]
    pictures_only = True

    def sides(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        return self.size

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        def resized(array: np.ndarray, smooth: bool) -> np.ndarray:
            if array.shape[:2] == self.size:
                return array
            return bilinear(array, self.size) if smooth else nearest(array, self.size)

        return parts.mapped(resized)


@dataclass(frozen=True)
class CenterCrop(Transform):
    """Height and width of the middle that is kept."""

    size: tuple[int, int]
    pictures_only = True

    def sides(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        if any(kept > side for kept, side in zip(self.size, sides, strict=True)):
            raise ValueError(
                f"Received: center_crop={self.size[0]}x{self.size[1]} of pictures of {sides[0]}x{sides[1]}. Expected: "
                "at most their size."
            )
        return self.size

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        def middle(array: np.ndarray, smooth: bool) -> np.ndarray:
            top, left = (
                (side - kept) // 2 for side, kept in zip(array.shape, self.size, strict=False)
            )
            return array[top : top + self.size[0], left : left + self.size[1]]

        return parts.mapped(middle)


@dataclass(frozen=True)
class Rotate(Transform):
    """Degrees, clockwise; the picture is mirrored beyond its edges."""

    degrees: float
    pictures_only = True

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        if self.degrees == 0:
            return parts
        angle = math.radians(self.degrees)
        return Parts(tuple(turned_by(list(parts.arrays), angle, smooth=parts.smooth)), parts.smooth)


@dataclass(frozen=True)
class ConvertColor(Transform):
    """The name of a conversion, such as BGR2RGB. Masks have no colours."""

    name: str
    is_local = True
    changes_masks = False

    def channels(self, channels: int) -> int:
        code = find_colour_code(self.name)
        if channels != code.before:
            raise ValueError(
                f"Received: convert_color={self.name} of pictures of {channels} channels. Expected: {code.before} "
                "channels."
            )
        return code.after

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        code = find_colour_code(self.name)

        def converted(array: np.ndarray, smooth: bool) -> np.ndarray:
            return np.asarray(code.convert(array), array.dtype)

        return parts.mapped(converted)


@dataclass(frozen=True)
class Normalize(Transform):
    """A mean that is subtracted, and a deviation that divides.

    Masks are changed where they are read (`ddl.data.transforms.mask_numbers`), because the result is class numbers.
    """

    mean: float
    deviation: float
    is_local = True
    changes_masks = False
    changes_vectors = True

    def change(self, parts: Parts, drawn: Drawn) -> Parts:
        def normalized(array: np.ndarray, smooth: bool) -> np.ndarray:
            mean, deviation = array.dtype.type(self.mean), array.dtype.type(self.deviation)
            return np.asarray((array - mean) / deviation)

        return parts.mapped(normalized)
