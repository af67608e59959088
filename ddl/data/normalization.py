"""Normalizes inputs: minus the mean of each channel over the training samples, divided by its deviation.

The sums are whole numbers, so they do not depend on the order of samples: any number of ranks finds the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # PostgreSQL loads this module, too, and no sources
    from ddl.data.source import Source

NORMALIZATIONS = ("none", "channels")
_BITS = 80
"""A sample's sums are rounded to this many binary places, far below the error of their own float64."""
_READ_AT_ONCE = 16


@dataclass(frozen=True)
class Normalization:
    """The mean and the deviation of each channel of pictures from 0 to 1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """Return pictures (..., channels), float32 from 0 to 1, as float32 with mean 0 and deviation 1."""
        mean, deviation = (np.asarray(part, np.float32) for part in (self.mean, self.deviation))
        return np.asarray((pictures - mean) / deviation, np.float32)


@dataclass(frozen=True)
class ChannelSums:
    """Exact sums over some samples.

    Attributes:
        count: values per channel.
        first: the sum of each channel, in units of 2**-80.
        second: the sum of squares of each channel, in the same units.
    """

    count: int
    first: tuple[int, ...]
    second: tuple[int, ...]

    def __add__(self, other: ChannelSums) -> ChannelSums:
        first = zip(self.first, other.first, strict=True)
        second = zip(self.second, other.second, strict=True)
        return ChannelSums(
            self.count + other.count, tuple(map(sum, first)), tuple(map(sum, second))
        )

    def normalization(self) -> Normalization:
        """Return mean and deviation. A channel that is the same everywhere gets a deviation of 1, and becomes 0."""
        means = [Fraction(total, self.count << _BITS) for total in self.first]
        squares = [Fraction(total, self.count << _BITS) for total in self.second]
        variances = [float(square - mean**2) for square, mean in zip(squares, means, strict=True)]
        deviations = (math.sqrt(variance) if variance > _LEAST else 1.0 for variance in variances)
        return Normalization(tuple(map(float, means)), tuple(deviations))


_LEAST = 1e-12  # a channel that varies less than the rounding of float32 is constant


def sum_channels(
    samples: Source, start: int, end: int, told: Callable[[int], object] = bool
) -> ChannelSums:
    """Return the sums over the inputs of the samples from `start` to `end`.

    Args:
        samples: the first field is the input, (..., channels), from 0 to 1.
        start: the first sample.
        end: the sample after the last.
        told: called with the number of samples done, for a progress display.
    """
    name, field = next(iter(samples.fields.items()))
    channels = field.shape[-1]
    sums = ChannelSums(0, (0,) * channels, (0,) * channels)
    for first in range(start, end, _READ_AT_ONCE):
        pictures = samples.read(np.arange(first, min(first + _READ_AT_ONCE, end)))[name]
        for picture in pictures:
            sums += _sums_of(picture.reshape(-1, channels).astype(np.float64))
        told(min(first + _READ_AT_ONCE, end) - start)
    return sums


def _sums_of(pixels: np.ndarray) -> ChannelSums:
    """Return the sums of one sample, (pixels, channels) float64: they are the same wherever it is read."""
    totals = pixels.sum(axis=0), np.square(pixels).sum(axis=0)
    first, second = (tuple(_units(float(total)) for total in part) for part in totals)
    return ChannelSums(len(pixels), first, second)


def _units(value: float) -> int:
    return round(Fraction(value) * (1 << _BITS))
