"""Building blocks of models, for pictures (N, H, W, C) and volumes (N, D, H, W, C)."""

from __future__ import annotations

from typing import Any

import keras
from keras import KerasTensor

from ddl.models.norms import normalize


def layer(kind: str, features: KerasTensor) -> Any:
    """Return a Keras layer class for pictures or volumes: "Conv{}D" becomes Conv2D or Conv3D."""
    return getattr(keras.layers, kind.format(len(features.shape) - 2))


def convolve(
    features: KerasTensor, channels: int, kernel: int, norm: str, **options: Any
) -> KerasTensor:
    """Return the output of a convolution that `norm` will follow. It has a bias only if `norm` is "none".

    Before a normalization, the gradient of a bias is only rounding error, which Adam would amplify. Normalization also
    hides the scale of the weights. Without it, deep models need the initial weights of He et al. 2015.
    """
    options.setdefault("kernel_initializer", "he_normal" if norm == "none" else "glorot_uniform")
    options.setdefault("use_bias", norm == "none")
    options.setdefault("padding", "same")
    return layer("Conv{}D", features)(channels, kernel, **options)(features)


def plain_block(features: KerasTensor, channels: int, norm: str, name: str) -> KerasTensor:
    """Return two 3x3 convolutions, each with normalization and ReLU: (N, ..., C) -> (N, ..., channels)."""
    for number in (1, 2):
        features = convolve(features, channels, 3, norm, name=f"{name}_conv_{number}")
        features = normalize(features, norm, name=f"{name}_norm_{number}")
        features = keras.layers.ReLU(name=f"{name}_relu_{number}")(features)
    return features


def residual_block(features: KerasTensor, channels: int, norm: str, name: str) -> KerasTensor:
    """Return the plain block with its input added before the last ReLU: (N, ..., C) -> (N, ..., channels)."""
    shortcut = features
    if shortcut.shape[-1] != channels:
        shortcut = convolve(shortcut, channels, 1, norm, name=f"{name}_shortcut_conv")
        shortcut = normalize(shortcut, norm, name=f"{name}_shortcut_norm")
    features = convolve(features, channels, 3, norm, name=f"{name}_conv_1")
    features = normalize(features, norm, name=f"{name}_norm_1")
    features = keras.layers.ReLU(name=f"{name}_relu_1")(features)
    features = convolve(features, channels, 3, norm, name=f"{name}_conv_2")
    features = normalize(features, norm, name=f"{name}_norm_2")
    features = keras.layers.Add(name=f"{name}_add")([shortcut, features])
    return keras.layers.ReLU(name=f"{name}_relu_2")(features)


def upsample(
    features: KerasTensor, channels: int, norm: str, *, transposed: bool, name: str
) -> KerasTensor:
    """Return features of twice the size: (N, H, W, C) -> (N, 2H, 2W, channels); volumes likewise.

    Args:
        features: output of the coarser level.
        channels: number of output channels.
        norm: normalization of the block that follows; a bias is used only if it is "none".
        transposed: use a transposed convolution. Otherwise a 1x1 convolution, then interpolation (linear for
            pictures, nearest for volumes). The other order gives the same result at four times the cost.
        name: prefix of the layers' names.
    """
    if transposed:
        up = layer("Conv{}DTranspose", features)
        return up(channels, 2, strides=2, use_bias=norm == "none", name=f"{name}_conv")(features)
    features = convolve(features, channels, 1, norm, name=f"{name}_conv")
    return enlarge(features, 2, name=f"{name}_enlarged")


def enlarge(features: KerasTensor, factor: int, name: str) -> KerasTensor:
    """Return the features interpolated to `factor` times the size: linear for pictures, nearest for volumes."""
    how = {"interpolation": "bilinear"} if len(features.shape) == 4 else {}
    return layer("UpSampling{}D", features)(factor, name=name, **how)(features)


def attention_gate(skip: KerasTensor, gate: KerasTensor, norm: str, name: str) -> KerasTensor:
    """Return the skip connection, each pixel scaled by a weight from 0 to 1 (Oktay et al. 2018).

    Args:
        skip: (N, H, W, C) from the encoder.
        gate: (N, H, W, C') from the decoder, of the same size.
        norm: normalization of the sum of both.
        name: prefix of the layers' names.
    """
    channels = max(1, skip.shape[-1] // 2)
    # One bias is enough for the sum of two convolutions.
    from_skip = convolve(skip, channels, 1, norm, use_bias=False, name=f"{name}_skip_conv")
    from_gate = convolve(gate, channels, 1, norm, name=f"{name}_gate_conv")
    both = keras.layers.Add(name=f"{name}_add")([from_skip, from_gate])
    both = normalize(both, norm, name=f"{name}_norm")
    both = keras.layers.ReLU(name=f"{name}_relu")(both)
    weight = layer("Conv{}D", skip)(1, 1, activation="sigmoid", name=f"{name}_weight")(both)
    return keras.layers.Multiply(name=f"{name}_weighed")([skip, weight])


OUTPUTS = ("auto", "sigmoid", "softmax", "linear")


def probabilities(scores: KerasTensor, name: str, output: str = "auto") -> KerasTensor:
    """Return the sigmoid of one channel or the softmax of several, in float32 also under mixed precision.

    Another `output` than "auto" is the activation, for targets that are values.

    The loss takes their logarithm, for which half precision is too coarse. A model in float64 stays in it.
    """
    activation = output
    if output == "auto":
        activation = "sigmoid" if scores.shape[-1] == 1 else "softmax"
    dtype = "float64" if scores.dtype == "float64" else "float32"
    return keras.layers.Activation(activation, dtype=dtype, name=name)(scores)
