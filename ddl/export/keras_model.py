"""The Keras model that is exported: inference alone, in float32, for any size of picture where that can be."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.data.pictures.conversion import DEPTHS
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.keras_backend import with_open_sides


def exportable(model: keras.Model) -> keras.Model:
    """Return a model of the same weights: its first output, computed in float32, of pictures of any size.

    A model that TensorFlow cannot trace without knowing the size keeps the one that it was trained at.
    """
    plain = in_float32(keras.Model(model.input, model.outputs[0], name=model.name))
    opened = with_open_sides(plain)
    return opened if _can_be_traced(opened) else plain


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32, whatever mixed precision it was trained in."""
    config = model.get_config()
    if not _without_mixture(config):
        return model
    pure = keras.Model.from_config(config)
    for one, other in zip(pure.weights, model.weights, strict=True):
        one.assign(other)
    return pure


def folded(model: keras.Model, how: Preprocessing) -> keras.Model:
    """Return a model of pictures as they are stored, uint8 or uint16, which scales them to 0..1 itself."""
    dtype = input_dtype(how)
    image = keras.Input(model.input_shape[1:], dtype=dtype.name, name="image")
    scaled = keras.ops.cast(image, "float32") / float(np.iinfo(dtype).max)
    return keras.Model(image, model(scaled), name=model.name)


def input_dtype(how: Preprocessing) -> np.dtype:
    """Return what a model takes: float32, or integers where its preprocessing is folded in."""
    return DEPTHS[how.bits] if how.folded else np.dtype(np.float32)


def _without_mixture(value: Any) -> bool:
    """Take mixed precision out of a model's configuration; return whether there was any."""
    found = False
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(one, dict) and one.get("class_name") == "DTypePolicy":
            name = str(one["config"]["name"])
            if name.startswith("mixed_"):
                value[key], found = "float32", True
        elif isinstance(one, dict | list):
            found = _without_mixture(one) or found
    return found


def _can_be_traced(model: keras.Model) -> bool:
    call = tf.function(lambda batch: model(batch, training=False))
    try:
        call.get_concrete_function(tf.TensorSpec((None, *model.input_shape[1:]), tf.float32))
    except TypeError:  # of Keras's bilinear enlargement, which asks for the size
        return False
    return True
