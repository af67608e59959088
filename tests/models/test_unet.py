"""The U-Net's shapes, parameter counts and gradients, and the inputs that it refuses."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.norms import NORMS
from ddl.models.unet import build_seed_unet, build_unet, main_output
from ddl.models.zoo import build_model
from tests.models.plain import loads_in_plain_keras

OPTIONS: list[dict[str, Any]] = [
    {"residual": True},
    {"attention": True, "norm": "none"},
    {"transposed": False, "dropout": 0.25},
    {"width": (4, 6, 10), "norm": "group", "attention": True, "residual": True},
]


@pytest.mark.parametrize("norm", NORMS)
def test_the_mask_has_the_size_of_the_picture(norm: str) -> None:
    model = build_unet((32, 48, 3), width=4, depth=2, norm=norm)
    mask = np.asarray(model(np.ones((2, 32, 48, 3))))
    assert mask.shape == (2, 32, 48, 1)
    assert 0 <= mask.min() <= mask.max() <= 1
    kinds = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert [layer.synchronized for layer in kinds] == [norm == "sync"] * len(kinds)


def test_several_classes_sum_to_one() -> None:
    model = build_unet((16, 16, 1), classes=3, width=4, depth=1, norm="none")
    mask = np.asarray(model(np.ones((1, 16, 16, 1))))
    assert np.allclose(mask.sum(axis=-1), 1)


@pytest.mark.parametrize("sides", [(8, 12), (4, 8, 12), (None, None), (None, None, None)])
@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_fits_pictures_and_volumes(
    sides: tuple[int | None, ...], options: dict[str, Any]
) -> None:
    model = build_unet((*sides, 2), classes=2, **({"width": 2} | options), depth=2)
    shape = (1, *(side or 8 for side in sides))
    assert model(np.ones((*shape, 2))).shape == (*shape, 2)


def test_a_list_of_widths_sets_the_channels_of_each_level() -> None:
    doubled = build_unet((16, 16, 1), width=4, depth=2)
    listed = build_unet((16, 16, 1), width=(4, 8, 16), depth=2)
    assert doubled.count_params() == listed.count_params()
    assert build_unet((16, 16, 1), width=(4, 8, 8), depth=2).count_params() < listed.count_params()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("more", [{}, {"residual": True, "attention": True, "transposed": False}])
def test_one_step_reaches_every_weight(norm: str, more: dict[str, Any]) -> None:
    """Every weight has a gradient, so there is no bias before a batch normalization."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    model = build_unet((8, 8, 1), width=4, depth=2, norm=norm, **more)
    images = np.random.default_rng(0).random((4, 8, 8, 1), dtype=np.float32)
    with tf.GradientTape() as tape:
        loss = keras.ops.mean((model(images, training=True) - (images > 0.5)) ** 2)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    sizes = [float(np.abs(gradient.numpy()).max()) for gradient in gradients]
    small = [
        (w.path, size)
        for w, size in zip(model.trainable_weights, sizes, strict=True)
        if size < 1e-7
    ]
    assert small == []


