"""DenseNet (Huang et al. 2016): 21 to 201 with bottlenecks, and 40 for small pictures.

The layers, their order and their padding are those of `keras.applications`, so its weights give its outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import KerasTensor

from ddl.models.classifiers.parts import classifier
from ddl.models.layer_blocks import convolve
from ddl.models.norms import KERAS_EPSILON, normalize
from ddl.models.zoo import check_model
from ddl.ranges import check_choice

BLOCKS = {
    21: (2, 2, 2, 2),
    53: (4, 6, 8, 6),
    121: (6, 12, 24, 16),
    161: (6, 12, 36, 24),
    169: (6, 12, 32, 32),
    201: (6, 12, 48, 32),
}
"""Depth -> layers in each of four blocks; a layer is two convolutions. 21 and 53 are not published."""

GROWTH = {21: 8, 53: 12, 161: 48}
"""Depth -> channels that a layer adds, where they are not 32."""

CIFAR_DEPTH = 40
"""Three blocks of 12 layers of one convolution, a stem, two transitions and one dense layer."""


def build_densenet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 1000,
    depth: int = 121,
    growth: int | None = None,
    norm: str = "sync",
    dropout: float = 0.0,
    small_input: bool = False,
) -> keras.Model:
    """Return a DenseNet-BC: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 32 pixels (`small_input`: 8).
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 21, 53, 121, 161, 169 or 201.
        growth: channels that each layer adds; by default 32, for depth 161 48, 53 12, 21 8.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate before the last layer; each rank draws its own masks.
        small_input: begin with a 3x3 convolution at full size, for pictures of about 32 pixels, instead of a 7x7
            convolution and a pooling that reduce each side to a quarter.
    """
    check_choice("depth", depth, BLOCKS)
    check_model(f"densenet{depth}", **locals())
    growth = growth or GROWTH.get(depth, 32)
    inputs = keras.Input(tuple(input_shape), name="image")
    features = (_small_stem if small_input else _stem)(inputs, 2 * growth, norm)
    for block, count in enumerate(BLOCKS[depth], 1):
        for number in range(1, count + 1):
            name = f"block_{block}_{number}"
            added = _activated(features, norm, f"{name}_0")
            added = _convolve(added, 4 * growth, 1, norm, f"{name}_1")
            added = _activated(added, norm, f"{name}_1")
            added = _convolve(added, growth, 3, norm, f"{name}_2")
            features = keras.layers.Concatenate(name=f"{name}_concat")([features, added])
        if block < len(BLOCKS[depth]):
            features = _transition(features, features.shape[-1] // 2, norm, f"pool_{block}")
    return _end(inputs, features, classes, norm, f"densenet{depth}", dropout)


def build_cifar_densenet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 10,
    depth: int = 40,
    growth: int = 12,
    norm: str = "sync",
    dropout: float = 0.0,
) -> keras.Model:
    """Return the DenseNet for small pictures, without bottlenecks: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), of about 32 pixels, at least 4.
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 40.
        growth: channels that each layer adds.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        dropout: dropout rate after every convolution of a block, 0.2 in the paper where nothing is augmented; each rank
            draws its own masks.
    """
    check_choice("depth", depth, (CIFAR_DEPTH,))
    check_model(f"densenet{depth}", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    features = _small_stem(inputs, 16, norm)
    for block in (1, 2, 3):
        for number in range(1, (depth - 4) // 3 + 1):
            name = f"block_{block}_{number}"
            added = _convolve(_activated(features, norm, name), growth, 3, norm, name)
            if dropout:
                added = keras.layers.Dropout(dropout, name=f"{name}_dropout")(added)
            features = keras.layers.Concatenate(name=f"{name}_concat")([features, added])
        if block < 3:
            features = _transition(features, features.shape[-1], norm, f"pool_{block}")
    return _end(inputs, features, classes, norm, f"densenet{depth}")


def _stem(features: KerasTensor, channels: int, norm: str) -> KerasTensor:
    """Return a 7x7 convolution and a pooling: (N, H, W, C) -> (N, H / 4, W / 4, channels)."""
    features = keras.layers.ZeroPadding2D(3, name="stem_padding")(features)
    features = _convolve(features, channels, 7, norm, "stem", strides=2, padding="valid")
    features = _activated(features, norm, "stem")
    features = keras.layers.ZeroPadding2D(1, name="stem_pool_padding")(features)
    return keras.layers.MaxPooling2D(3, 2, name="stem_pool")(features)


def _small_stem(features: KerasTensor, channels: int, norm: str) -> KerasTensor:
    # The first layer normalizes it.
    return _convolve(features, channels, 3, norm, "stem")


def _transition(features: KerasTensor, channels: int, norm: str, name: str) -> KerasTensor:
    """Return a 1x1 convolution at half the size: (N, H, W, C) -> (N, H / 2, W / 2, channels)."""
    features = _convolve(_activated(features, norm, name), channels, 1, norm, name)
    return keras.layers.AveragePooling2D(2, name=name)(features)


def _end(
    inputs: KerasTensor,
    features: KerasTensor,
    classes: int,
    norm: str,
    name: str,
    dropout: float = 0.0,
) -> keras.Model:
    features = _activated(features, norm, "last")
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    return classifier(inputs, features, classes, name, dropout)


def _activated(features: KerasTensor, norm: str, name: str) -> KerasTensor:
    """Return normalization and ReLU, which come before a convolution here."""
    features = normalize(features, norm, name=f"{name}_norm", epsilon=KERAS_EPSILON)
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _convolve(
    features: KerasTensor, channels: int, kernel: int, norm: str, name: str, **options: Any
) -> KerasTensor:
    options = {"kernel_initializer": "he_normal", **options}
    return convolve(features, channels, kernel, norm, name=f"{name}_conv", **options)
