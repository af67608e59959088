"""A whole training run of a tiny network on Poisson's equation in float64, on pooled ranks or in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from ddl.models.zoo import MODELS, add_model
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in, outcome

NAME = "tiny_solver"


def train_equation(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the history and all weights in one array."""
    with computing_in("float64"):
        return outcome(train(equation_plan(folder, fields)), folder)


def equation_plan(folder: Path, fields: dict[str, Any]) -> Plan:
    """Return the plan of such a run."""
    if NAME not in MODELS:
        add_model(NAME, _build, "mask")
    given: dict[str, Any] = {
        "data": "diffusion-maps",
        "data_option": {"count": 13},
        "image_size": (8, 8),
        "model": NAME,
        "loss": "poisson_2d",
        "metric": (),
        "tensorboard": False,
        "validation_part": 0.2,
        "per_rank_batch_size": 3,
        "checkpoint_every_epochs": 1,
    }
    return Plan(run_dir=folder, **given | fields)


def _build(input_shape: Any, *, classes: int) -> keras.Model:
    inputs = keras.Input(input_shape)
    smooth = {"padding": "same", "activation": "tanh"}
    x = keras.layers.Conv2D(3, 3, **smooth, name="near")(inputs)
    x = keras.layers.Conv2D(3, 3, **smooth, dilation_rate=2, name="far")(x)
    return keras.Model(inputs, keras.layers.Conv2D(classes, 3, padding="same", name="field")(x))
