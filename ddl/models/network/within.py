"""Layers that Keras does not have, as small models of its operations: they load in plain Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

LOWEST = -3e38
"""Below every number of a network, and a finite one in float32 and bfloat16: JSON has no infinity."""


def lowest_padding(inputs: Any, settings: Mapping[str, Any]) -> Any:
    """Return a picture with values around it that no maximum takes."""
    pads = ((0, 0), *settings["padding"], (0, 0))
    return ops.pad(inputs, pads, constant_values=LOWEST)


def local_response_normalization(inputs: Any, settings: Mapping[str, Any]) -> Any:
    """Return x * (k + alpha / n * s) ** -beta; s is the sum of squares over n neighbouring channels."""
    size, (height, width, channels) = settings["local_size"], inputs.shape[1:]
    row = keras.layers.Reshape((height * width, channels, 1))(ops.square(inputs))
    row = keras.layers.ZeroPadding2D(((0, 0), (size // 2, size // 2)))(row)
    means = keras.layers.AveragePooling2D((1, size), strides=1)(row)  # of zeros beyond, too
    means = keras.layers.Reshape((height, width, channels))(means)
    return inputs * ops.power(settings["k"] + settings["alpha"] * means, -settings["beta"])


_FORMULAS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "LowestPadding2D": lowest_padding,
    "LocalResponseNormalization": local_response_normalization,
}


def model_within(name: str, kind: str, settings: Mapping[str, Any], inputs: Any) -> keras.Model:
    """Return the model that stands for a layer.

    Args:
        name: name of the layer.
        kind: one of the kinds without a class in `keras.layers`.
        settings: its settings.
        inputs: what the layer is going to take, (N, H, W, C).
    """
    taken = keras.Input(inputs.shape[1:], name=f"{name}_input")
    return keras.Model(taken, _FORMULAS[kind](taken, settings), name=name)
