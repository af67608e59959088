"""A model as plain Keras stores it: its layers from inputs to outputs, without optimizer, loss and training step."""

from __future__ import annotations

import keras


def plain_model(model: keras.Model) -> keras.Model:
    """Return a functional model of the same layers; it costs milliseconds, whatever the size.

    Raises:
        ValueError: the model is no such graph of layers, or has variables outside of them.
    """
    try:
        sequential = isinstance(model, keras.Sequential)
        ends = (model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)
        plain = keras.Model(*ends, name=model.name)
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"Received: {type(model).__name__} {model.name!r}, which has no inputs and outputs of its own. Expected: a "
            "functional or sequential model, so that its checkpoints load in plain Keras."
        ) from None
    stored = {id(weight) for _, weights in layers_of(plain) for weight in weights}
    for weight in model.weights:
        if id(weight) not in stored:
            raise ValueError(
                f"Received: model {model.name!r} with the variable {weight.path!r} outside of the layers between its "
                "inputs and outputs. Expected: all variables in such layers, so that checkpoints load in plain Keras."
            )
    return plain


def layers_of(plain: keras.Model) -> list[tuple[str, list[keras.Variable]]]:
    """Return each layer's name and weights, in the order in which Keras reads them from HDF5."""
    return [
        (layer.name, [*layer.trainable_weights, *layer.non_trainable_weights])
        for layer in plain.layers
    ]


def architecture_of(plain: keras.Model) -> str:
    """Return the JSON text from which `keras.models.load_model` builds the model of an HDF5 file.

    Keras's own legacy writer has an older form here, in which it cannot read operations (`keras.ops`) again; the reader
    takes this one as well.
    """
    text: str = plain.to_json()
    return text
