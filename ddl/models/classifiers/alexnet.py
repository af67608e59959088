"""AlexNet (Krizhevsky et al. 2012), in one column: without groups and without local response normalization."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models.classifiers.parts import classifier, convolve_with_relu, hidden_dense
from ddl.models.zoo import check_model


def build_alexnet(
    input_shape: Sequence[int],
    *,
    classes: int = 1000,
    dense: int = 4096,
    norm: str = "none",
    dropout: float = 0.5,
    small_input: bool = False,
) -> keras.Model:
    """Return AlexNet: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 67 pixels (`small_input`: 16); it is published
            for 227.
        classes: 1 for a sigmoid output; more for a softmax.
        dense: units of the two hidden dense layers.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate after both hidden dense layers; each rank draws its own masks.
        small_input: a 3x3 convolution of stride 2 in place of the 11x11 one of stride 4, and smaller pools, for
            pictures of about 32 pixels.
    """
    check_model("alexnet", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    features = (_small_features if small_input else _published_features)(inputs, norm)
    features = keras.layers.Flatten(name="flatten")(features)
    for number in (1, 2):
        features = hidden_dense(features, dense, norm, f"dense_{number}", dropout)
    return classifier(inputs, features, classes, "alexnet")


def _published_features(features: KerasTensor, norm: str) -> KerasTensor:
    features = convolve_with_relu(features, 96, 11, norm, "block_1", strides=4, padding="valid")
    features = keras.layers.MaxPooling2D(3, 2, name="pool_1")(features)
    features = convolve_with_relu(features, 256, 5, norm, "block_2")
    features = keras.layers.MaxPooling2D(3, 2, name="pool_2")(features)
    features = _last_convolutions(features, (384, 384, 256), norm)
    return keras.layers.MaxPooling2D(3, 2, name="pool_3")(features)


def _small_features(features: KerasTensor, norm: str) -> KerasTensor:
    features = convolve_with_relu(features, 64, 3, norm, "block_1", strides=2)
    features = keras.layers.MaxPooling2D(2, name="pool_1")(features)
    features = convolve_with_relu(features, 192, 3, norm, "block_2")
    features = keras.layers.MaxPooling2D(2, name="pool_2")(features)
    features = _last_convolutions(features, (384, 256, 256), norm)
    return keras.layers.MaxPooling2D(2, name="pool_3")(features)


def _last_convolutions(features: KerasTensor, channels: Sequence[int], norm: str) -> KerasTensor:
    for number, count in enumerate(channels, 3):
        features = convolve_with_relu(features, count, 3, norm, f"block_{number}")
    return features
