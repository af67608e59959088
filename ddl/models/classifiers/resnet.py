"""Residual networks (He et al. 2015): ResNet 10 to 152, and the CIFAR family 20 to 1202 for small pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import KerasTensor

from ddl.models.classifiers import parts
from ddl.models.classifiers.parts import classifier
from ddl.models.layer_blocks import convolve
from ddl.models.norms import EPSILON, KERAS_EPSILON, normalize
from ddl.models.zoo import check_model
from ddl.ranges import check_choice

BLOCKS = {
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Depth -> residual blocks in each of four stages. From 50 on, a block is a bottleneck."""

MOST_BLOCKS = 60
"""Blocks in one graph. Keras walks a graph by recursion, and Python allows a depth of 1000."""

CIFAR_DEPTHS = (20, 32, 44, 56, 110, 1202)
"""6n + 2: one convolution, three stages of n blocks of two convolutions, and one dense layer."""


@dataclass(frozen=True)
class _Form:
    """What the blocks of one network share.

    Attributes:
        norm: one of `NORMS`.
        last_gamma: initial scale of the last normalization of a block.
        as_keras: with the biases, strides, padding and epsilon of `keras.applications`.
    """

    norm: str
    last_gamma: str
    as_keras: bool = False


def build_resnet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 1000,
    depth: int = 50,
    width: int = 64,
    norm: str = "sync",
    small_input: bool = False,
    as_keras: bool = False,
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> keras.Model:
    """Return a ResNet v1.5, with strides in the 3x3 convolutions: (N, H, W, C) -> (N, classes) of probabilities.

    Args:
        input_shape: (height, width, channels).
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 10, 18, 34, 50, 101 or 152.
        width: channels of the first stage's 3x3 convolutions; doubled in every stage.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        small_input: begin with a 3x3 convolution at full size, for pictures of about 32 pixels, instead of a 7x7
            convolution and a pooling that reduce each side to a quarter.
        as_keras: as in `keras.applications`: a bias in every convolution, strides in the first 1x1 convolution of a
            block, symmetric padding, and its epsilon; for depth 50, 101 and 152.
        zero_init_gamma: initialize every block as the identity, which helps with large batches (Goyal et al. 2017).
        dropout: dropout rate before the last layer; each rank draws its own masks.
        drop_path: rate at which a sample leaves out the last block (stochastic depth, Huang et al. 2016), rising
            linearly from the first block on; each rank draws its own samples.
    """
    check_choice("depth", depth, BLOCKS)
    check_model(f"resnet{depth}", **locals())
    form = _Form(norm, "zeros" if zero_init_gamma else "ones", as_keras)
    inputs = keras.Input(tuple(input_shape), name="image")
    features = (_small_stem if small_input else _stem)(inputs, width, form)
    block = functools.partial(_bottleneck_block if depth >= 50 else _basic_block, form=form)
    features = _stages(features, block, BLOCKS[depth], width, drop_path)
    return classifier(inputs, features, classes, f"resnet{depth}", dropout)


