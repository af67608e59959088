"""Weights of YOLOv3 that ports of Darknet to Keras 2 wrote load into `yolov3`, which then predicts the same."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ddl.models.detectors.darknet_names import own_blocks, under_own_names
from ddl.models.zoo import build_model
from ddl.training.checkpoint.transfer import copy_weights
from tests.models.detectors.darknet import Darknet, Name, by_darknet, from_none, from_one
from tests.models.network.keras2 import save_weights

CLASSES, SIDE = 3, 64


def filled(model: keras.Model) -> keras.Model:
    random = np.random.default_rng(0)
    for weight in model.weights:
        spread = 0.5 / np.sqrt(np.prod(weight.shape[:-1]) or 1)
        values = random.normal(0, spread, weight.shape)
        is_positive = weight.name in ("gamma", "moving_variance")
        weight.assign(random.uniform(0.5, 1.5, weight.shape) if is_positive else values)
    return model


@pytest.mark.parametrize("name", [from_one, from_none, by_darknet])
def test_published_weights_predict_the_same_here(name: Name, tmp_path: Path) -> None:
    theirs = filled(Darknet(name, 4, CLASSES).build(SIDE))
    save_weights(theirs, tmp_path / "yolo.h5")
    ours = build_model("yolov3", (SIDE, SIDE, 3), CLASSES, width=4)
    copy_weights(ours, tmp_path / "yolo.h5")
    pictures = np.random.default_rng(1).uniform(0, 1, (2, SIDE, SIDE, 3)).astype("f4")
    outputs = [np.asarray(output).reshape(2, -1, 5 + CLASSES) for output in theirs(pictures)]
    expected = np.concatenate(outputs[::-1], axis=1)
    np.testing.assert_allclose(ours(pictures), expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.01


def test_another_number_of_classes_leaves_the_predicting_layers_new(tmp_path: Path) -> None:
    theirs = filled(Darknet(from_one, 2, CLASSES).build(SIDE))
    save_weights(theirs, tmp_path / "yolo.h5")
    ours = build_model("yolov3", (SIDE, SIDE, 3), CLASSES + 2, width=2)
    new = ours.get_layer("level_0_raw").get_weights()
    copy_weights(ours, tmp_path / "yolo.h5")
    last = ours.get_layer("level_0_last_conv").get_weights()
    np.testing.assert_array_equal(last[0], theirs.get_layer("conv2d_74").get_weights()[0])
    np.testing.assert_array_equal(ours.get_layer("level_0_raw").get_weights()[0], new[0])


def test_the_backbone_alone_is_taken(tmp_path: Path) -> None:
    whole = filled(Darknet(from_one, 2, CLASSES).build(SIDE))
    body = keras.Model(whole.inputs, whole.get_layer("batch_normalization_52").output)
    save_weights(body, tmp_path / "darknet53.h5")
    ours = build_model("yolov3", (SIDE, SIDE, 3), CLASSES, width=2)
    copy_weights(ours, tmp_path / "darknet53.h5")
    found = ours.get_layer("stage_4_block_3_wide_conv").get_weights()[0]
    np.testing.assert_array_equal(found, whole.get_layer("conv2d_52").get_weights()[0])


def test_there_are_75_convolutions_each_with_a_layer() -> None:
    names = {layer.name for layer in build_model("yolov3", (SIDE, SIDE, 3), 1, width=1).layers}
    blocks = [*own_blocks()]
    assert len(blocks) == len({*blocks}) == 75
    assert all({f"{name}_conv", name} & names for name in blocks)


@pytest.mark.parametrize("left_out", ["conv2d_75", "batch_normalization_1"])
def test_a_file_with_other_layers_keeps_its_names(left_out: str) -> None:
    whole = Darknet(from_one, 1, CLASSES).build(SIDE)
    layers = [layer for layer in whole.layers if layer.name != left_out]
    stored = {
        layer.name: [(weight.name, weight.numpy()) for weight in layer.weights]
        for layer in layers
        if layer.weights
    }
    names = [
        layer.name for layer in build_model("yolov3", (SIDE, SIDE, 3), CLASSES, width=1).layers
    ]
    assert under_own_names(stored, names) == stored
