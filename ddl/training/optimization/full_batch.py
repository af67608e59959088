"""Which models an optimizer over all samples can train: those whose loss is a function of their weights alone."""

from __future__ import annotations

import keras


def check_full_batch(model: keras.Model) -> None:
    """Refuse a model whose loss is no function of its weights alone.

    Raises:
        ValueError: names the layer.
    """
    for layer in model._flatten_layers(include_self=False, recursive=True):
        draws = getattr(layer, "_seed_generators", ())
        if (layer.trainable and layer._non_trainable_variables) or draws:
            raise ValueError(
                f"Received: optimizer=hessian for a model with layer {layer.name} ({type(layer).__name__}), whose "
                "statistics or draws change from one evaluation to the next. Expected: a model without dropout and "
                "batch normalization, such as model_option norm=group or norm=none; or that layer frozen."
            )
