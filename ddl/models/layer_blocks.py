"""The parts that U-Nets are made of, for pictures (N, H, W, C) and for volumes (N, D, H, W, C)."""

from __future__ import annotations

from typing import Any

import keras

from ddl.models.norms import normalize

_LAYERS = {
    "Conv": {2: keras.layers.Conv2D, 3: keras.layers.Conv3D},
    "ConvTranspose": {2: keras.layers.Conv2DTranspose, 3: keras.layers.Conv3DTranspose},
    "MaxPooling": {2: keras.layers.MaxPooling2D, 3: keras.layers.MaxPooling3D},
    "UpSampling": {2: keras.layers.UpSampling2D, 3: keras.layers.UpSampling3D},
}


def layer(kind: str, features: keras.KerasTensor) -> Any:
    """Return Keras's layer class of this kind for features of this rank."""
    return _LAYERS[kind][len(features.shape) - 2]


def convolve(
    features: keras.KerasTensor, channels: int, kernel: int, norm: str, **options: Any
) -> keras.KerasTensor:
    """Return a convolution without its normalization and activation, with a bias only where `norm` is "none".

    A bias in front of a normalization has no gradient but rounding, which Adam would blow up. A normalization also
    forgets the scale of the weights; without one they start as He et al. 2015 ask, or deep models fade out.
    """
    options.setdefault("kernel_initializer", "he_normal" if norm == "none" else "glorot_uniform")
    options.setdefault("use_bias", norm == "none")
    return layer("Conv", features)(channels, kernel, padding="same", **options)(features)


def plain_block(
    features: keras.KerasTensor, channels: int, norm: str, name: str
) -> keras.KerasTensor:
    """Return two 3x3 convolutions, each with normalization and ReLU: (N, ..., C) -> (N, ..., channels)."""
    for number in (1, 2):
        features = convolve(features, channels, 3, norm, name=f"{name}_conv_{number}")
        features = normalize(features, channels, norm, name=f"{name}_norm_{number}")
        features = keras.layers.ReLU(name=f"{name}_relu_{number}")(features)
    return features


def residual_block(
    features: keras.KerasTensor, channels: int, norm: str, name: str
) -> keras.KerasTensor:
    """Return the plain block with its input added before the last ReLU: (N, ..., C) -> (N, ..., channels)."""
    shortcut = features
    if shortcut.shape[-1] != channels:
        shortcut = convolve(shortcut, channels, 1, norm, name=f"{name}_shortcut_conv")
        shortcut = normalize(shortcut, channels, norm, name=f"{name}_shortcut_norm")
    features = convolve(features, channels, 3, norm, name=f"{name}_conv_1")
    features = normalize(features, channels, norm, name=f"{name}_norm_1")
    features = keras.layers.ReLU(name=f"{name}_relu_1")(features)
    features = convolve(features, channels, 3, norm, name=f"{name}_conv_2")
    features = normalize(features, channels, norm, name=f"{name}_norm_2")
    features = keras.layers.Add(name=f"{name}_add")([shortcut, features])
    return keras.layers.ReLU(name=f"{name}_relu_2")(features)


def upsample(
    features: keras.KerasTensor, channels: int, norm: str, *, transposed: bool, name: str
) -> keras.KerasTensor:
    """Return features of twice the size: (N, H, W, C) -> (N, 2H, 2W, channels), volumes likewise.

    Args:
        features: those of the coarser level.
        channels: how many come out.
        norm: that of the block which takes them in: it decides about the bias.
        transposed: by a transposed convolution; else by interpolation (linear for pictures, nearest for
            volumes) of a 1x1 convolution, which costs a quarter of one after the interpolation and is the same.
        name: what the layers' names start with.
    """
    if transposed:
        up = layer("ConvTranspose", features)
        return up(channels, 2, strides=2, use_bias=norm == "none", name=f"{name}_conv")(features)
    features = convolve(features, channels, 1, norm, name=f"{name}_conv")
    return enlarge(features, 2, name=f"{name}_enlarged")


def enlarge(features: keras.KerasTensor, factor: int, name: str) -> keras.KerasTensor:
    """Return the features interpolated to `factor` times the size: linear for pictures, nearest for volumes."""
    how = {"interpolation": "bilinear"} if len(features.shape) == 4 else {}
    return layer("UpSampling", features)(factor, name=name, **how)(features)


def attention_gate(
    skip: keras.KerasTensor, gate: keras.KerasTensor, norm: str, name: str
) -> keras.KerasTensor:
    """Return the skip, each place weighed in 0..1 by what the decoder knows (Oktay et al. 2018).

    Args:
        skip: (N, H, W, C) from the encoder.
        gate: (N, H, W, C') from the decoder, of the same size.
        norm: applied to the sum of both.
        name: what the layers' names start with.
    """
    channels = max(1, skip.shape[-1] // 2)
    # One bias is enough for the sum of two convolutions.
    seen = convolve(skip, channels, 1, norm, use_bias=False, name=f"{name}_skip_conv")
    wanted = convolve(gate, channels, 1, norm, name=f"{name}_gate_conv")
    both = keras.layers.Add(name=f"{name}_add")([seen, wanted])
    both = normalize(both, channels, norm, name=f"{name}_norm")
    both = keras.layers.ReLU(name=f"{name}_relu")(both)
    weight = layer("Conv", skip)(1, 1, activation="sigmoid", name=f"{name}_weight")(both)
    return keras.layers.Multiply(name=f"{name}_weighed")([skip, weight])


def probabilities(scores: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Return the sigmoid of one channel or the softmax of several, in float32 also under mixed precision.

    Their logarithm is the loss, which half precision would ruin.
    """
    activation = "sigmoid" if scores.shape[-1] == 1 else "softmax"
    return keras.layers.Activation(activation, dtype="float32", name=name)(scores)
