"""Parts that the families of classifiers share: convolutions with ReLU, hidden dense layers, the last layers."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor

from ddl.models.layer_blocks import convolve, probabilities
from ddl.models.norms import normalize


def convolve_with_relu(
    features: KerasTensor, channels: int, kernel: int, norm: str, name: str, **options: Any
) -> KerasTensor:
    """Return a convolution, normalization and ReLU: (N, H, W, C) -> (N, H', W', channels)."""
    options = {"kernel_initializer": "he_normal", **options}
    features = convolve(features, channels, kernel, norm, name=f"{name}_conv", **options)
    features = normalize(features, norm, name=f"{name}_norm")
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def hidden_dense(
    features: KerasTensor, units: int, norm: str, name: str, dropout: float = 0.0, **options: Any
) -> KerasTensor:
    """Return a dense layer, normalization, ReLU and dropout: (N, C) -> (N, units)."""
    options = {"kernel_initializer": "he_normal", "use_bias": norm == "none", **options}
    features = keras.layers.Dense(units, name=name, **options)(features)
    features = normalize(features, norm, name=f"{name}_norm")
    features = keras.layers.ReLU(name=f"{name}_relu")(features)
    return drop(features, dropout, f"{name}_dropout")


def drop(features: KerasTensor, rate: float, name: str) -> KerasTensor:
    """Return the features after dropout; unchanged if the rate is 0. Each rank draws its own masks."""
    return keras.layers.Dropout(rate, name=name)(features) if rate else features


def drop_path(branch: KerasTensor, rate: float, name: str) -> KerasTensor:
    """Return a residual block's branch, left out for a share of the samples (stochastic depth, Huang et al. 2016).

    What stays is divided by 1 - rate, so that nothing changes at inference. Each rank draws its own samples.
    """
    if not rate:
        return branch
    shape = (None, *[1] * (len(branch.shape) - 1))  # one number a sample
    return keras.layers.Dropout(rate, noise_shape=shape, name=name)(branch)


def classifier(
    inputs: KerasTensor, features: KerasTensor, classes: int, name: str, dropout: float = 0.0
) -> keras.Model:
    """Return the model that ends with dropout, the last dense layer and its probabilities: (N, C) -> (N, classes)."""
    features = drop(features, dropout, "dropout")
    scores = keras.layers.Dense(classes, name="scores")(features)
    return keras.Model(inputs, probabilities(scores, "probabilities"), name=name)
