"""The kinds of normalization that every family of models offers."""

from __future__ import annotations

import math
from typing import Any

from ddl.ranges import check_choice

NORMS = ("sync", "batch", "group", "none")
"""Batch normalization over all ranks, over this rank's part alone, group normalization, or none."""


# Keras's 0.99 needs some 500 steps before the moving statistics fit the model; short runs would be
# validated with wrong ones.
MOMENTUM = 0.9


def normalize(
    features: Any,
    channels: int,
    norm: str,
    *,
    name: str | None = None,
    gamma: str = "ones",
    momentum: float = MOMENTUM,
) -> Any:
    """Return the features normalized as `norm` says: (N, ..., channels) -> the same shape.

    Args:
        features: what comes out of a convolution.
        channels: its channels; "group" splits them into 8 groups, or as many as divide both.
        norm: one of `NORMS`.
        name: of the layer.
        gamma: what the scale starts from: "ones", or "zeros" for a branch that starts as nothing.
        momentum: of the moving statistics of batch normalization.
    """
    import keras

    check_choice("norm", norm, NORMS)
    if norm == "none":
        return features
    if norm == "group":
        groups = math.gcd(8, channels)
        return keras.layers.GroupNormalization(groups, gamma_initializer=gamma, name=name)(features)
    return keras.layers.BatchNormalization(
        synchronized=norm == "sync", momentum=momentum, gamma_initializer=gamma, name=name
    )(features)
