"""Loads saved models, copies weights from another model layer by layer, and freezes layers."""

from __future__ import annotations

import contextlib
import fnmatch
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras

from ddl.models.detectors.darknet_names import under_own_names
from ddl.models.network.old_weights import is_old_weights, matched, read_old_weights
from ddl.training.checkpoint.find_trained import find_model_file
from ddl.training.checkpoint.model_copy import TORCH

logger = logging.getLogger("ddl")


def copy_weights(model: keras.Model, path: Path) -> None:
    """Copy the weights of every layer whose name and shapes match into `model`, and log the other layers.

    Args:
        model: receives the weights.
        path: a saved model (.keras, .h5), a checkpoint, a run directory with a final model, or weights of Keras 2.

    Raises:
        ValueError: `path` holds no model, or no layer matches.
    """
    if is_old_weights(path):
        _copy_old_weights(model, path)
        return
    others = {layer.name: layer for layer in load_model(path).layers if layer.weights}
    layers = [layer for layer in model.layers if layer.weights]
    copied, different, missing = [], [], []
    for layer in layers:
        other = others.get(layer.name)
        if other is None:
            missing.append(layer.name)
        elif [w.shape for w in other.weights] != [w.shape for w in layer.weights]:
            different.append(layer.name)
        else:
            layer.set_weights(other.get_weights())
            copied.append(layer.name)
    if not copied:
        raise ValueError(
            f"Received: {path}, where no layer matches by name and shapes ({_some(list(others))}). Expected: a model "
            f"with layers such as {_some([layer.name for layer in layers])}."
        )
    logger.info("Initialized the weights of %d layers from %s.", len(copied), path)
    for what, names in (
        ("missing there and keep their initial weights", missing),
        ("of other shapes there and keep their initial weights", different),
        ("missing in this model", [name for name in others if name not in {*copied, *different}]),
    ):
        if names:
            logger.info("  %d layers are %s: %s.", len(names), what, _some(names))


def _copy_old_weights(model: keras.Model, path: Path) -> None:
    """Copy weights that Keras 2 wrote, by the names of layers; log a line for each layer that is left out."""
    layers = {layer.name: layer for layer in model.layers if _stored_weights(layer)}
    stored = under_own_names(read_old_weights(path), layers)
    left_out, copied = [], 0
    for name, layer in layers.items():
        if name not in stored:
            left_out.append(f"{name}: the file has no such layer")
            continue
        weights = _stored_weights(layer)
        wanted = {weight.name: tuple(weight.shape) for weight in weights}
        values, reason = matched(name, wanted, stored[name])
        if reason:
            left_out.append(reason)
            continue
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)
        copied += 1
    if not copied:
        raise ValueError(
            f"Received: {path}, where no layer matches by name and shapes ({_some(list(stored))}). Expected: a file "
            f"with layers such as {_some(list(layers))}."
        )
    logger.info("Initialized the weights of %d layers from %s, by their names.", copied, path)
    for line in left_out:
        logger.info("  Left as initialized: %s.", line)
    for name in stored:
        if name not in layers:
            logger.info("  Left out: %s, which is no layer of this model.", name)


def _stored_weights(layer: keras.Layer) -> list[keras.Variable]:
    """Return the weights that a file has: all but the state of random generators."""
    return [weight for weight in layer.weights if "seed_generator_state" not in weight.path]


def freeze_layers(model: keras.Model, patterns: Sequence[str]) -> None:
    """Freeze the layers whose names match. Frozen batch normalization uses its moving statistics.

    Raises:
        ValueError: a pattern matches no layer, or no layer is left to train.
    """
    layers = [layer for layer in model.layers if layer.weights]
    for pattern in patterns:
        matching = [layer for layer in layers if fnmatch.fnmatchcase(layer.name, pattern)]
        if not matching:
            names = _some([layer.name for layer in layers])
            raise ValueError(
                f"No layer name matches freeze={pattern!r}. Expected: a name or pattern such as {names}."
            )
        for layer in matching:
            layer.trainable = False
        logger.info("Froze %d layers that match %r.", len(matching), pattern)
    if not model.trainable_weights and layers:
        frozen = f"freeze={' '.join(patterns)}" if patterns else "a network with trainable=false"
        raise ValueError(
            f"Received: {frozen}, which leaves nothing to train. Expected: fewer layers."
        )


def load_model(path: Path) -> keras.Model:
    """Return the model of a file, a checkpoint or a finished run, without its optimizer.

    Raises:
        ValueError: there is no such model, or Keras cannot load it.
    """
    file = find_model_file(path)
    try:
        with _named_for_keras(file) as named:
            return keras.models.load_model(named, compile=False)
    except Exception as error:  # Keras raises many types for a file that it did not write
        reason = " ".join(str(error).split())[:160]
        raise ValueError(
            f"Received: {file}, which Keras cannot load ({type(error).__name__}: {reason}). Expected: a model that "
            "plain Keras loads."
        ) from error


@contextlib.contextmanager
def _named_for_keras(file: Path) -> Iterator[Path]:
    """Give a model that was renamed to .pt a name by which Keras knows its format."""
    if file.suffix != TORCH:
        yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / "model.keras"
        named.symlink_to(file.resolve())
        yield named


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
