"""Small networks for first experiments, as on MNIST: `cnn`, `simplecnn` and `mlp`."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models.classifiers.parts import classifier, convolve_with_relu, hidden_dense
from ddl.models.zoo import check_model


def build_cnn(
    input_shape: Sequence[int],
    *,
    classes: int = 10,
    width: int = 4,
    dense: int = 128,
    norm: str = "none",
    dropout: float = 0.0,
) -> keras.Model:
    """Return a small classifier without padding: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 6 pixels.
        classes: 1 for a sigmoid output; more for a softmax.
        width: channels of the first 3x3 convolution; the second has twice as many.
        dense: units of the hidden dense layer.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate before the last layer; each rank draws its own masks.
    """
    check_model("cnn", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    if norm == "none":
        features = _activated_layers(inputs, width, dense)
    else:
        features = _two_convolutions(inputs, width, norm, "valid")
        features = hidden_dense(features, dense, norm, "dense")
    return classifier(inputs, features, classes, "cnn", dropout)


def _activated_layers(inputs: KerasTensor, width: int, dense: int) -> KerasTensor:
    """Return the hidden layers, each with its ReLU inside and Keras's own initial weights."""
    layers = keras.layers
    features = layers.Conv2D(width, 3, activation="relu", name="conv_1")(inputs)
    features = layers.Conv2D(2 * width, 3, activation="relu", name="conv_2")(features)
    features = layers.MaxPooling2D(name="pool")(features)
    features = layers.Flatten(name="flatten")(features)
    return layers.Dense(dense, activation="relu", name="dense")(features)


def _two_convolutions(features: KerasTensor, width: int, norm: str, padding: str) -> KerasTensor:
    """Return two 3x3 convolutions, pooled and flattened: (N, H, W, C) -> (N, features)."""
    for number, channels in enumerate((width, 2 * width), 1):
        name = f"block_{number}"
        features = convolve_with_relu(features, channels, 3, norm, name, padding=padding)
    features = keras.layers.MaxPooling2D(name="pool")(features)
    return keras.layers.Flatten(name="flatten")(features)


def build_simple_cnn(
    input_shape: Sequence[int],
    *,
    classes: int = 10,
    width: int = 4,
    dense: int = 128,
    norm: str = "none",
    dropout: float = 0.5,
) -> keras.Model:
    """Return the same with zero padding, and dropout: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels).
        classes: 1 for a sigmoid output; more for a softmax.
        width: channels of the first 3x3 convolution; the second has twice as many.
        dense: units of the hidden dense layer.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate before the last layer; each rank draws its own masks.
    """
    check_model("simplecnn", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    features = _two_convolutions(inputs, width, norm, "same")
    features = hidden_dense(features, dense, norm, "dense")
    return classifier(inputs, features, classes, "simplecnn", dropout)


def build_mlp(
    input_shape: Sequence[int],
    *,
    classes: int = 10,
    depth: int = 3,
    dense: int = 512,
    norm: str = "none",
    dropout: float = 0.0,
) -> keras.Model:
    """Return a network of dense layers: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels).
        classes: 1 for a sigmoid output; more for a softmax.
        depth: number of hidden layers.
        dense: units of each hidden layer.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate after each hidden layer; each rank draws its own masks.
    """
    check_model("mlp", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    features = keras.layers.Flatten(name="flatten")(inputs)
    for number in range(1, depth + 1):
        features = hidden_dense(features, dense, norm, f"dense_{number}", dropout)
    return classifier(inputs, features, classes, "mlp")
