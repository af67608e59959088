"""A detector of two levels as Keras 2 wrote such networks: an output a level, or levels joined in the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras

from tests.models.network.keras2 import to_keras_2

ANCHORS = (8.0, 8.0, 16.0, 12.0, 24.0, 30.0, 40.0, 44.0)
"""Two for each level."""
CLASSES = 3
CHANNELS = 2 * (5 + CLASSES)
COARSE, FINE = "conv2d_coarse", "conv2d_fine"


def small_yolo(side: int | None = 32, channels: int = CHANNELS) -> keras.Model:
    """Return a network with two outputs of strides 8 and 4, the coarse one first, as YOLOv3's are."""
    layers = keras.layers
    taken = keras.Input((side, side, 3), name="input_1")
    fine = layers.Conv2D(4, 4, strides=4, padding="same", name="stem", activation="relu")(taken)
    deep = layers.ZeroPadding2D(((1, 0), (1, 0)), name="pad")(fine)
    deep = layers.Conv2D(6, 3, strides=2, padding="valid", use_bias=False, name="deep")(deep)
    deep = layers.BatchNormalization(name="norm")(deep)
    deep = layers.LeakyReLU(negative_slope=0.1, name="leaky")(deep)
    coarse = layers.Conv2D(channels, 1, name=COARSE)(deep)
    up = layers.UpSampling2D(2, name="up")(deep)
    both = layers.Concatenate(name="skip")([up, fine])
    return keras.Model(
        taken, [coarse, layers.Conv2D(channels, 1, name=FINE)(both)], name="small-yolo"
    )


def document(model: keras.Model, change: Callable[[dict[str, Any]], None] | None = None) -> str:
    """Return the file of a network with the outputs `COARSE` and `FINE`, changed."""
    one = keras.Model(model.inputs, model.outputs, name=model.name)
    values = json.loads(to_keras_2(one))
    config = values["config"]
    config["output_layers"] = [[COARSE, 0, 0], [FINE, 0, 0]]
    if change is not None:
        change(config)
    return json.dumps(values)


def join(config: dict[str, Any]) -> None:
    """Join the levels in the file: cells of the coarse level first, all numbers of a cell in a row."""
    names = []
    for number, taken in enumerate((COARSE, FINE)):
        names.append(f"flat_{number}")
        config["layers"].append(
            {
                "class_name": "Reshape",
                "config": {"name": names[-1], "target_shape": [-1, CHANNELS]},
                "inbound_nodes": [[[taken, 0, 0, {}]]],
            }
        )
    inbound = [[[name, 0, 0, {}] for name in names]]
    joined = {"name": "all_levels", "axis": 1}
    config["layers"].append(
        {"class_name": "Concatenate", "config": joined, "inbound_nodes": inbound}
    )
    config["output_layers"] = [["all_levels", 0, 0]]
