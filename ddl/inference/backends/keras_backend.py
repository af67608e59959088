"""Keras backend: the trained model, on CPU or GPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.training.checkpoint.transfer import load_model

_SHAPES_KEPT = 8  # traces kept for a model that must be traced once per picture size


class KerasPredictor:
    """A Keras model behind one traced call, which is twice as fast as `model.predict` on small batches."""

    def __init__(self, model: keras.Model) -> None:
        """Trace a functional model; if it has several outputs, the first is used."""
        model = with_open_sides(keras.Model(model.input, model.outputs[0], name=model.name))
        self.input_shape: tuple[int | None, ...] = tuple(model.input_shape[1:])
        self.classes = int(model.output_shape[-1])
        self._model: Any = model
        self._calls: dict[tuple[int | None, ...], Any] = {}
        try:
            self._calls[self.input_shape] = self._traced(self.input_shape)
        except TypeError:
            # Keras's bilinear upsampling cannot be traced without a known size: trace once per size instead.
            if None not in self.input_shape:
                raise

    def predict(self, batch: np.ndarray) -> np.ndarray:
        call = self._calls.get(self.input_shape) or self._calls.get(batch.shape[1:])
        if call is None:
            while len(self._calls) >= _SHAPES_KEPT:
                del self._calls[next(iter(self._calls))]
            call = self._calls[batch.shape[1:]] = self._traced(batch.shape[1:])
        return np.asarray(call(tf.constant(batch, tf.float32)).numpy(), np.float32)

    def close(self) -> None:
        self._model, self._calls = None, {}

    def _traced(self, shape: tuple[int | None, ...]) -> Any:
        model = self._model
        signature = tf.TensorSpec((None, *shape), tf.float32)
        return tf.function(lambda batch: model(batch, training=False)).get_concrete_function(
            signature
        )


def open_predictor(path: Path, *, threads: int, mode: str, precision: str) -> KerasPredictor:
    """Load a .keras or .h5 model, or a checkpoint. Keras has no modes: `mode` is ignored."""
    if threads:
        set_threads(threads)
    return KerasPredictor(load_model(path))


def with_open_sides(model: keras.Model) -> keras.Model:
    """Return a copy of a functional model that accepts pictures of any size.

    A model that needs a fixed size, for example because it flattens the picture, is returned unchanged.
    """
    sides = model.input_shape[1:-1]
    if None in sides:
        return model
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer":
            _, *shape = layer["config"]["batch_shape"]
            layer["config"]["batch_shape"] = (None, *[None] * len(sides), shape[-1])
    try:
        opened = keras.Model.from_config(config)
    except (ValueError, TypeError):
        return model
    channels = [layer.output.shape[-1] for layer in opened.layers if hasattr(layer.output, "shape")]
    same = [w.shape for w in opened.weights] == [w.shape for w in model.weights]
    has_sides = len(opened.output_shape) == len(opened.input_shape)
    is_fixed = has_sides and None not in opened.output_shape[1:-1]  # a layer reshapes to one size
    if not same or None in channels or is_fixed:
        return model
    for target, source in zip(opened.weights, model.weights, strict=True):
        target.assign(source)
    return opened


def set_threads(threads: int) -> None:
    """Set TensorFlow's number of threads, which is possible only before TensorFlow starts them."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            raise ValueError(
                f"Received: threads={threads}, but TensorFlow already runs with another number. Expected: 0, or "
                "OMP_NUM_THREADS set before the start."
            ) from error
