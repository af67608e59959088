"""Epoch after epoch, from wherever a run stands: at an epoch's start, in its middle, or before its validation."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data import pipeline, sharding
from ddl.distributed import state
from ddl.distributed.launcher import threads_per_rank
from ddl.distributed.uneven import build_metrics
from ddl.training.data import TrainingData
from ddl.training.plateau import plateau_factor
from ddl.training.run import Run
from ddl.training.suspects import origin_indices, spoiled_samples

Callbacks = list[keras.callbacks.Callback]


def train_epochs(model: keras.Model, run: Run, feed: Feed, callbacks: Callbacks) -> None:
    """Train from where the run stands to its last epoch. All ranks must call it."""
    if run.is_over:  # stopped between the last checkpoint and the final model
        model.optimizer.finalize_variable_values(model.trainable_weights)
        return
    step, epoch = run.position.step, run.position.epoch
    if step == run.steps_per_epoch:
        _finish_epoch(model, feed, epoch, callbacks)
    elif step:
        with contextlib.suppress(_EpochDone):
            leave = _LeaveAfterEpoch(run)
            feed.fit(epoch, epoch + 1, run.steps_per_epoch - step, [*callbacks, leave])
    if not run.is_over:
        feed.fit(run.position.epoch, run.plan.epochs, run.steps_per_epoch, callbacks)


class FollowHistory(keras.callbacks.Callback):
    """Sets what a learning rate of the schedule "plateau" has come down to, before each epoch."""

    def __init__(self, run: Run, learning_rate: Any) -> None:
        super().__init__()
        self._run, self._learning_rate = run, learning_rate

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        plan = self._run.plan
        if plan.schedule == "plateau":
            values = self._run.values(plan.monitor)
            factor = plateau_factor(values, mode=plan.mode, **plan.schedule_option)
            self._learning_rate.set_factor(factor)


class BadData(ValueError):
    """A sample that could not be read in the middle of a training. The rank that met it alone knows."""


class Feed:
    """A model and the batches that it is trained and looked at with."""

    def __init__(self, model: keras.Model, run: Run, data: TrainingData) -> None:
        self._model, self._run, self._data = model, run, data
        self._threads = run.plan.data_threads or threads_per_rank(dist.local_size())
        self.validation_steps = sharding.evaluation_steps(
            len(data.validation), run.plan.per_rank_batch_size, dist.size()
        )

    def fit(self, first_epoch: int, epochs: int, steps: int, callbacks: Callbacks) -> None:
        """Train to the end of epoch `epochs`, with `steps` steps in each."""
        run = self._run
        training = pipeline.training_batches(
            self._data.training,
            order=run.order,
            rank=dist.rank(),
            start=run.position,
            augmentation=run.plan.augmentation(),
            threads=self._threads,
        )
        validation = self._validation()
        with _naming_bad_data(training, validation), training, validation:
            batches = self._for_outputs(training.dataset)
            # A step that makes variables is traced twice.
            state.build_optimizer(self._model)
            build_metrics(self._model, batches.element_spec)
            self._fit(
                batches,
                initial_epoch=first_epoch,
                epochs=epochs,
                steps_per_epoch=steps,
                validation_data=self._for_outputs(validation.dataset),
                validation_steps=self.validation_steps,
                shuffle=False,  # the batches are in the epoch's order already
                verbose=0,
                callbacks=callbacks,
            )

    def evaluate(self, callbacks: Any) -> dict[str, Any]:
        """Return losses and metrics of the validation data."""
        validation = self._validation()
        with _naming_bad_data(validation), validation:
            logs: dict[str, Any] = self._model.evaluate(
                self._for_outputs(validation.dataset),
                steps=self.validation_steps,
                verbose=0,
                callbacks=callbacks,
                return_dict=True,
            )
        return logs

    def suspects(self, indices: np.ndarray) -> tuple[list[int], list[int]]:
        """Return, of these training samples, the numbers in their file, and of those that hold NaN or infinity."""
        training = self._data.training
        spoiled = spoiled_samples(training, indices)
        return origin_indices(training, indices), origin_indices(training, spoiled)

    @functools.cached_property
    def batch_spec(self) -> Any:
        """What a batch is made of. TensorFlow keeps for good what is traced to find it out: once is enough."""
        return self._for_outputs(self._validation().dataset).element_spec

    def _fit(self, *args: Any, **kwargs: Any) -> None:
        try:
            self._model.fit(*args, **kwargs)
        finally:
            # A fit that was left by an exception would keep it until Python is gone, when TensorFlow complains.
            self._model._eval_epoch_iterator = None

    def _validation(self) -> pipeline.Batches:
        return pipeline.evaluation_batches(
            self._data.validation,
            per_rank_batch_size=self._run.plan.per_rank_batch_size,
            rank=dist.rank(),
            size=dist.size(),
            threads=self._threads,
        )

    def _for_outputs(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Give every output of a deeply supervised model the same target."""
        names = self._model.output_names
        if len(names) == 1:
            return batches
        return batches.map(lambda inputs, target: (inputs, dict.fromkeys(names, target)))


@contextlib.contextmanager
def _naming_bad_data(*batches: pipeline.Batches) -> Iterator[None]:
    """Tell a sample that cannot be read from a mistake in a program, which keeps its traceback."""
    try:
        yield
    except ValueError as error:
        if any(error is one.error for one in batches):
            raise BadData(str(error)) from error
        raise


class _LeaveAfterEpoch(keras.callbacks.Callback):
    """Leaves `fit` after one epoch without its last rites, unless the training ends there.

    Keras would overwrite the weights by their moving average (EMA), as it does at the end of a training.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if not self._run.is_over:
            raise _EpochDone


class _EpochDone(Exception):
    pass


def _finish_epoch(model: keras.Model, feed: Feed, epoch: int, callbacks: Callbacks) -> None:
    """Do what `fit` does after the last step of an epoch: the run was stopped during its validation."""
    together = keras.callbacks.CallbackList(
        callbacks, model=model, epochs=epoch + 1, steps=0, verbose=0
    )
    together.on_train_begin()
    together.on_epoch_begin(epoch)
    logs = dict(model.get_metrics_result())
    validation = feed.evaluate(together)
    together.on_epoch_end(epoch, logs | {f"val_{name}": v for name, v in validation.items()})
    if model.stop_training:
        model.optimizer.finalize_variable_values(model.trainable_weights)
        together.on_train_end()
