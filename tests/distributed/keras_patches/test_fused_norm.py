"""Fused batch normalization gives what Keras's layer gives; test_numbers.py holds it over ranks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ddl.distributed.keras_patches import batch_norm, fused_norm

KERAS_CALL = getattr(
    keras.layers.BatchNormalization.call, "__wrapped__", keras.layers.BatchNormalization.call
)
FAR = 300.0  # the mean against a deviation of 1: where a difference of squares would cancel


@pytest.fixture(autouse=True)
def _installed() -> None:
    batch_norm.install()


def learned(layer: Any, call: Any, inputs: np.ndarray, dtype: str) -> dict[str, np.ndarray]:
    weights = tf.constant(np.random.default_rng(1).normal(size=inputs.shape), tf.float32)
    values = tf.cast(inputs, dtype)
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs = call(layer, values, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * weights)
    sources = [values, *(v.value for v in layer.trainable_variables)]
    gradients = tape.gradient(loss, sources)
    state = [v.value for v in layer.non_trainable_variables]
    names = ["outputs", "gradient", *(v.name for v in layer.variables)]
    found = [outputs, gradients[0], *gradients[1:], *state]
    return {
        name: np.asarray(tf.cast(one, tf.float64)) for name, one in zip(names, found, strict=True)
    }


def built(shape: tuple[int, ...], dtype: str, **options: Any) -> Any:
    layer = keras.layers.BatchNormalization(
        dtype="float32" if dtype == "float32" else f"mixed_{dtype}",
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.3, seed=2),
        **options,
    )
    layer.build(shape)
    return layer


@pytest.mark.parametrize("shape", [(4, 6, 5, 3), (2, 4, 3, 5, 3), (1, 1, 1, 3)])
@pytest.mark.parametrize(
    "options",
    [{}, {"synchronized": True}, {"scale": False, "center": False}],
    ids=["local", "synchronized", "without scale and offset"],
)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-5), ("bfloat16", 2e-2)])
def test_as_keras(
    shape: tuple[int, ...], options: dict[str, Any], dtype: str, tolerance: float
) -> None:
    inputs = np.random.default_rng(0).normal(size=shape) * [1, 2, 3] + [0, 1, -2]
    ours, plain = built(shape, dtype, **options), built(shape, dtype, **options)
    assert fused_norm.fits(tf.cast(inputs, dtype), ours.axis)
    found = learned(ours, type(ours).call, inputs, dtype)
    expected = learned(plain, KERAS_CALL, inputs, dtype)
    for name, value in expected.items():
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(found[name], value, atol=tolerance * scale, err_msg=name)


def test_a_far_mean_does_not_cancel() -> None:
    inputs = np.random.default_rng(0).normal(size=(4, 16, 16, 3)) + FAR
    values = tf.constant(inputs, tf.float32)
    _, _, variance = fused_norm.normalize(values, None, None, 1e-3, over_all_ranks=False)
    expected = np.asarray(values, np.float64).var((0, 1, 2))
    np.testing.assert_allclose(variance, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "axis", "dtype"),
    [((4, 3), -1, "float32"), ((4, 3, 5, 5), 1, "float32"), ((4, 5, 5, 3), -1, "float64")],
    ids=["rows", "channels first", "float64"],
)
def test_the_rest_stays_kerass(shape: tuple[int, ...], axis: int, dtype: str) -> None:
    assert not fused_norm.fits(tf.zeros(shape, dtype), axis)


def test_a_layer_of_the_keras_for_python_3_10_without_renorm_trains() -> None:
    """Keras 3.12, the last series for Python 3.10, has no `renorm`."""
    layer = keras.layers.BatchNormalization()
    batch = np.random.default_rng(0).random((4, 6, 6, 2), np.float32)
    layer.build(batch.shape)
    vars(layer).pop("renorm", None)
    for training in (False, True):
        assert layer(batch, training=training).shape == batch.shape
