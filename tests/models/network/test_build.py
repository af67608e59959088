"""The built model: options, frozen layers, regularizers, saving, and inputs of other sizes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.zoo import build_model
from tests.models.network.fixtures import write
from tests.models.plain import loads_in_plain_keras


def built(name: str, shape: Any = None, classes: Any = None, **options: Any) -> keras.Model:
    return build_model("network", shape, classes, layers=write(name), **options)


def test_norms_span_all_ranks_unless_asked() -> None:
    for norm, synchronized in (("sync", True), ("batch", False)):
        model = built("unet functional-2.8", norm=norm)
        assert model.get_layer("bottom_bn").synchronized == synchronized
    with pytest.raises(ValueError, match="norm=group for model network"):
        built("unet functional-2.8", norm="group")


def test_frozen_layers_stay_and_their_norms_use_moving_statistics() -> None:
    model = built("frozen functional-2.8")
    assert [weight.path for weight in model.trainable_weights] == [
        "dense_1/kernel",
        "dense_1/bias",
    ]
    norm = model.get_layer("batchnormalization_1")
    values = np.random.default_rng(1).random((2, 4, 4, 4), np.float32) * 5
    np.testing.assert_allclose(norm(values, training=True), norm(values, training=False))


def test_regularizers_enter_the_loss() -> None:
    model = built("dense sequential-2.4")
    kernel = np.asarray(model.get_layer("dense_1").kernel)
    assert float(sum(model.losses)) == pytest.approx(0.01 * np.square(kernel).sum(), rel=1e-5)


@pytest.mark.parametrize("name", ["volume_unet model-2.3.1", "merges functional-2.9"])
def test_a_saved_model_loads_in_plain_keras(name: str, tmp_path: Path) -> None:
    loads_in_plain_keras(built(name), tmp_path)


def test_a_hard_sigmoid_of_keras_2_is_its_own() -> None:
    layers = [{"class_name": "Activation", "config": {"activation": "hard_sigmoid"}}]
    layers[0]["config"]["batch_input_shape"] = [None, 5]  # type: ignore[index]
    model = build_model("network", None, None, layers=json.dumps(layers))
    values = np.array([[-3, -1, 0, 1, 3]], np.float32)
    np.testing.assert_allclose(model(values), np.clip(0.2 * values + 0.5, 0, 1), atol=1e-6)


def test_depthwise_volumes_are_groups() -> None:
    config = {"kernel_size": 3, "depth_multiplier": 2, "batch_input_shape": [None, 5, 5, 5, 3]}
    layers = [{"class_name": "DepthwiseConv3D", "config": {"name": "d", **config}}]
    model = build_model("network", None, None, layers=json.dumps(layers))
    volume = np.random.default_rng(1).random((1, 5, 5, 5, 3)).astype("f4")
    kernel = np.asarray(model.get_layer("d").kernel)[..., 0, :]
    found = np.asarray(model(volume))[0, 1, 1, 1]
    window = volume[0, 1:4, 1:4, 1:4]
    expected = [(window[..., made // 2] * kernel[..., made]).sum() for made in range(6)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_other_sizes_and_open_sides_are_taken_where_they_fit() -> None:
    assert built("unet functional-2.8", (24, 32, 3), 2).output_shape == (None, 24, 32, 2)
    assert built("unet functional-2.8", (None, None, 3)).output_shape == (None, None, None, 2)
    assert built("unet with open sides").input_shape == (None, None, None, 3)
    assert built("pspnet functional-2.9", (24, 24, 3)).output_shape == (None, 24, 24, 2)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "message"),
    [
        (
            "unet functional-2.8",
            (18, 16, 3),
            2,
            "Expected: sides that 4 divides, of at least 4, and 3",
        ),
        ("unet functional-2.8", (16, 16, 1), 2, "built for 16x16x3. Expected: .* and 3 channels"),
        ("unet functional-2.8", (16, 16, 16, 3), 2, "input_shape=16x16x16x3"),
        ("unet functional-2.8", None, 3, "classes=3 for model network. Expected: 2"),
        ("cnn list", (17, 16, 3), 3, "Expected: 16x16x3"),
        ("pspnet functional-2.9", (None, None, 3), 2, "Expected: sides that 8 divides"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    name: str, shape: Any, classes: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        built(name, shape, classes)


def test_the_output_is_float32_under_mixed_precision() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = built("unet functional-2.8")
        assert model.get_layer("bottom_conv").compute_dtype == "bfloat16"
        assert model.output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")
