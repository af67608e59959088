"""Our networks give the outputs of `keras.applications` with the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ddl.models.classifiers.resnet import BLOCKS
from ddl.models.pretrained import build_published
from ddl.models.published import PUBLISHED
from ddl.models.zoo import build_model

SHAPE = (64, 64, 3)


def drawn_weights(model: keras.Model) -> list[np.ndarray]:
    """Return weights that are all different, moving statistics too, with variances above zero."""
    rng = np.random.default_rng(0)
    return [
        rng.uniform(0.5, 1.5, weight.shape)
        if len(weight.shape) < 2
        else rng.normal(0, 1 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)
        for weight in model.weights
    ]


def compare(ours: keras.Model, theirs: keras.Model, pictures: np.ndarray) -> None:
    weights = drawn_weights(theirs)
    ours.set_weights(weights)
    theirs.set_weights(weights)
    assert ours.count_params() == theirs.count_params()
    expected = theirs(pictures, training=False)
    assert np.ptp(expected) > 1e-4  # the outputs differ between pictures and classes
    assert np.allclose(ours(pictures, training=False), expected, atol=1e-5)


def pictures(count: int = 2, shape: Sequence[int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).random((count, *shape), dtype=np.float32)


@pytest.mark.parametrize(
    ("name", "application", "options"),
    [
        ("vgg16", "VGG16", {}),
        *(
            pytest.param(name, application, options, marks=pytest.mark.proof)
            for name, application, options in (
                ("vgg19", "VGG19", {}),
                ("densenet121", "DenseNet121", {}),
                ("densenet169", "DenseNet169", {}),
                ("densenet201", "DenseNet201", {}),
                ("resnet50", "ResNet50", {"as_keras": True}),
                ("resnet101", "ResNet101", {"as_keras": True}),
                ("resnet152", "ResNet152", {"as_keras": True}),
            )
        ),
    ],
)
def test_a_network_of_ours_is_that_of_keras(
    name: str, application: str, options: dict[str, Any]
) -> None:
    shape = (32, 32, 3) if name.startswith("vgg") else SHAPE
    ours = build_model(name, shape, 10, **options)
    theirs = build_published(application, input_shape=shape, classes=10)
    compare(ours, theirs, pictures(shape=shape))


def test_a_small_densenet_is_that_of_keras() -> None:
    from keras.src.applications.densenet import DenseNet

    theirs = DenseNet([2, 2, 2, 2], weights=None, input_shape=SHAPE, classes=10)
    compare(build_model("densenet21", SHAPE, 10, growth=32), theirs, pictures())


def test_a_small_resnet_is_that_of_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    from keras.src.applications.resnet import ResNet, stack_residual_blocks_v1

    def stacked(features: Any) -> Any:
        for stage, strides in enumerate((1, 2, 2, 2)):
            features = stack_residual_blocks_v1(
                features, 64 * 2**stage, 1, strides, name=f"conv{stage + 2}"
            )
        return features

    monkeypatch.setitem(BLOCKS, 50, (1, 1, 1, 1))
    theirs = ResNet(stacked, False, True, weights=None, input_shape=SHAPE, classes=10)
    compare(build_model("resnet50", SHAPE, 10, as_keras=True), theirs, pictures())


SCALED = {"tf": lambda x: x * 2 - 1, "raw": lambda x: x * 255}


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet",
        *(
            pytest.param(name, marks=pytest.mark.proof)
            for name in (
                *("mobilenetv2", "mobilenetv3small", "efficientnetb0", "efficientnetv2b0"),
                *("convnexttiny", "nasnetmobile", "resnet50v2", "xception", "inceptionv3"),
            )
        ),
    ],
)
def test_a_network_of_keras_stays_what_it_is_but_for_the_scaling(name: str) -> None:
    one = PUBLISHED[name]
    shape = (max(64, one.least), max(64, one.least), 3)
    ours = build_model(name, shape, 10)
    theirs = build_published(one.application, input_shape=shape, classes=10)
    images = pictures(shape=shape)
    weights = [weight.numpy() for weight in theirs.weights]  # drawn ones overflow in deep networks
    ours.set_weights(weights)
    assert ours.count_params() == theirs.count_params()
    expected = theirs(SCALED[one.scaling](images), training=False)
    assert np.allclose(ours(images, training=False), expected, atol=1e-5)


def test_weights_files_load_with_and_without_the_last_layers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ddl")
    whole = build_published("MobileNet", input_shape=(32, 32, 3), classes=1000)
    headless = build_published("MobileNet", input_shape=(32, 32, 3), include_top=False)
    files = {"whole": tmp_path / "whole.weights.h5", "headless": tmp_path / "notop.weights.h5"}
    whole.save_weights(files["whole"])
    headless.save_weights(files["headless"])
    for kind, source in (("whole", whole), ("headless", headless)):
        model = build_model("mobilenet", (32, 32, 3), 10, weights_file=str(files[kind]))
        kept = source.get_weights()[: -2 if kind == "whole" else None]
        assert all(map(np.array_equal, kept, model.get_weights()))
        assert "but the last" in caplog.messages[-1]
    build_model("mobilenet", (32, 32, 3), 1000, weights_file=str(files["whole"]))
    assert "all layers of MobileNet" in caplog.messages[-1]


@pytest.mark.proof
def test_a_weights_file_of_another_network_is_refused(tmp_path: Path) -> None:
    other = build_published("MobileNetV2", input_shape=(32, 32, 3), include_top=False)
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match=r"which does not fit: .* Expected: the weights of keras"):
        build_model("mobilenet", (32, 32, 3), 10, weights_file=str(tmp_path / "other.weights.h5"))
