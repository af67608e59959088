"""The weights of a Keras model as the server of asynchronous training changes them: one weighed update a push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ddl.asynchronous.ages import step_factors
from ddl.asynchronous.server_state import Push
from ddl.distributed.state import model_state
from ddl.distributed.state.moving_statistics import local_layers
from ddl.distributed.state.variables import assign


@dataclass(frozen=True)
class Moving:
    """A moving statistic of batch normalization: v = momentum v + (1 - momentum) batch."""

    variable: keras.Variable
    momentum: float

    def clear(self) -> None:
        """Set it to 0, so that a step leaves (1 - momentum) batch in it. A training step does not read it."""
        self.variable.assign(tf.zeros_like(self.variable))

    def batch_value(self) -> tf.Tensor:
        """Return the batch's value after a step that followed `clear`."""
        left = 1.0 - self.momentum
        return tf.convert_to_tensor(self.variable) / left if left else self.variable * 0.0

    def follow(self, value: tf.Tensor, weight: tf.Tensor) -> None:
        """Move it towards the value of a batch that has this weight in the global batch."""
        old = tf.convert_to_tensor(self.variable)
        rate = tf.cast((1.0 - self.momentum) * weight, old.dtype)
        self.variable.assign(old + rate * (tf.cast(value, old.dtype) - old))


def moving_statistics(model: keras.Model) -> list[Moving]:
    """Return the moving statistics that a training step changes, in the order in which a push has them."""
    return [
        Moving(variable, float(layer.momentum))
        for layer in local_layers(model)
        if layer.trainable
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def read_weights(model: keras.Model) -> list[np.ndarray]:
    """Return a copy of all weights, trained and moving ones."""
    return [np.array(variable.numpy()) for variable in model.weights]


def write_weights(model: keras.Model, arrays: Sequence[np.ndarray]) -> None:
    """Set all weights to those of a snapshot."""
    assign(model.weights, arrays)


class PushRate(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of an update: the schedule's at the run's step, times the factor of the push."""

    def __init__(self, schedule: Any) -> None:
        self._schedule = schedule
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.factor = tf.Variable(1.0, dtype=keras.config.floatx(), trainable=False)

    def __call__(self, step: Any) -> Any:
        """Return the rate. The optimizer's own count of updates plays no part in it."""
        return self._schedule(self.step) * self.factor

    def get_config(self) -> dict[str, Any]:
        """Refuse: it is never saved, because an optimizer has it only while an update is traced."""
        raise NotImplementedError("PushRate lives in a server only.")


class KerasWeights:
    """Implements `ddl.asynchronous.server_state.Weights` with a compiled model and the plan's own optimizer.

    The optimizer counts updates, which its bias corrections need; the schedule follows the run's steps.
    """

    def __init__(self, model: keras.Model, *, updates: int | None = None) -> None:
        """Prepare updates with the model's optimizer.

        Args:
            model: compiled, with the weights and slots of the start.
            updates: those that the optimizer has made, from `updates` at a checkpoint; None keeps its own count, as
                after another mode.
        """
        self.model = model
        model_state.build_optimizer(model)
        self._optimizer: Any = model.optimizer
        self._rate = PushRate(self._optimizer._learning_rate)
        if updates is not None:
            self._optimizer.iterations.assign(updates)
        self._kind = self._optimizer.__class__.__name__
        self._moving = moving_statistics(model)
        self._trained = list(model.trainable_variables)
        self._gradient_factor = tf.Variable(1.0, dtype=tf.float64, trainable=False)
        self._statistics_weight = tf.Variable(1.0, dtype=tf.float64, trainable=False)
        self._update = tf.function(self._traced, autograph=False, reduce_retracing=True)

    @property
    def updates(self) -> int:
        """Updates that the optimizer has made: facts of a checkpoint."""
        return int(self._optimizer.iterations)

    def apply(self, push: Push, weight: float, step: int) -> None:
        rate, gradient = step_factors(self._kind, weight)
        self._rate.step.assign(step)
        self._rate.factor.assign(rate)
        self._gradient_factor.assign(gradient)
        self._statistics_weight.assign(weight)
        gradients = [None if part is None else tf.constant(part) for part in push.gradients]
        self._update(gradients, [tf.constant(part) for part in push.statistics])

    def read(self) -> list[np.ndarray]:
        return read_weights(self.model)

    def slots(self) -> list[np.ndarray]:
        """Return a copy of the optimizer's variables."""
        return [np.array(variable.numpy()) for variable in self._optimizer.variables]

    def finish(self) -> None:
        """Give the model its final weights: their moving average, if the optimizer has one."""
        self._optimizer.finalize_variable_values(self.model.trainable_weights)

    def _traced(self, gradients: list[Any], statistics: list[Any]) -> None:
        scaled = [
            None
            if part is None
            else tf.cast(part, variable.dtype) * tf.cast(self._gradient_factor, variable.dtype)
            for part, variable in zip(gradients, self._trained, strict=True)
        ]
        own, self._optimizer._learning_rate = self._optimizer._learning_rate, self._rate
        try:
            self._optimizer.apply(scaled, self._trained)
        finally:
            self._optimizer._learning_rate = own
        for moving, value in zip(self._moving, statistics, strict=True):
            moving.follow(value, self._statistics_weight)
