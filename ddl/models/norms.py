"""The kinds of normalization that every model family offers."""

from __future__ import annotations

import math
from typing import Any

from ddl.ranges import check_choice

NORMS = ("sync", "batch", "group", "none")
"""Batch normalization over all ranks, batch normalization per rank, group normalization, or none."""

# Keras's 0.99 needs about 500 steps until the moving statistics fit the model, so validation of short
# runs would be wrong.
MOMENTUM = 0.9


EPSILON = 1e-3
"""Keras's own, added to the variance."""

KERAS_EPSILON = 1.001e-5
"""That of ResNet and DenseNet in `keras.applications`."""


def normalize(
    features: Any,
    norm: str,
    *,
    name: str,
    gamma: str = "ones",
    momentum: float = MOMENTUM,
    epsilon: float = EPSILON,
) -> Any:
    """Return normalized features: (N, ..., channels) -> the same shape.

    Args:
        features: output of a convolution.
        norm: one of `NORMS`. "group" uses 8 groups, or as many as divide both 8 and the channels.
        name: name of the layer.
        gamma: initial scale: "ones", or "zeros" for a branch that should start without effect.
        momentum: momentum of batch normalization's moving statistics.
        epsilon: number added to the variance.
    """
    import keras

    check_choice("norm", norm, NORMS)
    if norm == "none":
        return features
    if norm == "group":
        groups = math.gcd(8, features.shape[-1])
        return keras.layers.GroupNormalization(
            groups, epsilon=epsilon, gamma_initializer=gamma, name=name
        )(features)
    return keras.layers.BatchNormalization(
        synchronized=norm == "sync",
        momentum=momentum,
        epsilon=epsilon,
        gamma_initializer=gamma,
        name=name,
    )(features)
