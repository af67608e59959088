"""Batch normalization over the global batch.

`SyncBatchNormalization` is Keras's own layer with its flag `synchronized=True`. Keras 3 alone reduces its statistics
only under `tf.distribute`. After `init` on several ranks, every layer with the flag uses the statistics of all ranks,
also in a model loaded from a file. A saved model loads in plain Keras.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed import runtime
from ddl.distributed.gradients import rank_sums, step_share
from ddl.distributed.keras_patches import fused_norm


def SyncBatchNormalization(**kwargs: Any) -> keras.layers.BatchNormalization:  # noqa: N802
    """Return a `keras.layers.BatchNormalization` with statistics and gradients over the global batch.

        x = dist.SyncBatchNormalization(momentum=0.9)(x)

    Args:
        **kwargs: arguments of the Keras layer.
    """
    install()
    return keras.layers.BatchNormalization(synchronized=True, **kwargs)


def install() -> None:
    """Use fused operations in all layers, and statistics of all ranks in layers with `synchronized=True`.

    Keras's own code still handles masks, renormalization, float64 and other axes.
    """
    layer = keras.layers.BatchNormalization
    local_moments: Callable[..., Any] = layer._moments
    if hasattr(local_moments, "__wrapped__"):
        return
    keras_call: Callable[..., Any] = layer.call

    @functools.wraps(local_moments)
    def moments(self: Any, inputs: tf.Tensor, mask: tf.Tensor | None) -> Any:
        if not self.synchronized or (runtime.size() == 1 and mask is not None):
            return local_moments(self, inputs, mask)
        if runtime.size() == 1:
            # Keras's synchronized form computes the variance as a difference of two float32 means, which is wrong
            # in the sixth digit. One rank would then differ from N ranks.
            return keras.ops.moments(inputs, axes=self._reduction_axes)
        return global_moments(inputs, self._reduction_axes, mask)

    @functools.wraps(keras_call)
    def call(
        self: Any, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        renorm = getattr(self, "renorm", False)  # Keras 3.12, the last for Python 3.10, has none
        plain = mask is not None or renorm or not fused_norm.fits(inputs, self.axis)
        if plain or not (training and self.trainable):
            return keras_call(self, inputs, training=training, mask=mask)
        return _fused_call(self, inputs)

    layer._moments = moments
    layer.call = call


def _fused_call(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    outputs, mean, variance = fused_norm.normalize(
        inputs,
        layer.gamma if layer.scale else None,
        layer.beta if layer.center else None,
        layer.epsilon,
        over_all_ranks=layer.synchronized,
    )
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        old = tf.cast(moving, new.dtype)
        moving.assign(old * layer.momentum + new * (1.0 - layer.momentum))
    return tf.cast(outputs, layer.compute_dtype)


def global_moments(
    inputs: tf.Tensor, axes: list[int], mask: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return mean and variance of `inputs` over `axes` and over all ranks, each of shape (channels,).

    One reduction in float64 carries the sums, the sums of squares and the count. Local sums are around the local mean,
    which avoids cancellation if the mean is large compared with the deviation.
    """
    inputs = tf.convert_to_tensor(inputs)
    if mask is None:
        weights = tf.ones(tf.shape(inputs)[:-1], inputs.dtype)[..., tf.newaxis]
        weights = weights if axes[-1] != len(inputs.shape) - 1 else tf.ones_like(inputs)
    else:
        weights = tf.cast(tf.cast(mask, tf.bool), inputs.dtype)[..., tf.newaxis]
    count = tf.reduce_sum(tf.broadcast_to(weights, tf.shape(inputs)), axes, keepdims=True)
    center = tf.reduce_sum(inputs * weights, axes, keepdims=True) / tf.maximum(count, 1)
    center = tf.stop_gradient(center)  # any value gives the same sums below
    deviation = (inputs - center) * weights
    first = _flat64(tf.reduce_sum(deviation, axes))
    second = _flat64(tf.reduce_sum(tf.square(deviation), axes))
    shift, n = _flat64(center), _flat64(count)
    moments = tf.stack([first + n * shift, second + 2 * shift * first + n * shift**2, n])
    share = step_share.spanning()
    if share is not None:
        moments *= share.real
    total, squares, n = tf.unstack(_sum_over_ranks(moments, share))
    mean = total / n
    variance = tf.maximum(squares / n - mean**2, 0)
    return tf.cast(mean, inputs.dtype), tf.cast(variance, inputs.dtype)


def _sum_over_ranks(values: tf.Tensor, share: step_share.StepShare | None) -> tf.Tensor:
    """Return the sum over ranks; its gradient comes from the losses of all ranks."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def summed(values: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return rank_sums.back_over_ranks(upstream, share)

        return rank_sums.over_ranks(values), gradient

    return summed(values)


def _flat64(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.reshape(values, [-1]), tf.float64)
