"""Test-time augmentation: the mean of what a model finds in a picture and in its mirror images."""

from __future__ import annotations

import itertools

import numpy as np

from ddl.inference.backends.predictor import Predictor

KINDS = ("none", "flips")


class Flipped:
    """A predictor that looks at every mirror image: of masks along all axes, of labels from left to right."""

    def __init__(self, predictor: Predictor, *, finds_masks: bool) -> None:
        """Take a predictor, which is closed with this one."""
        self._predictor = predictor
        axes = (
            range(1, len(predictor.input_shape))
            if finds_masks
            else [len(predictor.input_shape) - 1]
        )
        self._flips = [
            flip for count in range(len(axes) + 1) for flip in itertools.combinations(axes, count)
        ]
        self._finds_masks = finds_masks
        self.input_shape = predictor.input_shape
        self.classes = predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return mean probabilities; each mirror image costs as much as the picture itself."""
        total = np.zeros((), np.float32)
        for flip in self._flips:
            found = self._predictor.predict(np.ascontiguousarray(np.flip(batch, flip)))
            total = total + (np.flip(found, flip) if self._finds_masks else found)
        return np.asarray(total / np.float32(len(self._flips)), np.float32)

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()
