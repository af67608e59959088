"""Measures when this rank enters and leaves each reduction of a step.

A reduction cannot end before the last rank enters it. The shortest time that any rank spends in a reduction is
therefore its transfer time, and what another rank spends beyond that is waiting. Only durations are compared, so the
ranks' clocks need not agree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

CAPACITY = 2048
"""Largest number of recorded reductions per step; a ResNet-152 with synchronized batch normalization has 310."""


class Timestamps:
    """The times of one step. A step that is traced inside `with timestamps:` records them each time it runs."""

    def __init__(self) -> None:
        with tf.device("CPU:0"):
            self._times = tf.Variable(tf.zeros((CAPACITY, 2), tf.float64), trainable=False)
        self._used = 1  # number of rows; the first is the start of the step
        self._next = 1

    def __enter__(self) -> Timestamps:
        """Record the reductions that are traced from here on."""
        self._next = 1
        _current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop recording."""
        _current.pop()

    def start(self) -> tf.Tensor:
        """Record the start of the step in a traced function. Return a tensor on which the step must depend."""
        now = tf.timestamp()
        return self._write(0, now, now)

    def clear(self) -> None:
        """Clear the times of the last step."""
        self._times.assign(tf.zeros_like(self._times))

    def read(self) -> tuple[float, np.ndarray]:
        """Return the start of the step in seconds since 1970, and the seconds that each reduction took."""
        times = self._times.numpy()[: self._used]
        return float(times[0, 0]), times[1:, 1] - times[1:, 0]

    def timed(self, inputs: Any, reduce: Callable[[], Any]) -> Any:
        """Return `reduce()`; record when its `inputs` were ready and when it was done."""
        place, self._next = self._next, self._next + 1
        with tf.control_dependencies(_ready(inputs)):
            begin = tf.timestamp()
        with tf.control_dependencies([begin]):
            outputs = reduce()
        with tf.control_dependencies(_ready(outputs)):
            end = tf.timestamp()
        if place < CAPACITY:
            self._used = max(self._used, self._next)
            self._write(place, begin, end)
        with tf.control_dependencies([end]):  # before anything else is computed
            return tf.nest.map_structure(
                lambda tensor: None if tensor is None else tf.identity(tensor),
                outputs,
                expand_composites=True,
            )

    def _write(self, place: int, begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        return self._times.scatter_nd_update([[place]], [tf.stack([begin, end])])


_current: list[Timestamps | None] = []


def timed(inputs: Any, reduce: Callable[[], Any]) -> Any:
    """Return `reduce()`, and record its time if a measurement is active.

    Args:
        inputs: tensors that the reduction needs; its time starts when they are ready.
        reduce: creates the operations that wait for other ranks.
    """
    timestamps = _current[-1] if _current else None
    return reduce() if timestamps is None else timestamps.timed(inputs, reduce)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Pause recording inside code that XLA compiles: it cannot read the clock."""
    _current.append(None)
    try:
        yield
    finally:
        _current.pop()


def _ready(tensors: Any) -> list[tf.Tensor]:
    """Return tensors that are ready only when all `tensors` are.

    Operations on a GPU count as done when they are queued. Copying one number to the CPU waits for the result.
    """
    leaves = [t for t in tf.nest.flatten(tensors, expand_composites=True) if t is not None]
    if not tf.config.list_logical_devices("GPU"):
        return leaves
    firsts = [tf.reshape(leaf, [-1])[:1] for leaf in leaves]
    with tf.device("CPU:0"):
        return [tf.identity(first) for first in firsts]
