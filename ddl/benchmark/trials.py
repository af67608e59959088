"""Ways to train the same samples: by our loop, by a bare `fit`; and reading them without training."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import ddl.distributed as dist
from ddl.benchmark.plans import LOSSES, METRICS, data_of, plan_of, stored
from ddl.benchmark.samples import make_samples
from ddl.benchmark.steps import profile_of
from ddl.benchmark.trial import STARTED, Trial, rate, resident_mb
from ddl.data.samples import ArraySamples
from ddl.data.source import Source, Subset
from ddl.distributed.quiet import loading_tensorflow
from ddl.models.zoo import target_of
from ddl.training.data import TrainingData


def train_ours(trial: Trial) -> dict[str, Any]:
    """Train by our loop."""
    dist.init()
    with loading_tensorflow():
        from ddl.training import account
        from ddl.training.loop import Training
        from ddl.training.stop_request import StopRequest
    if trial.draws:
        account.DRAW_EVERY_S = 0.0
    clock = Clock()
    with tempfile.TemporaryDirectory() as name, StopRequest() as stop:
        folder = Path(dist.broadcast(name))
        data = dist.broadcast(stored(trial, folder) if dist.is_root() else "")
        plan = plan_of(trial, folder, data)
        opened = data_of(trial, plan)
        few = np.arange(min(len(opened.training), trial.per_rank_batch_size * dist.size()))
        kept = TrainingData(opened.training, Subset(opened.training, few), opened.classes)
        asked = time.time(), time.perf_counter()
        training = Training(plan, kept, stop)
        clock.watch(training.model)
        epochs = training.run()
        dist.barrier()
        found = profile_of(plan) if trial.profile and dist.is_root() else {}
    parts = clock.parts()
    begin = asked[0] + clock.first_s - asked[1]
    learned = {"loss": epochs[-1]["loss"], "score": epochs[-1].get(plan.metric[0])}
    shape = {"input_shape": list(opened.input_shape)}
    return _told(trial, parts["epoch_s"], begin) | parts | found | learned | shape


def train_fit(trial: Trial) -> dict[str, Any]:
    """Train by a bare `fit` on NumPy arrays, in one process, as Keras's guides do."""
    dist.init()  # for the number of threads alone
    return _fit_on_arrays(trial, *compiled(trial))


def train_script(trial: Trial) -> dict[str, Any]:
    """Train as a user's own script does: `fit` on NumPy arrays with our optimizer and callbacks, in one process."""
    dist.init()
    model, images, targets = compiled(trial)
    model.optimizer = dist.DistributedOptimizer(model.optimizer)
    return _fit_on_arrays(trial, model, images, targets, dist.standard_callbacks())


def _fit_on_arrays(
    trial: Trial, model: Any, images: np.ndarray, targets: np.ndarray, callbacks: Sequence[Any] = ()
) -> dict[str, Any]:
    few = trial.per_rank_batch_size
    clock = Clock()
    begin = time.time()
    looked_at = (images[:few], targets[:few]) if trial.validates else None
    fitted = model.fit(
        images,
        targets,
        batch_size=few,
        epochs=trial.epochs,
        validation_data=looked_at,
        verbose=0,
        callbacks=[*callbacks, clock.callback()],
    )
    end = clock.parts()
    metric = METRICS[target_of(trial.model)]
    found = {"loss": fitted.history["loss"][-1], "score": fitted.history[metric][-1]}
    return _told(trial, end["epoch_s"], begin) | found | end


def train_pipeline(trial: Trial) -> dict[str, Any]:
    """Train by a bare `fit` on our batches, in one process: how long it takes after the last step of an epoch."""
    dist.init()
    model, images, targets = compiled(trial)
    clock = Clock()
    begin = time.time()
    fit_on_batches(trial, model, images, targets, clock.callback())
    parts = clock.parts()
    return _told(trial, parts["epoch_s"], begin) | parts


def train_alone(trial: Trial) -> dict[str, Any]:
    """Take the steps of our loop, on its batches, without a loop around them, in one process."""
    dist.init()
    import tensorflow as tf

    from ddl.distributed.optimizer import use_fused_operations
    from ddl.training.blocks import MOST_STEPS, several_steps

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
    return _told(trial, epoch_s, begin) | {"loss": float(losses[-1])}


def fit_on_batches(
    trial: Trial, model: Any, images: np.ndarray, targets: np.ndarray, callback: Any
) -> None:
    """Train by a bare `fit` on our batches of all these samples, of which this rank takes all."""
    with _batches(trial, ArraySamples(images, targets)) as (dataset, steps):
        model.fit(
            dataset,
            epochs=trial.epochs,
            steps_per_epoch=steps,
            shuffle=False,
            verbose=0,
            callbacks=[callback],
        )


