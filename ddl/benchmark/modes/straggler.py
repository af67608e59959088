"""Makes one rank or worker slow: a sleep for each sample, within the step and before its first reduction.

    with slowed(Straggler(which=3), number=dist.rank()):
        train(plan)

A sleep takes no core, so several ranks may share one. XLA cannot compile it: plans have jit=false.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ddl.ranges import Range, check_ranges

_RANGES = {
    "which": Range(0),
    "sample_ms": Range(0, 60_000),
    "times": Range(1, 1_000),
    "from_step": Range(0),
}


@dataclass(frozen=True)
class Straggler:
    """How long samples take.

    Attributes:
        which: the slow rank or worker.
        sample_ms: milliseconds of sleep for each sample of a training step, on all ranks.
        times: factor of the slow one's sleep.
        from_step: first of its own steps that is slow, from 0.
    """

    which: int = 0
    sample_ms: float = 4.0
    times: float = 5.0
    from_step: int = 0

    def __post_init__(self) -> None:
        check_ranges(vars(self), _RANGES, "a straggler")

    def sample_s(self, number: int, step: int) -> float:
        """Return the seconds of a sample in a rank's own step, from 0."""
        is_slow = number == self.which and step >= self.from_step
        return self.sample_ms / 1e3 * (self.times if is_slow else 1.0)

    def sleeper(self, number: int) -> Callable[[int], None]:
        """Return a function that each step of a rank calls with its number of samples."""
        steps = 0

        def sleep(samples: int) -> None:
            nonlocal steps
            time.sleep(int(samples) * self.sample_s(number, steps))
            steps += 1

        return sleep


@contextlib.contextmanager
def slowed(straggler: Straggler, number: int) -> Iterator[None]:
    """Inside this `with` block, training steps of Keras models in this process sleep.

    Args:
        straggler: how long.
        number: this rank's or worker's.
    """
    original, sleep = keras.Model.train_step, straggler.sleeper(number)

    def call(samples: Any) -> Any:
        sleep(samples)
        return samples

    def train_step(self: keras.Model, data: Any) -> Any:
        samples = tf.shape(tf.nest.flatten(data)[0])[0]
        with tf.control_dependencies([tf.numpy_function(call, [samples], tf.int32)]):
            data = tf.nest.map_structure(tf.identity, data)
        return original(self, data)

    keras.Model.train_step = train_step
    try:
        yield
    finally:
        keras.Model.train_step = original
