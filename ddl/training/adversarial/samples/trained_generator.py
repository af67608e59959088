"""A generator of a file, as a function from latent vectors to pictures of 0..1."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from ddl.training.checkpoint.transfer import load_model

LATENT, LABEL = "latent", "label"
"""Names of the generator's inputs."""


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
        inputs = [latents] if labels is None else [latents, np.asarray(labels)[:, None]]
        outputs = self.model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return np.asarray(keras.ops.convert_to_numpy(outputs), np.float32)


def load_generator(file: Path) -> TrainedGenerator:
    """Return the generator of a model file.

    Raises:
        ValueError: the file holds no generator.
    """
    raise NotImplementedError(load_model(file))
