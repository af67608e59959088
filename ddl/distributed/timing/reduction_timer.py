"""When this rank comes to a reduction and when it leaves it, in the steps that somebody measures.

A reduction cannot end before its last rank has come. So of the times that the ranks spend in one, the shortest is what
travels, and what a rank spends beyond it is waiting: durations alone tell, and clocks need not agree.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

CAPACITY = 2048
"""Reductions of a step that are noted; a ResNet-152 with synchronized batch normalization has 310."""


class Stamps:
    """The times of one step. A step that is traced inside `with stamps:` fills them whenever it is taken."""

    def __init__(self) -> None:
        with tf.device("CPU:0"):
            self._times = tf.Variable(tf.zeros((CAPACITY, 2), tf.float64), trainable=False)
        self._used = 1  # rows; the first is the start of the step
        self._next = 1

    def __enter__(self) -> Stamps:
        """Note what is traced from here on."""
        self._next = 1
        _current.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Note no more."""
        _current.pop()

    def start(self) -> tf.Tensor:
        """Note, in a function that is traced, when the step starts, and return what must wait for it."""
        now = tf.timestamp()
        return self._write(0, now, now)

    def clear(self) -> None:
        """Forget the last step."""
        self._times.assign(tf.zeros_like(self._times))

    def read(self) -> tuple[float, np.ndarray]:
        """Return when the step started, in seconds since 1970, and how many seconds each reduction took."""
        times = self._times.numpy()[: self._used]
        return float(times[0, 0]), times[1:, 1] - times[1:, 0]

    def timed(self, inputs: Any, reduce: Callable[[], Any]) -> Any:
        """Return `reduce()`; note when `inputs` were there, and when it was done."""
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


_current: list[Stamps | None] = []


def timed(inputs: Any, reduce: Callable[[], Any]) -> Any:
    """Return `reduce()`, which waits for other ranks. Where nobody measures, nothing else happens.

    Args:
        inputs: tensors from whose presence on the time is a reduction's.
        reduce: makes the operations that wait.
    """
    stamps = _current[-1] if _current else None
    return reduce() if stamps is None else stamps.timed(inputs, reduce)


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Note nothing inside of what XLA compiles, which knows no clock."""
    _current.append(None)
    try:
        yield
    finally:
        _current.pop()


def _ready(tensors: Any) -> list[tf.Tensor]:
    """Return what is there when all `tensors` are.

    A GPU's operations count as done when they are queued. A number that is copied from there has to be waited for.
    """
    leaves = [t for t in tf.nest.flatten(tensors, expand_composites=True) if t is not None]
    if not tf.config.list_logical_devices("GPU"):
        return leaves
    firsts = [tf.reshape(leaf, [-1])[:1] for leaf in leaves]
    with tf.device("CPU:0"):
        return [tf.identity(first) for first in firsts]
