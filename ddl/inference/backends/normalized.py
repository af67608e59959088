"""A predictor from pictures of 0 to 1 to probabilities, whatever its model takes and gives. No TensorFlow here."""

from __future__ import annotations

import numpy as np

from ddl.data.activation import activated
from ddl.data.normalization import Normalization
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.predictor import Predictor


class Normalized:
    """Takes pictures from 0 to 1, and passes them on with the mean and deviation of training."""

    def __init__(self, predictor: Predictor, normalization: Normalization) -> None:
        """Wrap a predictor; closing this one closes it too."""
        self._predictor, self._normalization = predictor, normalization
        self.input_shape, self.classes = predictor.input_shape, predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, ..., C), float32 from 0 to 1."""
        return self._predictor.predict(self._normalization.apply(batch))

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


class Activated:
    """Turns the outputs of a model that gives log-probabilities or logits into probabilities."""

    def __init__(self, predictor: Predictor, activation: str) -> None:
        """Wrap a predictor; closing this one closes it too."""
        self._predictor, self._activation = predictor, activation
        self.input_shape, self.classes = predictor.input_shape, predictor.classes

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Predict pictures (N, ..., C), float32 from 0 to 1."""
        return activated(self._predictor.predict(batch), self._activation)

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()


def normalizing(predictor: Predictor, how: Preprocessing) -> Predictor:
    """Return a predictor from pictures of 0 to 1 to probabilities: the given one, unless its model needs more."""
    if how.activation != "none":
        predictor = Activated(predictor, how.activation)
    if how.normalization is None or how.folded:
        return predictor
    return Normalized(predictor, how.normalization)
