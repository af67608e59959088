"""Supervised training: batch -> loss -> gradients -> reduction over ranks -> update, in blocks of steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.data.batches import pipeline
from ddl.distributed.keras_patches.uneven_batches import build_metrics
from ddl.distributed.state import model_state
from ddl.distributed.state.moving_statistics import average_moving_statistics
from ddl.distributed.state.variables import assign
from ddl.training.batch_results import Batch
from ddl.training.data.training_data import TrainingData
from ddl.training.objectives.losses import needs_input
from ddl.training.optimization.weight_average import WeightAverage
from ddl.training.profiling.profile import Profile
from ddl.training.profiling.step_time import profiled_steps
from ddl.training.run import Run
from ddl.training.steps.bad_data import naming_bad_data
from ddl.training.steps.blocks import even_steps, several_steps
from ddl.training.steps.compilation import Compilation
from ddl.training.steps.nonfinite import check_losses
from ddl.training.steps.outputs import Outputs, run_outputs
from ddl.training.steps.run_batches import global_results, held_out_steps, open_batches
from ddl.training.steps.step import Part, Taken
from ddl.training.steps.step_notes import NoNotes, step_notes
from ddl.training.steps.weighed_batches import for_outputs

CHECK_DESYNC_STEPS = 100


class SupervisedSteps:
    """Trains a compiled Keras model. `ddl.training.steps.step.Steps` documents the methods."""

    def __init__(
        self, model: keras.Model, run: Run, data: TrainingData, profile: Profile | None = None
    ) -> None:
        """Prepare training. The model's optimizer must be distributed; rank 0's weights count."""
        self.model = model
        self.first_step_s = 0.0
        held_out = data.validation
        self.validation_steps = 0 if held_out is None else held_out_steps(run, held_out)
        self._run, self._data, self._profile = run, data, profile
        self._single_steps_left = profiled_steps(run.plan.profile)
        self._until_desync_check = CHECK_DESYNC_STEPS
        self._losses: list[Any] = []  # tensors with one value per step, not yet checked
        self._notes = NoNotes()
        self._outputs: Outputs | None = None
        self._training_sums: list[np.ndarray] = []  # metrics of training, during a validation
        self._average = WeightAverage(model)  # of an optimizer with `use_ema`
        self._open = contextlib.ExitStack()

    @property
    def learning_rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def __enter__(self) -> SupervisedSteps:
        training, held_out = self._open_batches()
        batches = self._train_on(training)
        self._validation = [self._opened(part) for part in held_out]
        # A step that creates variables is traced twice, so optimizer and metrics are built before the first one.
        model_state.build_optimizer(self.model)
        build_metrics(self.model, batches.element_spec)
        self._notes = step_notes(self.model, self._run.plan)
        self._open.enter_context(self._notes.noting())
        self.model.make_train_function()
        self.model.make_test_function()
        model_state.broadcast_state(self.model)
        # The restored per-rank state is used once; later starts broadcast rank 0's.
        model_state.keep_private(self.model, False)
        self._compilation = Compilation(self.model, self._run, batches.element_spec)
        self._use(self.model.train_function)
        if self._compilation.begin():
            self._use(self._compilation.compiled_step())
        self._batches = iter(batches)
        return self

    def __exit__(self, *error: Any) -> bool | None:
        """Close the batches. Raises BadData if a sample could not be read."""
        return self._open.__exit__(*error)

    def begin_epoch(self) -> None:
        self.model.reset_metrics()
        self._training_sums = []
        if self._profile is not None:
            self._profile.pause()

    def take(self, most: int) -> Taken:
        if self._compilation.decide():
            self._use(self._compilation.compiled_step())
        count = self._block(most)
        begin = time.perf_counter()
        if count == 1 or self.model.run_eagerly:
            for _ in range(count):
                logs = self._single(self._batches)
                self._losses.append(tf.convert_to_tensor(logs["loss"]))
                self._notes.keep_step()
        else:
            logs, losses, rows = self._several(self._batches, tf.constant(count))
            self._losses.append(losses)
            self._notes.keep(rows)
        self._compilation.note(logs, begin)
        self.first_step_s = self.first_step_s or time.perf_counter() - begin
        self._single_steps_left -= count
        self._until_desync_check -= count
        if self._until_desync_check <= 0:
            self._until_desync_check = CHECK_DESYNC_STEPS
            model_state.check_desync(self.model, f"after batch {self._run.position.step + count}")
        return Taken(count, logs)

    def check_losses(self, last_good: Callable[[], str]) -> None:
        losses = [float(loss) for part in self._losses for loss in part.numpy().ravel()]
        self._losses.clear()
        check_losses(losses, self._run, self._data.training, last_good)

    def batches(self) -> list[Batch]:
        return self._notes.batches()

    def results(self) -> dict[str, Any]:
        return global_results(self.model)

    def validate(self) -> Iterator[Mapping[str, Any]]:
        average_moving_statistics(self.model)
        self._training_sums = self._sums()
        self.model.reset_metrics()
        with self._average.in_place():
            for dataset in self._validation:
                batches = iter(dataset)
                for _ in range(self.validation_steps):
                    yield self.model.test_function(batches)

    def outputs(self) -> Iterator[list[Part]]:
        held_out = self._data.validation
        if held_out is not None:
            self._outputs = self._outputs or run_outputs(self.model, self._run, held_out)
            with self._average.in_place():
                yield from self._outputs.in_order()

    @contextlib.contextmanager
    def training_state(self) -> Iterator[None]:
        if not self._training_sums:
            yield
            return
        validation_sums = self._sums()
        assign(self.model.metrics_variables, self._training_sums)
        with self._average.suspended():
            yield
        assign(self.model.metrics_variables, validation_sums)

    def end_epoch(self) -> None:
        self._training_sums = []
        model_state.average_accumulators(self.model)
        average_moving_statistics(self.model)
        model_state.check_desync(self.model, f"at the end of epoch {self._run.position.epoch + 1}")

    def finish(self) -> None:
        """Replace the weights by their moving average, if the optimizer has one."""
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)

    def _open_batches(self) -> tuple[pipeline.Batches, list[pipeline.Batches]]:
        """Return the batches to train on and those of the validation, not yet opened."""
        return open_batches(self._run, self._data)

    def _train_on(self, training: pipeline.Batches) -> Any:
        """Open batches to train on from here on; return them as the model takes them."""
        self._training = training
        return self._opened(training, self._run.class_weights)

    def _opened(self, part: pipeline.Batches, class_weights: np.ndarray | None = None) -> Any:
        """Open batches until the steps end; return them as the model takes them."""
        self._open.enter_context(naming_bad_data(part))
        self._open.enter_context(part)
        from_input = needs_input(self._run.plan.loss)
        return for_outputs(self.model, part.dataset, class_weights, needs_input=from_input)

    def _use(self, single: Any) -> None:
        """Take the model's `train_step` from here on, alone with this function and in blocks."""
        self._single, self._several = single, self._in_blocks()
        if self._profile is not None:
            self._single = self._profile.around(self.model, single)

    def _in_blocks(self) -> Any:
        """Return the function that takes several steps in one call."""
        return several_steps(self.model, self._notes, even_steps)

    def _block(self, most: int) -> int:
        """Return how many steps to take in one call.

        If ranks have different numbers of samples in an epoch's last step, it is taken alone: steps in a block do not
        exchange these numbers. So is every step of a global batch that the ranks do not divide.
        """
        must_be_single = self._single_steps_left > 0 or self._compilation.is_open
        if must_be_single or self._run.order.is_uneven:
            return 1
        left = self._run.steps_per_epoch - self._run.position.step
        return max(1, min(most, left - self._run.order.ends_unevenly))

    def _sums(self) -> list[np.ndarray]:
        """Return this rank's metric variables."""
        return [variable.numpy() for variable in self.model.metrics_variables]
