"""Test-time augmentation: the mean prediction over a picture and its mirror images."""

from __future__ import annotations

import itertools

import numpy as np

from ddl.inference.backends.predictor import Predictor

KINDS = ("none", "flips")


class Flipped:
    """A predictor that averages over mirror images: along all axes for masks, left to right for labels."""

    def __init__(self, predictor: Predictor, *, finds_masks: bool) -> None:
        """Wrap a predictor; closing this one closes it too."""
        self._predictor = predictor
        channel_axis = len(predictor.input_shape)
        axes = range(1 if finds_masks else channel_axis - 1, channel_axis)
        self._flips = [
            flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)
        ]
        self._finds_masks = finds_masks
        self.input_shape = predictor.input_shape
        self.classes = predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return mean probabilities. Each mirror image costs one more prediction."""
        total = np.zeros((), np.float32)
        for flip in self._flips:
            flipped = self._predictor.predict(np.ascontiguousarray(np.flip(batch, flip)))
            total = total + (np.flip(flipped, flip) if self._finds_masks else flipped)
        return np.asarray(total / np.float32(len(self._flips)), np.float32)

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()
