"""The norm of the gradient that an update uses: over all ranks, without a loss scale, before clipping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

NO_UPDATE = -1.0
"""In place of a norm: gradients were only accumulated, or the loss scale has skipped the step."""


class GradientNorm:
    """Holds the norm of the last step's gradient. All ranks have the same, since it is taken after the reduction.

    Attributes:
        value: float32 scalar: the square root of the sum of squares of all numbers; `NO_UPDATE` without one.
    """

    def __init__(self) -> None:
        self.value = tf.Variable(NO_UPDATE, dtype=tf.float32, trainable=False)

    def clear(self) -> None:
        """Forget the last step, before the next one."""
        self.value.assign(NO_UPDATE)

    def note(self, gradients: Sequence[Any], scale: Any = 1.0) -> None:
        """Take the norm of reduced gradients that were computed from a loss times `scale`."""
        dense = [tf.cast(tf.convert_to_tensor(g), tf.float32) for g in gradients if g is not None]
        norm = tf.linalg.global_norm(dense) / tf.cast(scale, tf.float32)
        self.value.assign(tf.where(tf.math.is_finite(norm), norm, NO_UPDATE))
