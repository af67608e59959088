"""How long a rank itself works on a step, without the time that it spends in reductions, where it waits for others."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.timing.reduction_timer import Timestamps


class OwnTime:
    """Takes steps one by one and measures them. Measured steps train the model bit for bit like others.

    A measured step reduces no gradient before all are computed, so it is somewhat slower than others.

    Attributes:
        seconds: the rank's own time of each measured step since the last `clear`.
    """

    def __init__(
        self, model: keras.Model, alike: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        """Prepare; the first `take` traces the step.

        Args:
            model: its present `train_step` is taken.
            alike: the context that steps are traced in.
        """
        self.seconds: list[float] = []
        self._timestamps = Timestamps()
        self._skips = 1  # steps that trace, or meet a new number of samples

        def train_step(data: Any) -> Any:
            with self._timestamps, alike():
                return model.train_step(data)

        step = tf.function(train_step, reduce_retracing=True, jit_compile=model.jit_compile)

        @tf.function(reduce_retracing=True, autograph=False)  # type: ignore[untyped-decorator]
        def single(iterator: Any) -> Any:
            return step(iterator.get_next())

        self._single = single

    def take(self, iterator: Any) -> Any:
        """Take a step, and return its logs."""
        self._timestamps.clear()
        begin = time.perf_counter()
        logs = self._single(iterator)
        float(logs["loss"])  # waits for a GPU
        whole_s = time.perf_counter() - begin
        _, reductions = self._timestamps.read()
        if self._skips:
            self._skips -= 1
        else:
            self.seconds.append(max(whole_s - float(reductions.sum()), 1e-6))
        return logs

    def clear(self, skips: int = 0) -> None:
        """Forget what was measured, and skip the next steps."""
        self.seconds.clear()
        self._skips = skips
