"""Checks that a saved model loads without this package and predicts the same."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from tests.ranks import call_plain_keras


def loads_in_plain_keras(model: keras.Model, folder: Path) -> None:
    """Save the model, load it in a process that cannot import this package, and compare predictions."""
    images = np.random.default_rng(0).random((2, *model.input_shape[1:]), dtype=np.float32)
    model.save(folder / "model.keras")
    after = call_plain_keras(predict, folder / "model.keras", images)
    assert np.allclose(after, model(images, training=False), atol=1e-5)


def predict(path: Path, images: np.ndarray) -> np.ndarray:
    """Load a model and return its predictions."""
    return np.asarray(keras.models.load_model(path)(images, training=False))


def weights_of(path: Path) -> list[np.ndarray]:
    """Load a model and return its weights."""
    found: list[np.ndarray] = keras.models.load_model(path).get_weights()
    return found


def predict_by_name(path: Path, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Load a checkpoint, which is not compiled, and return its named outputs in float32."""
    model = keras.models.load_model(path)
    assert not model.compiled
    assert type(model.layers[-1]).__module__.startswith("keras.")
    found = model.predict(inputs, verbose=0)
    return {name: values.astype("float32") for name, values in found.items()}
