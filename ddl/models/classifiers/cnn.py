"""A small network for first experiments, as on MNIST: two convolutions, a pooling, two dense layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ddl.models.layer_blocks import probabilities
from ddl.models.zoo import check_model


def build_cnn(
    input_shape: Sequence[int], *, classes: int = 10, width: int = 4, dense: int = 128
) -> keras.Model:
    """Return a small classifier: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 6 pixels.
        classes: 1 for a sigmoid output; more for a softmax.
        width: channels of the first 3x3 convolution; the second has twice as many.
        dense: units of the hidden dense layer.
    """
    check_model("cnn", **locals())
    if None in input_shape or min(input_shape[:2]) < 6:
        raise ValueError(
            f"Received: input_shape={tuple(input_shape)}. Expected: (height, width, channels), at least 6 pixels."
        )
    layers = keras.layers
    inputs = keras.Input(tuple(input_shape), name="image")
    features = layers.Conv2D(width, 3, activation="relu", name="conv_1")(inputs)
    features = layers.Conv2D(2 * width, 3, activation="relu", name="conv_2")(features)
    features = layers.MaxPooling2D(name="pool")(features)
    features = layers.Flatten(name="flatten")(features)
    features = layers.Dense(dense, activation="relu", name="dense")(features)
    scores = layers.Dense(classes, name="scores")(features)
    return keras.Model(inputs, probabilities(scores, "probabilities"), name="cnn")
