"""YOLOv3 (Redmon and Farhadi 2018), and a small relative that learns in minutes on a processor."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import KerasTensor

from ddl.models.detectors.heads import flat_predictions, joined, leaky_block
from ddl.models.detectors.layouts import DARKNET_BLOCKS, layout_of
from ddl.models.zoo import check_model


def build_yolov3(
    input_shape: Sequence[int],
    *,
    classes: int = 80,
    width: int = 32,
    anchors: tuple[float, ...] | None = None,
    norm: str = "sync",
) -> keras.Model:
    """Return YOLOv3 on Darknet-53: pictures 0..1, (N, H, W, C) -> (N, positions, 5 + classes).

    Args:
        input_shape: (height, width, channels); height and width are multiples of 32.
        classes: number of classes.
        width: channels at the full size, doubled with every halving; 32 as published.
        anchors: width and height of each anchor in pixels of the input, smallest first; a third for each level. By
            default those published for COCO.
        norm: normalization: "sync", "batch", "group" or "none".
    """
    check_model("yolov3", **locals())
    layout = layout_of("yolov3", {"anchors": anchors}, classes)
    inputs = keras.Input(tuple(input_shape), name="image")
    features, found = leaky_block(inputs, width, 3, norm, "stem"), []
    for stage, blocks in enumerate(DARKNET_BLOCKS):
        channels, name = width * 2 ** (stage + 1), f"stage_{stage}_enter"
        # Darknet pads on the left and at the top, so published weights need it there.
        features = keras.layers.ZeroPadding2D(((1, 0), (1, 0)), name=f"{name}_pad")(features)
        features = leaky_block(features, channels, 3, norm, name, strides=2, padding="valid")
        for block in range(blocks):
            features = _residual(features, channels, norm, f"stage_{stage}_block_{block}")
        found.append(features)
    predictions = []
    above: KerasTensor | None = None
    for level in reversed(range(3)):
        channels, name = 4 * width * 2**level, f"level_{level}"
        features = found[2 + level]
        if above is not None:
            above = leaky_block(above, channels, 1, norm, f"{name}_enter")
            above = keras.layers.UpSampling2D(2, name=f"{name}_up")(above)
            features = keras.layers.Concatenate(name=f"{name}_skip")([above, features])
        for number in range(5):
            wide = number % 2
            features = leaky_block(
                features, channels * (1 + wide), 1 + 2 * wide, norm, f"{name}_{number}"
            )
        above = features
        features = leaky_block(features, 2 * channels, 3, norm, f"{name}_last")
        per_cell = layout.levels[level].positions_per_cell
        predictions.append(flat_predictions(features, per_cell, classes, f"{name}_raw"))
    return keras.Model(inputs, joined(predictions[::-1]), name="yolov3")


def build_small_yolo(
    input_shape: Sequence[int],
    *,
    classes: int = 1,
    width: int = 8,
    anchors: tuple[float, ...] | None = None,
    norm: str = "sync",
) -> keras.Model:
    """Return a small detector in the form of YOLOv3, with two levels: (N, H, W, C) -> (N, positions, 5 + classes).

    Args:
        input_shape: (height, width, channels); height and width are multiples of 16.
        classes: number of classes.
        width: channels at the full size, doubled with every halving.
        anchors: width and height of each anchor in pixels of the input, smallest first; a half for each level. By
            default squares of 8 to 56 pixels.
        norm: normalization: "sync", "batch", "group" or "none".
    """
    check_model("yolo_small", **locals())
    layout = layout_of("yolo_small", {"anchors": anchors}, classes)
    inputs = keras.Input(tuple(input_shape), name="image")
    fine, coarse = plain_backbone(inputs, width, norm, halvings=4)[-2:]
    per_cell = [level.positions_per_cell for level in layout.levels]
    coarse = leaky_block(coarse, 8 * width, 3, norm, "level_1_last")
    above = leaky_block(coarse, 4 * width, 1, norm, "level_0_enter")
    above = keras.layers.UpSampling2D(2, name="level_0_up")(above)
    fine = keras.layers.Concatenate(name="level_0_skip")([above, fine])
    fine = leaky_block(fine, 8 * width, 3, norm, "level_0_last")
    predictions = [
        flat_predictions(fine, per_cell[0], classes, "level_0_raw"),
        flat_predictions(coarse, per_cell[1], classes, "level_1_raw"),
    ]
    return keras.Model(inputs, joined(predictions), name="yolo_small")


def plain_backbone(
    features: KerasTensor, width: int, norm: str, *, halvings: int
) -> list[KerasTensor]:
    """Return the features after each halving of a small network: two convolutions, the first with a stride of 2."""
    features = leaky_block(features, width, 3, norm, "stem")
    found = []
    for stage in range(halvings):
        channels = width * 2 ** min(stage + 1, 3)
        features = leaky_block(features, channels, 3, norm, f"stage_{stage}_enter", strides=2)
        features = leaky_block(features, channels, 3, norm, f"stage_{stage}")
        found.append(features)
    return found


def _residual(features: KerasTensor, channels: int, norm: str, name: str) -> KerasTensor:
    """Return a block of Darknet-53: a narrow and a wide convolution, added to its input."""
    change = leaky_block(features, channels // 2, 1, norm, f"{name}_narrow")
    change = leaky_block(change, channels, 3, norm, f"{name}_wide")
    return keras.layers.Add(name=f"{name}_add")([features, change])
