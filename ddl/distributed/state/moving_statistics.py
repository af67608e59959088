"""Local moving statistics of batch normalization, and their mean over ranks."""

from __future__ import annotations

import keras

from ddl.distributed.state.variables import average_variables


def local_layers(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Return the model's batch normalization layers that use only their own rank's statistics."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    kind = keras.layers.BatchNormalization
    return [layer for layer in layers if isinstance(layer, kind) and not layer.synchronized]


def average_moving_statistics(model: keras.Model) -> None:
    """Set the moving mean and variance of every local layer to the mean over ranks. All ranks must call it."""
    average_variables([v for layer in local_layers(model) for v in layer.non_trainable_variables])