def test_deep_supervision_gives_every_level_an_output_of_the_whole_size() -> None:
    model = build_unet((16, 16, 1), width=4, depth=3, norm="batch", deep_supervision=True)
    assert model.output_names == ["mask", "mask_2", "mask_4"]
    images = np.random.default_rng(0).random((4, 16, 16, 1), dtype=np.float32)
    masks = dict.fromkeys(model.output_names, (images > 0.5).astype("float32"))
    model.compile(
        "sgd",
        dict.fromkeys(model.output_names, "binary_crossentropy"),
        loss_weights={"mask": 1.0, "mask_2": 0.5, "mask_4": 0.25},
    )
    before = [w.numpy() for w in model.trainable_weights]
    history = model.fit(images, masks, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    after = [w.numpy() for w in model.trainable_weights]
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
    alone = main_output(model)
    assert np.array_equal(alone(images), model(images)["mask"])


def test_the_seed_network_has_its_parameters() -> None:
    """Counted by hand, for 3 channels in and 1 out.

    Down, at c channels of 8, 16, ..., 1024: 9 * (in * c + c * c), where in is 3 at first: 9 * (24 + 64) = 792;
        below, in is c / 2: 13.5 c^2 over 16^2 + ... + 1024^2 = 1,398,016, so 18,873,216.
    Up, at c of 512, ..., 8: transposed 2 * 2 * 2c * c = 8 c^2, convolutions 9 * (2c * c + c * c) = 27 c^2; 35 c^2 over
        8^2 + ... + 512^2 = 349,504, so 12,232,640.
    Scores: 8 + 1 = 9.
    Batch normalization: two numbers to learn and two to keep for each channel of 2 layers a level down, 2 * 2040, and
        of 3 a level up, 3 * 1016: 7,128 channels.
    A bias each, as there: 7,128 more.
    """
    convolutions, channels = 792 + 18_873_216 + 12_232_640 + 9, 7_128
    assert convolutions == 31_106_657
    model = build_seed_unet((512, 512, 3))
    assert model.count_params() == convolutions + 4 * channels == 31_135_169
    assert (
        sum(int(np.prod(w.shape)) for w in model.trainable_weights) == convolutions + 2 * channels
    )
    assert model.output_shape == (None, 512, 512, 1)
    assert build_seed_unet((512, 512, 3), bias=True).count_params() == 31_142_297


def test_a_saved_model_loads_without_this_package(tmp_path: Any) -> None:
    model = build_unet(
        (16, 16, 1), width=4, depth=2, residual=True, attention=True, dropout=0.1, transposed=False
    )
    loads_in_plain_keras(model, tmp_path)


def test_layers_have_the_same_names_however_many_models_were_built() -> None:
    """Names allow transferring weights and freezing layers."""
    options = {"width": 2, "depth": 2, "attention": True, "residual": True, "dropout": 0.1}
    first, second = (build_unet((16, 16, 1), **options) for _ in range(2))
    names = [layer.name for layer in first.layers]
    assert names == [layer.name for layer in second.layers]
    assert {"down_0_conv_1", "bottom_norm_2", "up_1_enter_conv", "mask"} <= set(names)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "message"),
    [
        ("unet", (16, 16, 1), 1, {"norm": "layer"}, "one of: sync, batch, group, none"),
        ("unet", (24, 24, 1), 1, {}, r"or \(depth, .*multiples of 16, at least 16"),
        ("unet", (16, 1), 1, {}, r"input_shape=\(16, 1\), classes=1 for model unet"),
        ("unet", (16, 16, 0), 1, {}, "at least one channel and one class"),
        ("unet", (16, 16, 1), 0, {}, "classes=0"),
        ("unet", (16, 16, 1), 1, {"width": (8, 16)}, r"depth \+ 1 = 5 of them"),
        ("unet", (16, 16, 1), 1, {"width": (8, 0), "depth": 1}, r"width=\(8, 0\) .*at least 1"),
        ("unet", (16, 16, 1), 1, {"dropout": 1}, "dropout=1"),
        ("unet", (16, 16, 1), 1, {"depth": 1, "deep_supervision": True}, "depth of 2 or more"),
        ("unet_seed", (500, 500, 3), 1, {}, r"\(height, width, channels\), .*multiples of 128"),
        ("unet_seed", (128, 128, 128, 3), 1, {}, r"Expected: \(height, width, channels\), sides"),
    ],
)
def test_an_impossible_model_is_refused(
    name: str, shape: tuple[int, ...], classes: int, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(name, shape, classes, **options)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((32, 32, 1), {"width": (4, 8)}, r"depth \+ 1 = 5 of them"),
        ((32, 32, 1), {"depth": 1, "deep_supervision": True}, "depth of 2 or more"),
        ((32, 32), {}, r"input_shape=\(32, 32\)"),
        ((100, 100, 1), {}, "multiples of 16"),
        ((32, 32, 1), {"classes": 0}, "one channel and one class"),
        ((32, 32, 1), {"dropout": 2}, "dropout=2"),
    ],
)
def test_a_direct_call_is_checked_too(
    shape: tuple[int, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_unet(shape, **options)
