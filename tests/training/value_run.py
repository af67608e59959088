"""A whole training run of a tiny autoencoder in float64 without validation, on pooled ranks or in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.models.zoo import MODELS, add_model
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in, outcome

NAME, COUNT = "tiny_coder", 13
PATCHES = ["random_horizontal_flip=0.5", "random_patches=2,3"]


def write_data(folder: Path) -> Path:
    """Write arrays with the channels first, one a file."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = np.linspace(0, 1, 8)
    for index in range(COUNT):
        wave = 0.5 + 0.4 * np.sin(6 * (rows[:, None] * random.random() + rows * random.random()))
        np.save(folder / f"s{index:02d}", wave[None].astype(np.float32))
    return folder


def train_coder(run_dir: Path, data: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the history, and on rank 0 all weights in one array."""
    keras.backend.clear_session()  # names of layers begin anew, as in a process of its own
    with computing_in("float64"):
        if NAME not in MODELS:
            add_model(NAME, _build, "values")
        history = train(_plan(run_dir, data, fields))
    return outcome(history, run_dir)


def _plan(run_dir: Path, data: Path, fields: dict[str, Any]) -> Plan:
    given: dict[str, Any] = {
        "model": NAME,
        "data": str(data),
        "target_data": str(data),
        "data_option": {"format": "channels-first"},
        "loss": "binary_crossentropy",
        "metric": ("mae",),
        "validation_part": 0,
        "optimizer": "sgd",
        "learning_rate": 0.5,
        "warmup_epochs": 0,
        "learning_rate_scaling": "none",
        "global_batch_size": 6,
        "epochs": 3,
        "tensorboard": False,
    }
    return Plan(run_dir=run_dir, **{**given, **fields})


def _build(input_shape: Any, *, classes: int) -> keras.Model:
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = dist.SyncBatchNormalization()(x)
    return keras.Model(
        inputs, keras.layers.Conv2D(classes, 3, padding="same", activation="sigmoid")(x)
    )
