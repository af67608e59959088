"""Residual networks: ResNet 18 to 152 for pictures, and the CIFAR family 20 to 110 for small ones (He et al. 2015)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import keras

from ddl.models.layer_blocks import convolve, probabilities
from ddl.models.norms import normalize
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
"""6n + 2: three stages of n blocks of two convolutions, a convolution before and the classes after."""


def build_resnet(
    input_shape: Sequence[int],
    *,
    classes: int = 1000,
    depth: int = 50,
    width: int = 64,
    norm: str = "sync",
    small_input: bool = False,
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return a ResNet v1.5 (the stride is on the 3x3): (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels).
        classes: 1 ends in a sigmoid, more in a softmax.
        depth: 18, 34, 50, 101 or 152.
        width: channels of the first stage's 3x3 convolutions, which every stage doubles.
        norm: "sync" (batch normalization over all ranks), "batch" (over this rank's part), "group" or "none".
        small_input: begin with a 3x3 convolution at full size, for pictures of some 32 pixels, in place of
            a 7x7 and a pooling that quarter it.
        zero_init_gamma: let every block begin as the identity (Goyal et al. 2017), which large batches like.
        dropout: share of the last features dropped; masks are a rank's own.
    """
    check_choice("depth", depth, BLOCKS)
    _check(input_shape, classes, width, norm, dropout, zero_init_gamma)
    block = _bottleneck_block if depth >= 50 else _basic_block
    inputs = keras.Input(tuple(input_shape), name="image")
    if small_input:
        features = _convolve_and_normalize(inputs, width, 3, norm, "stem")
        features = keras.layers.ReLU(name="stem_relu")(features)
    else:
        features = _convolve_and_normalize(inputs, width, 7, norm, "stem", strides=2)
        features = keras.layers.ReLU(name="stem_relu")(features)
        features = keras.layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(features)
    features = _stages(features, block, BLOCKS[depth], width, norm, zero_init_gamma)
    return _classify(inputs, features, classes, dropout, f"resnet{depth}")


