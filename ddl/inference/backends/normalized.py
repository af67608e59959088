"""A predictor whose inputs are normalized as in training, for a model with `normalize`. No TensorFlow here."""

from __future__ import annotations

import numpy as np

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


def normalizing(predictor: Predictor, how: Preprocessing) -> Predictor:
    """Return a predictor of pictures from 0 to 1: the given one, unless its model wants normalized inputs."""
    if how.normalization is None or how.folded:
        return predictor
    return Normalized(predictor, how.normalization)
