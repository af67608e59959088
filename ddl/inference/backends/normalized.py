"""A predictor from pictures of 0 to 1 to probabilities: transforms, mean, deviation, activation. No TensorFlow here."""

from __future__ import annotations

import functools

import numpy as np

from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import Predictor


class Prepared:
    """Takes pictures from 0 to 1, and passes them on with the transforms, the mean and the deviation of training."""

    def __init__(self, predictor: Predictor, how: Preprocessing) -> None:
        """Wrap a predictor; closing this one closes it too.

        Raises:
            ValueError: a transform moves pixels, for a model of masks or values.
        """
        self._predictor, self._how = predictor, how
        # Those of whole pictures of labels have been applied before.
        self._transforms = () if how.target == "label" else how.pixel_transforms
        channels = how.channels if self._transforms else predictor.input_shape[-1]
        self.input_shape = (*predictor.input_shape[:-1], channels)
        self.classes = predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, ..., C), float32 from 0 to 1."""
        if self._transforms:
            from ddl.data.transforms.chain import apply_to_input

            batch = np.stack([apply_to_input(self._transforms, picture) for picture in batch])
        normalization = self._how.normalization
        if normalization is not None and not self._how.folded:
            batch = normalization.apply(batch)
        return self._predictor.predict(batch)

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


class Activated:
    """Turns the outputs of a model that gives log-probabilities or logits into probabilities."""

    def __init__(self, predictor: Predictor, activation: str) -> None:
        """Wrap a predictor; closing this one closes it too."""
        from ddl.data.activation import activated  # PostgreSQL loads as little as it can

        self._predictor, self._activated = (
            predictor,
            functools.partial(activated, activation=activation),
        )
        self.input_shape, self.classes = predictor.input_shape, predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, ..., C), float32 from 0 to 1."""
        return self._activated(self._predictor.predict(batch))

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


def normalizing(predictor: Predictor, how: Preprocessing) -> Predictor:
    """Return a predictor from pictures of 0 to 1 to probabilities: the given one, unless its model needs more."""
    if how.activation != "none":
        predictor = Activated(predictor, how.activation)
    is_plain = how.normalization is None or how.folded
    if is_plain and (how.target == "label" or not how.transforms):
        return predictor
    return Prepared(predictor, how)
