"""The small network that people try on MNIST: two convolutions, a pooling, two dense layers."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ddl.models.layer_blocks import probabilities


def build_cnn(
    input_shape: Sequence[int], *, classes: int = 10, width: int = 4, dense: int = 128
) -> keras.Model:
    """Return a small classifier: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), of 6 pixels at least.
        classes: 1 ends in a sigmoid, more in a softmax.
        width: channels of the first 3x3 convolution, which the second one doubles.
        dense: features of the layer before the classes.
    """
    if len(input_shape) != 3 or min(input_shape[:2]) < 6:
        raise ValueError(
            f"Received: input_shape={tuple(input_shape)}. Expected: (height, width, channels), 6 pixels at least."
        )
    if min(classes, width, dense) < 1:
        raise ValueError(
            f"Received: classes={classes}, width={width}, dense={dense}. Expected: 1 or more."
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
