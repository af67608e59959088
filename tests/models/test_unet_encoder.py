"""U-Nets on networks of `keras.applications`: skip connections, picture scaling and weights."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.models.encoders import ENCODERS, find_encoder
from ddl.models.unet_encoder import build_encoder_unet, scaled_pictures, skips_by_level
from ddl.models.zoo import build_model
from tests.models.plain import loads_in_plain_keras

SMALL = (64, 96, 3)


@pytest.mark.parametrize(
    ("encoder", "skips"),
    [
        # As in published U-Nets: the last feature map before each halving.
        ("vgg16", {0: 64, 1: 128, 2: 256, 3: 512, 4: 512}),
        ("resnet50", {1: 64, 2: 256, 3: 512, 4: 1024}),
        ("mobilenetv2", {1: 96, 2: 144, 3: 192, 4: 576}),
        ("efficientnetb0", {1: 96, 2: 144, 3: 240, 4: 672}),
        ("convnexttiny", {2: 96, 3: 192, 4: 384}),
    ],
)
def test_skips_are_found_by_resolution(encoder: str, skips: dict[int, int]) -> None:
    build = getattr(keras.applications, find_encoder(encoder)[0])
    found = skips_by_level(build(include_top=False, weights=None, input_shape=SMALL), SMALL[:2])
    assert {level: tensor.shape[-1] for level, tensor in found.items()} == skips
    assert {level: tensor.shape[1] for level, tensor in found.items()} == {
        level: SMALL[0] // 2**level for level in skips
    }


@pytest.mark.parametrize("kind", ["caffe", "tf", "torch", "raw"])
def test_pictures_are_scaled_as_the_published_weights_saw_them(kind: str) -> None:
    images = np.random.default_rng(0).random((2, 4, 4, 3), dtype=np.float32)
    applications = keras.applications
    family = {"caffe": applications.resnet50, "tf": applications.mobilenet}
    family |= {"torch": applications.densenet, "raw": applications.efficientnet}
    scaled = scaled_pictures(keras.Input((4, 4, 3)), kind)
    assert scaled.shape == (None, 4, 4, 3)
    ours = np.asarray(scaled_pictures(keras.ops.convert_to_tensor(images), kind))
    assert np.allclose(ours, family[kind].preprocess_input(images * 255), atol=1e-4)


def test_every_encoder_exists() -> None:
    assert [name for name, _ in ENCODERS.values() if not hasattr(keras.applications, name)] == []


def test_weights_come_from_a_local_file_and_the_model_needs_no_package(tmp_path: Path) -> None:
    source = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(64, 64, 3))
    weights = tmp_path / "mobilenet.weights.h5"
    source.save_weights(weights)
    model = build_encoder_unet(
        (64, 64, 3), encoder="mobilenet", weights_file=str(weights), width=2, attention=True
    )
    for layer in [layer for layer in source.layers if layer.weights]:
        for theirs, ours in zip(layer.weights, model.get_layer(layer.name).weights, strict=True):
            assert np.array_equal(theirs.numpy(), ours.numpy())
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert all(layer.synchronized for layer in norms)
    loads_in_plain_keras(model, tmp_path)


def test_a_step_on_a_vgg_and_its_saving(tmp_path: Path) -> None:
    model = build_encoder_unet((64, 64, 3), classes=2, encoder="vgg16", width=2, norm="group")
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = model.get_layer("block1_conv1").kernel.numpy()
    images = np.random.default_rng(0).random((2, 64, 64, 3), dtype=np.float32)
    model.fit(images, (images[..., :1] > 0.5).astype(int), verbose=0)
    assert (before != model.get_layer("block1_conv1").kernel.numpy()).any()
    loads_in_plain_keras(model, tmp_path)  # with reversed channels inside the model


def test_an_encoder_takes_any_number_of_channels_without_published_weights() -> None:
    model = build_encoder_unet((64, 64, 5), encoder="mobilenet", width=2, norm="none")
    assert model(np.ones((1, 64, 64, 5))).shape == (1, 64, 64, 1)


def test_an_impossible_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"crops the edges.*Expected one of: resnet50,"):
        build_model("unet_encoder", SMALL, 1, encoder="Xception")
    with pytest.raises(ValueError, match=r"encoder='alexnet'.*vgg16"):
        build_model("unet_encoder", SMALL, 1, encoder="alexnet")
    for shape in ((32, 64, 3), (64, None, 3)):
        with pytest.raises(ValueError, match="multiples of 32, at least 64"):
            build_model("unet_encoder", shape, 1)
    with pytest.raises(ValueError, match="multiples of 32, at least 64"):
        build_encoder_unet((70, 70, 3))
    with pytest.raises(ValueError, match="nothing is downloaded"):
        build_model("unet_encoder", SMALL, 1, weights_file="imagenet")
    wrong = tmp_path / "wrong.weights.h5"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save_weights(wrong)
    with pytest.raises(ValueError, match=r"keras.applications.MobileNet with include_top=False"):
        build_encoder_unet(SMALL, encoder="mobilenet", weights_file=str(wrong))
