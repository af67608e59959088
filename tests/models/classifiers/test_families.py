"""Every family: a step changes every weight, a saved model needs no package, what cannot be built is refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.norms import NORMS
from ddl.models.zoo import MODELS, build_model
from tests.models.plain import loads_in_plain_keras

FAMILIES: dict[str, dict[str, Any]] = {
    "cnn": {},
    "simplecnn": {},
    "mlp": {"dense": 64},
    "alexnet": {"small_input": True, "dense": 8},
    "vgg1": {"width": 4, "dense": 64},
    "vgg11": {"width": 4, "dense": 64},
    "googlenet": {},
    "densenet21": {"small_input": True, "growth": 4},
    "densenet40": {"growth": 2},
    "resnet10": {"width": 4, "small_input": True, "drop_path": 0.2},
    "resnet20": {"width": 4, "drop_path": 0.2},
}
NORMED = ("cnn", "vgg1", "densenet21", "mlp")
BRIEF = {
    ("cnn", "group"),
    ("vgg1", "sync"),
    ("vgg1", "none"),
    ("densenet21", "sync"),
    ("mlp", "batch"),
}
BRIEFLY_SAVED = ("simplecnn", "resnet10")
"""In the first tier, in which tests/models/test_ranks_equal_one.py loads other families in plain Keras, too."""


def in_tier(value: Any, *, first: bool) -> Any:
    return (
        value
        if first
        else pytest.param(*([value] if isinstance(value, str) else value), marks=pytest.mark.proof)
    )


def untouched(model: keras.Model) -> list[str]:
    """Return the weights that a step of plain gradient descent does not change."""
    pictures = np.random.default_rng(0).random((8, *model.input_shape[1:]), dtype=np.float32)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(pictures, np.arange(8) % 3)
    return [
        weight.path
        for weight, value in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(weight.numpy(), value)
    ]


@pytest.mark.parametrize(
    ("name", "norm"),
    [in_tier(pair, first=pair in BRIEF) for pair in itertools.product(NORMED, NORMS)],
)
def test_a_step_changes_every_weight_with_every_norm(name: str, norm: str) -> None:
    keras.utils.set_random_seed(1)
    model = build_model(name, (32, 32, 3), 3, norm=norm, **FAMILIES[name])
    assert untouched(model) == []


@pytest.mark.parametrize("name", [in_tier(name, first=name in BRIEFLY_SAVED) for name in FAMILIES])
def test_a_saved_model_needs_no_package(name: str, tmp_path: Path) -> None:
    loads_in_plain_keras(build_model(name, (32, 32, 3), 3, **FAMILIES[name]), tmp_path)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "densenet21"])
def test_a_normalized_convolution_has_no_bias(name: str) -> None:
    options = {**FAMILIES[name], "norm": "sync"}
    model = build_model(name, (32, 32, 3), 3, **options)
    biases = [weight.path for weight in model.weights if weight.path.endswith("bias")]
    assert biases == ["scores/bias"]


@pytest.mark.parametrize("norm", ["sync", "batch"])
def test_every_norm_of_a_network_of_keras_spans_all_ranks_or_none(norm: str) -> None:
    model = build_model("mobilenet", (32, 32, 3), 3, norm=norm)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(norms) == 27
    assert {layer.synchronized for layer in norms} == {norm == "sync"}
    assert {layer.momentum for layer in norms} == {0.9}


def test_layers_of_a_network_of_keras_keep_their_names() -> None:
    first, second = (build_model("mobilenetv3small", (32, 32, 3), 3) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


def test_one_builder_s_networks_differ_in_name_only_where_depth_does() -> None:
    for name in MODELS:
        assert "depth" not in MODELS.options(name) or name in ("unet", "mlp")


def test_stochastic_depth_rises_to_its_rate_and_does_nothing_at_inference() -> None:
    model = build_model("resnet20", (16, 16, 1), 2, width=2, drop_path=0.5)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("_drop_path")]
    assert rates == pytest.approx([0.5 * block / 9 for block in range(1, 10)])
    plain = build_model("resnet20", (16, 16, 1), 2, width=2)
    plain.set_weights(model.get_weights())
    pictures = np.random.default_rng(0).random((3, 16, 16, 1), dtype=np.float32)
    assert np.array_equal(model(pictures, training=False), plain(pictures, training=False))


def test_stochastic_depth_leaves_out_whole_samples_and_keeps_the_mean() -> None:
    from ddl.models.classifiers.parts import drop_path

    inputs = keras.Input((2, 2, 3))
    model = keras.Model(inputs, drop_path(inputs, 0.25, "drop"))
    keras.utils.set_random_seed(0)
    dropped = model(np.ones((4000, 2, 2, 3), np.float32), training=True).numpy()
    of_sample = dropped.reshape(4000, -1)
    assert np.array_equal(of_sample.min(axis=1), of_sample.max(axis=1))
    assert set(np.unique(of_sample).round(4)) == {0, np.float32(1.3333)}
    assert of_sample.mean() == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize(
    ("name", "side", "options", "message"),
    [
        ("alexnet", 66, {}, "at least 67"),
        ("alexnet", 15, {"small_input": True}, "at least 16"),
        ("vgg11", 31, {}, "at least 32"),
        ("vgg3", 7, {}, "at least 8"),
        ("densenet121", 31, {}, "at least 32"),
        ("densenet40", 3, {}, "at least 4"),
        ("inceptionv3", 74, {}, "at least 75"),
        ("xception", 70, {}, "at least 71"),
        ("simplecnn", 1, {}, "at least 2"),
        ("mobilenet", 64, {"norm": "group"}, "Expected one of: sync, batch"),
        ("convnexttiny", 64, {"norm": "sync"}, "Unknown option of model convnexttiny"),
        ("xception", 71, {"dropout": 0.1}, "Unknown option of model xception"),
        ("resnet18", 64, {"as_keras": True}, "which keras.applications does not have"),
        ("resnet50", 64, {"as_keras": True, "small_input": True}, "small_input=false"),
        ("resnet50", 64, {"as_keras": True, "norm": "group"}, "norm=sync or norm=batch"),
        ("vgg3", 32, {"norm_after_relu": True}, "Expected: a normalization"),
        ("vgg3", 32, {"dropout": (0.1, 0.2)}, "one for each block"),
        ("vgg2", 32, {"dropout": (0.1, 0.2, 1.0)}, "below 1"),
        ("resnet20", 32, {"drop_path": 1.0}, "below 1"),
        ("densenet40", 32, {"growth": 0}, "at least 1"),
        ("mobilenet", 64, {"weights_file": "imagenet"}, "nothing is downloaded"),
    ],
)
def test_what_a_network_does_not_take_is_refused(
    name: str, side: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(name, (side, side, 3), 10, **options)


@pytest.mark.parametrize("name", ["mlp", "vgg16", "alexnet", "mobilenet"])
def test_open_sides_are_refused_where_the_network_has_one_size(name: str) -> None:
    with pytest.raises(ValueError, match=r"Received: input_shape=\(None, None, 3\)"):
        build_model(name, (None, None, 3), 10)


@pytest.mark.parametrize("name", ["googlenet", "densenet40"])
def test_pooled_networks_take_any_size(name: str) -> None:
    model = build_model(name, (None, None, 3), 2)
    assert model(np.zeros((1, 40, 36, 3), np.float32)).shape == (1, 2)
