"""A whole training run of a tiny network in float64, on pooled ranks or in the process of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from ddl.models.zoo import MODELS, add_model
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in, outcome

NAME = "two_ways"
SMALL: dict[str, Any] = {
    "data": "synthetic",
    "data_option": {"count": 19},
    "image_size": (16, 16),
    "model": "unet",
    "model_option": {"width": 2, "depth": 2, "norm": "group"},
    "optimizer": "sgd",
    "optimizer_option": {"momentum": 0.9},
    "learning_rate": 0.1,
    "learning_rate_scaling": "none",
    "global_batch_size": 5,
    "epochs": 2,
    "validation_part": 0.2,
    "tensorboard": False,
    "jit": "false",
}


def train_small(folder: Path, fields: dict[str, Any], floatx: str = "float64") -> dict[str, Any]:
    """Train, and return the history and all weights in one array, which rank 0 alone has."""
    if NAME not in MODELS:
        add_model(NAME, _build, "mask")
    with computing_in(floatx):
        return outcome(train(Plan(run_dir=folder, **SMALL | fields)), folder)


def _build(input_shape: Any, *, classes: int, dropout: float = 0.0) -> keras.Model:
    """Return a network with a layer that is called twice, a regularized weight, and the input as a late skip."""
    layers = keras.layers
    inputs = keras.Input(input_shape)
    twice = layers.Conv2D(4, 3, padding="same", activation="tanh", name="twice")
    x = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2", name="first")(inputs)
    x = twice(x)
    if dropout:
        x = layers.Dropout(dropout, name="drop")(x)
    x = twice(layers.ReLU(name="middle")(x))
    x = layers.Concatenate(name="late")([x, inputs])
    return keras.Model(inputs, layers.Conv2D(classes, 1, activation="sigmoid", name="end")(x))


def equal(found: dict[str, Any], expected: dict[str, Any], rounding: float = 1e-10) -> None:
    """Check that weights, losses and metrics of two runs are equal to rounding."""
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=0, atol=rounding)
    for mine, other in zip(found["history"], expected["history"], strict=True):
        for name in ("loss", "dice", "val_loss", "val_dice"):
            assert abs(mine[name] - other[name]) < max(rounding, 1e-6 * abs(other[name])), name
