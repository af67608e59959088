"""Shifted slices and tiles give what TensorFlow's convolution and pooling give, and only where they are asked for."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.distributed.keras_patches import shifted_slices as forms

SHAPES = [(7, 6, 1), (8, 9, 3)]
KERNELS = [(1, 1), (3, 3), (2, 5)]
STRIDES = [(1, 1), (2, 3)]


def with_gradients(compute: Any, *inputs: np.ndarray) -> list[np.ndarray]:
    values = [tf.constant(array) for array in inputs]
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = compute(*values)
        weights = np.random.default_rng(2).integers(1, 9, outputs.shape)
        loss = tf.reduce_sum(outputs * tf.cast(weights, outputs.dtype))
    return [np.asarray(array) for array in (outputs, *tape.gradient(loss, values))]


@pytest.mark.parametrize(
    ("shape", "kernel", "strides", "padding"),
    list(itertools.product(SHAPES, KERNELS, STRIDES, ["same", "valid"])),
)
def test_a_convolution_has_the_same_outputs_and_gradients(
    shape: tuple[int, int, int], kernel: tuple[int, int], strides: tuple[int, int], padding: str
) -> None:
    random = np.random.default_rng(1)
    arrays = random.normal(size=(2, *shape)), random.normal(size=(*kernel, shape[-1], 4))
    ours = with_gradients(lambda x, k: forms.convolve(x, k, strides, padding), *arrays)
    theirs = with_gradients(lambda x, k: tf.nn.conv2d(x, k, strides, padding.upper()), *arrays)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "same"), ((2, 2), "valid")])
def test_a_depthwise_convolution_has_the_same_outputs_and_gradients(
    strides: tuple[int, int], padding: str
) -> None:
    random = np.random.default_rng(1)
    arrays = random.normal(size=(2, 7, 6, 5)), random.normal(size=(3, 3, 5, 1))
    four = (1, *strides, 1)
    ours = with_gradients(lambda x, k: forms.convolve_each(x, k, strides, padding), *arrays)
    theirs = with_gradients(
        lambda x, k: tf.nn.depthwise_conv2d(x, k, four, padding.upper()), *arrays
    )
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("shape", "tile"), [((6, 8, 2), (2, 2)), ((7, 8, 1), (3, 2))])
def test_the_gradient_of_a_maximum_goes_to_the_first_of_equals(
    shape: tuple[int, int, int], tile: tuple[int, int]
) -> None:
    features = np.random.default_rng(1).integers(0, 3, (3, *shape)).astype(np.float32)
    ours = with_gradients(lambda x: forms.max_of_tiles(x, *tile), features)
    theirs = with_gradients(lambda x: tf.nn.max_pool2d(x, tile, tile, "VALID"), features)
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(own, other)


def operations(layer: Any, shape: tuple[int | None, ...]) -> set[str]:
    """Return the kinds of TensorFlow's operations of a layer that is traced for XLA."""
    forms.install()
    if not layer.built:
        layer.build((None, *shape))

    @tf.function(input_signature=[tf.TensorSpec((None, *shape))])
    def traced(inputs: Any) -> Any:
        with forms.shifted_slices:
            return layer(inputs)

    return {operation.type for operation in traced.get_concrete_function().graph.get_operations()}


@pytest.mark.parametrize(
    ("layer", "shape", "theirs"),
    [
        (keras.layers.Conv2D(4, 3), (8, 8, 2), False),
        (keras.layers.Conv2D(4, 3), (8, None, 2), True),
        (keras.layers.Conv2D(4, 3), (8, 8, 256), True),
        (keras.layers.Conv2D(4, 3, dilation_rate=2), (8, 8, 2), True),
        (keras.layers.DepthwiseConv2D(3, activation="relu"), (8, 8, 64), False),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 2), True),
        (keras.layers.MaxPooling2D(), (8, 7, 2), False),
        (keras.layers.MaxPooling2D(padding="same"), (8, 7, 2), True),
        (keras.layers.MaxPooling2D(3, 2), (8, 8, 2), True),
        (keras.layers.AveragePooling2D(2), (8, 8, 2), True),
    ],
)
def test_only_layers_that_gain_change(
    layer: Any, shape: tuple[int | None, ...], theirs: bool
) -> None:
    kinds = {"Conv2D", "DepthwiseConv2dNative", "MaxPool", "AvgPool"}
    assert bool(kinds & operations(layer, shape)) == theirs


def test_a_model_outside_is_keras_s_own_and_so_is_what_it_saves() -> None:
    plain = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)])
    text = plain.to_json()
    operations(plain.layers[0], (8, 8, 1))
    assert plain.to_json() == text
    inputs = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    expected = tf.nn.conv2d(inputs, plain.layers[0].kernel, 1, "VALID")
    np.testing.assert_array_equal(plain(inputs), expected)
