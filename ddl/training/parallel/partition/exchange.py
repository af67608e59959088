"""What passes between the parts of a model in one step: activations forward, gradients backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from ddl.training.parallel.partition.division import Division, Passed
from ddl.training.parallel.partition.messages import Messages
from ddl.training.parallel.partition.place import Place


class Exchange:
    """Sends and receives the tensors of one part. Each message has a number of its own in the step."""

    def __init__(self, division: Division, place: Place, messages: Messages) -> None:
        """Exchange the tensors of the place's part with the other ranks of its group."""
        self._place, self._messages = place, messages
        self._kinds = 2 * max(1, len(division.passed))
        self.received, self.sent = division.received(place.part), division.sent(place.part)

    def take(self, micro_batch: int) -> list[tf.Tensor]:
        """Return what earlier parts have made for this one, when it is there."""
        return [
            tf.constant(
                self._messages.receive(
                    _dtype(passed),
                    self._place.rank_of(passed.made_by),
                    self._tag(micro_batch, passed, 0),
                )
            )
            for passed in self.received
        ]

    def give(self, micro_batch: int, made: list[Any]) -> None:
        """Send what this part has made to those that need it."""
        for passed, value in zip(self.sent, made, strict=True):
            array = value.numpy()
            for part in passed.needed_by:
                self._messages.send(
                    array, self._place.rank_of(part), self._tag(micro_batch, passed, 0)
                )

    def take_gradients(self, micro_batch: int) -> list[tf.Tensor]:
        """Return the gradient of each tensor that was sent: the sum over the parts that need it, in their order."""
        gradients = []
        for passed in self.sent:
            if not tf.as_dtype(passed.tensor.dtype).is_floating:
                gradients.append(tf.zeros((), passed.tensor.dtype))
                continue
            total: Any = None
            for part in passed.needed_by:
                array = self._messages.receive(
                    _dtype(passed), self._place.rank_of(part), self._tag(micro_batch, passed, 1)
                )
                total = array if total is None else total + array
            gradients.append(tf.constant(total))
        return gradients

    def give_gradients(self, micro_batch: int, gradients: list[Any]) -> None:
        """Send the gradients of what was received back to where it was made."""
        for passed, gradient in zip(self.received, gradients, strict=True):
            if gradient is not None:
                self._messages.send(
                    gradient.numpy(),
                    self._place.rank_of(passed.made_by),
                    self._tag(micro_batch, passed, 1),
                )

    def finish(self) -> None:
        """Wait until all that was sent has left."""
        self._messages.finish()

    def _tag(self, micro_batch: int, passed: Passed, back: int) -> int:
        return micro_batch * self._kinds + 2 * passed.number + back


def _dtype(passed: Passed) -> np.dtype[Any]:
    known: np.dtype[Any] = np.dtype(tf.as_dtype(passed.tensor.dtype).as_numpy_dtype)
    return known


def micro_batches(batch: Mapping[str, Any] | Any, bounds: list[tuple[int, int]]) -> list[Any]:
    """Return parts of a batch of tensors in any structure."""
    return [
        tf.nest.map_structure(lambda leaf, a=first, b=end: leaf[a:b], batch)
        for first, end in bounds
    ]
