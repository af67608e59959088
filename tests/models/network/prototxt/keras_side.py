"""Weights from the NumPy network into the Keras model of the same prototxt, and arrays between their orders."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ddl.models.network.build import build_nodes
from ddl.models.network.prototxt import NeuralNet
from tests.models.network.prototxt.reference import Array, Convolution, FullyConnected, Reference

_NAMES = {"fc": "fullyconnected", "conv": "convolutional", "pool": "pooling", "act": "activation"}
_NAMES |= {"lrn": "lrn", "loss": "activationwithloss"}


def channels_last(values: Array) -> Array:
    """Return (N, H, W, C) for (N, C, H, W); rows as they are."""
    return values.transpose(0, 2, 3, 1) if values.ndim == 4 else values


def names_of(spec: Any, dialect: str) -> list[str]:
    """Return the name of the Keras layer that makes the output of each layer of a network."""
    if dialect == "A":  # each activation stands in its layer
        return [
            f"fullyconnected_{number // 2 + 1}" + (f"_{rest[0]}" if kind != "fc" else "")
            for number, (kind, *rest) in enumerate(spec)
        ]
    return [f"{_NAMES[kind]}_{number}" for number, (kind, *_) in enumerate(spec, start=1)]


def output_of(model: keras.Model, name: str) -> Any:
    """Return what a layer makes in a model; `output` of a model within is that of itself."""
    return model.get_layer(name)._inbound_nodes[-1].output_tensors[0]


def arrays_of(layer: Any) -> list[Array]:
    """Return the weights of a NumPy layer in the order and the shapes of Keras."""
    if isinstance(layer, FullyConnected):
        return list(layer.weights)
    if isinstance(layer, Convolution):
        bias = layer.weights[1].transpose(1, 2, 0) if layer.untied else layer.weights[1]
        return [layer.weights[0].transpose(2, 3, 1, 0), bias]
    return []


def keras_model(net: NeuralNet, reference: Reference) -> keras.Model:
    """Return the model of a prototxt with the weights of the NumPy network."""
    model = build_nodes(net.network)
    model.set_weights([array for layer in reference.layers for array in arrays_of(layer)])
    return model


def assert_same_weights(model: keras.Model, reference: Reference, atol: float) -> None:
    expected = [array for layer in reference.layers for array in arrays_of(layer)]
    for weight, array in zip(model.weights, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), array, rtol=0, atol=atol, err_msg=weight.path)
