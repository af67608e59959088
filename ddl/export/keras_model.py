"""Prepare a Keras model for export: inference only, float32, any picture size where the model allows it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.data.pictures.conversion import DEPTHS
from ddl.data.preprocessing import Preprocessing
from ddl.inference.backends.keras_backend import with_open_sides


def exportable(model: keras.Model, *, opens_sides: bool = True) -> keras.Model:
    """Return a float32 model with the same weights and the first output, for pictures of any size.

    A model that TensorFlow cannot trace without a known size keeps its training size; without `opens_sides` all do.
    """
    plain = in_float32(keras.Model(model.input, model.outputs[0], name=model.name))
    if not opens_sides:
        return plain
    opened = with_open_sides(plain)
    return opened if _can_be_traced(opened) else plain


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32; the same model unless it was trained in mixed precision."""
    config = model.get_config()
    if not _remove_mixed_precision(config):
        return model
    float32_model = keras.Model.from_config(config)
    for target, source in zip(float32_model.weights, model.weights, strict=True):
        target.assign(source)
    return float32_model


def folded(model: keras.Model, how: Preprocessing) -> keras.Model:
    """Return a model that takes stored pixels (uint8 or uint16), and scales and normalizes them itself."""
    dtype = input_dtype(how)
    image = keras.Input(model.input_shape[1:], dtype=dtype.name, name="image")
    scaled = keras.ops.cast(image, "float32") / float(np.iinfo(dtype).max)
    if how.normalization is not None:
        mean, deviation = (np.asarray(part, np.float32) for part in (how.mean, how.deviation))
        scaled = (scaled - mean) / deviation
    return keras.Model(image, model(scaled), name=model.name)


def input_dtype(how: Preprocessing) -> np.dtype:
    """Return the dtype of the model's input: float32, or an integer dtype if the preprocessing is folded in."""
    return DEPTHS[how.bits] if how.folded else np.dtype(np.float32)


def _remove_mixed_precision(config: Any) -> bool:
    """Replace mixed-precision policies by float32, in place; return whether the configuration had any."""
    changed = False
    for key, value in config.items() if isinstance(config, dict) else enumerate(config):
        if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
            name = str(value["config"]["name"])
            if name.startswith("mixed_"):
                config[key], changed = "float32", True
        elif isinstance(value, dict | list):
            changed = _remove_mixed_precision(value) or changed
    return changed


def _can_be_traced(model: keras.Model) -> bool:
    call = tf.function(lambda batch: model(batch, training=False))
    try:
        call.get_concrete_function(tf.TensorSpec((None, *model.input_shape[1:]), tf.float32))
    except TypeError:  # Keras's bilinear upsampling needs a known size
        return False
    return True
