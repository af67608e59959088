"""Conversions of colours by the names that OpenCV has for them: "BGR2RGB". Pictures are floats from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ddl.ranges import check_choice


@dataclass(frozen=True)
class ColourCode:
    """A conversion of pictures (..., before) into pictures (..., after)."""

    before: int
    after: int
    convert: Callable[[np.ndarray], np.ndarray]


def find_colour_code(name: str) -> ColourCode:
    """Return the conversion of this name; the error for another lists all."""
    check_choice("convert_color", name, COLOUR_CODES)
    return COLOUR_CODES[name]


def _reversed(picture: np.ndarray) -> np.ndarray:
    return picture[..., ::-1]


def _by_skimage(name: str, *, first: bool = False, last: bool = False) -> Callable[..., np.ndarray]:
    """Return a function of scikit-image for colours, with blue first before it or after it."""

    def convert(picture: np.ndarray) -> np.ndarray:
        from skimage import color

        given = _reversed(picture) if first else picture
        found = getattr(color, name)(given)
        found = found[..., None] if name == "rgb2gray" else found
        return _reversed(found) if last else found

    return convert


def _repeated(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture, 3, axis=-1)


COLOUR_CODES = {
    "BGR2RGB": ColourCode(3, 3, _reversed),
    "RGB2BGR": ColourCode(3, 3, _reversed),
    "BGR2GRAY": ColourCode(3, 1, _by_skimage("rgb2gray", first=True)),
    "RGB2GRAY": ColourCode(3, 1, _by_skimage("rgb2gray")),
    "GRAY2BGR": ColourCode(1, 3, _repeated),
    "GRAY2RGB": ColourCode(1, 3, _repeated),
    "BGR2HSV": ColourCode(3, 3, _by_skimage("rgb2hsv", first=True)),
    "RGB2HSV": ColourCode(3, 3, _by_skimage("rgb2hsv")),
    "HSV2BGR": ColourCode(3, 3, _by_skimage("hsv2rgb", last=True)),
    "HSV2RGB": ColourCode(3, 3, _by_skimage("hsv2rgb")),
    "BGR2LAB": ColourCode(3, 3, _by_skimage("rgb2lab", first=True)),
    "RGB2LAB": ColourCode(3, 3, _by_skimage("rgb2lab")),
    "BGR2YUV": ColourCode(3, 3, _by_skimage("rgb2yuv", first=True)),
    "RGB2YUV": ColourCode(3, 3, _by_skimage("rgb2yuv")),
}
"""With the ranges of scikit-image: all parts of HSV from 0 to 1, L of LAB from 0 to 100."""
