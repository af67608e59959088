"""The kinds of normalization that every family of models offers."""

from __future__ import annotations

from typing import Any

NORMS = ("sync", "batch", "group", "none")
"""Batch normalization over all ranks, over this rank's part alone, group normalization, or none."""


# Keras's 0.99 needs some 500 steps before the moving statistics fit the model; short runs would be
# validated with wrong ones.
_MOMENTUM = 0.9


def normalize(features: Any, channels: int, norm: str) -> Any:
    """Return the features normalized as `norm` says."""
    import keras

    if norm not in NORMS:
        raise ValueError(f"Unknown norm. Received: {norm!r}. Expected one of: {', '.join(NORMS)}.")
    if norm == "none":
        return features
    if norm == "group":
        return keras.layers.GroupNormalization(groups=min(8, channels))(features)
    return keras.layers.BatchNormalization(synchronized=norm == "sync", momentum=_MOMENTUM)(
        features
    )
