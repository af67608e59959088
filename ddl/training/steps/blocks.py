"""Takes several steps in one call of TensorFlow, for models whose steps are shorter than Python's work between them.

Keras's own `steps_per_execution` fixes the number when a model is compiled, and takes steps of the next epoch. Here
the number may change at any call, on all ranks together, and a block never crosses an epoch's end. Weights are bit for
bit those of single steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.gradients.step_share import even
from ddl.training.steps.step_notes import NoNotes

_BLOCK_S = 0.25
"""Approximate duration of a block. Stop requests and the progress display wait for its end."""
MOST_STEPS = 64
_SAVED_S = 1e-3
"""Seconds that a block saves per step in Python and TensorFlow: 1 to 1.8 ms were measured on one thread."""
_WORTH_S = 0.05
"""Steps that take longer gain under 2%."""


def block_size(step_s: float, steps_left: int, trace_s: float) -> int:
    """Return how many steps are worth taking in one call.

    Args:
        step_s: seconds per step, including the work around it.
        steps_left: steps left in the run.
        trace_s: seconds to trace a block, about those of the first step; 0 if a block is traced already.
    """
    if step_s >= _WORTH_S or steps_left * _SAVED_S < trace_s:
        return 1
    return min(MOST_STEPS, max(1, math.ceil(_BLOCK_S / max(step_s, 1e-6))))


def even_steps() -> AbstractContextManager[Any]:
    """Return the context of steps in which all ranks have equally many samples."""
    return even


def single_step(model: keras.Model) -> Any:
    """Return a function of an iterator that takes one step with the model's present `train_step`."""
    step = model.train_step

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def single(iterator: Any) -> Any:
        return step(iterator.get_next())

    return single


def several_steps(
    model: keras.Model, notes: NoNotes, alike: Callable[[], AbstractContextManager[Any]]
) -> Any:
    """Return a function of an iterator and a number of steps.

    It returns the last step's logs, all losses, and all rows of `notes`.

    Args:
        model: its `train_step` is taken.
        notes: what each step leaves behind.
        alike: the context of steps that do not exchange the ranks' numbers of samples, such as `even_steps`.
    """
    step = tf.function(model.train_step, reduce_retracing=True, jit_compile=model.jit_compile)

    @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
    def several(iterator: Any, count: Any) -> Any:
        with alike():  # while it is traced
            return take(iterator, count)

    def take(iterator: Any, count: Any) -> Any:
        outputs = step.get_concrete_function(iterator.element_spec).structured_outputs
        empty = tf.nest.map_structure(lambda log: tf.zeros(log.shape, log.dtype), outputs)
        losses = tf.TensorArray(outputs["loss"].dtype, size=count)
        rows = tf.TensorArray(tf.float64, size=count)

        def take_next(number: Any, losses: Any, rows: Any, _: Any) -> Any:
            logs = step(iterator.get_next())
            rows = rows.write(number, notes.row())
            return number + 1, losses.write(number, logs["loss"]), rows, logs

        _, losses, rows, logs = tf.while_loop(
            lambda number, *_: number < count, take_next, (tf.constant(0), losses, rows, empty)
        )
        return logs, losses.stack(), rows.stack()

    return several