def build_cifar_resnet(
    input_shape: Sequence[int],
    *,
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    norm: str = "sync",
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return a ResNet of the CIFAR family, its shortcuts without parameters: (N, H, W, C) -> (N, classes).

    Args:
        input_shape: (height, width, channels), of some 32 pixels.
        classes: 1 ends in a sigmoid, more in a softmax.
        depth: 20, 32, 44, 56 or 110.
        width: channels of the first stage, which every stage doubles.
        norm: "sync" (batch normalization over all ranks), "batch" (over this rank's part), "group" or "none".
        zero_init_gamma: let every block begin as the identity.
        dropout: share of the last features dropped; masks are a rank's own.
    """
    check_choice("depth", depth, CIFAR_DEPTHS)
    _check(input_shape, classes, width, norm, dropout, zero_init_gamma)
    inputs = keras.Input(tuple(input_shape), name="image")
    features = _convolve_and_normalize(inputs, width, 3, norm, "stem")
    features = keras.layers.ReLU(name="stem_relu")(features)
    block = functools.partial(_basic_block, padded_shortcut=True)
    blocks = 3 * ((depth - 2) // 6,)
    features = _stages(features, block, blocks, width, norm, zero_init_gamma)
    return _classify(inputs, features, classes, dropout, f"resnet{depth}")


def _stages(
    features: keras.KerasTensor,
    block: Callable[..., keras.KerasTensor],
    counts: Sequence[int],
    width: int,
    norm: str,
    zero_init_gamma: bool,
) -> keras.KerasTensor:
    """Return stages of blocks, each after the first halving the size and doubling the channels."""
    for stage, count in enumerate(counts):
        for number in range(count):
            features = block(
                features,
                width * 2**stage,
                norm,
                f"stage_{stage + 1}_block_{number + 1}",
                strides=2 if stage and not number else 1,
                last_gamma="zeros" if zero_init_gamma else "ones",
            )
    return features


def _basic_block(
    features: keras.KerasTensor,
    channels: int,
    norm: str,
    name: str,
    *,
    strides: int,
    last_gamma: str,
    padded_shortcut: bool = False,
) -> keras.KerasTensor:
    """Return two 3x3 convolutions added to their input: (N, H, W, C) -> (N, H / strides, W / strides, channels)."""
    shorten = _padded_shortcut if padded_shortcut else _projected_shortcut
    shortcut = shorten(features, channels, norm, name, strides)
    features = _convolve_and_normalize(features, channels, 3, norm, f"{name}_1", strides=strides)
    features = keras.layers.ReLU(name=f"{name}_1_relu")(features)
    features = _convolve_and_normalize(features, channels, 3, norm, f"{name}_2", gamma=last_gamma)
    features = keras.layers.Add(name=f"{name}_add")([shortcut, features])
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _bottleneck_block(
    features: keras.KerasTensor,
    channels: int,
    norm: str,
    name: str,
    *,
    strides: int,
    last_gamma: str,
) -> keras.KerasTensor:
    """Return 1x1, 3x3, 1x1 added to their input: (N, H, W, C) -> (N, H / strides, W / strides, 4 * channels)."""
    shortcut = _projected_shortcut(features, 4 * channels, norm, name, strides)
    features = _convolve_and_normalize(features, channels, 1, norm, f"{name}_1")
    features = keras.layers.ReLU(name=f"{name}_1_relu")(features)
    features = _convolve_and_normalize(features, channels, 3, norm, f"{name}_2", strides=strides)
    features = keras.layers.ReLU(name=f"{name}_2_relu")(features)
    features = _convolve_and_normalize(
        features, 4 * channels, 1, norm, f"{name}_3", gamma=last_gamma
    )
    features = keras.layers.Add(name=f"{name}_add")([shortcut, features])
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _projected_shortcut(
    features: keras.KerasTensor, channels: int, norm: str, name: str, strides: int
) -> keras.KerasTensor:
    """Return the features themselves, or a 1x1 convolution of them where size or channels change (option B)."""
    if strides == 1 and features.shape[-1] == channels:
        return features
    return _convolve_and_normalize(features, channels, 1, norm, f"{name}_shortcut", strides=strides)


def _padded_shortcut(
    features: keras.KerasTensor, channels: int, norm: str, name: str, strides: int
) -> keras.KerasTensor:
    """Return every `strides`-th pixel, with zeros as the missing channels (option A)."""
    if strides > 1:
        pick = keras.layers.MaxPooling2D(1, strides, name=f"{name}_shortcut_pick", padding="same")
        features = pick(features)
    missing = channels - features.shape[-1]
    if missing:
        features = keras.ops.pad(features, [(0, 0), (0, 0), (0, 0), (0, missing)])
    return features


def _convolve_and_normalize(
    features: keras.KerasTensor,
    channels: int,
    kernel: int,
    norm: str,
    name: str,
    *,
    strides: int = 1,
    gamma: str = "ones",
) -> keras.KerasTensor:
    options = {"strides": strides, "kernel_initializer": "he_normal"}
    features = convolve(features, channels, kernel, norm, name=f"{name}_conv", **options)
    return normalize(features, channels, norm, name=f"{name}_norm", gamma=gamma)


def _classify(
    inputs: keras.KerasTensor,
    features: keras.KerasTensor,
    classes: int,
    dropout: float,
    name: str,
) -> keras.Model:
    features = keras.layers.GlobalAveragePooling2D(name="pool")(features)
    if dropout:
        features = keras.layers.Dropout(dropout, name="dropout")(features)
    scores = keras.layers.Dense(classes, name="scores")(features)
    return keras.Model(inputs, probabilities(scores, "probabilities"), name=name)


def _check(
    input_shape: Sequence[int],
    classes: int,
    width: int,
    norm: str,
    dropout: float,
    zero_init_gamma: bool,
) -> None:
    if len(input_shape) != 3:
        raise ValueError(
            f"Received: input_shape={tuple(input_shape)}. Expected: (height, width, channels)."
        )
    if classes < 1 or width < 1:
        raise ValueError(f"Received: classes={classes}, width={width}. Expected: 1 or more.")
    if not 0 <= dropout < 1:
        raise ValueError(f"Received: dropout={dropout}. Expected: 0 or more, less than 1.")
    if zero_init_gamma and norm == "none":
        raise ValueError(
            "Received: zero_init_gamma=True, norm='none'. Expected: a normalization, which has a gamma; or False."
        )
