"""Classifiers of `keras.applications`, converted to files of Keras 2, give the outputs of the original."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.network.file import summarize
from ddl.models.zoo import build_model
from ddl.training.checkpoint.transfer import copy_weights
from tests.models.network.keras2 import save_weights, to_keras_2

SMALL: dict[str, tuple[int, dict[str, Any]]] = {"MobileNet": (32, {"alpha": 0.25, "classes": 5})}
LARGE: dict[str, tuple[int, dict[str, Any]]] = {
    "ResNet50": (64, {}),
    "ResNet50V2": (64, {}),
    "VGG16": (32, {"classes": 10}),
    "DenseNet121": (64, {}),
    "MobileNetV2": (64, {}),
    "InceptionV3": (75, {}),
    "Xception": (71, {}),
}


def original(name: str, side: int, arguments: dict[str, Any]) -> keras.Model:
    """Return a network with other moving statistics, biases and scales than those at the start."""
    keras.utils.set_random_seed(3)
    build: Callable[..., keras.Model] = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(side, side, 3), **arguments)
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign(weight + rng.uniform(0, 0.2, weight.shape))
    return model


def check(name: str, side: int, arguments: dict[str, Any], folder: Path, **saved: Any) -> None:
    model = original(name, side, arguments)
    document, weights = folder / "net.json", folder / "weights.h5"
    document.write_text(to_keras_2(model))
    save_weights(model, weights, **saved)
    loaded = build_model("network", None, None, file=str(document))
    copy_weights(loaded, weights)
    pictures = np.random.default_rng(2).random((2, side, side, 3), np.float32)
    expected = model.predict(pictures, verbose=0)
    np.testing.assert_allclose(loaded.predict(pictures, verbose=0), expected, atol=1e-5)
    assert summarize({"file": str(document)}).parameters == model.count_params()


@pytest.mark.parametrize("name", SMALL)
def test_a_small_classifier_gives_the_original_outputs(name: str, tmp_path: Path) -> None:
    check(name, *SMALL[name], tmp_path, whole=True, pieces=3)


@pytest.mark.proof
@pytest.mark.parametrize("name", LARGE)
def test_classifiers_give_the_original_outputs(name: str, tmp_path: Path) -> None:
    check(name, *LARGE[name], tmp_path)


def test_layers_that_do_not_fit_are_named_one_by_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = keras.Input((4,), name="input_1")
    made = keras.layers.Dense(3, name="fc1")(inputs)
    made = keras.layers.Dense(5, name="fc2")(made)
    model = keras.Model(inputs, keras.layers.Dense(2, name="old")(made))
    save_weights(model, tmp_path / "weights.h5")
    layers = [("fc1", 3), ("fc2", 6), ("new", 2)]
    document = [
        {"class_name": "Dense", "config": {"name": name, "units": units}} for name, units in layers
    ]
    document[0]["config"]["batch_input_shape"] = [None, 4]  # type: ignore[index]
    (tmp_path / "net.json").write_text(str(document).replace("'", '"').replace("None", "null"))
    loaded = build_model("network", None, None, file=str(tmp_path / "net.json"))
    with caplog.at_level(logging.INFO, "ddl"):
        copy_weights(loaded, tmp_path / "weights.h5")
    np.testing.assert_array_equal(loaded.get_layer("fc1").kernel, model.get_layer("fc1").kernel)
    told = caplog.text
    assert "Initialized the weights of 1 layers" in told
    assert "Left as initialized: fc2: kernel is 3x5 in the file, 3x6 in the model." in told
    assert "Left as initialized: new: the file has no such layer." in told
    assert "Left out: old, which is no layer of this model." in told
