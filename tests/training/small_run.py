"""A whole training run of a tiny classifier in float64, on pooled ranks or in the process of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.data.inputs_and_targets import ArraySamples
from ddl.models.zoo import MODELS, add_model
from ddl.training.data.training_data import TrainingData
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from tests.training.outcome import computing_in, outcome

CLASSES = 3
COUNTS = {"training": 43, "validation": 11, "test": 10}
NAME = "tiny_classifier"


def train_tiny(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the history, all weights in one array, and the preprocessing that the run keeps."""
    with computing_in("float64"):
        return _train(folder, fields)


def tiny_data(seed: int = 0) -> TrainingData:
    """Return samples of three classes that differ in brightness, the first of which is rare."""
    return TrainingData(
        *(samples(COUNTS[name], seed + number) for number, name in enumerate(COUNTS) if number < 2),
        CLASSES,
        samples(COUNTS["test"], seed + 2),
    )


def samples(count: int, seed: int) -> ArraySamples:
    """Return pictures of 8x8x2 and their labels."""
    random = np.random.default_rng(seed)
    labels = random.choice(CLASSES, count, p=[0.1, 0.5, 0.4])
    pictures = random.uniform(0, 0.4, (count, 8, 8, 2)) + labels[:, None, None, None] * [0.2, 0.1]
    return ArraySamples(pictures.astype(np.float32), labels)


def _train(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    if NAME not in MODELS:
        add_model(NAME, _build, "label")
    defaults: dict[str, Any] = {
        "loss": "categorical_crossentropy", "metric": ("top_1",), "optimizer": "sgd",
        "optimizer_option": {"momentum": 0.9}, "learning_rate": 0.05, "tensorboard": False,
    }  # fmt: skip
    plan = Plan(run_dir=folder, model=NAME, data="arrays", **{**defaults, **fields})
    history = train(plan, tiny_data())
    return outcome(history, folder)


def _build(input_shape: Any, *, classes: int, ending: str = "softmax") -> keras.Model:
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = dist.SyncBatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Activation("relu")(x))
    return keras.Model(inputs, keras.layers.Dense(classes, activation=ending)(x))
