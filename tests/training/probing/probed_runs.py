"""Training runs of a tiny classifier with and without a probe, on pooled ranks or in the process of the test."""

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
from ddl.training.probing.probed_steps import ProbedSteps
from ddl.training.stops import Interrupted

CLASSES, NAME, STEPS = 3, "probed_classifier", 5


def samples(count: int, seed: int) -> ArraySamples:
    """Return pictures of 8x8x2 whose brightness tells their class."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, count)
    pictures = random.uniform(0, 0.4, (count, 8, 8, 2)) + 0.3 * labels[:, None, None, None]
    return ArraySamples(pictures.astype(np.float32), labels)


def build(input_shape: Any, *, classes: int, norm: str = "sync", dead: bool = False) -> keras.Model:
    """Return a network with a drawing layer, normalization, and half of a layer dead if asked for."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
    layer = dist.SyncBatchNormalization if norm == "sync" else keras.layers.BatchNormalization
    x = keras.layers.ReLU(name="cut")(layer(name="norm")(x))
    x = keras.layers.Dropout(0.2, seed=3, name="drop")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    bias = np.array([-1e3] * 4 + [0.0] * 4) if dead else np.zeros(8)
    initializer = keras.initializers.Constant(bias.tolist())
    x = keras.layers.Dense(8, activation="relu", bias_initializer=initializer, name="hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax", name="head")(x))


def probed_run(
    folder: Path, fields: dict[str, Any], stop_at: str = "", options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Train; return history, all weights, and what the probe found on this rank.

    Args:
        folder: for the run directory.
        fields: of the plan.
        stop_at: "" or where a signal stops the run in its second epoch, which is then resumed: "step", "validation".
        options: of the model.
    """
    if NAME not in MODELS:
        add_model(NAME, build, "label")
    values: dict[str, Any] = {
        "run_dir": folder, "model": NAME, "model_option": options or {}, "data": "arrays", "tensorboard": False,
        "loss": "categorical_crossentropy", "metric": ("top_1",), "optimizer": "adam", "learning_rate": 0.01,
        "global_batch_size": 8, "epochs": 3, "jit": "false", "warmup_epochs": 0,
    }  # fmt: skip
    plan = Plan(**(values | fields))
    data = TrainingData(samples(38, 0), samples(11, 1), CLASSES)
    found: list[dict[str, Any]] = []
    measure = ProbedSteps.probe

    def probe(self: ProbedSteps) -> dict[str, Any]:
        found.append(measure(self))
        return found[-1]

    ProbedSteps.probe = probe  # type: ignore[method-assign]
    try:
        if stop_at:
            try:
                train(plan, data, [Stop(stop_at)])
            except Interrupted:
                plan = dataclasses.replace(plan, resume="auto")
            else:
                raise AssertionError("It was not interrupted.")
        history = train(plan, data)
    finally:
        ProbedSteps.probe = measure  # type: ignore[method-assign]
        keras.config.set_dtype_policy("float32")
    dist.barrier()
    model = keras.models.load_model(folder / "model.keras")
    return {
        "weights": np.concatenate([np.ravel(weight) for weight in model.get_weights()]),
        "losses": [[epoch["loss"], epoch["val_loss"]] for epoch in history],
        "rows": found,
    }


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
