"""A detector without anchors in the form of FCOS (Tian et al. 2019), on any of the zoo's encoders."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.boxes.layout import BOX_NUMBERS, FIRST_CLASS, OBJECT
from ddl.models.detectors.heads import joined, prior_biases
from ddl.models.detectors.layouts import layout_of
from ddl.models.detectors.yolo import plain_backbone
from ddl.models.layer_blocks import convolve
from ddl.models.norms import normalize
from ddl.models.zoo import check_model

PLAIN = "plain"
"""The encoder that is no published network: two convolutions a level."""


def build_fcos(
    input_shape: Sequence[int],
    *,
    classes: int = 1,
    encoder: str = "plain",
    weights_file: str | None = None,
    width: int = 64,
    norm: str = "group",
) -> keras.Model:
    """Return a detector of points: pictures 0..1, (N, H, W, C) -> (N, positions, 5 + classes).

    Features of strides 8, 16 and 32 are joined from coarse to fine, and one head serves all of them.

    Args:
        input_shape: (height, width, channels); height and width are multiples of 32, at least 64.
        classes: number of classes.
        encoder: a name in `ddl.models.encoders.ENCODERS`, such as "resnet50" or "mobilenetv2", or "plain" for a small
            network.
        weights_file: weights file of `keras.applications` for the encoder, without its top; by default random weights.
        width: channels of the joined features and of the head.
        norm: normalization of joined features and head: "group" or "none"; the head sees three levels, whose
            statistics differ. The encoder's batch normalization spans all ranks.
    """
    check_model("fcos", **locals())
    layout = layout_of("fcos", {}, classes)
    inputs = keras.Input(tuple(input_shape), name="image")
    levels = _features(inputs, encoder, weights_file, width)
    joint: list[KerasTensor] = []
    for number, features in reversed([*enumerate(levels)]):
        features = keras.layers.Conv2D(width, 1, name=f"level_{number}_enter")(features)
        if joint:
            above = keras.layers.UpSampling2D(2, name=f"level_{number}_up")(joint[0])
            features = keras.layers.Add(name=f"level_{number}_add")([features, above])
        features = convolve(features, width, 3, norm, name=f"level_{number}_conv")
        features = normalize(features, norm, name=f"level_{number}_norm")
        joint.insert(0, keras.layers.ReLU(name=f"level_{number}_relu")(features))
    head = _head(width, classes, norm)
    numbers = FIRST_CLASS + classes
    flat = [
        keras.layers.Reshape((-1, numbers), name=f"level_{number}_flat")(head(features))
        for number, features in enumerate(joint)
    ]
    assert len(flat) == len(layout.levels)  # noqa: S101
    return keras.Model(inputs, joined(flat), name="fcos")


def _features(
    inputs: KerasTensor, encoder: str, weights_file: str | None, width: int
) -> list[KerasTensor]:
    """Return the encoder's features of strides 8, 16 and 32."""
    if encoder == PLAIN:
        return plain_backbone(inputs, max(8, width // 4), "sync", halvings=5)[2:]
    from ddl.models.encoders import find_encoder
    from ddl.models.pretrained import build_backbone, scaled_pictures, synchronize
    from ddl.models.unet_encoder import skips_by_level

    application, scaling = find_encoder(encoder)
    backbone = build_backbone(application, scaled_pictures(inputs, scaling), weights_file)
    synchronize(backbone)
    skips = skips_by_level(backbone, tuple(inputs.shape[1:3]))
    return [skips[3], skips[4], backbone.output]


def _head(width: int, classes: int, norm: str) -> keras.Model:
    """Return the head, one model for all levels: boxes and centredness by one branch, classes by another."""
    inputs = keras.Input((None, None, width), name="features")
    branches = []
    for branch, channels in (("place", BOX_NUMBERS + 1), ("class", classes)):
        features = inputs
        for number in range(2):
            name = f"{branch}_{number}"
            features = convolve(features, width, 3, norm, name=f"{name}_conv")
            features = normalize(features, norm, name=f"{name}_norm")
            features = keras.layers.ReLU(name=f"{name}_relu")(features)
        predict = keras.layers.Conv2D(channels, 3, padding="same", name=f"{branch}_raw")
        branches.append(predict(features))
        biases = prior_biases(classes, 1, rare_classes=True)
        predict.bias.assign(biases[:FIRST_CLASS] if branch == "place" else biases[FIRST_CLASS:])
    assert OBJECT == BOX_NUMBERS  # noqa: S101
    return keras.Model(inputs, keras.layers.Concatenate(name="raw")(branches), name="head")
