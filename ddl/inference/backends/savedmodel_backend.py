"""SavedModel backend: an exported folder, computed by TensorFlow without Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ddl.data.pictures.conversion import to_levels
from ddl.inference.backends.keras_backend import set_threads
from ddl.inference.backends.predictor import load_error


class SavedModelPredictor:
    """The serving signature of an exported model."""

    def __init__(self, loaded: Any) -> None:
        """Wrap a loaded SavedModel. It is kept alive, because its signature does not keep its variables."""
        self._loaded = loaded
        self._call: Any = loaded.signatures["serving_default"]
        _, arguments = self._call.structured_input_signature
        ((self._name, image),) = arguments.items()
        ((self._key, output),) = self._call.structured_outputs.items()
        self.input_shape: tuple[int | None, ...] = tuple(image.shape[1:])
        self.classes = int(output.shape[-1])
        self._dtype = np.dtype(image.dtype.as_numpy_dtype)

    def predict(self, batch: np.ndarray) -> np.ndarray:
        feed = {self._name: tf.constant(to_levels(batch, self._dtype))}
        return np.asarray(self._call(**feed)[self._key].numpy(), np.float32)

    def close(self) -> None:
        self._loaded = self._call = None


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> SavedModelPredictor:
    """Load a model. TensorFlow has no modes: `mode` is ignored.

    Raises:
        ValueError: TensorFlow cannot load it, or the model has more than one input or output.
    """
    if threads:
        set_threads(threads)
    try:
        return SavedModelPredictor(tf.saved_model.load(str(path)))
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise load_error(f"{path}, which TensorFlow cannot load", error) from error
