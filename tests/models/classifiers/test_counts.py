"""Parameters and multiply-adds of every family: those of the published networks, and of the launcher's zoo.

Counted by hand from shapes, by `keras.applications`, or by TensorFlow from the traced graph.
"""

from __future__ import annotations

from typing import Any

import pytest

from ddl.models.layer_table import total_multiply_adds
from ddl.models.zoo import build_model
from tests.models.independent_count import count_multiply_adds

PHOTO, SMALL = (224, 224, 3), (32, 32, 3)
DROP = (0.2, 0.3, 0.4, 0.5)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "options", "parameters", "multiply_adds"),
    [
        ("cnn", (28, 28, 1), 10, {}, 149_210, 338_960),
        ("simplecnn", (28, 28, 1), 10, {}, 202_458, 456_000),
        ("mlp", (28, 28, 1), 10, {}, 932_362, 930_816),
        ("vgg1", SMALL, 10, {}, 1_060_138, 11_371_776),
        ("vgg2", SMALL, 10, {}, 591_274, 25_003_264),
        ("vgg3", SMALL, 10, {"dropout": 0.2}, 550_570, 38_896_896),
        (
            *("vgg3", SMALL, 10),
            {"dropout": DROP, "norm": "batch", "norm_after_relu": True, "dense": 512},
            *(1_345_066, 39_687_168),
        ),
        ("vgg11", SMALL, 10, {"small_input": True}, 9_750_922, 153_293_824),
        ("vgg16", SMALL, 10, {"small_input": True}, 15_245_130, 313_725_952),
        (
            *("vgg11", SMALL, 10),
            {"small_input": True, "norm": "batch", "bias": True},
            *(9_766_026, 153_293_824),
        ),
        (
            *("vgg16", SMALL, 10),
            {"small_input": True, "norm": "batch", "bias": True},
            *(15_266_122, 313_725_952),
        ),
        ("densenet121", SMALL, 10, {"small_input": True, "growth": 12}, 1_031_938, 125_341_440),
    ],
)
def test_the_counts_of_small_networks(
    name: str,
    shape: tuple[int, ...],
    classes: int,
    options: dict[str, Any],
    parameters: int,
    multiply_adds: int,
) -> None:
    model = build_model(name, shape, classes, **options)
    assert model.count_params() == parameters
    assert total_multiply_adds(model) == multiply_adds


@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "shape", "options", "parameters", "multiply_adds"),
    [
        ("alexnet", (227, 227, 3), {}, 62_378_344, 1_135_256_096),
        ("vgg11", PHOTO, {}, 132_863_336, 7_609_090_048),
        ("vgg16", PHOTO, {}, 138_357_544, 15_470_264_320),
        ("vgg19", PHOTO, {}, 143_667_240, 19_632_062_464),
        ("resnet50", PHOTO, {"as_keras": True}, 25_636_712, None),
        ("densenet121", PHOTO, {}, 8_062_504, None),
        ("densenet169", PHOTO, {}, 14_307_880, None),
        ("densenet201", PHOTO, {}, 20_242_984, None),
        ("mobilenet", PHOTO, {}, 4_253_864, None),
        ("inceptionv3", (299, 299, 3), {}, 23_851_784, None),
    ],
)
def test_the_counts_of_published_networks(
    name: str,
    shape: tuple[int, ...],
    options: dict[str, Any],
    parameters: int,
    multiply_adds: int | None,
) -> None:
    model = build_model(name, shape, 1000, **options)
    assert model.count_params() == parameters
    if multiply_adds is not None:
        assert total_multiply_adds(model) == multiply_adds


@pytest.mark.proof
@pytest.mark.parametrize(
    ("depth", "parameters", "multiply_adds"),
    [
        (121, 7_039_818, 888_350_720),
        (169, 12_651_594, 1_059_799_296),
        (201, 18_333_258, 1_363_888_896),
    ],
)
def test_the_counts_of_deep_densenets_for_small_pictures(
    depth: int, parameters: int, multiply_adds: int
) -> None:
    model = build_model(f"densenet{depth}", SMALL, 10, small_input=True)
    assert model.count_params() == parameters
    assert total_multiply_adds(model) == multiply_adds


def test_the_densenet_for_small_pictures_has_the_paper_s_million() -> None:
    """Three blocks of 12 layers: 16 channels, 12 more each, transitions that keep the channels.

    Convolutions: 3*3*3*16; 3*3*12 for each channel that enters a layer; 1x1 transitions of 160 and 304 channels. Two
    numbers for each normalized channel, two moving statistics more; 448 * 10 + 10 for the classes.
    """
    entering = [16 + 12 * layer + 144 * block for block in range(3) for layer in range(12)]
    normalized = sum(entering) + 160 + 304 + 448
    counted = 432 + 108 * sum(entering) + 160**2 + 304**2 + 2 * normalized + 4490
    model = build_model("densenet40", SMALL, 10)
    assert sum(weight.numpy().size for weight in model.trainable_weights) == counted
    assert round(counted / 1e6, 1) == 1.0
    assert model.count_params() == counted + 2 * normalized


def test_googlenet_has_the_paper_s_parameters() -> None:
    """Table 1 of the paper counts 6.8 million weights of convolutions and the dense layer, rounded by line."""
    model = build_model("googlenet", PHOTO, 1000)
    assert (
        model.count_params() == 6_998_552
    )  # as Caffe's bvlc_googlenet without its auxiliary classifiers


SMALLEST = {
    "cnn": {},
    "simplecnn": {},
    "mlp": {"dense": 16},
    "alexnet": {"small_input": True, "dense": 16},
    "vgg1": {},
    "vgg11": {"width": 4, "norm": "group"},
    "googlenet": {},
    "densenet21": {"small_input": True},
    "densenet40": {},
    "resnet10": {"width": 4},
    "resnet20": {},
    "mobilenet": {},
    "unet": {"width": 2, "depth": 2},
    "unet_encoder": {"encoder": "vgg16", "width": 2},
}
LARGER = ("googlenet", "densenet40", "resnet20", "vgg11", "simplecnn", "unet_encoder")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.proof) if name in LARGER else name for name in SMALLEST],
)
def test_multiply_adds_are_those_that_tensorflow_counts(name: str) -> None:
    side = 64 if name == "unet_encoder" else 32
    model = build_model(name, (side, side, 3), 10, **SMALLEST[name])
    assert total_multiply_adds(model) == pytest.approx(count_multiply_adds(model), rel=0.01)


@pytest.mark.proof
@pytest.mark.parametrize(
    "name", ["efficientnetb0", "convnexttiny", "mobilenetv3small", "nasnetmobile", "xception"]
)
def test_multiply_adds_of_keras_networks_are_those_that_tensorflow_counts(name: str) -> None:
    model = build_model(name, (96, 96, 3), 10)
    assert total_multiply_adds(model) == pytest.approx(count_multiply_adds(model), rel=0.01)
