"""Plain Keras `fit` in one process as the baseline of our loop: on arrays, with our optimizer, and on our batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.benchmark.comparison import Comparison
from ddl.benchmark.plans import LOSSES, METRICS, make_samples
from ddl.benchmark.requests import Request
from ddl.benchmark.trial import Trial
from ddl.benchmark.trials import EpochClock, open_batches, read_batches, throughput
from ddl.data.inputs_and_targets import ArraySamples
from ddl.models.zoo import target_of

_FIT = f"{__name__}:fit_on_arrays"


@dataclass(frozen=True, kw_only=True)
class LoopRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Compare `fit` on NumPy arrays, our loop on the same, and its compiled steps without a loop, on one rank."""
        setups = {
            "model.fit": self.setup(1, way=_FIT),
            "our loop": self.setup(1),
            "steps alone": self.setup(1, way=f"{__name__}:take_steps"),
        }
        return Comparison("loop", setups)


@dataclass(frozen=True, kw_only=True)
class StallRequest(Request):
    """Measurement."""

    def comparison(self) -> Comparison:
        """Compare the longest wait after an epoch's last step: on arrays, with our optimizer, on our batches."""
        setups = {
            "fit on arrays": self.setup(1, way=_FIT, validates=False),
            "with our optimizer": self.setup(1, way=f"{__name__}:fit_as_script", validates=False),
            "fit on ddl.data.batches.pipeline": self.setup(1, way=f"{__name__}:fit_on_pipeline"),
        }
        return Comparison("after the last step of an epoch", setups, "longest_end_s", "s")


def fit_on_arrays(trial: Trial) -> dict[str, Any]:
    """Train by `fit` on NumPy arrays, as Keras's guides do."""
    dist.init()  # sets only the number of threads here
    return _fit_on_arrays(trial, *compiled(trial))


def fit_as_script(trial: Trial) -> dict[str, Any]:
    """Train as a user's own script does: `fit` on NumPy arrays with our optimizer and callbacks."""
    dist.init()
    model, images, targets = compiled(trial)
    model.optimizer = dist.DistributedOptimizer(model.optimizer)
    return _fit_on_arrays(trial, model, images, targets, dist.standard_callbacks())


def _fit_on_arrays(
    trial: Trial, model: Any, images: np.ndarray, targets: np.ndarray, callbacks: Sequence[Any] = ()
) -> dict[str, Any]:
    few = trial.per_rank_batch_size
    clock = StepClock()
    begin = time.time()
    validation = (images[:few], targets[:few]) if trial.validates else None
    fitted = model.fit(
        images,
        targets,
        batch_size=few,
        epochs=trial.epochs,
        validation_data=validation,
        verbose=0,
        callbacks=[*callbacks, clock.callback()],
    )
    parts = clock.parts()
    metric = METRICS[target_of(trial.model, trial.model_option)][0]
    learned = {"loss": fitted.history["loss"][-1], "score": fitted.history[metric][-1]}
    return throughput(trial, parts["epoch_s"], begin) | learned | parts


def fit_on_pipeline(trial: Trial) -> dict[str, Any]:
    """Train by `fit` on our batches."""
    dist.init()
    model, images, targets = compiled(trial)
    clock = StepClock()
    begin = time.time()
    fit_on_batches(trial, model, images, targets, clock.callback())
    parts = clock.parts()
    return throughput(trial, parts["epoch_s"], begin) | parts


def fit_on_batches(
    trial: Trial, model: Any, images: np.ndarray, targets: np.ndarray, callback: Any
) -> None:
    """Train by `fit` on our batches of all these samples."""
    with open_batches(trial, ArraySamples(images, targets)) as (dataset, steps):
        model.fit(
            dataset,
            epochs=trial.epochs,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )


def take_steps(trial: Trial) -> dict[str, Any]:
    """Take the compiled steps of our loop, on its batches, without a loop around them."""
    dist.init()
    import tensorflow as tf

    from ddl.distributed.keras_patches.optimizer import use_fused_operations
    from ddl.training.steps.blocks import MOST_STEPS, several_steps

    model, _, _ = compiled(trial)
    use_fused_operations()
    begin = time.time()
    epoch_s = []
    with read_batches(trial) as (dataset, steps):
        taken, several = iter(dataset), several_steps(model)
        for _ in range(trial.epochs):
            started = time.perf_counter()
            for first in range(0, steps, MOST_STEPS):
                _, losses = several(taken, tf.constant(min(MOST_STEPS, steps - first)))
                losses.numpy()
            epoch_s.append(time.perf_counter() - started)
    return throughput(trial, epoch_s, begin) | {"loss": float(losses[-1])}


def compiled(trial: Trial) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a compiled Keras model, and images from 0 to 1 with their targets in memory."""
    import keras

    from ddl.models.zoo import build_model
    from ddl.training.objectives.losses import build_loss
    from ddl.training.objectives.metrics import build_metric

    if trial.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{trial.mixed_precision}")
    keras.utils.set_random_seed(trial.seed)
    target = target_of(trial.model, trial.model_option)
    images, targets = make_samples(trial)
    inputs = images.astype(np.float32) / 255
    shape = inputs.shape[1:]
    model = build_model(trial.model, shape, trial.model_classes, **trial.model_option)
    model.compile(
        keras.optimizers.Adam(1e-3),
        build_loss(LOSSES[target]),
        metrics=[build_metric(METRICS[target][0])],
    )
    return model, inputs, targets.astype(np.float32 if target == "mask" else np.int64)


class StepClock(EpochClock):
    """Records also when an epoch's first step begins and its last one ends; call `parts` once `fit` has returned."""

    def __init__(self) -> None:
        super().__init__()
        self.first_steps = []

    def callback(self) -> Any:
        """Return a Keras callback that records the times."""
        import keras

        return keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: self.begin_epoch(),
            on_epoch_end=lambda epoch, logs: self.end_epoch(),
            on_train_batch_begin=lambda batch, logs: self.begin_step(),
            on_train_batch_end=lambda batch, logs: self.end_step(),
        )

    def begin_step(self) -> None:
        """Record the begin of a step where it is the first of an epoch."""
        if len(self.first_steps) < len(self._begins):
            self.first_steps.append(time.perf_counter())
