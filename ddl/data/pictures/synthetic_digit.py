"""Synthetic pictures of digits: those of several fonts, turned, slanted, moved and of several sizes.

Picture `index` depends on (index, size, seed) alone, and on the fonts that matplotlib brings along.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np

DIGITS = tuple("0123456789")
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono"),
    *("DejaVuSerif", "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol"),
)
_FINE = 4  # drawn larger and averaged
_HEIGHTS = (0.8, 1.05)
"""Of a font, in heights of the picture. A digit has about 0.73 of it."""
_MOST_DEGREES, _MOST_SLANT, _MOST_SHIFT = 12.0, 0.2, 0.06


def digit_picture(index: int, size: int, seed: int = 0) -> tuple[np.ndarray, int]:
    """Return a picture (size, size), uint8, white on black, and its digit. Ten in a row have each digit once."""
    from PIL import Image, ImageDraw

    random = np.random.default_rng([seed, index])
    digit, fine = index % len(DIGITS), size * _FINE
    name = FONTS[int(random.integers(len(FONTS)))]
    font = _font(name, round(fine * random.uniform(*_HEIGHTS)))
    image = Image.new("L", (fine, fine))
    ImageDraw.Draw(image).text(
        (fine / 2, fine / 2), DIGITS[digit], fill=255, font=font, anchor="mm"
    )
    angle = math.radians(random.uniform(-_MOST_DEGREES, _MOST_DEGREES))
    slant = random.uniform(-_MOST_SLANT, _MOST_SLANT)
    shift = random.uniform(-_MOST_SHIFT, _MOST_SHIFT, 2) * fine
    turned = image.transform(
        image.size, Image.Transform.AFFINE, _around_middle(angle, slant, shift, fine / 2),
        Image.Resampling.BILINEAR,
    )  # fmt: skip
    parts = np.asarray(turned, np.float32).reshape(size, _FINE, size, _FINE)
    return np.rint(parts.mean(axis=(1, 3))).astype(np.uint8), digit


def _around_middle(
    angle: float, slant: float, shift: np.ndarray, middle: float
) -> tuple[float, ...]:
    """Return the six numbers of PIL's affine map from a place of the result to one of the source."""
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    matrix = turn @ np.array([[1.0, slant], [0.0, 1.0]])
    offset = middle - matrix @ (middle + shift)
    return (*matrix[0], float(offset[0]), *matrix[1], float(offset[1]))


@functools.lru_cache(maxsize=512)
def _font(name: str, height: int) -> Any:
    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf"), height)
