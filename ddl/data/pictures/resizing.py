"""Resizes a picture or a part of it, with linear interpolation, in NumPy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Box:
    """A part of a picture, in whole pixels."""

    top: int
    left: int
    height: int
    width: int


def resized_part(picture: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Return a part of a picture (height, width, channels) at this size, interpolated linearly.

    Shrinking averages over all pixels of the part. There is no matrix product, so threads and the libraries under NumPy
    do not change a bit.
    """
    rows = _along(picture, 0, box.top, box.height, size[0])
    return _along(rows, 1, box.left, box.width, size[1])


def bilinear(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture (height, width, channels) at this size, interpolated between the nearest pixels alone.

    Centres of pixels fall on centres of pixels, and shrinking does not average: as OpenCV and PyTorch do by default.
    """
    rows = _along(values, 0, 0, values.shape[0], size[0], averages=False)
    return _along(rows, 1, 0, values.shape[1], size[1], averages=False)


def nearest(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a mask (height, width, channels) at this size, by nearest neighbour."""
    return nearest_part(mask, Box(0, 0, mask.shape[0], mask.shape[1]), size)


def nearest_part(mask: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """Return a part of a mask (height, width, 1) at this size, by nearest neighbour."""
    rows = box.top + _centres(box.height, size[0])
    columns = box.left + _centres(box.width, size[1])
    return np.asarray(mask[rows[:, None], columns])


def _centres(length: int, count: int) -> np.ndarray:
    return ((np.arange(count) + 0.5) * (length / count)).astype(int)


def _along(
    picture: np.ndarray, axis: int, start: int, length: int, count: int, *, averages: bool = True
) -> np.ndarray:
    """Return `count` interpolated lines of the `length` lines from `start` on, along one axis."""
    lines, weights = _taps(length, count, averages=averages)
    shape = [1] * picture.ndim
    shape[axis] = count
    whole = list(picture.shape)
    whole[axis] = count
    total = np.zeros(whole, picture.dtype)
    for line, weight in zip(lines + start, weights.astype(picture.dtype), strict=True):
        total += np.take(picture, line, axis) * weight.reshape(shape)
    return total


def _taps(length: int, count: int, *, averages: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines that each of `count` new lines is made of, and their weights: two arrays (taps, count).

    A line's weight falls linearly with its distance: to 0 at the distance between lines, or, if it `averages`, between
    new lines where that is longer.
    """
    step = length / count
    reach = max(1.0, step) if averages else 1.0
    centres = (np.arange(count) + 0.5) * step - 0.5
    first = np.ceil(centres - reach).astype(int)
    lines = first + np.arange(math.ceil(2 * reach) + 1)[:, None]
    weights = np.maximum(0, 1 - np.abs(lines - centres) / reach)
    weights[(lines < 0) | (lines >= length)] = 0
    weights /= weights.sum(axis=0)
    used = weights.any(axis=1)
    return np.clip(lines, 0, length - 1)[used], weights[used]
