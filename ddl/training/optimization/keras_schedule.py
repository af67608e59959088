"""The Keras `LearningRateSchedule` classes that `ddl.training.optimization.schedules` builds."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from ddl.training.optimization.schedules import Course, compute_rate


@keras.saving.register_keras_serializable(package="ddl")
class CourseSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of a `Course`, as a function of the step only.

    It is computed in float64, since float32 cannot represent odd steps above 2**24, and returned in Keras's floatx.
    """

    def __init__(self, course: Course) -> None:
        self.course = course

    def __call__(self, step: Any) -> Any:
        """Return the learning rate as a tensor; the step may be a number, a tensor or a variable."""
        rate = compute_rate(ops.convert_to_tensor(step, "float64"), self.course, tf)
        return ops.cast(rate, keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the course as JSON values."""
        return {"course": dataclasses.asdict(self.course)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> CourseSchedule:
        """Return the schedule described by `get_config`."""
        return cls(Course(**config["course"]))


@keras.saving.register_keras_serializable(package="ddl")
class PlateauSchedule(CourseSchedule):
    """The learning rate of a `Course`, multiplied by a factor that can change between epochs.

    The factor is a variable, so that a compiled train step reads its current value at every step. The optimizer does
    not track it and checkpoints do not contain it: it is recomputed from the history, which they do contain.
    """

    def __init__(self, course: Course) -> None:
        super().__init__(course)
        self._factor = keras.Variable(1.0, dtype="float64", trainable=False, name="plateau_factor")

    def __call__(self, step: Any) -> Any:
        """Return the learning rate of a step, multiplied by the factor."""
        return super().__call__(step) * ops.cast(self._factor, keras.config.floatx())

    def set_factor(self, factor: float) -> None:
        """Set the factor for all following steps. All ranks must set the same value."""
        self._factor.assign(factor)


def build_schedule(course: Course, *, has_plateau: bool = False) -> CourseSchedule:
    """Return the Keras schedule that computes `learning_rate_at` for an optimizer.

        build_schedule(Course("cosine", 1e-3, steps_per_epoch=100, epochs=50, options={"final_factor": 0.01}))

    With `has_plateau`, and for "plateau", it also has `set_factor`. Call it on all ranks before each epoch, including
    the first one after a resume, with `plateau_factor` of the history so far.
    """
    has_plateau |= course.name == "plateau"
    return (PlateauSchedule if has_plateau else CourseSchedule)(course)
