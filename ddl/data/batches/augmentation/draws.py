"""The random numbers of a sample in an epoch: each option of an augmentation has its own."""

from __future__ import annotations

import numpy as np

_STREAM = 0x617567  # separates these draws from others with the same seed
# Later options have draws of their own, so that they change nothing else when they are turned on. Those that need few
# numbers share a stream, each with its own numbers of it, because to start a stream takes 10 to 20 microseconds.
_FEW, RESIZED, RANDAUGMENT, ERASE = range(_STREAM + 1, _STREAM + 5)
FLIP, PAD, TINT, ERASES = slice(0, 2), slice(2, 5), slice(5, 7), 7


class Draws:
    """What is drawn for a sample in an epoch: the stream of the first options, and those of the later ones."""

    def __init__(self, seed: int, epoch: int, index: int, place: int) -> None:
        self._key = (seed, epoch, index)
        self._place = (place,) if place else ()  # 0 gives the bits of an augmentation alone
        self.first = self.of(_STREAM)
        self.few = self.of(_FEW).random(8)

    def of(self, stream: int) -> np.random.Generator:
        """Return a generator at the start of a stream."""
        return np.random.Generator(np.random.PCG64([*self._key, stream, *self._place]))
