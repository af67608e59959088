"""The moving average of a model's weights, which an optimizer with `use_ema` keeps, in place of the weights.

Weights and averages exchange their values, so that nothing is copied twice or lost: the average waits where the
weights are read, and the weights wait in the optimizer's slots.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras


class WeightAverage:
    """Exchanges the weights of a model with their moving average. Every rank does the same."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model
        self._in_place = False

    def exchange(self) -> bool:
        """Exchange weights and average. Return False, and do nothing, where there is no average yet."""
        optimizer: Any = getattr(self._model, "optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False) or not int(optimizer._iterations):
            return False  # before the first update the slots hold zeros
        pairs = zip(
            optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
        )
        for weight, average in pairs:
            if average is not None:
                value = keras.ops.copy(weight.value)
                weight.assign(average)
                average.assign(value)
        return True

    @contextlib.contextmanager
    def in_place(self) -> Iterator[bool]:
        """Inside this `with` block, the model has the average as its weights. Yields whether there is one."""
        self._in_place = self.exchange()
        try:
            yield self._in_place
        finally:
            if self._in_place:
                self.exchange()
            self._in_place = False

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Inside this `with` block, within that of `in_place`, the model has its own weights."""
        if self._in_place:
            self.exchange()
        try:
            yield
        finally:
            if self._in_place:
                self.exchange()
