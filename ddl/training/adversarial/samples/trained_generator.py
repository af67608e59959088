"""A generator as a function from latent vectors to pictures of 0..1: that of a run, or of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from ddl.training.checkpoint.transfer import load_model

GENERATOR, AVERAGE, DISCRIMINATOR = "generator", "generator_average", "discriminator"
"""Names of the parts of a GAN; the average of the generator, where there is one, is what a run yields."""


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator.

    Attributes:
        model: takes latent vectors, and class numbers if it is conditional.
        classes: how many it knows; 0 for one that is not conditional.
    """

    model: keras.Model
    classes: int

    @property
    def latent_size(self) -> int:
        """The length of a latent vector."""
        return int(self.model.inputs[0].shape[-1])

    @property
    def channels(self) -> int:
        """Those of a picture."""
        return int(self.model.outputs[0].shape[-1])

    def __call__(self, latents: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return pictures (n, height, width, channels), float32 of 0..1."""
        inputs = latents if labels is None else [latents, np.asarray(labels, np.int32)]
        outputs = self.model(inputs, training=False)
        return np.asarray(keras.ops.convert_to_numpy(outputs), np.float32)


def generator_of(model: keras.Model) -> TrainedGenerator:
    """Return the generator that a GAN yields: its average, if it has one.

    Args:
        model: a GAN, or a generator alone.
    """
    part = yielded(model)
    return TrainedGenerator(part, _classes_of(part))


def yielded(model: keras.Model) -> keras.Model:
    """Return the network that a run of this model yields: the generator of a GAN, any other model itself."""
    parts = {layer.name: layer for layer in model.layers if isinstance(layer, keras.Model)}
    return parts.get(AVERAGE, parts.get(GENERATOR, model)) if DISCRIMINATOR in parts else model


def load_generator(file: Path) -> TrainedGenerator:
    """Return the generator of a model file or a checkpoint.

    Raises:
        ValueError: Keras cannot load it.
    """
    return generator_of(load_model(file))


def _classes_of(generator: keras.Model) -> int:
    """Return the number of rows of the embedding of labels; 0 without labels."""
    if len(generator.inputs) < 2:
        return 0
    tables = [layer for layer in generator.layers if isinstance(layer, keras.layers.Embedding)]
    return int(tables[0].input_dim) if tables else 0
