"""Adam as one TensorFlow operation, instead of Keras 3's dozen operations that each pass over all weights.

Weights and slots equal Keras's to rounding, and a saved optimizer is Keras's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_ROUNDINGS = 4
"""Largest accepted error of 1 - beta in the operation, in units of its dtype's rounding."""


def install() -> None:
    """Make every Adam and AdamW of the process use the fused operation.

    Keras's own code still handles sparse gradients, amsgrad, 16-bit variables, betas that are not plain numbers, and a
    beta_1 such as 0.99, for which float32 is too inaccurate.
    """
    optimizer = keras.optimizers.Adam
    keras_update: Callable[..., None] = optimizer.update_step
    if hasattr(keras_update, "__wrapped__"):
        return

    @functools.wraps(keras_update)
    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if _fits(self, gradient, variable):
            _update(self, gradient, variable, learning_rate)
        else:
            keras_update(self, gradient, variable, learning_rate)

    optimizer.update_step = update_step


def _fits(optimizer: Any, gradient: Any, variable: Any) -> bool:
    dtype = tf.as_dtype(variable.dtype)
    return (
        tf.is_tensor(gradient)
        and not isinstance(gradient, tf.IndexedSlices)
        and not optimizer.amsgrad
        and dtype in (tf.float32, tf.float64)
        and all(isinstance(beta, int | float) for beta in (optimizer.beta_1, optimizer.beta_2))
        and _is_close(optimizer.beta_1, dtype)
    )


def _is_close(beta: float, dtype: tf.DType) -> bool:
    """Return whether 1 - beta is accurate in a dtype. In float32, 0.9 is; 0.999 is off by a relative 1e-5."""
    number = dtype.as_numpy_dtype
    left = float(number(1) - number(beta))
    return abs(left - (1 - beta)) <= _ROUNDINGS * float(np.finfo(number).eps) * (1 - beta)


def _update(optimizer: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
    dtype = tf.as_dtype(variable.dtype)
    index = optimizer._get_variable_index(variable)
    momentum, velocity = optimizer._momentums[index], optimizer._velocities[index]
    gradient = tf.cast(gradient, dtype)
    step = tf.cast(optimizer.iterations + 1, dtype)
    beta_2 = optimizer.beta_2
    if not _is_close(beta_2, dtype):
        tf.raw_ops.ResourceApplyGradientDescent(
            var=velocity.handle,
            alpha=tf.constant(1 - beta_2, dtype),
            delta=tf.convert_to_tensor(velocity) - tf.square(gradient),
        )
        beta_2 = 1.0  # makes the operation below keep the velocity unchanged
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=momentum.handle,
        v=velocity.handle,
        beta1_power=tf.cast(optimizer.beta_1, dtype) ** step,
        beta2_power=tf.cast(optimizer.beta_2, dtype) ** step,
        lr=tf.cast(learning_rate, dtype),
        beta1=tf.constant(optimizer.beta_1, dtype),
        beta2=tf.constant(beta_2, dtype),
        epsilon=tf.constant(optimizer.epsilon, dtype),
        grad=gradient,
    )