@contextlib.contextmanager
def read_batches(trial: Trial) -> Iterator[tuple[Any, int]]:
    """Return this rank's batches as our loop reads them, without end, and the steps of an epoch."""
    from ddl.distributed.launcher import threads_per_rank

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = plan_of(trial, folder, stored(trial, folder))
        with _batches(
            trial,
            data_of(trial, plan).training,
            dist.rank(),
            dist.size(),
            augmentation=plan.augmentation(),
            threads=threads_per_rank(dist.local_size()),
        ) as batches:
            yield batches


@contextlib.contextmanager
def _batches(
    trial: Trial, samples: Source, rank: int = 0, size: int = 1, **reading: Any
) -> Iterator[tuple[Any, int]]:
    from ddl.data import pipeline
    from ddl.data.order import SampleOrder

    order = SampleOrder("global", len(samples), trial.per_rank_batch_size, size, trial.seed)
    with pipeline.training_batches(samples, order=order, rank=rank, **reading) as batches:
        yield batches.dataset, order.steps_per_epoch


def compiled(trial: Trial) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a compiled Keras model, and pictures from 0 to 1 with their targets in memory."""
    import keras

    from ddl.models.zoo import build_model
    from ddl.training.losses import build_loss
    from ddl.training.metrics import build_metric

    if trial.mixed_precision != "none":
        keras.config.set_dtype_policy(f"mixed_{trial.mixed_precision}")
    keras.utils.set_random_seed(trial.seed)
    target = target_of(trial.model)
    images, targets = make_samples(trial)
    inputs = images.astype(np.float32) / 255
    shape = inputs.shape[1:]
    model = build_model(trial.model, shape, trial.model_classes, **trial.model_option)
    model.compile(
        keras.optimizers.Adam(1e-3),
        build_loss(LOSSES[target]),
        metrics=[build_metric(METRICS[target])],
    )
    return model, inputs, targets.astype(np.float32 if target == "mask" else np.int64)


class Clock:
    """Notes when each epoch of `fit` begins, its first step begins and its last one ends, and the memory at its end."""

    def __init__(self) -> None:
        self._begins: list[float] = []
        self._first_steps: list[float] = []
        self._last_steps: list[float] = []
        self._resident_mb: list[float] = []
        self._end: float | None = None

    def watch(self, model: Any) -> None:
        """Note what a model's `fit` does, whoever calls it."""
        fit = model.fit

        def noted(*args: Any, callbacks: list[Any], **kwargs: Any) -> Any:
            history = fit(*args, callbacks=[*callbacks, self.callback()], **kwargs)
            self._end = time.perf_counter()
            return history

        model.fit = noted

    def callback(self) -> Any:
        """Return a Keras callback that notes."""
        import keras

        clock = self

        class Notes(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
                clock.begin_epoch()

            def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
                clock.end_epoch()

            def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
                clock.begin_step()

            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                clock.end_step()

        return Notes()

    @property
    def first_s(self) -> float:
        """When the first epoch began, as `time.perf_counter` has it."""
        return self._begins[0]

    def begin_epoch(self) -> None:
        """Note it."""
        self._begins.append(time.perf_counter())

    def begin_step(self) -> None:
        """Note it where it is an epoch's first."""
        if len(self._first_steps) < len(self._begins):
            self._first_steps.append(time.perf_counter())

    def end_step(self) -> None:
        """Note it; an epoch's last one counts."""
        del self._last_steps[len(self._begins) - 1 :]
        self._last_steps.append(time.perf_counter())

    def end_epoch(self) -> None:
        """Note how much memory there is."""
        self._resident_mb.append(round(resident_mb(), 1))

    def parts(self) -> dict[str, Any]:
        """Return seconds of each epoch, and from its last step to the next epoch's first one, or to fit's end."""
        end = self._end or time.perf_counter()
        ends, nexts = [*self._begins[1:], end], [*self._first_steps[1:], end]
        after = [when - last for when, last in zip(nexts, self._last_steps, strict=True)]
        return {
            "epoch_s": [after - before for before, after in zip(self._begins, ends, strict=True)],
            "after_last_step_s": after,
            "longest_end_s": max(after),
            "resident_mb": self._resident_mb,
            "last_resident_mb": self._resident_mb[-1],
        }


def read_input(trial: Trial) -> dict[str, Any]:
    """Read and augment the samples without training."""
    dist.init()
    epoch_s = []
    with read_batches(trial) as (dataset, steps):
        taken = iter(dataset)
        for _ in range(trial.epochs):
            begin = time.perf_counter()
            for _ in itertools.islice(taken, steps):
                pass
            epoch_s.append(time.perf_counter() - begin)
    return {"samples_per_s": rate(trial.samples, epoch_s), "epoch_s": epoch_s}


def _told(trial: Trial, epoch_s: list[float], begin: float) -> dict[str, Any]:
    """Return what every way to train tells."""
    started = float(os.environ.get(STARTED, begin))
    return {
        "samples_per_s": rate(trial.samples, epoch_s),
        "epoch_s": epoch_s,
        "ready_s": begin - started,
        "started_s": begin - started + epoch_s[0],
    }
