"""Convolutions of few channels and depthwise ones as sums over shifted slices, and max pooling by reshape.

XLA compiles these forms into loops that CPUs run fast. TensorFlow's and XLA's own convolutions are made for many
channels, and XLA's max pooling takes one value at a time. Without XLA the forms are slower: each slice is a copy.

The numbers are the same to rounding. Layers, weights and a saved model stay as they are, because the forms replace
only what is traced inside `with shifted_slices:`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ddl.distributed.gradients.step_share import Block

MOST_CHANNELS = 4
"""Input channels up to which a product over slices is faster than XLA's convolution."""

shifted_slices = Block()
"""True while a step is traced for XLA in these forms."""


def install() -> None:
    """Give Keras's layers these forms inside `with shifted_slices:`, in the whole process."""
    keras_convolution: Callable[..., Any] = keras.layers.Conv2D.convolution_op
    if hasattr(keras_convolution, "__wrapped__"):
        return
    keras_pooling: Callable[..., Any] = keras.layers.MaxPooling2D.call
    keras_depthwise: Callable[..., Any] = keras.layers.DepthwiseConv2D.call

    @functools.wraps(keras_convolution)
    def convolution_op(self: Any, inputs: Any, kernel: Any) -> Any:
        if not (shifted_slices and _has_few_channels(self, inputs)):
            return keras_convolution(self, inputs, kernel)
        values = tf.convert_to_tensor(inputs)
        weights = tf.cast(tf.convert_to_tensor(kernel), values.dtype)
        return convolve(values, weights, self.strides, self.padding)

    @functools.wraps(keras_depthwise)
    def depthwise_call(self: Any, inputs: Any) -> Any:
        if not (shifted_slices and _has_slices(self, inputs) and self.depth_multiplier == 1):
            return keras_depthwise(self, inputs)
        values = tf.convert_to_tensor(inputs)
        weights = tf.cast(tf.convert_to_tensor(self.kernel), values.dtype)
        outputs = convolve_each(values, weights, self.strides, self.padding)
        if self.use_bias:
            outputs += tf.cast(tf.convert_to_tensor(self.bias), outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)

    @functools.wraps(keras_pooling)
    def pooling_call(self: Any, inputs: Any) -> Any:
        if not (shifted_slices and _has_tiles(self, inputs)):
            return keras_pooling(self, inputs)
        return max_of_tiles(tf.convert_to_tensor(inputs), *self.pool_size)

    keras.layers.Conv2D.convolution_op = convolution_op
    keras.layers.DepthwiseConv2D.call = depthwise_call
    keras.layers.MaxPooling2D.call = pooling_call


def convolve(
    pictures: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """Return what a convolution gives, to rounding: (N, H, W, C) -> (N, H', W', F).

    Args:
        pictures: features with known sides.
        kernel: (height, width, C, F).
        strides: for height and width.
        padding: "same" or "valid".
    """
    by_channel = tf.transpose(pictures, (3, 0, 1, 2))  # copies whole rows instead of a few channels
    slices = _slices(by_channel, 2, kernel.shape[:2], strides, padding)
    rows, columns = slices[0].shape[2:]
    filters = kernel.shape[-1]
    places = tf.reshape(tf.concat(slices, 0), (kernel.shape[:3].num_elements(), -1))
    product = tf.matmul(tf.reshape(kernel, (-1, filters)), places, transpose_a=True)
    return tf.transpose(tf.reshape(product, (filters, -1, rows, columns)), (1, 2, 3, 0))


def convolve_each(
    features: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    """Return what a depthwise convolution gives, to rounding: (N, H, W, C) -> (N, H', W', C).

    Args:
        features: with known sides.
        kernel: (height, width, C, 1).
        strides: for height and width.
        padding: "same" or "valid".
    """
    weights = tf.reshape(kernel, (-1, kernel.shape[2]))
    slices = _slices(features, 1, kernel.shape[:2], strides, padding)
    return tf.add_n([part * weights[place] for place, part in enumerate(slices)])


def max_of_tiles(features: tf.Tensor, high: int, wide: int) -> tf.Tensor:
    """Return the maximum of each tile of `high` x `wide` values: (N, H, W, C) -> (N, H // high, W // wide, C).

    As in TensorFlow's pooling, the gradient goes to the first of equal maxima, and rows and columns beyond the last
    whole tile are left out.
    """
    rows, columns = features.shape[1] // high, features.shape[2] // wide
    whole = features[:, : rows * high, : columns * wide]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def pooled(whole: tf.Tensor) -> Any:
        tiles = tf.reshape(whole, (-1, rows, high, columns, wide, features.shape[-1]))
        largest = tf.reduce_max(tiles, (2, 4))

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            is_open, lines = tf.ones_like(largest, tf.bool), []
            for i in range(high):
                line = []
                for j in range(wide):
                    is_first = is_open & (tiles[:, :, i, :, j] == largest)
                    is_open &= ~is_first
                    line.append(tf.where(is_first, upstream, tf.zeros_like(upstream)))
                lines.append(tf.stack(line, 3))
            return tf.reshape(tf.stack(lines, 2), tf.shape(whole))

        return largest, gradient

    return pooled(whole)


def _slices(
    values: tf.Tensor, axis: int, kernel: tuple[int, int], strides: tuple[int, int], padding: str
) -> list[tf.Tensor]:
    """Return what each place of a kernel meets, row by row. The sides are at `axis` and behind it."""
    sides = zip(values.shape[axis : axis + 2], kernel, strides, strict=True)
    (rows, above), (columns, left) = (_edges(*side, padding) for side in sides)
    pads = [(0, 0)] * 4
    pads[axis : axis + 2] = above, left
    padded, before = tf.pad(values, pads), (slice(None),) * axis
    down, right = strides
    lower, further = (rows - 1) * down + 1, (columns - 1) * right + 1
    return [
        padded[(*before, slice(i, i + lower, down), slice(j, j + further, right))]
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]


def _edges(side: int, length: int, stride: int, padding: str) -> tuple[int, tuple[int, int]]:
    """Return how many values a convolution gives along a side, and how many zeros it adds before and after."""
    if padding == "valid":
        return (side - length) // stride + 1, (0, 0)
    count = math.ceil(side / stride)
    added = max((count - 1) * stride + length - side, 0)
    return count, (added // 2, added - added // 2)


def _has_slices(layer: Any, inputs: Any) -> bool:
    return (
        None not in inputs.shape[1:]
        and layer.data_format == "channels_last"
        and max(layer.dilation_rate) == 1
    )


def _has_few_channels(layer: Any, inputs: Any) -> bool:
    return _has_slices(layer, inputs) and inputs.shape[-1] <= MOST_CHANNELS and layer.groups == 1


def _has_tiles(layer: Any, inputs: Any) -> bool:
    sides = inputs.shape[1:3]
    is_cut = layer.padding == "valid" or not any(
        side is None or side % length for side, length in zip(sides, layer.pool_size, strict=True)
    )
    return (
        None not in inputs.shape[1:]
        and layer.data_format == "channels_last"
        and layer.strides == layer.pool_size
        and is_cut
    )
