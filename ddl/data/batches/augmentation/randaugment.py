"""RandAugment (Cubuk et al. 2019): a few operations of a fixed list, all of the same strength.

The fourteen operations and the strengths at magnitude 10 are those of the paper's tables: 30 degrees, a shear of 0.3, a
translation of 0.45 of the side, 4 bits, and factors from 0.1 to 1.9. What comes from outside the picture is grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ddl.data.batches.augmentation.colour import LUMINANCE

_FULL = 10  # the magnitude of the strengths above
_GREY = 0.5
_LEVELS = 255

Operation = Callable[[np.ndarray, float], np.ndarray]
"""Takes a picture (height, width, channels) from 0 to 1, and a strength: negative for the other direction."""


def randaugmented(
    rng: np.random.Generator, picture: np.ndarray, number: int, magnitude: int
) -> np.ndarray:
    """Return the picture after `number` operations, drawn with replacement, each in one of its two directions."""
    chosen = rng.integers(len(OPERATIONS), size=number)
    strengths = np.where(rng.random(number) < 0.5, -1, 1) * (magnitude / _FULL)
    operations, picture = list(OPERATIONS.values()), np.clip(picture, 0, 1)
    for which, strength in zip(chosen.tolist(), strengths.tolist(), strict=True):
        picture = operations[which](picture, strength)
    return picture


def _auto_contrast(picture: np.ndarray, _: float) -> np.ndarray:
    # NumPy is slow over an axis as short as the channels.
    planes = np.ascontiguousarray(picture.reshape(-1, picture.shape[-1]).T)
    low, high = planes.min(axis=1), planes.max(axis=1)
    span = high - low
    return np.where(span > 0, (picture - low) / np.where(span > 0, span, 1), picture)


def _equalize(picture: np.ndarray, _: float) -> np.ndarray:
    """Give all 256 levels of each channel about equally many pixels."""
    levels = np.rint(picture * _LEVELS).astype(np.intp)
    result = np.empty_like(picture)
    for channel in range(picture.shape[-1]):
        own = levels[..., channel]
        below = np.cumsum(np.bincount(own.ravel(), minlength=_LEVELS + 1))
        first = below[own.min()]
        span = own.size - first
        table = (below - first) / span if span else np.arange(_LEVELS + 1) / _LEVELS
        result[..., channel] = table.clip(0).astype(picture.dtype)[own]
    return result


def _posterize(picture: np.ndarray, strength: float) -> np.ndarray:
    """Keep only the highest of the 8 bits."""
    dropped = min(7, round(4 * abs(strength)))
    levels = np.rint(picture * _LEVELS).astype(np.uint8)
    kept = (levels >> dropped << dropped).astype(picture.dtype)
    return np.asarray(kept / picture.dtype.type(_LEVELS))


def _solarize(picture: np.ndarray, strength: float) -> np.ndarray:
    """Invert the brightest pixels."""
    return np.where(picture > max(0.0, 1 - abs(strength)), 1 - picture, picture)


def _blend(start: np.ndarray, picture: np.ndarray, strength: float) -> np.ndarray:
    """Move the picture away from `start`, or towards it: a factor of 0.1 to 1.9 at full strength."""
    factor = picture.dtype.type(1 + 0.9 * strength)
    return np.asarray(np.clip(start + factor * (picture - start), 0, 1))


def _colour(picture: np.ndarray, strength: float) -> np.ndarray:
    return _blend(_grey(picture), picture, strength)


def _contrast(picture: np.ndarray, strength: float) -> np.ndarray:
    return _blend(np.full_like(picture, _grey(picture).mean()), picture, strength)


def _brightness(picture: np.ndarray, strength: float) -> np.ndarray:
    return _blend(np.zeros_like(picture), picture, strength)


def _sharpness(picture: np.ndarray, strength: float) -> np.ndarray:
    """Blend with a smoothed picture, whose edge pixels stay as they are."""
    if min(picture.shape[:2]) < 3:
        return picture
    smooth = picture.copy()
    rows = picture[:-2] + picture[1:-1] + picture[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]
    smooth[1:-1, 1:-1] = (around + 4 * picture[1:-1, 1:-1]) / 13
    return _blend(smooth, picture, strength)


def _grey(picture: np.ndarray) -> np.ndarray:
    """Return the luminance (height, width, 1) of three channels; of other numbers of channels the mean."""
    if picture.shape[-1] != 3:
        return np.asarray(picture.mean(axis=-1, keepdims=True))
    grey = np.einsum("hwc,c->hw", picture, LUMINANCE.astype(picture.dtype))
    return np.asarray(grey[..., None])


def _rotate(picture: np.ndarray, strength: float) -> np.ndarray:
    angle = math.radians(30 * strength)
    sine, cosine = math.sin(angle), math.cos(angle)
    return _moved(picture, [[cosine, -sine], [sine, cosine]])


def _shear_x(picture: np.ndarray, strength: float) -> np.ndarray:
    return _moved(picture, [[1, 0], [0.3 * strength, 1]])


def _shear_y(picture: np.ndarray, strength: float) -> np.ndarray:
    return _moved(picture, [[1, 0.3 * strength], [0, 1]])


def _translate_x(picture: np.ndarray, strength: float) -> np.ndarray:
    return _shifted(picture, 1, strength)


def _translate_y(picture: np.ndarray, strength: float) -> np.ndarray:
    return _shifted(picture, 0, strength)


def _shifted(picture: np.ndarray, axis: int, strength: float) -> np.ndarray:
    """Shift by whole pixels along an axis."""
    side = picture.shape[axis]
    pixels = max(-side, min(side, round(0.45 * strength * side)))
    result = np.full_like(picture, _GREY)
    taken, placed = [slice(None)] * 3, [slice(None)] * 3
    taken[axis] = slice(max(0, -pixels), side - max(0, pixels))
    placed[axis] = slice(max(0, pixels), side + min(0, pixels))
    result[tuple(placed)] = picture[tuple(taken)]
    return result


def _moved(picture: np.ndarray, matrix: list[list[float]]) -> np.ndarray:
    """Return the picture whose pixel at p, counted from the centre, is that of the picture at matrix @ p.

    Interpolated linearly between four pixels, for all channels at once: for small pictures a third of the time that
    `scipy.ndimage` takes, channel by channel.
    """
    height, width, channels = picture.shape
    rows, columns = (
        np.arange(height)[:, None] - (height - 1) / 2,
        np.arange(width) - (width - 1) / 2,
    )
    (a, b), (c, d) = matrix
    # A border of grey: of one pixel before, and of two behind, where a place at the very edge looks once more.
    padded = np.full((channels, height + 3, width + 3), _GREY, picture.dtype)
    padded[:, 1:-2, 1:-2] = picture.transpose(2, 0, 1)
    down = np.clip(a * rows + b * columns + (height + 1) / 2, 0, height + 1)
    right = np.clip(c * rows + d * columns + (width + 1) / 2, 0, width + 1)
    top, left = down.astype(np.intp), right.astype(np.intp)
    low, far = (down - top).astype(picture.dtype), (right - left).astype(picture.dtype)
    places, flat = top * (width + 3) + left, padded.reshape(channels, -1)
    upper, lower = (
        flat.take(line, axis=1) * (1 - far) + flat.take(line + 1, axis=1) * far
        for line in (places, places + (width + 3))
    )
    return np.ascontiguousarray((upper * (1 - low) + lower * low).transpose(1, 2, 0))


OPERATIONS: dict[str, Operation] = {
    "identity": lambda picture, _: picture,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "solarize": _solarize,
    "colour": _colour,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
