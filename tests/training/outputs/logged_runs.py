"""A training run of a tiny classifier with all outputs, on pooled ranks or in the process of the test."""

from __future__ import annotations

import dataclasses
import signal
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
from ddl.training.stops import Interrupted

CLASSES = 3
NAME = "logged_classifier"
STEPS = 5


class Named(ArraySamples):
    """Samples with names of files, some in folders."""

    def name_of(self, index: int) -> str:
        """Return the file's name."""
        return f"{'abc'[index % 3]}/cat_{index}.jpg" if index % 2 else f"cat_{index}.jpg"


def samples(count: int, seed: int) -> Named:
    """Return pictures of 6x6x1 whose brightness tells their class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    pictures = random.uniform(0, 0.3, (count, 6, 6, 1)) + 0.3 * labels[:, None, None, None]
    return Named(pictures.astype(np.float32), labels)


def build(input_shape: Any, *, classes: int) -> keras.Model:
    """Return the network."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(3, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="head")(x))


def make_plan(folder: Path, fields: dict[str, Any]) -> Plan:
    """Return the plan of a run in `folder`, with all its outputs beside it."""
    if NAME not in MODELS:
        add_model(NAME, build, "label")
    values: dict[str, Any] = {
        "run_dir": folder / "run", "model": NAME, "data": "arrays", "loss": "categorical_crossentropy",
        "metric": ("top_1", "precision"), "optimizer": "sgd", "learning_rate": 0.1, "tensorboard": False,
        "global_batch_size": 8, "epochs": 2, "epoch_log": folder / "out_x",
        "prediction_output": folder / "predicted", "checkpoint_copies": folder / "m", "graph": True,
    }  # fmt: skip
    return Plan(**(values | fields))


def logged_run(folder: Path, fields: dict[str, Any], stop_at: str = "") -> list[dict[str, Any]]:
    """Train; return the history. With `stop_at`, a signal stops the run there, and it is resumed.

    Args:
        folder: for the run directory and all outputs.
        fields: of the plan.
        stop_at: "step" (in the second epoch) or "validation".
    """
    plan = make_plan(folder, fields)
    data = TrainingData(samples(38, 0), samples(11, 1), CLASSES)
    if stop_at:
        try:
            train(plan, data, [Stop(stop_at)])
        except Interrupted:
            plan = dataclasses.replace(plan, resume="auto")
        else:
            raise AssertionError("It was not interrupted.")
    history = train(plan, data)
    dist.barrier()
    return [{name: float(value) for name, value in epoch.items()} for epoch in history]


class Stop(keras.callbacks.Callback):
    """Sends rank 0 a signal in the second epoch."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where, self._epoch = where, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop("step", batch == 2)

    def on_test_end(self, logs: Any = None) -> None:
        self._stop("validation")

    def _stop(self, where: str, here: bool = True) -> None:
        if self._epoch == 1 and where == self._where and here and dist.is_root():
            signal.raise_signal(signal.SIGUSR1)
