"""Weights taken over from another model, layer by layer, and layers that keep the weights they have."""

from __future__ import annotations

import fnmatch
import logging
from collections.abc import Sequence
from pathlib import Path

import keras

from ddl.training.checkpoint.find_trained import find_model_file

logger = logging.getLogger("ddl")


def take_over_weights(model: keras.Model, path: Path) -> None:
    """Set the weights of every layer that `path` has too, by name and shapes, and log what was left out.

    Args:
        model: gets the weights.
        path: a saved model (.keras, .h5), a checkpoint, or a run directory with a final model.

    Raises:
        ValueError: it holds no model, or no layer that fits.
    """
    there = {layer.name: layer for layer in load_model(path).layers}
    taken, unfit, absent = [], [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        other = there.get(layer.name)
        if other is None:
            absent.append(layer.name)
        elif [w.shape for w in other.weights] != [w.shape for w in layer.weights]:
            unfit.append(layer.name)
        else:
            layer.set_weights(other.get_weights())
            taken.append(layer.name)
    if not taken:
        raise ValueError(
            f"Received: {path}, of which no layer fits by name and shapes ({_some(list(there))}). Expected: a model "
            f"with layers such as {_some([layer.name for layer in model.layers if layer.weights])}."
        )
    unused = [
        name for name, layer in there.items() if layer.weights and name not in {*taken, *unfit}
    ]
    logger.info("weights of %d layers come from %s.", len(taken), path)
    for what, names in (
        ("not there, so new", absent),
        ("of other shapes, so new", unfit),
        ("there, but not in this model", unused),
    ):
        if names:
            logger.info("  %d layers are %s: %s.", len(names), what, _some(names))


def freeze_layers(model: keras.Model, patterns: Sequence[str]) -> None:
    """Let the layers whose names match keep their weights. Frozen batch normalization uses its moving statistics.

    Raises:
        ValueError: a pattern matches no layer, or nothing would be left to train.
    """
    named = [layer for layer in model.layers if layer.weights]
    for pattern in patterns:
        found = [layer for layer in named if fnmatch.fnmatchcase(layer.name, pattern)]
        if not found:
            names = _some([layer.name for layer in named])
            raise ValueError(
                f"No layer name matches freeze={pattern!r}. Expected: a name or pattern such as {names}."
            )
        for layer in found:
            layer.trainable = False
        logger.info("%d layers stay frozen by %r.", len(found), pattern)
    if patterns and not model.trainable_weights:
        raise ValueError(
            f"Received: freeze={' '.join(patterns)}, which leaves nothing to train. Expected: fewer layers."
        )


def load_model(path: Path) -> keras.Model:
    """Return a saved model, a checkpoint's, or the final one of a run, without its optimizer.

    Raises:
        ValueError: it is none, or Keras cannot load it.
    """
    file = find_model_file(path)
    try:
        return keras.models.load_model(file, compile=False)
    except Exception as error:  # whatever a strange file makes Keras raise
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"Received: {file}, which Keras cannot load ({type(error).__name__}: {reason}). Expected: a model that "
            "plain Keras loads."
        ) from error


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
