"""Supervised steps: batch -> loss -> gradients -> reduction over ranks -> update, in blocks of steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import ddl.distributed as dist
from ddl.data import sharding
from ddl.data.batches import pipeline
from ddl.distributed.job.launcher import threads_per_rank
from ddl.distributed.keras_patches import batch_norm
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state, reduced_metrics
from ddl.training.data.training_data import TrainingData
from ddl.training.profiling.profile import Profile
from ddl.training.profiling.step_time import profiled_steps
from ddl.training.run import Run
from ddl.training.steps.blocks import several_steps
from ddl.training.steps.nonfinite import check_losses
from ddl.training.steps.step import Taken

CHECK_DESYNC_STEPS = 100


class BadData(ValueError):
    """A sample that could not be read during the training. Only the rank that read it knows."""


class SupervisedSteps:
    """Trains a compiled Keras model on its batches. See `ddl.training.steps.step.Steps` for the methods."""

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Remember what to train; `__enter__` opens the batches.

        Args:
            model: compiled with a distributed optimizer, with the weights to start from on rank 0.
            run: where the training stands.
            data: samples to train on and to validate with.
            profile: measures some of the first steps.
        """
        self.model = model
        self.first_step_s = 0.0
        self.validation_steps = sharding.evaluation_steps(
            len(data.validation), run.plan.per_rank_batch_size, dist.size()
        )
        self._run, self._data, self._profile = run, data, profile
        self._single_steps_left = profiled_steps(run.plan.profile)
        self._until_desync_check = CHECK_DESYNC_STEPS
        self._losses: list[Any] = []  # tensors that nobody has looked at yet, a value a step
        self._trained: list[np.ndarray] = []  # the epoch's sums while a validation has its own
        self._several: Any = None
        self._open = contextlib.ExitStack()

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next step."""
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def __enter__(self) -> SupervisedSteps:
        """Open the batches, and give every rank rank 0's weights and optimizer state."""
        training, validation = self._training_batches(), self._validation_batches()
        for context in (_naming_bad_data(training, validation), training, validation):
            self._open.enter_context(context)
        batches = self._for_outputs(training.dataset)
        self._validation = self._for_outputs(validation.dataset)
        # A step that creates variables is traced twice, so optimizer and metrics are built before the first one.
        model_state.build_optimizer(self.model)
        build_metrics(self.model, batches.element_spec)
        self.model.make_train_function()
        self.model.make_test_function()
        model_state.broadcast_state(self.model)
        model_state.keep_private(self.model, False)  # a resume has had its effect
        self._single = self.model.train_function
        if self._profile is not None:
            self._single = self._profile.around(self.model, self._single)
        self._batches = iter(batches)
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """Close the batches.

        Raises:
            BadData: a sample could not be read.
        """
        return self._open.__exit__(*error)

    def begin_epoch(self) -> None:
        """Reset losses and metrics."""
        self.model.reset_metrics()
        self._trained = []
        if self._profile is not None:
            self._profile.pause()  # what lies between two epochs is part of no step

    def take(self, most: int) -> Taken:
        """Take the next steps of the epoch, as many as a block may hold."""
        count = self._block(most)
        begin = time.perf_counter()
        if count == 1 or self.model.run_eagerly:
            for _ in range(count):
                logs = self._single(self._batches)
                self._losses.append(tf.convert_to_tensor(logs["loss"]))
        else:
            self._several = self._several or several_steps(self.model)
            logs, losses = self._several(self._batches, tf.constant(count))
            self._losses.append(losses)
        self.first_step_s = self.first_step_s or time.perf_counter() - begin
        self._single_steps_left -= count
        self._until_desync_check -= count
        if self._until_desync_check <= 0:
            self._until_desync_check = CHECK_DESYNC_STEPS
            model_state.check_desync(self.model, f"after batch {self._run.position.step + count}")
        return Taken(count, logs)

    def check_losses(self, last_good: Callable[[], str]) -> None:
        """Refuse losses since the last call that are NaN or infinite."""
        losses = [float(loss) for part in self._losses for loss in part.numpy().ravel()]
        self._losses.clear()
        check_losses(losses, self._run, self._data.training, last_good)

    def results(self) -> dict[str, Any]:
        """Return losses and metrics over the samples of all ranks."""
        if dist.size() > 1:
            return reduced_metrics.reduced_results(self.model)
        return dict(self.model.get_metrics_result())

    def validate(self) -> Iterator[Mapping[str, Any]]:
        """Look at all validation samples once, and yield the logs after each step."""
        batch_norm.average_moving_statistics(self.model)
        self._trained = self._sums()
        self.model.reset_metrics()
        batches = iter(self._validation)
        for _ in range(self.validation_steps):
            yield self.model.test_function(batches)

    @contextlib.contextmanager
    def training_state(self) -> Iterator[None]:
        """Put the epoch's sums in the place of the validation's, where one is under way."""
        if not self._trained:
            yield
            return
        validated = self._sums()
        self._set_sums(self._trained)
        yield
        self._set_sums(validated)

    def end_epoch(self) -> None:
        """Average what each rank has of its own, and compare weights and optimizer state of all ranks."""
        self._trained = []
        model_state.average_accumulators(self.model)
        batch_norm.average_moving_statistics(self.model)
        model_state.check_desync(self.model, f"at the end of epoch {self._run.position.epoch + 1}")

    def finish(self) -> None:
        """Replace the weights by their moving average, where the optimizer keeps one."""
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)

    def _block(self, most: int) -> int:
        """Return how many steps to take in one call.

        An epoch's last step is in no block where ranks have different numbers of samples in it: a block never asks
        how many.
        """
        if self._single_steps_left > 0:
            return 1
        left = self._run.steps_per_epoch - self._run.position.step
        return max(1, min(most, left - self._run.order.ends_unevenly))

    def _training_batches(self) -> pipeline.Batches:
        run = self._run
        return pipeline.training_batches(
            self._data.training,
            order=run.order,
            rank=dist.rank(),
            start=run.position,
            augmentation=run.plan.augmentation(),
            threads=self._threads,
        )

    def _validation_batches(self) -> pipeline.Batches:
        return pipeline.evaluation_batches(
            self._data.validation,
            per_rank_batch_size=self._run.plan.per_rank_batch_size,
            rank=dist.rank(),
            size=dist.size(),
            threads=self._threads,
        )

    @property
    def _threads(self) -> int:
        return self._run.plan.data_threads or threads_per_rank(dist.local_size())

    def _for_outputs(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Give every output of a deeply supervised model the same target."""
        if len(self.model.outputs) == 1:
            return batches
        names = self.model.output_names
        return batches.map(lambda inputs, target: (inputs, dict.fromkeys(names, target)))

    def _sums(self) -> list[np.ndarray]:
        """Return what the metrics have added up so far, on this rank."""
        return [variable.numpy() for variable in self.model.metrics_variables]

    def _set_sums(self, sums: list[np.ndarray]) -> None:
        for variable, values in zip(self.model.metrics_variables, sums, strict=True):
            variable.assign(values)


@contextlib.contextmanager
def _naming_bad_data(*batches: pipeline.Batches) -> Iterator[None]:
    """Tell a sample that cannot be read from a mistake in a program, which keeps its traceback."""
    try:
        yield
    except ValueError as error:
        if any(error is failed.error for failed in batches):
            raise BadData(str(error)) from error
        raise
