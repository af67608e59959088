"""The residual networks' parameter counts, strides and shortcuts."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.models.classifiers.resnet import CIFAR_DEPTHS, build_cifar_resnet, build_resnet
from ddl.models.layer_table import layer_rows
from ddl.models.norms import NORMS
from ddl.models.zoo import build_model
from tests.models.plain import loads_in_plain_keras


def trainable(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("depth", "parameters"),
    # The counts of torchvision.
    [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160), (152, 60_192_808)],
)
def test_the_published_parameter_counts(depth: int, parameters: int) -> None:
    model = build_resnet((224, 224, 3), depth=depth, norm="batch")
    assert trainable(model) == parameters
    assert model.get_layer("pool").input.shape == (None, 7, 7, 512 if depth < 50 else 2048)


@pytest.mark.parametrize(
    "depth",
    [
        pytest.param(depth, marks=pytest.mark.proof) if depth > 1000 else depth
        for depth in CIFAR_DEPTHS
    ],
)
def test_the_cifar_parameter_counts(depth: int) -> None:
    """Counted from the paper's table: n blocks of two convolutions per stage, no parameters in shortcuts.

    Stem 3*3*3*16; 2n convolutions 16 -> 16; 16 -> 32 and 2n - 1 of 32 -> 32; 32 -> 64 and 2n - 1 of 64 -> 64; two
    numbers for each channel of every normalization; 64 * 10 + 10 for the classes. For n = 3: 432 + 6 * 2,304
    + 4,608 + 5 * 9,216 + 18,432 + 5 * 36,864 + 2 * (7 * 16 + 6 * 32 + 6 * 64) + 650 = 269,722.
    """
    n = (depth - 2) // 6
    counted = 432 + 2 * n * 2_304 + 4_608 + (2 * n - 1) * 9_216 + 18_432 + (2 * n - 1) * 36_864
    counted += 2 * ((2 * n + 1) * 16 + 2 * n * 32 + 2 * n * 64) + 650
    papers = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}
    assert round(counted / 1e6, 2 if depth < 110 else 1) == papers[depth]
    assert trainable(build_cifar_resnet((32, 32, 3), depth=depth, norm="batch")) == counted


def test_the_stride_is_on_the_3x3() -> None:
    model = build_resnet((64, 64, 3), depth=50, width=4)
    strides = {
        layer.name: layer.strides
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.strides != (1, 1)
    }
    assert set(strides) == {
        "stem_conv",
        *(f"stage_{n}_block_1_{part}_conv" for n in (2, 3, 4) for part in ("2", "shortcut")),
    }


def test_a_deep_network_is_a_chain_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras cannot walk 600 blocks in one graph. The weights are those of a network in one graph, in the same order."""
    flat = build_cifar_resnet((8, 8, 1), depth=32, width=2, drop_path=0.1)
    monkeypatch.setattr("ddl.models.classifiers.resnet.MOST_BLOCKS", 4)
    deep = build_cifar_resnet((8, 8, 1), depth=32, width=2, drop_path=0.1)
    assert [layer.name for layer in deep.layers if isinstance(layer, keras.Model)] == [
        *("blocks_1_to_4", "blocks_5_to_8", "blocks_9_to_12", "blocks_13_to_15")
    ]
    deep.set_weights(flat.get_weights())
    images = np.random.default_rng(0).random((2, 8, 8, 1), dtype=np.float32)
    assert np.array_equal(deep(images), flat(images))
    kinds = [row.kind for row in layer_rows(deep) if row.kind != "InputLayer"]
    assert kinds == [row.kind for row in layer_rows(flat) if row.kind != "InputLayer"]


def test_a_small_picture_keeps_its_size_in_the_first_stage() -> None:
    model = build_resnet((32, 32, 3), depth=18, width=2, small_input=True, classes=10)
    assert model.get_layer("stage_1_block_1_relu").output.shape == (None, 32, 32, 2)


def test_a_padded_shortcut_is_every_second_pixel_and_zeros() -> None:
    """With gamma 0 a block equals its shortcut, so the output of a stage shows the shortcuts."""
    model = build_cifar_resnet((8, 8, 1), depth=20, width=3, zero_init_gamma=True)
    images = np.random.default_rng(0).random((1, 8, 8, 1), dtype=np.float32)
    names = ("stem_relu", "stage_2_block_1_relu")
    before, after = (
        keras.Model(model.input, model.get_layer(name).output)(images).numpy() for name in names
    )
    assert np.array_equal(after[..., :3], before[:, ::2, ::2])
    assert not after[..., 3:].any()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("build", [build_resnet, build_cifar_resnet])
def test_one_step_changes_every_weight(build, norm: str) -> None:
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    depth = 50 if build is build_resnet else 20
    model = build((32, 32, 3), depth=depth, width=2, classes=3, norm=norm, dropout=0.2)
    images = np.random.default_rng(0).random((8, 32, 32, 3), dtype=np.float32)
    with tf.GradientTape() as tape:
        probabilities = model(images, training=True)
        loss = keras.losses.sparse_categorical_crossentropy(np.arange(8) % 3, probabilities)
    assert np.allclose(np.sum(probabilities, axis=-1), 1, atol=1e-5)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    assert [
        weight.path
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True)
        if gradient is None or not np.abs(gradient.numpy()).max() > 1e-9
    ] == []
    biases = [
        weight.path for weight in model.trainable_weights if weight.path.endswith("conv/bias")
    ]
    assert bool(biases) == (norm == "none")


def test_zero_gamma_applies_to_the_last_normalization_of_a_block() -> None:
    model = build_resnet((32, 32, 3), depth=50, width=2, norm="group", zero_init_gamma=True)
    gammas = {layer.name: layer.gamma for layer in model.layers if hasattr(layer, "gamma")}
    zeros = {name for name, gamma in gammas.items() if not np.any(gamma)}
    assert zeros == {name for name in gammas if name.endswith("_3_norm")}


def test_saved_models_load_without_this_package(tmp_path: Path) -> None:
    loads_in_plain_keras(build_cifar_resnet((9, 9, 1), classes=1, width=2), tmp_path)


def test_an_impossible_model_is_refused() -> None:
    with pytest.raises(ValueError, match=r"depth=20. Expected one of: 10, 18, 34, 50, 101, 152"):
        build_resnet((32, 32, 3), depth=20)
    with pytest.raises(ValueError, match=r"depth=18. Expected one of: 20, 32, 44, 56, 110, 1202"):
        build_cifar_resnet((32, 32, 3), depth=18)
    with pytest.raises(ValueError, match="a normalization, which has a gamma"):
        build_model("resnet18", (32, 32, 3), 10, norm="none", zero_init_gamma=True)
    with pytest.raises(ValueError, match="Expected one of: sync, batch, group, none"):
        build_resnet((32, 32, 3), norm="layer")
    with pytest.raises(ValueError, match=r"dropout=1.0 for model resnet18"):
        build_resnet((32, 32, 3), depth=18, dropout=1)
    with pytest.raises(ValueError, match="classes=0 for model resnet32"):
        build_cifar_resnet((32, 32, 3), depth=32, classes=0)
    with pytest.raises(ValueError, match="height, width, channels"):
        build_model("resnet18", (32, 3), 10)
    with pytest.raises(ValueError, match="classes=0"):
        build_model("resnet20", (32, 32, 3), 0)
