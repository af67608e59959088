"""What a network ends in: the last activation of its graph of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from ddl.training.objectives.sources import AUTO, UNKNOWN, Settled, settle_source

_TRANSPARENT = (
    *("Reshape", "Flatten", "Permute", "Cropping1D", "Cropping2D", "Cropping3D", "Identity"),
    *("UpSampling1D", "UpSampling2D", "UpSampling3D", "Dropout", "SpatialDropout2D"),
)
"""Layers that leave values, or what they stand for, as they are."""
_BY_CLASS = {
    "Softmax": "softmax",
    "LogSoftmax": "log_softmax",
    "Sigmoid": "sigmoid",
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "ELU": "elu",
    "BatchNormalization": "linear",
}


def settle_loss(
    model: keras.Model,
    loss: str,
    options: Mapping[str, Any],
    known: Mapping[str, Any],
    output: int = 0,
) -> Settled:
    """Return what a loss takes an output of a model for.

    Args:
        model: a functional model.
        loss: name of the loss.
        options: the given options of the loss.
        known: all options of the loss.
        output: number of the output.

    Raises:
        ValueError: the option `source` contradicts the network.
    """
    tensor = model.outputs[output]
    ending, layer = find_ending(tensor)
    given = options.get("source", AUTO) if "source" in known else None
    return settle_source(loss, given, ending, int(tensor.shape[-1] or 0), f"layer {layer!r}")


def find_ending(tensor: Any) -> tuple[str, str]:
    """Return the activation that a symbolic tensor comes from, such as "softmax", and its layer's name.

    "linear" stands for a layer that computes a weighted sum without activation, `UNKNOWN` for all other layers.
    """
    history = tensor._keras_history
    operation = history.operation
    if isinstance(operation, keras.Model):  # a model inside the model
        return find_ending(operation.outputs[history.tensor_index])
    kind = type(operation).__name__
    if kind in _BY_CLASS:
        return _BY_CLASS[kind], operation.name
    activation = getattr(operation, "activation", None)
    passes = kind in _TRANSPARENT or (kind == "Activation" and _name(activation) == "linear")
    inputs = operation._inbound_nodes[history.node_index].input_tensors
    if passes and len(inputs) == 1:
        return find_ending(inputs[0])
    if activation is None:
        return UNKNOWN, operation.name
    return _name(activation), operation.name


def _name(activation: Any) -> str:
    """Return the name of an activation: that of the function, or of the class of a layer."""
    name = getattr(activation, "__name__", None) or type(activation).__name__
    return _BY_CLASS.get(name, name)
