"""What the detectors share: the convolutions that make predictions, and the join of all levels to one output."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import KerasTensor

from ddl.boxes.layout import FIRST_CLASS, OBJECT
from ddl.models.layer_blocks import convolve
from ddl.models.norms import normalize

RARE = 0.01
"""Probability of an object at each position before training: most positions have none."""


def prior_biases(classes: int, per_cell: int, *, rare_classes: bool = False) -> np.ndarray:
    """Return the first biases of a predicting convolution: what is rare, objects or classes, begins as `RARE`."""
    biases = np.zeros(FIRST_CLASS + classes)
    rare = slice(FIRST_CLASS, None) if rare_classes else slice(OBJECT, FIRST_CLASS)
    biases[rare] = -math.log((1 - RARE) / RARE)
    return np.tile(biases, per_cell)


def leaky_block(
    features: KerasTensor, channels: int, kernel: int, norm: str, name: str, **options: Any
) -> KerasTensor:
    """Return a convolution with normalization and leaky ReLU, as all of YOLOv3's are."""
    features = convolve(features, channels, kernel, norm, name=f"{name}_conv", **options)
    features = normalize(features, norm, name=f"{name}_norm")
    return keras.layers.LeakyReLU(0.1, name=f"{name}_relu")(features)


def flat_predictions(features: KerasTensor, per_cell: int, classes: int, name: str) -> KerasTensor:
    """Return a level's predictions, (N, cells * per_cell, 5 + classes), by a 1x1 convolution."""
    numbers = FIRST_CLASS + classes
    predict = keras.layers.Conv2D(per_cell * numbers, 1, name=name)
    raw = predict(features)
    predict.bias.assign(prior_biases(classes, per_cell))
    return keras.layers.Reshape((-1, numbers), name=f"{name}_flat")(raw)


def joined(levels: Sequence[KerasTensor]) -> KerasTensor:
    """Return the predictions of all levels as one output, float32 also under mixed precision."""
    dtype = "float64" if levels[0].dtype == "float64" else "float32"
    return keras.layers.Concatenate(axis=1, dtype=dtype, name="boxes")(list(levels))
