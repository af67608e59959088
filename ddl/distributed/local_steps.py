"""Steps that each rank takes alone, and the average of what they changed.

    optimizer = local_optimizer(keras.optimizers.Adam(1e-3))
    model.compile(optimizer, loss)
    outer = attach_outer(model, Outer("nesterov", learning_rate=0.7, momentum=0.9))
    outer.keep()
    ...  # this rank's own steps, on `samples` samples
    outer.average(samples, samples_of_all_ranks)

After `average` all ranks have the same weights again. Slots of the inner optimizer stay each rank's own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import traffic
from ddl.distributed.gradients.reduction import Reduction
from ddl.distributed.gradients.step_share import weighed
from ddl.distributed.keras_patches.optimizer import DistributedOptimizer
from ddl.ranges import check_choice

OUTER_OPTIMIZERS = ("average", "nesterov")
_HIGHEST = 15.0
"""float16 ends at 2**16. The largest change, summed over ranks, is scaled to at most 2**15."""


@dataclass(frozen=True)
class Outer:
    """What an average does to the weights.

    Attributes:
        optimizer: "average" adds the mean change. "nesterov" takes it, times -1, as a gradient (DiLoCo).
        learning_rate: of "nesterov".
        momentum: of "nesterov".
        compression: dtype of changes on the wire: "none" (unchanged), "fp16" or "bf16".
    """

    optimizer: str = "average"
    learning_rate: float = 0.7
    momentum: float = 0.9
    compression: str = "none"

    def __post_init__(self) -> None:
        check_choice("outer_optimizer", self.optimizer, OUTER_OPTIMIZERS)


def local_optimizer(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Make an optimizer apply each rank's own gradients, and return it. Its model needs `attach_outer`."""
    distributed = DistributedOptimizer(optimizer)
    reduction: Reduction = distributed._ddl_reduction
    alone = dataclasses.replace(reduction, is_local=True)
    for part in (distributed, getattr(distributed, "inner_optimizer", None)):
        if hasattr(part, "_ddl_reduction"):
            object.__setattr__(part, "_ddl_reduction", alone)
    return distributed


def attach_outer(model: keras.Model, outer: Outer) -> OuterSteps:
    """Give a built model the outer optimizer that averages it, and return that."""
    steps = OuterSteps(model, outer)
    object.__setattr__(model, "_ddl_outer", steps)
    return steps


class OuterSteps:
    """Averages the change of a model's weights and statistics since `keep`. Every rank has one.

    Attributes:
        slots: momentum of "nesterov", equal on all ranks; checkpoints have it.
    """

    def __init__(self, model: keras.Model, outer: Outer) -> None:
        self._model, self._outer = model, outer
        self._weights = list(model.trainable_variables)
        self._averaged = self._weights + _moving(model)
        self.slots: list[keras.Variable] = []
        if outer.optimizer == "nesterov":
            self.slots = [
                keras.Variable(
                    np.zeros(weight.shape, weight.dtype), trainable=False, dtype=weight.dtype,
                    name=f"outer_momentum_{number}",
                )
                for number, weight in enumerate(self._weights)
            ]  # fmt: skip
        self._kept = [tf.Variable(v.value, trainable=False) for v in self._averaged]
        self._reduction = Reduction(outer.compression)

    def count_step(self, steps: int) -> None:
        """Set the inner optimizer's step, which ranks that took more or fewer steps do not agree on."""
        optimizer = self._model.optimizer
        getattr(optimizer, "inner_optimizer", optimizer)._iterations.assign(steps)

    def keep(self) -> None:
        """Remember the weights, from which the next change is counted."""
        self._keep()

    def average(self, samples: int, total: int) -> None:
        """Give all ranks the weights that the mean of their changes leads to. All ranks must call it.

        Args:
            samples: that this rank's steps had; a rank without any adds nothing.
            total: those of all ranks, by which the mean is weighed.
        """
        if runtime.size() > 1 or self.slots:
            self._average(tf.constant(samples * runtime.size() / max(1, total), tf.float64))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def _keep(self) -> None:
        for kept, variable in zip(self._kept, self._averaged, strict=True):
            kept.assign(variable.value)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def _average(self, share: tf.Tensor) -> None:
        pairs = zip(self._averaged, self._kept, strict=True)
        changes = [variable.value - kept for variable, kept in pairs]
        if runtime.size() > 1:
            changes = self._mean([weighed(change, share) for change in changes])
        count = len(self._weights)
        changes[:count] = self._steps(changes[:count])
        for variable, kept, change in zip(self._averaged, self._kept, changes, strict=True):
            variable.assign(kept + change)

    def _mean(self, changes: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Return the mean over ranks."""
        if self._outer.compression != "fp16":
            return self._reduction.average(changes)
        # Changes are often smaller than float16's least normal number, 6e-5. A power of two loses no bit.
        scale = _common_scale(changes)
        scaled = self._reduction.average([c * tf.cast(scale, c.dtype) for c in changes])
        return [c / tf.cast(scale, c.dtype) for c in scaled]

    def _steps(self, changes: list[tf.Tensor]) -> list[tf.Tensor]:
        """Return the outer optimizer's steps for the mean changes of trainable weights."""
        if not self.slots:
            return changes
        rate, momentum = self._outer.learning_rate, self._outer.momentum
        steps = []
        for slot, change in zip(self.slots, changes, strict=True):
            velocity = momentum * slot.value + change
            slot.assign(velocity)
            steps.append(rate * (change + momentum * velocity))
        return steps


def _common_scale(changes: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the power of two that brings the largest change of all ranks near float16's highest number."""
    hvd = runtime.horovod()
    own = tf.reduce_max([tf.cast(tf.reduce_max(tf.abs(c)), tf.float32) for c in changes])
    traffic.count([own])
    largest = hvd.allreduce(own, op=hvd.Max, name="ddl.largest_change")
    usable = tf.math.is_finite(largest) & (largest > 0)
    bits = tf.math.log(tf.where(usable, largest, 1.0) * runtime.size()) / np.log(2.0)
    power = tf.clip_by_value(tf.floor(_HIGHEST - bits), -24.0, 60.0)
    return tf.where(usable, tf.pow(2.0, power), 1.0)


def _moving(model: keras.Model) -> list[keras.Variable]:
    """Return what steps change besides trainable weights, such as moving statistics."""
    layers = model._flatten_layers(include_self=False, recursive=True)
    own = [v for layer in layers if layer.trainable for v in layer._non_trainable_variables]
    return list({id(v): v for v in own if "float" in v.dtype}.values())
