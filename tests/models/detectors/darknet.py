"""YOLOv3 as ports of Darknet to Keras 2 build it, with the names that they give its layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

Name = Callable[[str, int, int], str]
"""From "conv" or "norm", the number among these, and Darknet's number, to the name of a layer."""

BLOCKS = (1, 2, 8, 8, 4)


def from_one(kind: str, number: int, _: int) -> str:
    return {"conv": "conv2d", "norm": "batch_normalization"}[kind] + f"_{number + 1}"


def from_none(kind: str, number: int, _: int) -> str:
    first = {"conv": "conv2d", "norm": "batch_normalization"}[kind]
    return f"{first}_{number}" if number else first


def by_darknet(kind: str, _: int, place: int) -> str:
    return {"conv": "conv", "norm": "bnorm"}[kind] + f"_{place}"


class Darknet:
    """Builds the network layer by layer, and counts them."""

    def __init__(self, name: Name, width: int, classes: int) -> None:
        self.name, self.width, self.predicts = name, width, 3 * (5 + classes)
        self.counts, self.place = {"conv": 0, "norm": 0}, 0

    def build(self, side: int) -> keras.Model:
        """Return the network, with the outputs of 32, 16 and 8 pixels a cell."""
        taken = keras.Input((side, side, 3), name="input_1")
        x, levels = self.conv(taken, self.width, 3), []
        for stage, blocks in enumerate(BLOCKS):
            wide = self.width * 2 ** (stage + 1)
            x = keras.layers.ZeroPadding2D(((1, 0), (1, 0)))(x)
            x = self.conv(x, wide, 3, strides=2, padding="valid")
            for _ in range(blocks):
                change = self.conv(self.conv(x, wide // 2, 1), wide, 3)
                x = keras.layers.Add()([x, change])
                self.place += 1  # Darknet's shortcut
            levels.append(x)
        outputs = []
        for level, skip in enumerate((None, levels[3], levels[2])):
            wide = self.width * 16 // 2**level
            if skip is not None:
                self.place += 2  # its detection and its route
                x = keras.layers.UpSampling2D(2)(self.conv(x, wide, 1))
                x = keras.layers.Concatenate()([x, skip])
                self.place += 2
            for narrow in (True, False, True, False, True):
                x = self.conv(x, wide if narrow else 2 * wide, 1 if narrow else 3)
            last = self.conv(x, 2 * wide, 3)
            outputs.append(self._layer("conv", keras.layers.Conv2D, self.predicts, 1)(last))
            self.place += 1
        return keras.Model(taken, outputs, name="yolo")

    def conv(self, x: Any, channels: int, kernel: int, **options: Any) -> Any:
        options = {"padding": "same", "use_bias": False, **options}
        x = self._layer("conv", keras.layers.Conv2D, channels, kernel, **options)(x)
        x = self._layer("norm", keras.layers.BatchNormalization)(x)
        self.place += 1
        return keras.layers.LeakyReLU(negative_slope=0.1)(x)

    def _layer(self, kind: str, layer: Any, *arguments: Any, **options: Any) -> Any:
        name = self.name(kind, self.counts[kind], self.place)
        self.counts[kind] += 1
        return layer(*arguments, name=name, **options)
