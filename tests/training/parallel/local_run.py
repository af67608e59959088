"""Training runs of a tiny classifier with local steps, in float64, on pooled ranks or in the process of the test."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import keras
import numpy as np

import ddl.distributed as dist
from ddl.models.zoo import MODELS, add_model
from ddl.training.checkpoint.checkpoint_file import open_checkpoint
from ddl.training.data.training_data import TrainingData
from ddl.training.loop import train
from ddl.training.plan.plan import Plan
from ddl.training.stops import Interrupted
from tests.training.outcome import computing_in
from tests.training.small_run import CLASSES, samples

NAME = "tiny_local"
COUNT = 37  # on 3 ranks of 3 samples: 4 steps of 9, then 1 sample for rank 0 alone


def train_local(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    """Train, and return the history, all weights in one array, and the report."""
    with computing_in("float64"):
        return _train(folder, fields)


class StopInSecondEpoch(keras.callbacks.Callback):
    """Asks rank 0 to stop when the second epoch begins, so that the run stops after its first round."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1 and dist.is_root():
            signal.raise_signal(signal.SIGUSR1)


def stop_local(folder: Path, fields: dict[str, Any]) -> int:
    """Train until a stop within the second epoch. Return the steps of the epoch that its checkpoint has."""
    with computing_in("float64"):
        try:
            train(local_plan(folder, fields), _data(), [StopInSecondEpoch()])
        except Interrupted as end:
            if end.checkpoint is not None:
                return int(open_checkpoint(end.checkpoint).facts["position"]["step"])
    return 0


def train_each(folder: Path, runs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Train several runs, one after another, in folders of their names."""
    return {name: train_local(folder / name, fields) for name, fields in runs.items()}


def local_plan(folder: Path, fields: dict[str, Any]) -> Plan:
    """Return the plan of such a run."""
    if NAME not in MODELS:
        add_model(NAME, _build, "label")
    defaults: dict[str, Any] = {
        "loss": "categorical_crossentropy", "metric": ("top_1",), "optimizer": "sgd",
        "learning_rate": 0.05, "learning_rate_scaling": "none", "warmup_epochs": 0,
        "per_rank_batch_size": 3, "epochs": 2, "tensorboard": False, "jit": "false",
    }  # fmt: skip
    return Plan(run_dir=folder, model=NAME, data="arrays", **{**defaults, **fields})


def _data() -> TrainingData:
    return TrainingData(samples(COUNT, 0), samples(11, 1), CLASSES, None)


def _train(folder: Path, fields: dict[str, Any]) -> dict[str, Any]:
    history = train(local_plan(folder, fields), _data())
    found: dict[str, Any] = {
        "history": [{name: float(value) for name, value in epoch.items()} for epoch in history],
        "weights": np.zeros(0),
        "report": {},
    }
    if dist.is_root():
        model = keras.models.load_model(folder / "model.keras")
        found["weights"] = np.concatenate([np.ravel(weight) for weight in model.get_weights()])
        found["report"] = json.loads((folder / "report.json").read_text())
    return found


def _build(input_shape: Any, *, classes: int, norm: str = "none") -> keras.Model:
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, padding="same", name="near")(inputs)
    if norm != "none":
        x = keras.layers.BatchNormalization(synchronized=norm == "spanning", name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Activation("relu")(x))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="out")(x))
