"""VGG (Simonyan and Zisserman 2014): the published 11 to 19, and one to three blocks for small pictures."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from ddl.models.classifiers.parts import classifier, convolve_with_relu, drop, hidden_dense
from ddl.models.norms import normalize
from ddl.models.zoo import check_model
from ddl.ranges import check_choice

BLOCKS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Depth -> 3x3 convolutions in each of five blocks; the published A, B, D and E."""

SMALL_DEPTHS = (1, 2, 3)


def build_vgg(
    input_shape: Sequence[int],
    *,
    classes: int = 1000,
    depth: int = 16,
    width: int = 64,
    dense: int | None = None,
    norm: str = "none",
    bias: bool = False,
    dropout: float = 0.5,
    small_input: bool = False,
) -> keras.Model:
    """Return a VGG: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 32 pixels; it is published for 224.
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 11, 13, 16 or 19.
        width: channels of the first block, doubled in the next three.
        dense: units of the two hidden dense layers; by default 4096, or 512 with `small_input`.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        bias: add biases before a normalization too, as in published counts; they have no effect.
        dropout: dropout rate after both hidden dense layers; each rank draws its own masks.
        small_input: fewer units in the dense layers, for pictures of about 32 pixels.
    """
    check_choice("depth", depth, BLOCKS)
    check_model(f"vgg{depth}", **locals())
    units = dense or (512 if small_input else 4096)
    options = {"use_bias": bias or norm == "none"}
    inputs = features = keras.Input(tuple(input_shape), name="image")
    for block, count in enumerate(BLOCKS[depth], 1):
        channels = width * min(2 ** (block - 1), 8)
        for number in range(1, count + 1):
            name = f"block_{block}_{number}"
            features = convolve_with_relu(features, channels, 3, norm, name, **options)
        features = keras.layers.MaxPooling2D(2, name=f"block_{block}_pool")(features)
    features = keras.layers.Flatten(name="flatten")(features)
    for number in (1, 2):
        features = hidden_dense(features, units, norm, f"dense_{number}", dropout, **options)
    return classifier(inputs, features, classes, f"vgg{depth}")


def build_small_vgg(
    input_shape: Sequence[int],
    *,
    classes: int = 10,
    depth: int = 3,
    width: int = 32,
    dense: int = 128,
    norm: str = "none",
    norm_after_relu: bool = False,
    dropout: float | tuple[float, ...] = 0.0,
) -> keras.Model:
    """Return one to three blocks of two 3x3 convolutions and a pool: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels), with sides of at least 8 pixels; for pictures of about 32.
        classes: 1 for a sigmoid output; more for a softmax.
        depth: number of blocks, 1 to 3.
        width: channels of the first block, doubled in every later one.
        dense: units of the hidden dense layer.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        norm_after_relu: normalize after each ReLU instead of before; convolutions then have biases.
        dropout: dropout rate after every block and the dense layer, or a list of depth + 1 rates; each rank draws its
            own masks.
    """
    check_choice("depth", depth, SMALL_DEPTHS)
    check_model(f"vgg{depth}", **locals())
    rates = dropout if isinstance(dropout, tuple) else (dropout,) * (depth + 1)
    before, after = ("none", norm) if norm_after_relu else (norm, "none")
    inputs = features = keras.Input(tuple(input_shape), name="image")
    for block in range(1, depth + 1):
        for number in (1, 2):
            name = f"block_{block}_{number}"
            features = convolve_with_relu(features, width * 2 ** (block - 1), 3, before, name)
            features = normalize(features, after, name=f"{name}_norm")
        features = keras.layers.MaxPooling2D(2, name=f"block_{block}_pool")(features)
        features = drop(features, rates[block - 1], f"block_{block}_dropout")
    features = keras.layers.Flatten(name="flatten")(features)
    features = hidden_dense(features, dense, before, "dense")
    features = normalize(features, after, name="dense_norm")
    return classifier(inputs, features, classes, f"vgg{depth}", rates[-1])
