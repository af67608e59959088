"""A sample on its way through transforms: its input, and its target where that has the input's sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Draw = Callable[[], np.random.Generator]


@dataclass(frozen=True)
class Parts:
    """The parts of a sample that a transform changes together.

    Attributes:
        arrays: the input, the target, or both, in this order: (height, width, channels) or with a depth before.
        smooth: for each, whether values between two pixels mean something: not in masks.
    """

    arrays: tuple[np.ndarray, ...]
    smooth: tuple[bool, ...]

    def mapped(self, change: Callable[[np.ndarray, bool], np.ndarray]) -> Parts:
        """Return the parts, each after `change` of its array and whether it is smooth."""
        changed = (change(*part) for part in zip(self.arrays, self.smooth, strict=True))
        return Parts(tuple(changed), self.smooth)


@dataclass(frozen=True)
class Drawn:
    """What a sample's draws come from: (seed, epoch, index), and the place of the transform among those that draw."""

    seed: int
    epoch: int
    index: int
    place: int = 0

    def generator(self, stream: int) -> np.random.Generator:
        """Return the generator of this sample and place, at the start of a stream."""
        key = (self.seed, self.epoch, self.index, stream, self.place)
        return np.random.Generator(np.random.PCG64(key))