def build_cifar_resnet(
    input_shape: Sequence[int | None],
    *,
    classes: int = 10,
    depth: int = 20,
    width: int = 16,
    norm: str = "sync",
    zero_init_gamma: bool = False,
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> keras.Model:
    """Return a ResNet of the CIFAR family, with shortcuts without parameters: (N, H, W, C) -> (N, classes).

    Args:
        input_shape: (height, width, channels), of about 32 pixels.
        classes: 1 for a sigmoid output; more for a softmax.
        depth: 20, 32, 44, 56, 110 or 1202.
        width: channels of the first stage; doubled in every stage.
        norm: "sync" (batch normalization over all ranks), "batch" (per rank), "group" or "none".
        zero_init_gamma: initialize every block as the identity.
        dropout: dropout rate before the last layer; each rank draws its own masks.
        drop_path: rate at which a sample leaves out the last block (stochastic depth), rising linearly from the first
            block on; each rank draws its own samples.
    """
    check_choice("depth", depth, CIFAR_DEPTHS)
    check_model(f"resnet{depth}", **locals())
    form = _Form(norm, "zeros" if zero_init_gamma else "ones")
    inputs = keras.Input(tuple(input_shape), name="image")
    features = _small_stem(inputs, width, form)
    block = functools.partial(_basic_block, form=form, shortcut=_padded_shortcut)
    features = _stages(features, block, 3 * ((depth - 2) // 6,), width, drop_path)
    return classifier(inputs, features, classes, f"resnet{depth}", dropout)


def _small_stem(features: KerasTensor, width: int, form: _Form) -> KerasTensor:
    return _convolve_with_relu(features, width, 3, form, "stem")


def _stem(features: KerasTensor, width: int, form: _Form) -> KerasTensor:
    """Return a 7x7 convolution and a pooling: (N, H, W, C) -> (N, H / 4, W / 4, width)."""
    # TensorFlow's "same" pads one pixel more at the end than at the beginning where the stride is 2.
    padding = "valid" if form.as_keras else "same"
    if form.as_keras:
        features = keras.layers.ZeroPadding2D(3, name="stem_padding")(features)
    features = _convolve_with_relu(features, width, 7, form, "stem", strides=2, padding=padding)
    if form.as_keras:
        features = keras.layers.ZeroPadding2D(1, name="stem_pool_padding")(features)
    return keras.layers.MaxPooling2D(3, 2, padding=padding, name="stem_pool")(features)


def _stages(
    features: KerasTensor,
    block: Callable[..., KerasTensor],
    counts: Sequence[int],
    width: int,
    drop_path: float,
) -> KerasTensor:
    """Return the pooled output of all stages: (N, H, W, C) -> (N, channels of the last block).

    Each stage after the first halves the size and doubles the channels.
    """
    total = sum(counts)
    blocks: list[Callable[[KerasTensor], KerasTensor]] = []
    for stage, count in enumerate(counts):
        for number in range(count):
            options = {
                "channels": width * 2**stage,
                "name": f"stage_{stage + 1}_block_{number + 1}",
                "strides": 2 if stage and not number else 1,
                "rate": drop_path * (len(blocks) + 1) / total,
            }
            blocks.append(functools.partial(block, **options))
    if total <= MOST_BLOCKS:
        features = _chained(features, blocks)
    else:
        for first in range(0, total, MOST_BLOCKS):
            features = _grouped(features, blocks[first : first + MOST_BLOCKS], first + 1)
    return keras.layers.GlobalAveragePooling2D(name="pool")(features)


def _chained(
    features: KerasTensor, blocks: Sequence[Callable[[KerasTensor], KerasTensor]]
) -> KerasTensor:
    for block in blocks:
        features = block(features)
    return features


def _grouped(
    features: KerasTensor, blocks: Sequence[Callable[[KerasTensor], KerasTensor]], first: int
) -> KerasTensor:
    """Return the output of a model of some blocks, as one layer."""
    name = f"blocks_{first}_to_{first + len(blocks) - 1}"
    inputs = keras.Input(features.shape[1:], name=f"{name}_input")
    return keras.Model(inputs, _chained(inputs, blocks), name=name)(features)


def _projected_shortcut(
    features: KerasTensor, channels: int, form: _Form, name: str, strides: int
) -> KerasTensor:
    """Return the features, or a 1x1 convolution of them if size or channels change (option B)."""
    if strides == 1 and features.shape[-1] == channels:
        return features
    return _convolve(features, channels, 1, form, f"{name}_shortcut", strides=strides)


def _padded_shortcut(
    features: KerasTensor, channels: int, form: _Form, name: str, strides: int
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
    rate: float,
    form: _Form,
    shortcut: Callable[..., KerasTensor] = _projected_shortcut,
) -> KerasTensor:
    """Return two 3x3 convolutions added to the input: (N, H, W, C) -> (N, H / strides, W / strides, channels)."""
    short = shortcut(features, channels, form, name, strides)
    features = _convolve_with_relu(features, channels, 3, form, f"{name}_1", strides=strides)
    features = _convolve(features, channels, 3, form, f"{name}_2", gamma=form.last_gamma)
    return _added(short, features, rate, name)


def _bottleneck_block(
    features: KerasTensor, channels: int, name: str, *, strides: int, rate: float, form: _Form
) -> KerasTensor:
    """Return 1x1, 3x3 and 1x1 added to the input: (N, H, W, C) -> (N, H / strides, W / strides, 4 * channels)."""
    short = _projected_shortcut(features, 4 * channels, form, name, strides)
    first, second = (strides, 1) if form.as_keras else (1, strides)
    features = _convolve_with_relu(features, channels, 1, form, f"{name}_1", strides=first)
    features = _convolve_with_relu(features, channels, 3, form, f"{name}_2", strides=second)
    features = _convolve(features, 4 * channels, 1, form, f"{name}_3", gamma=form.last_gamma)
    return _added(short, features, rate, name)


def _added(short: KerasTensor, branch: KerasTensor, rate: float, name: str) -> KerasTensor:
    branch = parts.drop_path(branch, rate, f"{name}_drop_path")
    features = keras.layers.Add(name=f"{name}_add")([short, branch])
    return keras.layers.ReLU(name=f"{name}_relu")(features)


def _convolve(
    features: KerasTensor,
    channels: int,
    kernel: int,
    form: _Form,
    name: str,
    *,
    gamma: str = "ones",
    **options: Any,
) -> KerasTensor:
    """Return a convolution with normalization."""
    options["kernel_initializer"] = "he_normal"
    if form.as_keras:
        options["use_bias"] = True
    features = convolve(features, channels, kernel, form.norm, name=f"{name}_conv", **options)
    epsilon = KERAS_EPSILON if form.as_keras else EPSILON
    return normalize(features, form.norm, name=f"{name}_norm", gamma=gamma, epsilon=epsilon)


def _convolve_with_relu(
    features: KerasTensor, channels: int, kernel: int, form: _Form, name: str, **options: Any
) -> KerasTensor:
    features = _convolve(features, channels, kernel, form, name, **options)
    return keras.layers.ReLU(name=f"{name}_relu")(features)
