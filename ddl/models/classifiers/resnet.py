"""Residual networks (He et al. 2015): ResNet 18 to 152, and the CIFAR family 20 to 110 for small pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras
from keras import KerasTensor

from ddl.models.layer_blocks import convolve, probabilities
from ddl.models.norms import normalize
from ddl.models.zoo import check_model
from ddl.ranges import check_choice

BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Depth -> residual blocks in each of four stages. From 50 on, a block is a bottleneck."""

CIFAR_DEPTHS = (20, 32, 44, 56, 110)
"""6n + 2: one convolution, three stages of n blocks of two convolutions, and one dense layer."""


def build_resnet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 1000,
    depth: int = 50,
    width: int = 64,
    norm: str = "sync",
    small_input: bool = False,
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return a ResNet v1.5, with strides in the 3x3 convolutions: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels).
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 18, 34, 50, 101 or 152.
        width: channels of the first stage's 3x3 convolutions; doubled in every stage.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        small_input: begin with a 3x3 convolution at full size, for pictures of about 32 pixels, instead of a 7x7
            convolution and a pooling that reduce each side to a quarter.
        zero_init_gamma: initialize every block as the identity, which helps with large batches (Goyal et al. 2017).
        dropout: dropout rate before the last layer; each rank draws its own masks.
    """
    check_choice("depth", depth, BLOCKS)
    check_model(f"resnet{depth}", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    if small_input:
        features = _convolve_with_relu(inputs, width, 3, norm, "stem")
    else:
        features = _convolve_with_relu(inputs, width, 7, norm, "stem", strides=2)
        features = keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(features)
    block = _bottleneck_block if depth >= 50 else _basic_block
    block = functools.partial(block, norm=norm, last_gamma="zeros" if zero_init_gamma else "ones")
    features = _stages(features, block, BLOCKS[depth], width, dropout)
    scores = keras.layers.Dense(classes, name="scores")(features)
    return keras.Model(inputs, probabilities(scores, "probabilities"), name=f"resnet{depth}")


def build_cifar_resnet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    norm: str = "sync",
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return a ResNet of the CIFAR family, with shortcuts without parameters: (N, H, W, C) -> (N, classes).

    Args:
        input_shape: (height, width, channels), of about 32 pixels.
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 20, 32, 44, 56 or 110.
        width: channels of the first stage; doubled in every stage.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        zero_init_gamma: initialize every block as the identity.
        dropout: dropout rate before the last layer; each rank draws its own masks.
    """
    check_choice("depth", depth, CIFAR_DEPTHS)
    check_model(f"resnet{depth}", **locals())
    inputs = keras.Input(tuple(input_shape), name="image")
    features = _convolve_with_relu(inputs, width, 3, norm, "stem")
    gamma = "zeros" if zero_init_gamma else "ones"
    block = functools.partial(_basic_block, norm=norm, last_gamma=gamma, shortcut=_padded_shortcut)
    features = _stages(features, block, 3 * ((depth - 2) // 6,), width, dropout)
    scores = keras.layers.Dense(classes, name="scores")(features)
    return keras.Model(inputs, probabilities(scores, "probabilities"), name=f"resnet{depth}")


def _stages(
    features: KerasTensor,
    block: Callable[..., KerasTensor],
    counts: Sequence[int],
    width: int,
    dropout: float,
) -> KerasTensor:
    """Return the pooled output of all stages: (N, H, W, C) -> (N, channels of the last block).

    Each stage after the first halves the size and doubles the channels.
    """
    for stage, count in enumerate(counts):
        for number in range(count):
            name = f"stage_{stage + 1}_block_{number + 1}"
            strides = 2 if stage and not number else 1
            features = block(features, width * 2**stage, name, strides=strides)
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    return keras.layers.Dropout(dropout, name="dropout")(features) if dropout else features


def _projected_shortcut(
    features: KerasTensor, channels: int, norm: str, name: str, strides: int
) -> KerasTensor:
    """Return the features, or a 1x1 convolution of them if size or channels change (option B)."""
    if strides == 1 and features.shape[-1] == channels:
        return features
    return _convolve(features, channels, 1, norm, f"{name}_shortcut", strides=strides)


def _padded_shortcut(
    features: KerasTensor, channels: int, norm: str, name: str, strides: int
) -> KerasTensor:
    """Return every `strides`-th pixel, with zeros for the missing channels (option A)."""
    if strides > 1:
        pick = keras.layers.MaxPooling2D(1, strides, name=f"{name}_shortcut_pick", padding="same")
        features = pick(features)
    missing = channels - features.shape[-1]
    if missing:
        features = keras.ops.pad(features, [(0, 0), (0, 0), (0, 0), (0, missing)])
    return features


def _basic_block(
    features: KerasTensor,
    channels: int,
    name: str,
    *,
    strides: int,
    norm: str,
    last_gamma: str,
    shortcut: Callable[..., KerasTensor] = _projected_shortcut,
) -> KerasTensor:
    """Return two 3x3 convolutions added to the input: (N, H, W, C) -> (N, H / strides, W / strides, channels)."""
    short = shortcut(features, channels, norm, name, strides)
    features = _convolve_with_relu(features, channels, 3, norm, f"{name}_1", strides=strides)
    features = _convolve(features, channels, 3, norm, f"{name}_2", gamma=last_gamma)
    features = keras.layers.Add(name=f"{name}_add")([short, features])
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _bottleneck_block(
    features: KerasTensor, channels: int, name: str, *, strides: int, norm: str, last_gamma: str
) -> KerasTensor:
    """Return 1x1, 3x3 and 1x1 added to the input: (N, H, W, C) -> (N, H / strides, W / strides, 4 * channels)."""
    short = _projected_shortcut(features, 4 * channels, norm, name, strides)
    features = _convolve_with_relu(features, channels, 1, norm, f"{name}_1")
    features = _convolve_with_relu(features, channels, 3, norm, f"{name}_2", strides=strides)
    features = _convolve(features, 4 * channels, 1, norm, f"{name}_3", gamma=last_gamma)
    features = keras.layers.Add(name=f"{name}_add")([short, features])
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _convolve(
    features: KerasTensor,
    channels: int,
    kernel: int,
    norm: str,
    name: str,
    *,
    strides: int = 1,
    gamma: str = "ones",
) -> KerasTensor:
    """Return a convolution with normalization."""
    options = {"strides": strides, "kernel_initializer": "he_normal"}
    features = convolve(features, channels, kernel, norm, name=f"{name}_conv", **options)
    return normalize(features, norm, name=f"{name}_norm", gamma=gamma)


def _convolve_with_relu(
    features: KerasTensor, channels: int, kernel: int, norm: str, name: str, strides: int = 1
) -> KerasTensor:
    features = _convolve(features, channels, kernel, norm, name, strides=strides)
    return keras.layers.ReLU(name=f"{name}_relu")(features)
