"""The Keras schedules behind `schedules`: what an optimizer asks for its learning rate at every step."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from ddl.training.optimization.schedules import Course, compute_rate


@keras.saving.register_keras_serializable(package="ddl")
class CourseSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a `Course`, in the step alone.

    Computed in float64, since float32 knows no odd steps above 2**24, and handed out in Keras's own float type.
    """

    def __init__(self, course: Course) -> None:
        self.course = course

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step: a tensor, of a number, a tensor or a variable."""
        rate = compute_rate(ops.convert_to_tensor(step, "float64"), self.course, tf)
        return ops.cast(rate, keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the course as JSON can hold it."""
        return {"course": dataclasses.asdict(self.course)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CourseSchedule:
        """Return the schedule that `get_config` told of."""
        return cls(Course(**config["course"]))


@keras.saving.register_keras_serializable(package="ddl")
class PlateauSchedule(CourseSchedule):
    """The learning rate of a `Course`, times a factor that can change between epochs.

    The factor is a variable, which a compiled train step reads anew at every step. The optimizer does not list it, so
    no checkpoint holds it: it follows from the history, which a checkpoint does hold.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._factor = keras.Variable(1.0, dtype="float64", trainable=False, name="plateau_factor")

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, times the factor."""
        return super().__call__(step) * ops.cast(self._factor, keras.config.floatx())

    def set_factor(self, factor: float) -> None:
        """Multiply the learning rate of the steps from now on by this. All ranks must set the same."""
        self._factor.assign(factor)


def build_schedule(
    name: str,
    *,
    learning_rate: float,
    steps_per_epoch: int,
    epochs: int,
    warmup_epochs: float = 0.0,
    scaling: str = "none",
    ranks: float = 1,
    **options: Any,
) -> CourseSchedule:
    """Return the Keras schedule that gives every step its `learning_rate_at`.

    That of "plateau" has a method more, `set_factor`, to be called on all ranks before each epoch, and before the first
    one of a resumed run, with `plateau_factor` of the history so far.

    Args:
        name: one of `SCHEDULES`.
        learning_rate: of one rank.
        steps_per_epoch: steps (micro-batches) in one epoch.
        epochs: of the whole training.
        warmup_epochs: in which the rate rises from one rank's to that of all.
        scaling: "linear", "sqrt" or "none".
        ranks: how many.
        **options: those of `SCHEDULES.options(name)`.
    """
    course = Course(
        name, learning_rate, steps_per_epoch, epochs, warmup_epochs, scaling, ranks, options
    )
    return (PlateauSchedule if name == "plateau" else CourseSchedule)(course)
