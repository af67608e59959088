"""Builds the model that is stored for plain Keras: layers from inputs to outputs, without optimizer and loss."""

from __future__ import annotations

import keras


def plain_model(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers. It takes milliseconds for any size.

    Raises:
        ValueError: the model is not a graph of layers, or has variables outside the layers.
    """
    try:
        sequential = isinstance(model, keras.Sequential)
        ends = (model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)
        plain = keras.Model(*ends, name=model.name)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"Received: {type(model).__name__} {model.name!r}, which has no defined inputs and outputs. Expected: a "
            "functional or sequential model, so that its checkpoints load in plain Keras."
        ) from None
    stored = {id(weight) for _, weights in layers_of(plain) for weight in weights}
    for weight in model.weights:
        if id(weight) not in stored:
            raise ValueError(
                f"Received: model {model.name!r} with the variable {weight.path!r} outside the layers between its "
                "inputs and outputs. Expected: all variables in such layers, so that checkpoints load in plain Keras."
            )
    return plain


def layers_of(plain: keras.Model) -> list[tuple[str, list[keras.Variable]]]:
    """Return each layer's name and weights, in the order in which Keras reads them from HDF5."""
    return [
        (layer.name, [*layer.trainable_weights, *layer.non_trainable_weights])
        for layer in plain.layers
    ]
